package stuck

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"swarmnode/dht"
	"swarmnode/swarm"
	"swarmnode/swarm/book"
	"swarmnode/swarm/core"
	"swarmnode/swarm/reach"
	"swarmnode/swarm/tracker"
)

// facts returns those of a torrent that has run for a minute and gets nothing, changed by some
// functions.
func facts(by ...func(*Facts)) Facts {
	f := Facts{Age: time.Minute, Piece: -1, DHT: &dht.Stats{Answers: 9, QueriesOut: 10},
		Swarm: swarm.State{Phase: swarm.Downloading, Snapshot: core.Snapshot{Wanted: 1000, Got: 500,
			PiecesWanted: 10, PiecesHave: 5}}}
	for _, change := range by {
		change(&f)
	}
	return f
}

// here connects peers: some have what is missing, and some let us request.
func here(n, useful, serving int) func(*Facts) {
	return func(f *Facts) {
		st := &f.Swarm
		st.PeersKnown, st.PeersMet, st.PeersHere, st.PeersConnected = n, n, n, n
		st.PeersUseful, st.PeersServing = useful, serving
	}
}

func unmet(faults map[book.Fault]int) func(*Facts) {
	return func(f *Facts) {
		for fault, n := range faults {
			f.Swarm.Unmet[fault] = n
			f.Swarm.PeersKnown += n
		}
	}
}

func in(phase swarm.Phase) func(*Facts) { return func(f *Facts) { f.Swarm.Phase = phase } }

func at(stage Stage, why string) func(*Facts) {
	return func(f *Facts) { f.Stage, f.Why = stage, why }
}

func trackers(r tracker.Report) func(*Facts) {
	return func(f *Facts) { f.Swarm.Trackers, f.Trackers = r, r.Answered+r.Failed }
}

func fault(err error) func(*Facts) { return func(f *Facts) { f.Swarm.Fault = err } }

func noDHT(f *Facts) { f.DHT, f.DHTOff = nil, true }

type values = map[string]any

