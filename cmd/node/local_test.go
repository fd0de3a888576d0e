package main

import (
	"net"
	"net/netip"
	"testing"
)

func TestListensOn(t *testing.T) {
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback == 0 || i.Flags&net.FlagUp == 0 {
			continue
		}
		for _, c := range []struct {
			bound []string
			want  bool
		}{
			{[]string{"0.0.0.0:1"}, true},
			{[]string{"[::]:1"}, true},
			{[]string{"127.0.0.1:1"}, true},
			{[]string{"192.0.2.1:1", "127.0.0.1:1"}, true},
			{[]string{"192.0.2.1:1"}, false},
			{nil, false},
		} {
			var bound []netip.AddrPort
			for _, s := range c.bound {
				bound = append(bound, netip.MustParseAddrPort(s))
			}
			if got := listensOn(i, bound); got != c.want {
				t.Errorf("listensOn(%s, %v) = %v, want %v", i.Name, c.bound, got, c.want)
			}
		}
		return
	}
	t.Skip("no loopback interface")
}
