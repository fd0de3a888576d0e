package book

import (
	"testing"
	"time"
)

// TestBookRetries: an endpoint at which attempts fail is tried less and less often.
func TestBookRetries(t *testing.T) {
	b := newTestBook(Config{})
	found, named := hear(b, far(1), SourceDHT), hear(b, far(2), SourceUser)
	for i, want := range []time.Duration{5, 10, 20, 40, 80, 160} {
		b.failed(found, 0, 0)
		if found.next != want*time.Second {
			t.Errorf("after failure %d the next attempt is after %v, want %v s", i+1, found.next,
				want)
		}
	}
	b.failed(found, 0, 0)
	if b.Knows(far(1)) {
		t.Error("an endpoint that always fails is kept")
	}
	now := time.Duration(0)
	for range 50 {
		b.failed(named, now, 0)
		if wait := named.next - now; wait > max(namedFirst, now/3) {
			t.Errorf("what the user named is tried again %v after %v without success", wait, now)
		}
		now = named.next
	}
	b.failed(named, 0, 0)
	if !b.Knows(far(2)) || named.next != namedLast {
		t.Errorf("what the user named is tried after %v, want for ever after %v", named.next,
			namedLast)
	}
}

// A proven endpoint is never forgotten, and its wait has a bound.
func TestProvenIsKept(t *testing.T) {
	b := newTestBook(Config{})
	e := hear(b, far(1), SourceResume)
	for range 50 {
		b.failed(e, 0, 0)
	}
	if !b.Knows(far(1)) || e.next != retryLast {
		t.Errorf("known %v, tried after %v; want after %v", b.Knows(far(1)), e.next, retryLast)
	}
}

// Attempts spread: the same failure leads to waits that differ by up to a fifth.
func TestJitter(t *testing.T) {
	b := newTestBook(Config{})
	waits := map[time.Duration]bool{}
	for i := range 20 {
		e := hear(b, far(i), SourceDHT)
		b.setState(e, stateDialling)
		b.Failed(0, far(i), FaultRefused)
		waits[e.next] = true
		if e.next < retryFirst || e.next > retryFirst*6/5 {
			t.Errorf("the wait is %v", e.next)
		}
	}
	if len(waits) < 15 {
		t.Errorf("%d waits of 20 differ", len(waits))
	}
}

// TestClosed has when an endpoint is dialled again, by how the connection ended.
func TestClosed(t *testing.T) {
	play(t, []scene{
		{"after a connection without a block",
			"hear 1 dht | meet 1 | close 1 old left | until", "5s"},
		{"after it hung up at once", "hear 1 dht | meet 1 | close 1 left | until", "5s"},
		{"after it did so twice",
			"hear 1 dht | meet 1 | close 1 left | wait 6s | meet 1 | close 1 left | until", "11s"},
		{"although it stayed for long before that",
			"hear 1 dht | meet 1 | close 1 left | wait 10s | meet 1 | close 1 old left | until", "5s"},
		{"after the peer left", "hear 1 dht | meet 1 | close 1 moved left | until", "2s"},
		{"because our address changed", "hear 1 dht | meet 1 | close 1 refresh | until", "2s"},
		{"to meet it by another info-hash", "hear 1 dht | meet 1 | close 1 upgrade | until", "0s"},
		{"also a seed, by a seed",
			"seeding | hear 1 dht | meet 1 | close 1 seed upgrade | wait 1s | until", "now"},
		{"which has no other use for it",
			"seeding | hear 1 dht | meet 1 | close 1 seed left | wait 1h | until", "never"},
		{"because it was of no use", "hear 1 dht | meet 1 | close 1 unwanted | until", "40s"},
		{"although blocks moved", "hear 1 dht | meet 1 | close 1 moved unwanted | until", "40s"},
		{"a connection that is not the one there", "hear 1 dht | meet 1 | join 1 | close 2 | until",
			"never"},
	})
}

// An endpoint that was said to be that of a connection can be dialled once it is free, and only
// the connection that it belongs to frees it.
func TestFree(t *testing.T) {
	b := newTestBook(Config{})
	e := hear(b, far(1), SourcePEX)
	b.Joined(0, far(1), 7)
	b.Free(time.Second, far(1), 8)
	b.Free(time.Second, far(2), 7)
	if e.state != stateConnected {
		t.Error("freed by another connection")
	}
	b.Free(time.Second, far(1), 7)
	if e.state != stateIdle || e.conn != 0 || e.next != time.Second {
		t.Errorf("%+v", e)
	}
	b.Free(time.Minute, far(1), 7)
	if e.next != time.Second {
		t.Error("freed twice")
	}
	b.Check()
}

// A peer that came by itself is dialled where it says to listen, and proves that
// endpoint if blocks came.
func TestListen(t *testing.T) {
	b := newTestBook(Config{})
	e := hear(b, far(1), SourceIncoming)
	b.Joined(0, far(1), 7)
	b.Closed(time.Second, Parting{Conn: 7, At: at("30.0.1.1:50000"), Listen: far(1), Down: 1})
	if e.state != stateIdle || !e.proven || e.next != 3*time.Second || e.conn != 0 {
		t.Errorf("%+v", e)
	}
	b = newTestBook(Config{})
	e = hear(b, far(1), SourceIncoming)
	b.Joined(0, far(1), 7)
	b.Closed(time.Second, Parting{Conn: 7, At: at("30.0.1.1:50000"), Listen: far(1), Up: 1})
	if e.proven {
		t.Error("a peer that only takes has proven where it listens")
	}
	b.Check()
}
