package swarmnode

import (
	"net/netip"
	"testing"
	"time"

	"swarmnode/dht"
)

// A node that listens for others is told our address by them, and passes it on.
func TestDHTTellsOurAddress(t *testing.T) {
	var hosts []string
	for i := range 6 { // each in a network of its own
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, byte(i + 1), 1}), 0)
		n, err := StartDHT(DHTConfig{Listen: []netip.AddrPort{at},
			Bootstrap: append([]string{}, hosts...), StateDir: t.TempDir()})
		if err != nil {
			t.Skip("this system has one loopback address: ", err)
		}
		defer n.Close()
		hosts = append(hosts, n.Addrs()[0].String())
	}
	conns, err := listenUDP(nil, (*Network)(nil).ListenAddrs(loopback, 0))
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(conns)
	told := make(chan netip.AddrPort, 100)
	d := &DHT{log: quiet, saved: readNodes(folder{}, "dht"),
		told: func(addr netip.AddrPort) { told <- addr }}
	if err := d.start(dht.Config{Conns: conns, Bootstrap: hosts}); err != nil {
		t.Fatal(err)
	}
	defer d.stop()
	want := conns[0].LocalAddr().String()
	eventually(t, "our address", func() bool { return len(d.External()) > 0 })
	select {
	case got := <-told:
		if got.String() != want {
			t.Errorf("told %v, want %s", got, want)
		}
	case <-time.After(2 * externalEvery):
		t.Error("nobody was told")
	}
}

// A change of our addresses makes the DHT node join again.
func TestNetworkChangeReachesDHT(t *testing.T) {
	router := startNode(t, Config{})
	n := startNode(t, Config{}, hostOf(router))
	eventually(t, "a contact", func() bool { return n.DHT().Stats().Contacts[0] > 0 })
	eventually(t, "rest", func() bool { return n.DHT().Stats().Queries == 0 })
	before := n.DHT().Stats().Lookups
	n.dht.networkChanged()
	eventually(t, "another look-up", func() bool { return n.DHT().Stats().Lookups > before })
	if err := n.SetDHT(false); err != nil {
		t.Error(err)
	}
	n.dht.networkChanged() // nobody to tell
	n.dht.hint(router.Addrs()[0])
}
