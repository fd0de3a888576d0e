package main

import (
	"net/netip"
	"slices"
	"testing"
)

// A link names the addresses that others can use, or those that were asked for.
func TestOwnAddrs(t *testing.T) {
	for _, c := range []struct {
		bound, given, want []string
	}{
		{[]string{"0.0.0.0:7", "[::]:8"}, nil, nil},
		{[]string{"127.0.0.1:7", "[::1]:8", "169.254.1.2:9", "[fe80::1%eth0]:9"}, nil, nil},
		{[]string{"192.0.2.1:7", "[2001:db8::1]:8"}, nil,
			[]string{"192.0.2.1:7", "[2001:db8::1]:8"}},
		{[]string{"10.0.0.1:7"}, nil, []string{"10.0.0.1:7"}},
		{[]string{"0.0.0.0:7", "[::]:8"}, []string{"2001:db8::2", "192.0.2.2"},
			[]string{"[2001:db8::2]:8", "192.0.2.2:7"}},
		{[]string{"10.0.0.1:7"}, []string{"2001:db8::2"}, []string{"[2001:db8::2]:7"}},
		{[]string{"10.0.0.1:7"}, []string{"127.0.0.1"}, []string{"127.0.0.1:7"}},
	} {
		var bound []netip.AddrPort
		for _, s := range c.bound {
			bound = append(bound, netip.MustParseAddrPort(s))
		}
		if got := ownAddrs(bound, c.given); !slices.Equal(got, c.want) {
			t.Errorf("bound to %v, given %v: %v, want %v", c.bound, c.given, got, c.want)
		}
	}
	for _, s := range []string{"", "0.0.0.0", "::", "224.0.0.1", "fe80::1%eth0", "example.org",
		"1.2.3.4:5"} {
		if checkIP(s) == nil {
			t.Errorf("checkIP(%q) finds nothing wrong", s)
		}
	}
}
