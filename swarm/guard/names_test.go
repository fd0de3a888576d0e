package guard

import (
	"errors"
	"testing"
)

func TestReachOfName(t *testing.T) {
	for host, want := range map[string]Reach{
		"tracker.example":                Public,
		"tracker.example.":               Public,
		"TRACKER.Example":                Public,
		"xn--bcher-kva.example":          Public,
		"abcdefghij234567.onion":         Public,
		"localhost.example":              Public,
		"local.example":                  Public,
		"1.2.3.4.example":                Public,
		"192.0.2.1":                      Public,
		"2001:db8::1":                    Public,
		"localhost":                      Loopback,
		"LOCALHOST.":                     Loopback,
		"tracker.localhost":              Loopback,
		"127.0.0.1":                      Loopback,
		"::1":                            Loopback,
		"::ffff:127.0.0.1":               Loopback,
		"router":                         Private,
		"nas.local":                      Private,
		"printer.LAN.":                   Private,
		"metadata.google.internal":       Private,
		"fritz.home.arpa":                Private,
		"localhost.localdomain":          Private,
		"10.1.2.3":                       Private,
		"fd00::1":                        Private,
		"169.254.169.254":                LinkLocal,
		"fe80::1%eth0":                   LinkLocal,
		"64:ff9b::7f00:1":                Loopback,
		"ip6-localhost":                  Private,
		"home.arpa.example":              Public,
		"kubernetes.default.svc.cluster": Public, // nothing says that it is not
	} {
		if got, ok := ReachOfName(host); got != want || !ok {
			t.Errorf("%s: got %v, %v, want %v", host, got, ok, want)
		}
	}
	for _, host := range []string{"", ".", "127.1", "2130706433", "0x7f000001", "0x7f.0.0.1",
		"127.0.0.0x1", "017700000001", "0177.0.0.01", "1.2.3.4.5", "a.0x", "example..", "0.0.0.0",
		"224.0.0.1", "::"} {
		if got, ok := ReachOfName(host); ok {
			t.Errorf("%q: got %v, want nobody", host, got)
		}
	}
}

// Through a proxy a stranger leads us to public hosts alone, and the user anywhere.
func TestCheckHost(t *testing.T) {
	harmless := rule{nearest: Loopback, stranger: true}
	strict := rule{nearest: Public, stranger: true}
	user := rule{nearest: LinkLocal}
	redirected := rule{nearest: Public}
	for _, host := range []string{"localhost", "127.0.0.1", "10.0.0.1", "nas.local", "router",
		"169.254.169.254"} {
		for name, r := range map[string]rule{"harmless": harmless, "strict": strict,
			"redirected": redirected} {
			var refusal *NameRefusal
			if err := r.checkHost(host); !errors.Is(err, ErrRefused) || !errors.As(err, &refusal) ||
				refusal.Unusable {
				t.Errorf("%s, %s: %v", name, host, err)
			}
		}
		if err := user.checkHost(host); err != nil {
			t.Errorf("the user's %s: %v", host, err)
		}
	}
	for _, r := range []rule{harmless, strict, user, redirected} {
		if err := r.checkHost("tracker.example"); err != nil {
			t.Error(err)
		}
		if err := r.checkHost("0x7f.1"); !errors.Is(err, ErrRefused) {
			t.Errorf("an address in disguise: %v", err)
		}
	}
}