// verdicts are what is said of each reason.
func verdicts(t *testing.T) []struct {
	name   string
	f      Facts
	reason Reason
	text   string
	values values
} {
	url, err := tracker.ParseTracker("http://127.0.0.1:1/announce?key=secret", false)
	if err != nil {
		t.Fatal(err)
	}
	failing := tracker.Report{Failed: 2, Tracker: url,
		Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	full := &fs.PathError{Op: "write", Path: "/d/x", Err: syscall.ENOSPC}
	missing := &fs.PathError{Op: "open", Path: "/d/x", Err: syscall.ENOENT}
	hidden := reach.Standing{UTP: reach.RelayOnly, TCP: reach.None, Why: "the router is strange"}
	return []struct {
		name   string
		f      Facts
		reason Reason
		text   string
		values values
	}{
		{"moving", facts(func(f *Facts) { f.Swarm.DownRate = 1 }), Moving, "", nil},
		{"the user's wish", facts(at(Resting, "")), Moving, "", nil},
		{"checking", facts(at(Checking, "")), Moving, "", nil},
		{"a seed that nobody asks", facts(in(swarm.Seeding)), Moving, "", nil},
		{"a goal", facts(at(AtGoal, "reached the ratio 2")), Goal,
			"It has stopped, since it reached the ratio 2.", values{"goal": "reached the ratio 2"}},
		{"queued", facts(at(AwaitTurn, "waiting for its turn: 1 torrent may seed at a time"),
			func(f *Facts) { f.Queue = 3 }), Queued, "It is waiting for its turn: 1 torrent may " +
			"seed at a time, and 3 torrents are before it in the queue.",
			values{"ahead": 3, "why": "waiting for its turn: 1 torrent may seed at a time"}},
		{"queued as the first", facts(at(AwaitTurn, "waiting for its turn")), Queued,
			"It is waiting for its turn.", values{"ahead": 0, "why": "waiting for its turn"}},
		{"to be checked", facts(at(AwaitCheck, "")), CheckingQueued,
			"It is waiting for its turn to be checked.", values{}},
		{"memory", facts(at(AwaitMemory, "")), Memory,
			"The memory limit leaves no room for it.", values{}},
		{"opening", facts(at(Opening, "")), Starting, "It is about to start.",
			values{"peers": 0, "known": 0}},
		{"young", facts(here(1, 0, 0), func(f *Facts) { f.Age = time.Second }), Starting,
			"It has just started: 1 peer is known, 1 connected.", values{"peers": 1, "known": 1}},
		{"a limit", facts(func(f *Facts) {
			f.Swarm.DownRate, f.Limit, f.LimitBy = 1500, 1536, "the limit of all torrents"
		}), Limit, "The limit of all torrents holds its download to 1.5 KiB/s.",
			values{"rate": int64(1536), "by": "the limit of all torrents"}},
		{"a limit of some size", facts(here(1, 1, 1), func(f *Facts) { f.Limit = 1 << 20 }), Silent,
			"1 peer is connected, and none sends anything.",
			values{"peers": 1, "useful": 1, "web-seeds": 0}},
		{"copied", facts(func(f *Facts) { f.Swarm.Moved, f.Swarm.MoveTotal = 5<<20, 9<<20 }),
			Relocating, "Its content is being copied to another folder: 5 of 9 MiB.",
			values{"moved": int64(5 << 20), "total": int64(9 << 20)}},
		{"no room", facts(at(AwaitRoom, "less than 1 GiB is free on the file system of /d")),
			Reserve, "Less than 1 GiB is free on the file system of /d.",
			values{"why": "less than 1 GiB is free on the file system of /d"}},
		{"full", facts(fault(full)), DiskFull,
			"The disk is full: write /d/x: no space left on device.",
			values{"why": "write /d/x: no space left on device"}},
		{"missing", facts(at(Resting, ""), func(f *Facts) { f.Err = missing }), DiskError,
			"Open /d/x: no such file or directory.",
			values{"why": "open /d/x: no such file or directory"}},
		{"another error", facts(func(f *Facts) { f.Err = errors.New("no piece is right") }), Failed,
			"No piece is right.", values{"why": "no piece is right"}},
		{"cut off", facts(func(f *Facts) { f.CutOff = "tun0: no such network interface" }), CutOff,
			"Nothing can be sent to anybody: tun0: no such network interface.",
			values{"why": "tun0: no such network interface"}},
		{"nobody", facts(trackers(tracker.Report{Answered: 2})), Nobody,
			"No peer is known; the DHT knows none; 2 trackers named no peer.",
			values{"dht": "answers", "trackers": 2, "trackers-failed": 0}},
		{"no way", facts(noDHT), Nobody, "No peer is known, and there is no way to find one: it " +
			"has no tracker, and the DHT is off.",
			values{"dht": "off", "trackers": 0, "trackers-failed": 0}},
		{"private", facts(func(f *Facts) { f.DHT = nil }), Nobody, "No peer is known, and there " +
			"is no way to find one: it has no tracker, and it is private, so that the DHT is not " +
			"asked.", values{"dht": "private", "trackers": 0, "trackers-failed": 0}},
		{"the DHT is silent", facts(trackers(failing), func(f *Facts) { f.DHT.Answers = 0 }),
			DHTSilent, "No peer is known; no DHT node answered; tracker http://127.0.0.1:1: " +
				"connection refused, and 1 more failed.",
			values{"dht": "silent", "trackers": 2, "trackers-failed": 2,
				"tracker": "http://127.0.0.1:1", "why": "connection refused"}},
		{"trackers fail", facts(trackers(failing), noDHT), TrackerError,
			"No peer is known; tracker http://127.0.0.1:1: connection refused, and 1 more failed.",
			values{"dht": "off", "trackers": 2, "trackers-failed": 2,
				"tracker": "http://127.0.0.1:1", "why": "connection refused"}},
		{"a seed whose trackers fail", facts(in(swarm.Seeding), trackers(failing), noDHT),
			TrackerError, "No peer is connected; tracker http://127.0.0.1:1: connection refused, " +
				"and 1 more failed.", values{"dht": "off", "trackers": 2, "trackers-failed": 2,
				"tracker": "http://127.0.0.1:1", "why": "connection refused"}},
		{"unreachable", facts(unmet(map[book.Fault]int{book.FaultTimeout: 9,
			book.FaultRefused: 3})), Unreachable,
			"12 peers are known, and none can be reached: 3 refused, 9 timed out.",
			values{"peers": 12, "forgotten": 0, "refused": 3, "timed-out": 9}},
		{"one unreachable", facts(unmet(map[book.Fault]int{book.FaultUnreachable: 1}),
			func(f *Facts) { f.Reach = hidden }), Unreachable,
			"1 peer is known, and none can be reached: 1 unreachable.",
			values{"peers": 1, "forgotten": 0, "unreachable": 1, "reach": hidden.Answer()}},
		{"blocked", facts(unmet(map[book.Fault]int{book.FaultBlocked: 2, book.FaultNone: 1})),
			Unreachable, "3 peers are known, and none can be reached: 2 blocked by your " +
				"blocklist, 1 not tried yet.",
			values{"peers": 3, "forgotten": 0, "blocked": 2, "untried": 1}},
		{"untried", facts(unmet(map[book.Fault]int{book.FaultDialling: 2, book.FaultNone: 1})),
			Unreachable, "3 peers are known, and none is connected yet: 2 still being dialled, " +
				"1 not tried yet.",
			values{"peers": 3, "forgotten": 0, "dialling": 2, "untried": 1}},
		{"forgotten", facts(func(f *Facts) { f.Swarm.PeersForgotten = 2 }), Unreachable,
			"2 peers were found, and none ever answered.", values{"peers": 0, "forgotten": 2}},
		{"no metadata", facts(in(swarm.Metadata), here(3, 0, 0)), NoMetadata,
			"3 peers are connected, and none has the metadata.",
			values{"peers": 3, "useful": 0, "web-seeds": 0, "with-metadata": 0}},
		{"five pieces", facts(here(2, 0, 0), func(f *Facts) { f.Piece = 17 }), NobodyHas,
			"2 peers are connected, and none has any of the 5 missing pieces, the first of " +
				"which is piece 17.",
			values{"peers": 2, "useful": 0, "web-seeds": 0, "pieces": 5, "piece": 17}},
		{"nobody has a piece", facts(here(1, 0, 0), func(f *Facts) {
			f.Piece, f.Swarm.PiecesHave = 4, 9
		}), NobodyHas, "1 peer is connected, and none has piece 4.",
			values{"peers": 1, "useful": 0, "web-seeds": 0, "pieces": 1, "piece": 4}},
		{"choked", facts(here(5, 3, 0)), Choked, "3 of 5 connected peers have what is missing, " +
			"but no upload slot for us.",
			values{"peers": 5, "useful": 3, "web-seeds": 0}},
		{"all choke", facts(here(2, 2, 0)), Choked,
			"2 peers have what is missing, but no upload slot for us.",
			values{"peers": 2, "useful": 2, "web-seeds": 0}},
		{"a web seed", facts(func(f *Facts) { f.Swarm.PeersConnected = 1 }), Silent,
			"1 web seed is connected, and sends nothing.",
			values{"peers": 0, "useful": 0, "web-seeds": 1}},
	}
}

// Each reason has its sentence, with the numbers of the facts, and an advice.
func TestVerdicts(t *testing.T) {
	seen := make(map[Reason]bool)
	for _, tt := range verdicts(t) {
		got := tt.f.Verdict()
		seen[got.Reason] = true
		if got.Reason != tt.reason || got.Text != tt.text ||
			!reflect.DeepEqual(got.Values, tt.values) {
			t.Errorf("%s:\ngot  %q %q %v\nwant %q %q %v", tt.name, got.Reason, got.Text, got.Values,
				tt.reason, tt.text, tt.values)
		}
		if got.Reason != Moving && (!isSentence(got.Text) || !isSentence(got.Advice)) {
			t.Errorf("%s: not a sentence each: %q %q", tt.name, got.Text, got.Advice)
		}
	}
	for _, reason := range Reasons {
		if !seen[reason] {
			t.Errorf("no facts lead to %q", reason)
		}
	}
}

func isSentence(s string) bool {
	return len(s) > 5 && strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "..") &&
		('A' <= s[0] && s[0] <= 'Z' || '0' <= s[0] && s[0] <= '9')
}

