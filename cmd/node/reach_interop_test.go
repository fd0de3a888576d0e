//go:build linux

package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"swarmnode"
	"swarmnode/internal/lab"
	"swarmnode/internal/nodeproc"
	"swarmnode/internal/realclient"
)

// reachTimeout bounds a part of TestReach.
const reachTimeout = 90 * time.Second

// A reachLab is an internet with a few DHT nodes, and strangers that the nodes behind routers
// have never heard of.
type reachLab struct {
	*lab.Lab
	binary    string
	bootstrap []string
}

// A reachEvent is what "node seed --json" says of how others reach it.
type reachEvent struct {
	Event, UTP, TCP, Mapping, Filtering, Ports, Why string

	External    []netip.AddrPort
	ExternalTCP []netip.AddrPort `json:"external_tcp"`
}

// TestReach: a node behind each kind of router finds out where it stands.
func TestReach(t *testing.T) {
	binary, inside := nodeInNamespace(t)
	if !inside {
		return
	}
	l := lab.OpenModelled(t)
	r := &reachLab{Lab: l, binary: binary}
	for i := range 4 { // in networks of their own
		n, err := swarmnode.StartDHT(swarmnode.DHTConfig{
			Listen:    []netip.AddrPort{netip.AddrPortFrom(outsider(i+1), 0)},
			Bootstrap: slices.Clone(r.bootstrap)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Close() })
		r.bootstrap = append(r.bootstrap, n.Addrs()[0].String())
	}
	const addr, port = lab.AddressDependent, lab.AddressAndPortDependent
	t.Run("public", r.public)
	for _, c := range []struct {
		name    string
		cfg     lab.RouterConfig
		first   reachEvent // before anybody comes unasked
		udp     string     // filtering once a host has that nothing was sent to
		another string     // or another port of a DHT node
	}{
		{"full cone", lab.RouterConfig{},
			reachEvent{UTP: "punch", Mapping: "endpoint-independent", Ports: "changed"},
			"open", ""},
		{"address-restricted", lab.RouterConfig{NAT: lab.NAT{Filtering: addr}},
			reachEvent{UTP: "punch", Mapping: "endpoint-independent", Ports: "changed"}, "",
			"by address"},
		{"port-restricted", lab.RouterConfig{NAT: lab.NAT{Filtering: port, Preserve: true}},
			reachEvent{UTP: "punch", Mapping: "endpoint-independent", Ports: "preserved"}, "", ""},
		{"symmetric", lab.RouterConfig{NAT: lab.NAT{Mapping: port, Filtering: port}},
			reachEvent{UTP: "relay", Mapping: "varies", Ports: "changed"}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			router, err := l.Router(fmt.Sprintf("r-%.4s", c.name), c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			in, err := router.Inside("in-" + c.name[:4])
			if err != nil {
				t.Fatal(err)
			}
			r.behind(t, in, router.Addr, c.first, c.udp, c.another)
		})
	}
	t.Run("carrier", r.carrier)
	t.Run("router with UPnP", r.mapped)
}

// outsider returns a host of the internet in a network of its own.
func outsider(n int) netip.Addr { return netip.AddrFrom4([4]byte{11, 7, byte(n), 1}) }

// seed starts a node that seeds something on a host.
func (r *reachLab) seed(t *testing.T, on *lab.Host) *nodeproc.Node {
	t.Helper()
	content := filepath.Join(t.TempDir(), "content.bin")
	writeContent(t, content, 1000)
	words := slices.Concat(on.Enter(), []string{r.binary, "seed", "-v", "--no-lsd"})
	for _, host := range r.bootstrap {
		words = append(words, "--bootstrap", host)
	}
	node, err := nodeproc.Start(words[0], t.TempDir(), append(words[1:], content)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		node.Stop()
		if t.Failed() {
			t.Logf("node:\n%s", node.Log())
		}
	})
	return node
}

