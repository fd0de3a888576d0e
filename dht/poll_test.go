package dht

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/simnet"
)

// pollBench is a bench whose last lookup of someHash found the nodes of letters, the closest
// first.
func pollBench(t *testing.T, limits Limits, letters string) *bench {
	b := quietBench(t, limits)
	var nodes []cachedNode
	for i := range len(letters) {
		nodes = append(nodes, cachedNode{someHash, pack(letterAddr(letters[i]))})
	}
	b.core.cache[lookupKey{v4, someHash}] = cachedLookup{b.now, nodes}
	return b
}

// TestPollAsksTheClosest: a poll asks a few nodes of the last lookup, takes the peers of those
// that answer, and ends when each has answered or is given up.
func TestPollAsksTheClosest(t *testing.T) {
	b := pollBench(t, Limits{}, "abcdefgh")
	p := &poll{found: newFound(), done: make(chan struct{})}
	p.start(b.core, b.now, someHash)
	var asked string
	for _, s := range b.sent {
		asked += letterOf(s.to)
		if m := parsed(t, s.data); m.method != methodGetPeers || m.target != someHash {
			t.Errorf("query %+v", m)
		}
	}
	if asked != "abcd" {
		t.Fatalf("asked %q, want abcd", asked)
	}
	queries := b.sent
	b.answerTo(queries[0], "6:valuesl6:\x28\x00\x00\x01\x1a\xe16:\x28\x00\x00\x02\x1a\xe1e")
	b.answerTo(queries[1], "6:valuesl6:\x28\x00\x00\x01\x1a\xe1e")
	b.answerTo(queries[2], "")
	select {
	case <-p.done:
		t.Fatal("over before the last node has answered")
	default:
	}
	b.now += instant(time.Minute)
	b.core.tick(b.now)
	select {
	case <-p.done:
	default:
		t.Fatal("not over although the last node is given up")
	}
	want := []netip.AddrPort{netip.MustParseAddrPort("40.0.0.1:6881"),
		netip.MustParseAddrPort("40.0.0.2:6881"), netip.MustParseAddrPort("40.0.0.1:6881")}
	if got := p.found.take(); !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

// TestPollWithoutNodes: a poll of a hash that was not looked up, or long ago, ends at once, and
// so does one for which there is no budget.
func TestPollWithoutNodes(t *testing.T) {
	for _, tt := range []struct {
		name   string
		limits Limits
		letter string
		passed time.Duration
		want   error
	}{
		{name: "never looked up"},
		{name: "long ago", letter: "a", passed: 2 * time.Hour},
		{name: "no budget", letter: "abcd", limits: Limits{QueriesOut: 1, QueriesOutBurst: 1},
			want: ErrBusy},
	} {
		b := pollBench(t, tt.limits, tt.letter)
		b.now += instant(tt.passed)
		for tt.want != nil && b.core.budget.take(b.now, askAddr) {
		}
		p := &poll{found: newFound(), done: make(chan struct{})}
		p.start(b.core, b.now, someHash)
		select {
		case <-p.done:
		default:
			t.Errorf("%s: not over", tt.name)
		}
		if !errors.Is(p.err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, p.err, tt.want)
		}
	}
}

// TestPollOfANode: peers come through Node.Poll as they are found, each once; and it ends with
// its context and with the node.
func TestPollOfANode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, hash := world{t, simnet.New(1)}, metainfo.Hash{1}
		const boot = "30.0.0.1:6881"
		w.node("30.0.0.1", Config{Router: true})
		for _, host := range []string{"32.0.0.1", "33.0.0.1", "34.0.0.1"} {
			w.node(host, Config{Bootstrap: []string{boot}})
		}
		asker, _ := w.node("35.0.0.1", Config{Bootstrap: []string{boot}})
		other, _ := w.node("36.0.0.1", Config{Bootstrap: []string{boot}})
		var got []netip.AddrPort
		each := func(a netip.AddrPort) { got = append(got, a) }
		for _, n := range []*Node{asker, other} {
			if err := n.Join(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := asker.GetPeers(t.Context(), hash, each); err != nil {
			t.Fatal(err)
		}
		if err := asker.Poll(t.Context(), hash, each); err != nil || len(got) != 0 {
			t.Fatalf("before anybody announced: %v, %v", got, err)
		}
		if _, err := other.Announce(t.Context(), hash, 4000, false, nil); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := asker.Poll(t.Context(), hash, each); err != nil || len(got) != 1 ||
			got[0].Port() != 4000 {
			t.Errorf("after one has announced: %v, %v", got, err)
		}
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("a poll takes %v, which is more than one round trip", took)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := asker.Poll(gone, metainfo.Hash{1}, each); err != nil &&
			!errors.Is(err, context.Canceled) {
			t.Errorf("with a context that has ended: %v", err)
		}
		asker.Close()
		if err := asker.Poll(t.Context(), hash, each); !errors.Is(err, ErrClosed) {
			t.Errorf("of a closed node: %v", err)
		}
	})
}
