package swarmnode

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"swarmnode/dht"
	"swarmnode/swarm/reach"
)

// publicly makes the engine of n believe that it listens at a private address behind a NAT.
func publicly(n *Node) {
	n.engine.Observe(reach.Bound{Listen: []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:6881")},
		Machine: []netip.Addr{netip.MustParseAddr("192.168.1.2")}})
}

// What DHT nodes say leads to where the node stands, which its listeners and its dump tell.
func TestNodeTellsHowOthersReachIt(t *testing.T) {
	n := startNode(t, Config{NoDHT: true, NoLSD: true})
	told := make(chan Standing, 100)
	stop := n.OnReach(func(is Standing) { told <- is })
	defer stop()
	publicly(n)
	for i := range 3 {
		n.sawUs(netip.AddrPortFrom(netip.AddrFrom4([4]byte{60, byte(i), 0, 1}), 6881),
			netip.MustParseAddrPort("50.0.0.1:7"))
	}
	if is := n.Reach(); is.UTP != reach.Punch || is.External4.String() != "50.0.0.1:7" {
		t.Errorf("after three answers: %+v", is)
	}
	limit := time.After(patience)
	for heard := (Standing{}); !heard.Equal(n.Reach()); {
		select {
		case heard = <-told:
		case <-limit:
			t.Fatalf("told of %v last, and it is %v", heard, n.Reach())
		}
	}
	var dump bytes.Buffer
	if err := n.WriteDebug(&dump); err != nil {
		t.Fatal(err)
	}
	if line := "# reach: utp punch, tcp none, mapping endpoint-independent"; !strings.Contains(
		dump.String(), line) || strings.Contains(dump.String(), "50.0.0.1") {
		t.Errorf("the dump lacks %q, or tells our address: %.200s", line, dump.String())
	}
}

// A DHT that nobody answers means that datagrams are dropped, until somebody does or the DHT
// is switched off.
func TestSilenceOfTheDHT(t *testing.T) {
	none := dht.Stats{QueriesOut: 20, TimedOut: silentQueries}
	one := none
	one.Answers = 1
	if !silent(none, silentAfter) || silent(none, silentAfter-1) || silent(one, silentAfter) ||
		silent(dht.Stats{TimedOut: silentQueries - 1}, silentAfter) {
		t.Error("silence is told wrongly")
	}
	n := startNode(t, Config{NoDHT: true, NoLSD: true})
	publicly(n)
	n.heardNobody(none, silentAfter)
	if is := n.Reach(); is.UTP != reach.None {
		t.Errorf("without answers: %v", is)
	}
	for _, on := range []bool{true, false} {
		if err := n.SetDHT(on); err != nil {
			t.Fatal(err)
		}
	}
	if is := n.Reach(); is.UTP != reach.Unknown {
		t.Errorf("without a DHT: %v", is)
	}
}

// A node that starts again soon takes nobody who comes for a proof: the NAT may still know them
// from the earlier run.
func TestArrivalsAfterARestart(t *testing.T) {
	dir := t.TempDir()
	comes := func() reach.Reachability {
		n := startNode(t, Config{NoDHT: true, NoLSD: true, StateDir: dir})
		publicly(n)
		n.engine.Observe(reach.Came{From: netip.MustParseAddrPort("60.0.0.1:7"), Via: reach.UTP})
		return n.Reach().UTP
	}
	if got := comes(); got != reach.Open {
		t.Errorf("the first run: %v", got)
	}
	name := filepath.Join(dir, nodesFile(nodesOfPeers, loopback))
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := comes(); got == reach.Open {
		t.Errorf("right after an earlier run: %v", got)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(name, old, old); err != nil {
		t.Fatal(err)
	}
	if got := comes(); got != reach.Open {
		t.Errorf("an hour after an earlier run: %v", got)
	}
}
