package core

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"swarmnode/swarm/block"
)

// blockIn names the block of a piece for the tests of requests.
func blockIn(piece, index uint32) block.Ref {
	return block.Ref{Piece: piece, Begin: index * block.Size, Length: block.Size}
}

// picture draws the open requests: the block, and * if it is waited for, - if it was
// asked elsewhere, x if it was cancelled. The count of the first ones follows.
func (a *asks) picture() string {
	var list []string
	for _, o := range a.unanswered() {
		list = append(list, dotted(o.ref)+string("*-x"[o.state]))
	}
	return strings.Join(append(list, fmt.Sprint(a.live)), " ")
}

// queued returns asks with open requests that were made at the time 0, as picture
// draws them.
func queued(picture string) *asks {
	a := newAsks(asksFirst)
	for _, f := range strings.Fields(picture) {
		var piece, index uint32
		fmt.Sscanf(f, "%d.%d", &piece, &index)
		a.push(blockIn(piece, index), 0)
		if state := askState(strings.IndexByte("*-x", f[len(f)-1])); state != askLive {
			a.queue[len(a.queue)-1].state = state
			a.live--
		}
	}
	return &a
}

func TestAsksFind(t *testing.T) {
	a := queued("0.0- 0.1x 0.0x 0.2* 0.1* 0.1-")
	for _, c := range []struct {
		piece, index uint32
		oldest       bool
		want         int
		why          string
	}{
		{0, 0, false, 0, "a request that was asked elsewhere goes before a cancelled one"},
		{0, 1, false, 4, "a request that is waited for goes before all others"},
		{0, 1, true, 1, "the oldest one, in whatever state"},
		{0, 2, true, 3, "the only one"},
		{1, 0, false, -1, "a block that was not asked for"},
	} {
		if got := a.find(blockIn(c.piece, c.index), c.oldest); got != c.want {
			t.Errorf("%d.%d: index %d, want %d: %s", c.piece, c.index, got, c.want, c.why)
		}
	}
}

func TestAsksRemoveAndRevive(t *testing.T) {
	a := queued("0.0* 0.1- 0.2x 0.3*")
	if o := a.remove(1); o.ref != blockIn(0, 1) || a.picture() != "0.0* 0.2x 0.3* 2" {
		t.Errorf("after the removal of %v: %s", o.ref, a.picture())
	}
	if o := a.remove(0); o.state != askLive || a.picture() != "0.2x 0.3* 1" {
		t.Errorf("after the removal of the first: %s", a.picture())
	}

	a = queued("0.0* 0.1- 0.2x")
	switch {
	case a.revive(blockIn(0, 0), 5):
		t.Error("a request that is waited for was revived")
	case a.revive(blockIn(0, 2), 5):
		t.Error("a cancelled request was revived: its Cancel is on the way")
	case !a.revive(blockIn(0, 1), 5) || a.picture() != "0.0* 0.1* 0.2x 2":
		t.Errorf("a request that was given up too early was not revived: %s", a.picture())
	}
	a.queue[1].state = askReleased
	a.live--
	if a.revive(blockIn(0, 1), 9) {
		t.Error("a request was revived twice: the peer may well have dropped it")
	}
}

// The answered part of the queue is given back now and then, and what is left stays in
// order.
func TestAsksStayInOrder(t *testing.T) {
	a := newAsks(asksFirst)
	next, done := uint32(0), uint32(0)
	for range 500 {
		for range 3 {
			a.push(blockIn(next, 0), 0)
			next++
		}
		for range 2 {
			if o := a.remove(0); o.ref.Piece != done {
				t.Fatalf("piece %d came out, want %d", o.ref.Piece, done)
			}
			done++
		}
	}
	if got := len(a.unanswered()); got != 500 || a.check() != 500 {
		t.Errorf("%d are open and %d live, want 500", got, a.live)
	}
	if len(a.queue) > 3*len(a.unanswered()) {
		t.Errorf("%d places are kept for %d requests", len(a.queue), len(a.unanswered()))
	}
}

func TestAsksForget(t *testing.T) {
	a := queued("0.0x 0.1- 0.2* 0.3x")
	for _, c := range []struct {
		at   time.Duration
		want string
	}{
		{forgetAfter - 1, "0.0x 0.1- 0.2* 0.3x 1"},
		{forgetAfter, "0.1- 0.2* 1"},
		{lostAfter - 1, "0.1- 0.2* 1"},
		{lostAfter, "0.2* 1"},
	} {
		if a.forget(c.at); a.picture() != c.want {
			t.Errorf("after %v: %s, want %s", c.at, a.picture(), c.want)
		}
	}
}

