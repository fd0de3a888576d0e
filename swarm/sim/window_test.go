package sim

import (
	"testing"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/wire"
)

// TestWindow: a slow start that a loss ends, one cut a round trip, a packet more each round
// trip, and a new slow start after a pause.
func TestWindow(t *testing.T) {
	const latency = 15 * time.Millisecond
	v := newWindow(&Scenario{Streams: true})
	now := int64(time.Second)
	round := func() (sent int) {
		for ; v.open(); sent++ {
			v.sent(now, latency)
		}
		for range sent {
			v.acked()
		}
		now += int64(2 * latency)
		return sent
	}
	for i, want := range []int{1, 2, 4, 8, 16} {
		if n := round(); n != want {
			t.Errorf("round trip %d: %d blocks, want %d", i, n, want)
		}
	}
	v.lost(now, latency)
	after := v.size
	v.lost(now, latency)
	if v.size != after || after < 20 || after > 25 {
		t.Errorf("after 32 blocks and two losses at once: %v and %v", after, v.size)
	}
	for range 2 * segments {
		round()
	}
	if v.size < after+1.5 || v.size > after+2.5 {
		t.Errorf("%d round trips later: %v, want two blocks more than %v", 2*segments, v.size,
			after)
	}
	now += int64(time.Second)
	if n := round(); n > 2 {
		t.Errorf("%d blocks at once after a pause", n)
	}
	for range 2 * windowMax {
		v.lost(now, latency)
		now += int64(time.Second)
	}
	if v.size != windowFirst {
		t.Errorf("after many losses: %v", v.size)
	}
	if free := newWindow(&Scenario{}); !free.open() {
		t.Error("without Streams there is a window")
	}
}

// TestMessagesOvertakeBlocks: a have goes before blocks that wait, and a choke behind them.
func TestMessagesOvertakeBlocks(t *testing.T) {
	w, a, b := quiet()
	w.scenario.Streams = true
	w.conns = []conn{{ends: ends(a, b)}}
	e := w.end(0)
	e.window.size = windowMax
	a.uplink.push(0, queueBytes(a.class().Up)) // full, until all is queued
	for i := range uint32(3) {
		a.send(0, item{block: true, ref: block.Ref{Piece: i, Length: block.Size}})
	}
	a.send(0, item{msg: wire.Message{ID: wire.Have}})
	a.send(0, item{msg: wire.Message{ID: wire.Choke}})
	a.send(0, item{block: true, ref: block.Ref{Piece: 3, Length: block.Size}})
	a.send(0, item{msg: wire.Message{ID: wire.Unchoke}})
	var got string
	for range 10 {
		p := packet{}
		if e.fill(&p, w, 0); len(p.items) == 0 {
			break
		}
		for _, it := range p.items {
			switch {
			case it.block:
				got += "b"
			default:
				got += string("cu  h"[it.msg.ID])
			}
		}
		got += "|"
	}
	if want := "hb|b|b|cub|"; got != want {
		t.Errorf("packets %s, want %s", got, want)
	}
}

// TestStreamsWait: on a full uplink a message waits for the queue, and on an idle one for
// nothing. What an uplink takes in, it sends at its rate.
func TestStreamsWait(t *testing.T) {
	w, a, b := quiet()
	w.scenario.Streams = true
	w.conns = []conn{{ends: ends(a, b)}}
	w.end(0).window.size = windowMax
	say := func() (waits time.Duration) {
		a.send(0, item{msg: wire.Message{ID: wire.Have}})
		return duration(a.uplink.backlog, a.class().Up)
	}
	if waits := say(); waits > time.Millisecond {
		t.Errorf("a message waits for %v at an idle uplink", waits)
	}
	for i := range uint32(20) {
		a.send(0, item{block: true, ref: block.Ref{Piece: i, Length: block.Size}})
	}
	most := queueFor + duration(block.Size+streamOverhead, a.class().Up)
	if waits := say(); waits < queueFor || waits > most {
		t.Errorf("a message waits for %v at a full uplink, want %v to %v", waits, queueFor, most)
	}
}

// TestHomeIsMeasured: the model is within a few percent of what real sockets take, which is
// 31.7 s over uTP, and 32.0 s over TCP with BBR (docs/design/networks.md).
func TestHomeIsMeasured(t *testing.T) {
	r := Run(home(), 1)
	if r.Last < 30*time.Second || r.Last > 33*time.Second {
		t.Errorf("the last one was done after %v", r.Last)
	}
	free := Run(nine(), 1)
	if r.Last <= free.Last {
		t.Errorf("streams take %v, and a model without them %v", r.Last, free.Last)
	}
}