// await waits until the node says that it is reached in some way.
func (r *reachLab) await(t *testing.T, n *nodeproc.Node, what string,
	match func(*reachEvent) bool) (e reachEvent) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), reachTimeout)
	defer cancel()
	_, err := n.WaitFor(ctx, what, func(raw nodeproc.Event) bool {
		e = reachEvent{}
		return raw.Event == "reach" && json.Unmarshal([]byte(raw.Raw), &e) == nil && match(&e)
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// public: a host with a public address.
func (r *reachLab) public(t *testing.T) {
	host, err := r.Modelled("public", lab.Way{}, lab.Way{})
	if err != nil {
		t.Fatal(err)
	}
	n := r.seed(t, host)
	e := r.await(t, n, "an address that others see", func(e *reachEvent) bool {
		return e.UTP == "open" && len(e.External) > 0
	})
	if e.TCP != "open" || e.External[0].Addr() != host.Addr || e.Ports != "preserved" ||
		!slices.Equal(e.External, e.ExternalTCP) {
		t.Errorf("a public host is %+v", e)
	}
}

// behind: a host behind a router. When strangers send to it, it learns what the router lets in.
func (r *reachLab) behind(t *testing.T, in *lab.Host, outside netip.Addr, want reachEvent,
	udp, another string) {
	n := r.seed(t, in)
	e := r.await(t, n, "a verdict", func(e *reachEvent) bool {
		// A full cone may have shown itself already.
		return (e.UTP == want.UTP || e.UTP == udp) && e.TCP == "none" && len(e.External) > 0
	})
	if e.External[0].Addr() != outside || e.Mapping != want.Mapping || e.Ports != want.Ports ||
		len(e.ExternalTCP) > 0 {
		t.Errorf("it is %+v, want %+v", e, want)
	}
	if e.External[0].Port() == 0 {
		return
	}
	// Both say something at once; what passes says what passes.
	r.ping(t, outsider(99), e.External[0])
	known := netip.MustParseAddrPort(r.bootstrap[0])
	r.ping(t, known.Addr(), e.External[0])
	for _, filtering := range []string{udp, another} {
		if filtering != "" {
			e = r.await(t, n, "filtering "+filtering, func(e *reachEvent) bool {
				return e.Filtering == filtering
			})
		}
	}
	if open := udp == "open"; open != (e.UTP == "open") || e.TCP != "none" {
		t.Errorf("in the end it is %+v", e)
	}
}

// ping sends a query of the DHT from a port of its own.
func (r *reachLab) ping(t *testing.T, from netip.Addr, to netip.AddrPort) {
	t.Helper()
	conn, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0)),
		net.UDPAddrFromAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	query := "d1:ad2:id20:" + strings.Repeat("x", 20) + "e1:q4:ping1:t2:aa1:y1:qe"
	if _, err := conn.Write([]byte(query)); err != nil {
		t.Fatal(err)
	}
}

// carrier: a carrier's symmetric NAT behind a router that would let everybody in.
func (r *reachLab) carrier(t *testing.T) {
	carrier, err := r.Router("carrier", lab.RouterConfig{Carrier: true,
		NAT: lab.NAT{Mapping: lab.AddressAndPortDependent, Filtering: lab.AddressAndPortDependent}})
	if err != nil {
		t.Fatal(err)
	}
	home, err := r.Router("home", lab.RouterConfig{Behind: carrier})
	if err != nil {
		t.Fatal(err)
	}
	in, err := home.Inside("in-home")
	if err != nil {
		t.Fatal(err)
	}
	e := r.await(t, r.seed(t, in), "a relay", func(e *reachEvent) bool { return e.UTP == "relay" })
	if e.External[0].Addr() != carrier.Addr || e.Mapping != "varies" {
		t.Errorf("it is %+v", e)
	}
}

// mapped: a router that maps ports.
func (r *reachLab) mapped(t *testing.T) {
	realclient.RequireServer(t, realclient.Miniupnpd)
	router, err := r.Router("upnp", lab.RouterConfig{Offers: lab.Offers{UPnP: true}})
	if err != nil {
		t.Fatal(err)
	}
	in, err := router.Inside("in-upnp")
	if err != nil {
		t.Fatal(err)
	}
	e := r.await(t, r.seed(t, in), "mappings", func(e *reachEvent) bool {
		return e.UTP == "mapped" && e.TCP == "mapped"
	})
	if e.External[0].Addr() != router.Addr || !strings.HasSuffix(e.Why, "(UPnP)") {
		t.Errorf("it is %+v", e)
	}
	conn, err := net.DialTimeout("tcp", e.ExternalTCP[0].String(), reachTimeout)
	if err != nil {
		t.Fatal("the address does not lead there: ", err)
	}
	conn.Close()
}
