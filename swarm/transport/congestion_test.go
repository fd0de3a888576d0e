package transport

import (
	"net"
	"net/netip"
	"testing"
)

func TestDistant(t *testing.T) {
	for ip, want := range map[string]bool{
		"198.51.100.7": true, "2001:db8::7": true,
		"127.0.0.1": false, "::1": false, "192.168.1.2": false, "10.0.0.1": false,
		"fd00::1": false, "fe80::1": false, "169.254.1.1": false, "100.64.0.1": false,
		"224.0.0.1": false, "0.0.0.0": false,
	} {
		if got := distant(netip.MustParseAddr(ip)); got != want {
			t.Errorf("distant(%s) = %v, want %v", ip, got, want)
		}
	}
}

// TestKeepPaceLeavesOthersAlone: streams within a machine, and those that are not TCP.
func TestKeepPaceLeavesOthersAlone(t *testing.T) {
	p := listenPair(t, loopback)
	dialled, err := TCP{}.Dial(t.Context(), p.AddrPort())
	if err != nil {
		t.Fatal(err)
	}
	defer dialled.Close()
	if KeepPace(dialled) {
		t.Error("a stream within the machine has BBR")
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if KeepPace(a) || KeepPace(covered{a}) {
		t.Error("a pipe has BBR")
	}
}

// covered is a stream above another one.
type covered struct{ net.Conn }

func (c covered) Below() net.Conn { return c.Conn }
