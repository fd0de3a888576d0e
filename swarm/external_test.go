package swarm

import (
	"net/netip"
	"testing"
)

// TestExternal: an address of each family is kept, others of local networks are not, and
// a reader hears of each change once.
func TestExternal(t *testing.T) {
	var x external
	_, seen, changed := x.since(0)
	if changed {
		t.Error("an address is known from the start")
	}
	for _, c := range []struct {
		said    string
		want    [2]string
		changed bool
	}{
		{"192.168.1.2", [2]string{}, false},
		{"127.0.0.1", [2]string{}, false},
		{"fe80::1%eth0", [2]string{}, false},
		{"fd00::1", [2]string{}, false},
		{"203.0.113.7", [2]string{"203.0.113.7"}, true},
		{"::ffff:203.0.113.7", [2]string{"203.0.113.7"}, false},
		{"2001:db8::1", [2]string{"203.0.113.7", "2001:db8::1"}, true},
		{"203.0.113.8", [2]string{"203.0.113.8", "2001:db8::1"}, true},
		{"10.0.0.1", [2]string{"203.0.113.8", "2001:db8::1"}, false},
	} {
		x.set(netip.MustParseAddr(c.said))
		addrs, version, changed := x.since(seen)
		if changed != c.changed {
			t.Errorf("after %s: changed %v, want %v", c.said, changed, c.changed)
		}
		for i, want := range c.want {
			if got := addrs[i]; got.IsValid() != (want != "") ||
				got.IsValid() && got != netip.MustParseAddr(want) {
				t.Errorf("after %s: address %d is %v, want %q", c.said, i, got, want)
			}
		}
		if _, _, again := x.since(version); again {
			t.Errorf("after %s: changed twice", c.said)
		}
		seen = version
	}
}