// Whatever the numbers are, there is a reason of the list, and no sentence without one.
func TestEveryStateHasAVerdict(t *testing.T) {
	for n := range 1 << 14 {
		bit := func(i int) int { return n >> i & 1 }
		f := Facts{Age: time.Duration(bit(0)) * time.Hour, Piece: bit(1) - 1}
		st := &f.Swarm
		st.Phase = []swarm.Phase{swarm.Metadata, swarm.Downloading, swarm.Seeding,
			swarm.Paused}[n>>2&3]
		st.PeersHere, st.PeersUseful, st.PeersServing = bit(4), bit(4)&bit(5), bit(4)&bit(6)
		st.PeersConnected = st.PeersHere + bit(7)
		st.Unmet[book.FaultRefused] = bit(8)
		st.PeersKnown, st.PeersForgotten = bit(4)+bit(8), bit(9)
		st.Trackers.Answered, st.PiecesWanted = bit(10), bit(11)
		if bit(12) == 1 {
			f.DHT = &dht.Stats{Answers: uint64(bit(13))}
		}
		v := f.Verdict()
		if (v.Reason == Moving) != (v.Text == "") ||
			v.Reason != Moving && !slices.Contains(Reasons, v.Reason) {
			t.Fatalf("%+v: %+v", f, v)
		}
		if v.Text != "" && (!isSentence(v.Text) || !isSentence(v.Advice)) {
			t.Fatalf("%+v: %+v", f, v)
		}
	}
}

// Every fault of a peer has a word of its own.
func TestFaultsHaveWords(t *testing.T) {
	seen := make(map[string]bool)
	for fault, word := range faultNames {
		if word == "" || seen[word] {
			t.Errorf("fault %v: the word %q", book.Fault(fault), word)
		}
		seen[word] = true
	}
}

// The text of a verdict is for people; the reason is for programs.
func Example() {
	f := Facts{Age: time.Hour}
	f.Swarm.Phase, f.Swarm.PeersHere, f.Swarm.PeersConnected = swarm.Metadata, 3, 3
	v := f.Verdict()
	fmt.Println(v.Reason)
	fmt.Println(v.Text)
	fmt.Println(v.Advice)
	// Output:
	// no-metadata
	// 3 peers are connected, and none has the metadata.
	// Wait for another peer, or add the .torrent file instead of the link.
}
