package swarm

import (
	"testing"
	"testing/synctest"
)

// A peer that sends large messages to a torrent that is busy waits, with little
// of it in memory.
func TestInboxBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b inbox
		stop := make(chan struct{})
		put := make(chan int, 1000)
		ended := make(chan bool)
		go func() {
			ok := true
			for i := 0; i < 100 && ok; i++ {
				if ok = b.put(nil, 10<<10, stop); ok {
					put <- 10 << 10
				}
			}
			ended <- ok
		}()
		synctest.Wait()
		if n := len(put); n != inboxMax/(10<<10) {
			t.Errorf("%d messages of 10 KiB are held, want %d", n, inboxMax/(10<<10))
		}
		for range 50 { // each that is taken in lets one more through
			b.take(nil, <-put)
			synctest.Wait()
			if b.bytes > inboxMax {
				t.Fatalf("%d bytes are held", b.bytes)
			}
		}
		close(stop)
		if <-ended {
			t.Error("the end of the torrent did not end the wait")
		}
	})
}

// What is larger than the bound gets through by itself.
func TestInboxTakesTheLargest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b inbox
		const large = 4 * inboxMax
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 3 {
				b.put(nil, large, nil)
			}
			b.put(nil, 0, nil)
		}()
		for range 2 {
			synctest.Wait()
			if b.bytes != large {
				t.Errorf("%d bytes are held, want one message of %d", b.bytes, large)
			}
			b.take(nil, large)
		}
		<-done
		b.take(nil, large)
		if b.bytes != 0 {
			t.Errorf("%d bytes are held at the end", b.bytes)
		}
	})
}
