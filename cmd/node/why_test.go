package main

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"swarmnode"
	"swarmnode/dht"
	"swarmnode/swarm"
	"swarmnode/swarm/book"
	"swarmnode/swarm/core"
	"swarmnode/swarm/reach"
	"swarmnode/swarm/tracker"
)

// The message at --timeout gives the reasons: the DHT, the trackers, how the dials to
// unconnected peers failed, and what connected peers lack.
func TestVerdict(t *testing.T) {
	bad, err := tracker.ParseTracker("http://127.0.0.1:1/announce?key=secret", false)
	if err != nil {
		t.Fatal(err)
	}
	snapshot := func(s core.Snapshot) swarm.State {
		return swarm.State{Snapshot: s, Phase: swarm.Downloading}
	}
	magnet := func(s core.Snapshot) swarm.State {
		return swarm.State{Snapshot: s, Phase: swarm.Metadata}
	}
	half := core.Snapshot{Wanted: 1000, Got: 500}
	with := func(s core.Snapshot, f func(*core.Snapshot)) core.Snapshot { f(&s); return s }
	unmet := func(faults map[book.Fault]int) func(*core.Snapshot) {
		return func(s *core.Snapshot) {
			for fault, n := range faults {
				s.Unmet[fault] = n
				s.PeersKnown += n
			}
		}
	}
	here := func(here, useful, serving int, rate int64) func(*core.Snapshot) {
		return func(s *core.Snapshot) {
			s.PeersKnown, s.PeersMet, s.PeersHere, s.PeersUseful, s.PeersServing, s.DownRate = here,
				here, here, useful, serving, rate
		}
	}
	trackers := func(st swarm.State, r tracker.Report) swarm.State { st.Trackers = r; return st }
	lost := fmt.Errorf("announcing to %v: %w", bad,
		&url.Error{Op: "Get", URL: "http://127.0.0.1:1/announce?key=secret",
			Err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect",
				syscall.ECONNREFUSED)}})
	hidden := swarmnode.Standing{UTP: reach.RelayOnly, TCP: reach.None,
		Why: "the router is strange"}
	for _, tt := range []struct {
		name string
		v    verdict
		want string
	}{
		{"nothing asked", verdict{st: magnet(core.Snapshot{})}, "no peer was found"},
		{"the DHT is silent", verdict{st: magnet(core.Snapshot{}), dht: &dht.Stats{},
			asked: "no DHT node answered (asked a.example:1)"},
			"no peer was found; no DHT node answered (asked a.example:1)"},
		{"the DHT knows nobody", verdict{st: magnet(core.Snapshot{}), dht: &dht.Stats{Answers: 9}},
			"no peer was found; the DHT knows none"},
		{"refused and timed out",
			verdict{st: snapshot(with(half,
				unmet(map[book.Fault]int{book.FaultRefused: 2, book.FaultTimeout: 1})))},
			"50.0% complete; 3 peers: 2 refused, 1 timed out"},
		{"wrong info-hash", verdict{st: magnet(with(core.Snapshot{},
			unmet(map[book.Fault]int{book.FaultHungUp: 1})))},
			"no metadata; 1 peer: 1 hung up when asked for this torrent"},
		{"others", verdict{st: magnet(with(core.Snapshot{},
			unmet(map[book.Fault]int{book.FaultOtherTorrent: 1, book.FaultProtocol: 2,
				book.FaultNone: 3, book.FaultDialling: 1})))},
			"no metadata; 7 peers: 1 answered for another torrent, 2 did not speak BitTorrent, 1 " +
				"still being dialled, 3 not tried yet"},
		{"tracker failed", verdict{st: trackers(magnet(core.Snapshot{}),
			tracker.Report{Failed: 1, Tracker: bad, Err: lost})},
			"no peer was found; tracker http://127.0.0.1:1: connection refused"},
		{"trackers failed", verdict{st: trackers(magnet(core.Snapshot{}),
			tracker.Report{Failed: 3, Tracker: bad,
				Err: &tracker.Failure{Reason: "not registered"}})},
			"no peer was found; tracker http://127.0.0.1:1: refused us: not " +
				"registered, and 2 more failed"},
		{"trackers only", verdict{st: trackers(magnet(core.Snapshot{}),
			tracker.Report{Answered: 2})},
			"no peer was found; 2 trackers named no peer"},
		{"no metadata", verdict{st: magnet(with(core.Snapshot{}, here(2, 0, 0, 0)))},
			"no metadata; connected to 2 peers, none has the metadata"},
		{"metadata not sent", verdict{st: magnet(with(with(core.Snapshot{}, here(2, 0, 0, 0)),
			func(s *core.Snapshot) { s.PeersWithMetadata = 1 }))},
			"no metadata; connected to 2 peers, none sent the metadata"},
		{"nobody has it", verdict{st: snapshot(with(core.Snapshot{Wanted: 1000},
			here(2, 0, 0, 0)))},
			"0.0% complete; connected to 2 peers, none has any of it"},
		{"nobody has the rest", verdict{st: snapshot(with(half, here(2, 0, 0, 0)))},
			"50.0% complete; connected to 2 peers, none has the rest"},
		{"all choke", verdict{st: snapshot(with(half, here(3, 2, 0, 0)))},
			"50.0% complete; connected to 3 peers, 2 with what is missing, but no upload slot " +
				"for us"},
		{"silent", verdict{st: snapshot(with(half, here(3, 2, 1, 0)))},
			"50.0% complete; connected to 3 peers, none sends anything"},
		{"slow", verdict{st: snapshot(with(half, here(3, 2, 1, 2048)))},
			"50.0% complete; connected to 3 peers, receiving 2.00 KiB/s"},
		{"gone", verdict{st: snapshot(with(half, func(s *core.Snapshot) { s.PeersMet = 2 }))},
			"50.0% complete; 2 connections ended"},
		{"cut off", verdict{st: magnet(with(core.Snapshot{},
			unmet(map[book.Fault]int{book.FaultNone: 1}))), dht: &dht.Stats{},
			asked: "nobody was asked", cutOff: "the proxy cannot be used"},
			"no metadata; the proxy cannot be used; 1 peer: 1 not tried yet"},
		{"left out", verdict{st: magnet(with(core.Snapshot{},
			unmet(map[book.Fault]int{book.FaultNoWay: 1, book.FaultInward: 2})))},
			"no metadata; 3 peers: 1 with no transport left to dial by, 2 left out: in the " +
				"network " +
				"of the proxy"},
		{"forgotten", verdict{st: magnet(core.Snapshot{PeersForgotten: 2})},
			"no peer was found; the peers that were found never answered"},
		{"nobody can reach us", verdict{reach: hidden, st: magnet(with(core.Snapshot{},
			unmet(map[book.Fault]int{book.FaultTimeout: 1})))},
			"no metadata; 1 peer: 1 timed out; this node is reachable only through a relay, and " +
				"there is none: the router is strange"},
		{"nor may a relay", verdict{reach: hidden, noRelay: true, st: magnet(with(core.Snapshot{},
			unmet(map[book.Fault]int{book.FaultTimeout: 1})))},
			"no metadata; 1 peer: 1 timed out; this node is reachable only through a relay, and " +
				"none is used: the router is strange"},
		{"and nobody is known", verdict{reach: hidden, st: magnet(core.Snapshot{})},
			"no peer was found"},
	} {
		if got := tt.v.String(); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// The questions and answers for users explain every reason that a command gives at
// --timeout.
func TestReasonsAreExplained(t *testing.T) {
	text, err := os.ReadFile("../../docs/faq.md")
	if err != nil {
		t.Fatal(err)
	}
	var reasons []string
	for fault := range book.FaultCount {
		reasons = append(reasons, fault.String())
	}
	lacks := func(with, useful, serving int, state swarm.Phase) string {
		return verdict{st: swarm.State{Phase: state, Snapshot: core.Snapshot{PeersHere: 2,
			PeersWithMetadata: with, PeersUseful: useful, PeersServing: serving}}}.met()
	}
	for _, met := range []string{
		lacks(0, 0, 0, swarm.Metadata), lacks(1, 0, 0, swarm.Metadata),
		lacks(0, 0, 0, swarm.Downloading), lacks(0, 1, 0, swarm.Downloading),
		lacks(0, 1, 1, swarm.Downloading),
	} {
		_, why, _ := strings.Cut(met, ", ") // behind how many are connected
		if _, further, ok := strings.Cut(why, ", "); ok {
			why = further // behind how many have what is missing
		}
		reasons = append(reasons, why)
	}
	reasons = append(reasons, verdict{dht: &dht.Stats{Answers: 1}}.discovery(),
		"the proxy cannot be used")
	for _, why := range reasons {
		if !strings.Contains(string(text), `"`+why+`"`) {
			t.Errorf("docs/faq.md does not explain %q", why)
		}
	}
}
