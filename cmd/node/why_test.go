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
	"swarmnode/daemon/stuck"
	"swarmnode/dht"
	"swarmnode/swarm"
	"swarmnode/swarm/book"
	"swarmnode/swarm/core"
	"swarmnode/swarm/reach"
	"swarmnode/swarm/tracker"
)

type facts = stuck.Facts

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
		v    facts
		want string
	}{
		{"nothing asked", facts{Swarm: magnet(core.Snapshot{})}, "no peer was found"},
		{"the DHT is silent", facts{Swarm: magnet(core.Snapshot{}), DHT: &dht.Stats{},
			Asked: "no DHT node answered (asked a.example:1)"},
			"no peer was found; no DHT node answered (asked a.example:1)"},
		{"the DHT knows nobody", facts{Swarm: magnet(core.Snapshot{}), DHT: &dht.Stats{Answers: 9}},
			"no peer was found; the DHT knows none"},
		{"refused and timed out",
			facts{Swarm: snapshot(with(half,
				unmet(map[book.Fault]int{book.FaultRefused: 2, book.FaultTimeout: 1})))},
			"50.0% complete; 3 peers: 2 refused, 1 timed out"},
		{"wrong info-hash", facts{Swarm: magnet(with(core.Snapshot{},
			unmet(map[book.Fault]int{book.FaultHungUp: 1})))},
			"no metadata; 1 peer: 1 hung up when asked for this torrent"},
		{"others", facts{Swarm: magnet(with(core.Snapshot{},
			unmet(map[book.Fault]int{book.FaultOtherTorrent: 1, book.FaultProtocol: 2,
				book.FaultNone: 3, book.FaultDialling: 1})))},
			"no metadata; 7 peers: 1 answered for another torrent, 2 did not speak BitTorrent, 1 " +
				"still being dialled, 3 not tried yet"},
		{"tracker failed", facts{Swarm: trackers(magnet(core.Snapshot{}),
			tracker.Report{Failed: 1, Tracker: bad, Err: lost})},
			"no peer was found; tracker http://127.0.0.1:1: connection refused"},
		{"trackers failed", facts{Swarm: trackers(magnet(core.Snapshot{}),
			tracker.Report{Failed: 3, Tracker: bad,
				Err: &tracker.Failure{Reason: "not registered"}})},
			"no peer was found; tracker http://127.0.0.1:1: refused us: not " +
				"registered, and 2 more failed"},
		{"trackers only", facts{Swarm: trackers(magnet(core.Snapshot{}),
			tracker.Report{Answered: 2})},
			"no peer was found; 2 trackers named no peer"},
		{"no metadata", facts{Swarm: magnet(with(core.Snapshot{}, here(2, 0, 0, 0)))},
			"no metadata; connected to 2 peers, none has the metadata"},
		{"metadata not sent", facts{Swarm: magnet(with(with(core.Snapshot{}, here(2, 0, 0, 0)),
			func(s *core.Snapshot) { s.PeersWithMetadata = 1 }))},
			"no metadata; connected to 2 peers, none sent the metadata"},
		{"nobody has it", facts{Swarm: snapshot(with(core.Snapshot{Wanted: 1000},
			here(2, 0, 0, 0)))},
			"0.0% complete; connected to 2 peers, none has any of it"},
		{"nobody has the rest", facts{Swarm: snapshot(with(half, here(2, 0, 0, 0)))},
			"50.0% complete; connected to 2 peers, none has the rest"},
		{"all choke", facts{Swarm: snapshot(with(half, here(3, 2, 0, 0)))},
			"50.0% complete; connected to 3 peers, 2 with what is missing, but no upload slot " +
				"for us"},
		{"silent", facts{Swarm: snapshot(with(half, here(3, 2, 1, 0)))},
			"50.0% complete; connected to 3 peers, none sends anything"},
		{"slow", facts{Swarm: snapshot(with(half, here(3, 2, 1, 2048)))},
			"50.0% complete; connected to 3 peers, receiving 2.00 KiB/s"},
		{"gone", facts{Swarm: snapshot(with(half, func(s *core.Snapshot) { s.PeersMet = 2 }))},
			"50.0% complete; 2 connections ended"},
		{"cut off", facts{Swarm: magnet(with(core.Snapshot{},
			unmet(map[book.Fault]int{book.FaultNone: 1}))), DHT: &dht.Stats{},
			Asked: "nobody was asked", CutOff: "the proxy cannot be used"},
			"no metadata; the proxy cannot be used; 1 peer: 1 not tried yet"},
		{"left out", facts{Swarm: magnet(with(core.Snapshot{},
			unmet(map[book.Fault]int{book.FaultNoWay: 1, book.FaultInward: 2})))},
			"no metadata; 3 peers: 1 with no transport left to dial by, 2 left out: in the " +
				"network " +
				"of the proxy"},
		{"forgotten", facts{Swarm: magnet(core.Snapshot{PeersForgotten: 2})},
			"no peer was found; the peers that were found never answered"},
		{"nobody can reach us", facts{Reach: hidden, Swarm: magnet(with(core.Snapshot{},
			unmet(map[book.Fault]int{book.FaultTimeout: 1})))},
			"no metadata; 1 peer: 1 timed out; this node is reachable only through a relay, and " +
				"there is none: the router is strange"},
		{"nor may a relay", facts{Reach: hidden, NoRelay: true, Swarm: magnet(with(core.Snapshot{},
			unmet(map[book.Fault]int{book.FaultTimeout: 1})))},
			"no metadata; 1 peer: 1 timed out; this node is reachable only through a relay, and " +
				"none is used: the router is strange"},
		{"and nobody is known", facts{Reach: hidden, Swarm: magnet(core.Snapshot{})},
			"no peer was found"},
	} {
		if got := (verdict{tt.v}).String(); got != tt.want {
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
		return verdict{facts{Swarm: swarm.State{Phase: state, Snapshot: core.Snapshot{
			PeersHere: 2, PeersWithMetadata: with, PeersUseful: useful,
			PeersServing: serving}}}}.met()
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
	reasons = append(reasons, (&facts{DHT: &dht.Stats{Answers: 1}}).Discovery(),
		"the proxy cannot be used")
	for _, why := range reasons {
		if !strings.Contains(string(text), `"`+why+`"`) {
			t.Errorf("docs/faq.md does not explain %q", why)
		}
	}
}