// The number of requests doubles with every round trip until the rate grows no more;
// then it is what the peer sends in a round trip and a second.
func TestAsksTarget(t *testing.T) {
	a := newAsks(asksFirst)
	rtt := 100 * time.Millisecond
	round := func(now time.Duration) {
		for range int(a.target) {
			a.push(blockIn(0, 0), now-rtt)
		}
		for a.live > 0 {
			a.came(a.remove(0), now)
		}
	}
	for i, want := range []float64{16, 32, 64} {
		if round(time.Duration(i+1) * rtt); a.target != want {
			t.Errorf("target %v after %d round trips, want %v", a.target, i+1, want)
		}
	}
	if a.roundTrip() != rtt {
		t.Errorf("the round trip takes %v, want %v", a.roundTrip(), rtt)
	}
	a.adapt(1 << 20)
	if !a.growing || a.target != 64 {
		t.Errorf("the target is %v after a second in which the rate grew, want 64", a.target)
	}
	a.adapt(1 << 20)
	if want := float64(1<<20)*1.1/block.Size + 1; a.growing || a.target != want {
		t.Errorf("the target is %v at a steady rate, want %v", a.target, want)
	}
	if a.adapt(0); a.target != asksMin {
		t.Errorf("the target is %v when nothing comes, want %v", a.target, asksMin)
	}
	if a.adapt(1 << 30); a.target != asksMax {
		t.Errorf("the target is %v at a gigabyte a second, want %v", a.target, asksMax)
	}
}

// A peer that leaves requests is asked for one block, and nothing before the pause ends.
// Each pause is twice as long as the last, until a block comes.
func TestAsksPauses(t *testing.T) {
	a := newAsks(asksFirst)
	now, want := time.Duration(0), backoffFirst
	for range 10 {
		a.snub(now)
		if a.until != now+want || a.target != 1 || !a.snubs() {
			t.Fatalf("a pause of %v with a target of %v, want %v and 1", a.until-now, a.target,
				want)
		}
		now, want = a.until, min(2*want, backoffLast)
	}
	if a.adapt(1 << 20); a.target != 1 {
		t.Errorf("a target of %v while the peer snubs us, want 1", a.target)
	}
	a.push(blockIn(0, 0), now)
	if a.came(a.remove(0), now+1); a.snubs() || a.until > now+1 || a.backoff != backoffFirst {
		t.Error("a block did not end the pause")
	}
}

// rejected returns asks of a peer that has rejected a number of requests in a row, for a
// piece that it had not declared lost.
func rejected(times int, choking bool) *asks {
	a := newAsks(asksFirst)
	a.choking = choking
	for range times {
		a.refuse(7, askReleased, false, 0)
	}
	return &a
}

func TestAsksRejects(t *testing.T) {
	for _, c := range []struct {
		name  string
		a     *asks
		pause bool
	}{
		{"one, without choking us", rejected(1, false), true},
		{"one, choking us", rejected(1, true), false},
		{"many, choking us", rejected(refusedMax, true), true},
	} {
		if got := c.a.until > 0; got != c.pause {
			t.Errorf("%s: pause %v, want %v", c.name, got, c.pause)
		}
	}
	lacks := newAsks(asksFirst)
	lacks.choking = false
	for range refusedMax - 1 {
		lacks.refuse(7, askReleased, true, 0)
	}
	if lacks.until > 0 {
		t.Error("a peer that has said that it lost the piece is left alone")
	}
	cancelled := newAsks(asksFirst)
	cancelled.choking = false
	if cancelled.refuse(7, askCancelled, false, 0); cancelled.until > 0 {
		t.Error("a peer that rejects a cancelled request is left alone")
	}
}

// A peer may reject first and say afterwards that it has lost the piece.
func TestAsksExplained(t *testing.T) {
	a := rejected(1, false)
	if a.explained(6, 1) {
		t.Error("the loss of another piece ended the pause")
	}
	if !a.explained(7, 1) || a.until != 1 {
		t.Error("the loss of the piece did not end the pause")
	}
	if a.explained(7, 2) {
		t.Error("the pause ended twice")
	}
	if rejected(refusedMax, false).explained(7, 1) {
		t.Error("a peer that rejects everything ended its pause")
	}
}

// When a peer unchokes us its rate says nothing any more, unless it was asked for
// something all the time.
func TestAsksUnchoked(t *testing.T) {
	a := newAsks(asksFirst)
	a.growing, a.target, a.rate = false, asksMin, 500
	if a.unchoked(); a.choking || !a.growing || a.target != asksFirst || a.rate != 0 {
		t.Errorf("the target is %v at a rate of %d, want a new beginning", a.target, a.rate)
	}
	a = newAsks(asksFirst)
	a.snub(0)
	if a.unchoked(); a.target != 1 {
		t.Errorf("a peer that snubs us is asked for %v blocks after an unchoke, want 1", a.target)
	}
}

func TestAsksQuick(t *testing.T) {
	a := newAsks(asksFirst)
	a.rate = 100_000
	if !a.quick(1_000_000) || a.quick(1_000_001) {
		t.Error("quick is a megabyte in ten seconds")
	}
}
