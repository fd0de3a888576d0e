package swarmnode

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"swarmnode/dht"
	"swarmnode/internal/lab"
	"swarmnode/internal/realclient"
	"swarmnode/swarm/transport/relay"
	"swarmnode/swarm/transport/udpmux"
)

// A relay lends the public address of its machine by itself. It serves a host behind a NAT as
// soon as strangers of two networks have reached it, and that host finds it in the DHT.
func TestRelayBecomesPublic(t *testing.T) {
	t.Parallel()
	if !realclient.InNamespace(t) {
		return
	}
	l := lab.Open(t)
	public := netip.MustParseAddr("11.0.0.1") // of this namespace
	d, err := StartDHT(DHTConfig{Listen: []netip.AddrPort{netip.AddrPortFrom(public, 0)},
		Bootstrap: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	at := d.Addrs()[0]
	r, err := StartRelay(t.Context(), RelayConfig{
		Listen: []netip.AddrPort{netip.AddrPortFrom(public, 0)}}, d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if s := r.State(); len(s.Lent) != 1 || s.Lent[0] != public ||
		!strings.Contains(s.Why, "0 of 2 networks") {
		t.Fatalf("%+v", s)
	}
	joins := func(h *lab.Host, err error) (*dht.Node, *udpmux.Mux) {
		if err != nil {
			t.Fatal(err)
		}
		var conn net.PacketConn
		err = h.Do(func() (err error) {
			conn, err = net.ListenPacket("udp4", netip.AddrPortFrom(h.Addr, 0).String())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		mux := udpmux.New(conn)
		t.Cleanup(func() { mux.Close() })
		node, err := dht.New(dht.Config{Conns: []net.PacketConn{mux.DHT()},
			Bootstrap: []string{at.String()}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { node.Close() })
		return node, mux
	}
	first, _ := joins(l.Host("first", 20)) // public, so that it stores the announce for the second
	if err := first.Join(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "one network", func() bool { return strings.Contains(r.State().Why, "1 of 2") })
	second, mux := joins(l.Behind("second", 20, true))
	eventually(t, "everybody is served", func() bool { return r.State().Open[0] })
	eventually(t, "it is announced", func() bool { return r.State().Announced > 0 })
	var found []netip.AddrPort
	_, err = second.GetPeers(t.Context(), dht.RelayTarget, func(a netip.AddrPort) {
		found = append(found, a)
	})
	if err != nil || len(found) != 1 || found[0] != at {
		t.Fatalf("relays in the DHT: %v, %v; want %v", found, err, at)
	}
	given, err := second.TurnCredentials(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	server := relay.URI{Host: public.String(), Port: given.Port, Transport: relay.UDP,
		User: given.User, Password: given.Password}
	a, err := relay.Dial(t.Context(), relay.Config{Server: server, Shared: relay.Share(mux)})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if a.AddrPort().Addr() != public {
		t.Errorf("the relayed address is %v", a.AddrPort())
	}
	if a, err := relay.Dial(t.Context(), relay.Config{Server: server}); err == nil {
		a.Close()
		t.Error("credentials of a host behind a NAT count elsewhere")
	}
}
