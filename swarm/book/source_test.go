package book

import (
	"net/netip"
	"testing"

	"swarmnode/swarm/endpoint"
)

func TestUsable(t *testing.T) {
	for addr, want := range map[string]bool{
		"30.0.0.1:1": true, "30.0.0.1:0": false, "0.0.0.0:1": false, "0.1.2.3:1": false,
		"224.0.0.1:1": false, "239.192.152.143:6771": false, "255.255.255.255:1": false,
		"240.0.0.1:1": false, "[::]:1": false, "[ff02::1]:1": false, "[100::1]:1": false,
		"[2001:db8::1]:1": true, "[2001:db8::1]:0": false, "127.0.0.1:9": true,
		"[2002:e000:1::]:1": false, // 224.0.0.1 by 6to4
	} {
		if got := Usable(at(addr)); got != want {
			t.Errorf("%s: usable %v, want %v", addr, got, want)
		}
	}
	for _, e := range []endpoint.Endpoint{{}, endpoint.WebSeed(1)} {
		if Usable(e) {
			t.Errorf("%v is usable", e)
		}
	}
}

func TestLocal(t *testing.T) {
	for ip, want := range map[string]bool{
		"127.0.0.1": true, "10.1.2.3": true, "192.168.1.1": true, "169.254.1.1": true,
		"100.64.0.1": true, "100.128.0.1": false, "::1": true, "fe80::1": true, "fc00::1": true,
		"fec0::1": true, "::ffff:10.0.0.1": true, "2002:a00:1::1": true, // 10.0.0.1 by 6to4
		"30.0.0.1": false, "2001:db8::1": false,
	} {
		if got := Local(netip.MustParseAddr(ip)); got != want {
			t.Errorf("%s: local %v, want %v", ip, got, want)
		}
	}
}

// TestMayName: only the user may name a service of this machine or network.
func TestMayName(t *testing.T) {
	for _, c := range []struct {
		addr string
		may  map[Source]bool // others may if 0 may
	}{
		{"30.0.0.1:22", map[Source]bool{SourceUser: true, SourceDHT: true}},
		{"127.0.0.1:22", map[Source]bool{SourceUser: true}},
		{"192.168.1.1:1023", map[Source]bool{SourceUser: true}},
		{"192.168.1.1:1024", map[Source]bool{SourceUser: true, SourceDHT: true}},
		{"[::ffff:10.0.0.1]:80", map[Source]bool{SourceUser: true}},
		{"169.254.169.254:8080", map[Source]bool{SourceUser: true, SourceLSD: true,
			SourceIncoming: true}},
		{"[fe80::1]:6881", map[Source]bool{SourceUser: true, SourceLSD: true,
			SourceIncoming: true}},
		{"[fe80::1]:80", map[Source]bool{SourceUser: true}},
	} {
		for s := range SourceCount {
			want := c.may[s] || c.may[SourceDHT]
			if got := s.MayName(netip.MustParseAddrPort(c.addr)); got != want {
				t.Errorf("source %d may name %s: %v, want %v", s, c.addr, got, want)
			}
		}
	}
}

func TestVouches(t *testing.T) {
	for s := range SourceCount {
		want := s == SourceTracker || s == SourceUser || s == SourceLink
		if got := s.vouches(); got != want {
			t.Errorf("source %d vouches: %v, want %v", s, got, want)
		}
	}
}
