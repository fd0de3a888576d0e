package swarm

import (
	"testing"
	"testing/synctest"

	"swarmnode/swarm/core"
)

// TestMailbox: senders wait while it is full, and all come through, each in its
// own order.
func TestMailbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m mailbox
		m.init()
		stop := make(chan struct{})
		const senders, each = 5, 3 * eventsMax
		for s := range senders {
			go func() {
				for i := range each {
					if !m.put(&core.Event{Peer: core.PeerRef(s), Count: i}, stop) {
						t.Error("put was stopped")
					}
				}
			}()
		}
		synctest.Wait()
		if n := len(m.queue); n != eventsMax {
			t.Errorf("%d events wait, want %d", n, eventsMax)
		}
		var buf []core.Event
		var next [senders]int
		for left := senders * each; left > 0; {
			<-m.wake
			buf = m.take(buf)
			left -= len(buf)
			for _, e := range buf {
				if e.Count != next[e.Peer] {
					t.Fatalf("sender %d: event %d, want %d", e.Peer, e.Count, next[e.Peer])
				}
				next[e.Peer]++
			}
		}
		m.shrink()
		if buf = m.take(nil); len(buf) != 0 || cap(buf) > eventsKept {
			t.Errorf("%d events are left, with room for %d", len(buf), cap(buf))
		}
	})
}

func TestMailboxStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m mailbox
		m.init()
		stop := make(chan struct{})
		for range eventsMax {
			m.put(&core.Event{}, stop)
		}
		stopped := make(chan bool)
		go func() { stopped <- m.put(&core.Event{}, stop) }()
		synctest.Wait()
		close(stop)
		if <-stopped {
			t.Error("an event was put into a full mailbox")
		}
	})
}

func BenchmarkMailbox(b *testing.B) {
	var m mailbox
	m.init()
	var buf []core.Event
	b.ReportAllocs()
	for b.Loop() {
		for range 8 {
			m.put(&core.Event{}, nil)
		}
		<-m.wake
		buf = m.take(buf)
	}
}
