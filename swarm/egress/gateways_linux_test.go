package egress_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"swarmnode/internal/realclient"
	"swarmnode/swarm/egress"
)

// Gateways are those of default routes, of all tables and kinds.
func TestGateways(t *testing.T) {
	if !realclient.InNamespace(t) {
		return
	}
	for _, name := range []string{"one", "two", "tun"} {
		ip(t, "link add "+name+" type veth peer name "+name+"-far")
		ip(t, "link set "+name+"-far up")
	}
	ip(t, "addr add 192.168.9.2/24 dev one")
	ip(t, "addr add fd00:9::2/64 dev one nodad")
	ip(t, "addr add 172.16.5.9/12 dev two")
	ip(t, "addr add 172.20.0.2/32 dev tun")
	for _, name := range []string{"one", "two", "tun"} {
		ip(t, "link set "+name+" up")
	}
	gateways := func(n *egress.Net) string {
		t.Helper()
		all, err := n.Gateways()
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, g := range all {
			ifi, err := net.InterfaceByIndex(g.Index)
			if err != nil {
				t.Fatal(err)
			}
			text := fmt.Sprintf("%s %v", ifi.Name, g.Addr)
			if g.Guessed {
				text += " guessed"
			}
			texts = append(texts, text)
		}
		slices.Sort(texts)
		return strings.Join(texts, ", ")
	}
	if got := gateways(nil); got != "" {
		t.Errorf("without a route: %s", got)
	}
	ip(t, "route add 198.51.100.0/24 via 192.168.9.7")
	ip(t, "route add default via 192.168.9.1")
	ip(t, "-6 route add default via fe80::9 dev one")
	const one = "one 192.168.9.1, one fe80::9%one"
	if got := gateways(nil); got != one {
		t.Errorf("a home: %s", got)
	}
	// A VPN takes the halves of the internet, and leads to a tunnel without a router.
	ip(t, "route add 0.0.0.0/1 dev tun")
	ip(t, "route add 128.0.0.0/1 dev tun")
	ip(t, "route add default via 172.16.0.7 dev two table 77")
	const all = one + ", tun 172.20.0.1 guessed, two 172.16.0.7"
	if got := gateways(nil); got != all {
		t.Errorf("with a tunnel and another table: %s", got)
	}
	ip(t, "route replace default nexthop via 192.168.9.1 dev one nexthop via 172.16.0.8 dev two")
	if got := gateways(nil); got != one+", tun 172.20.0.1 guessed, two 172.16.0.7, two 172.16.0.8" {
		t.Errorf("with two routers in one route: %s", got)
	}
	for _, c := range []struct {
		cfg  egress.Config
		want string
	}{
		{egress.Config{Device: "tun"}, "tun 172.20.0.1 guessed"},
		{egress.Config{Device: "one", Family: egress.IPv4}, "one 192.168.9.1"},
		{egress.Config{Family: egress.IPv6}, "one fe80::9%one"},
	} {
		n, err := egress.New(c.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if got := gateways(n); got != c.want {
			t.Errorf("%+v: %s", c.cfg, got)
		}
	}
	ip(t, "link del tun")
	n, err := egress.New(egress.Config{Device: "one"})
	if err != nil {
		t.Fatal(err)
	}
	ip(t, "link del one")
	if got, err := n.Gateways(); err != nil || len(got) > 0 {
		t.Errorf("without the device: %v, %v", got, err)
	}
}
