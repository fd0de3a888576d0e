package dht

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"swarmnode/metainfo"
)

// A node forgets contacts and announced peers once they are blocked, and keeps the others.
func TestBlockedChanged(t *testing.T) {
	ctx := testContext(t)
	bad, good := netip.MustParseAddr("127.0.0.3"), netip.MustParseAddr("127.0.0.4")
	var on atomic.Bool
	n, at := startNodeOn(t, listen(t, "127.0.0.1"), Config{
		Blocked: func(a netip.Addr) bool { return on.Load() && a == bad },
	})
	var announcing sync.WaitGroup
	searching, stop := context.WithCancel(ctx)
	defer announcing.Wait()
	defer stop()
	for _, host := range []netip.Addr{bad, good} {
		other, _ := startNodeOn(t, listen(t, host.String()),
			Config{Bootstrap: []string{at.String()}})
		if err := other.Join(ctx); err != nil {
			t.Fatal(err)
		}
		announcing.Go(func() {
			for range other.Peers(searching, metainfo.Hash{1}, 1234, false) {
			}
		})
	}
	announced := func() (hosts []netip.Addr) {
		n.call(func(c *core, _ instant) {
			for _, swarm := range c.families[v4].peers.swarms {
				for _, p := range swarm.peers {
					hosts = append(hosts, p.addr.Addr())
				}
			}
		})
		slices.SortFunc(hosts, netip.Addr.Compare)
		return hosts
	}
	contacts := func() (hosts []netip.Addr) {
		for _, c := range n.Table() {
			hosts = append(hosts, c.Addr.Addr())
		}
		slices.SortFunc(hosts, netip.Addr.Compare)
		return hosts
	}
	both, one := []netip.Addr{bad, good}, []netip.Addr{good}
	waitFor(t, func() bool { return slices.Equal(contacts(), both) })
	waitFor(t, func() bool { return slices.Equal(announced(), both) })
	on.Store(true)
	n.BlockedChanged()
	if got := contacts(); !slices.Equal(got, one) {
		t.Errorf("contacts: %v", got)
	}
	if got := announced(); !slices.Equal(got, one) {
		t.Errorf("peers: %v", got)
	}
}

// Spares that are blocked never become contacts, and blocked nodes of an earlier run are not
// asked.
func TestBlockedSparesAndSaved(t *testing.T) {
	table := newTable(ID{}, false, false)
	addr := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, byte(i)}), 1)
	}
	for i := 1; i <= 200; i++ { // all of them in the first bucket
		table.answered(clockStart, ID{0x80, byte(i)}, addr(i), 0)
	}
	full, spares := table.count, len(table.buckets[0].spares)
	blocked := func(a netip.Addr) bool { return a.As4()[3]%2 == 1 }
	table.dropBlocked(blocked)
	for _, b := range table.buckets {
		for _, c := range append(b.contacts, b.spares...) {
			if blocked(c.addr().Addr()) {
				t.Errorf("%v is left", c.addr())
			}
		}
	}
	if spares == 0 || table.count <= full/2 || table.count > full/2+spares {
		t.Errorf("%d contacts of %d, with %d spares before", table.count, full, spares)
	}
	f := &family{saved: []NodeInfo{{Addr: addr(1)}, {Addr: addr(2)}}}
	f.dropSaved(func(n NodeInfo) bool { return blocked(n.Addr.Addr()) })
	if len(f.saved) != 1 || f.saved[0].Addr != addr(2) {
		t.Errorf("saved: %v", f.saved)
	}
}
