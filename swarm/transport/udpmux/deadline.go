package udpmux

import (
	"sync"
	"time"
)

// A deadline closes a channel at a moment, and has another one after it was moved. It is
// guarded by the mutex of its owner.
type deadline struct {
	expired chan struct{} // closed once the moment has passed
	timer   *time.Timer   // nil without a moment to come
}

func newDeadline() deadline { return deadline{expired: make(chan struct{})} }

// set moves the deadline to t, the zero Time for none. The channel is another one if it was
// closed. The caller holds mu.
func (d *deadline) set(mu *sync.Mutex, t time.Time) {
	d.stop()
	select {
	case <-d.expired:
		d.expired = make(chan struct{})
	default:
	}
	if t.IsZero() {
		return
	}
	wait := time.Until(t)
	if wait <= 0 {
		close(d.expired)
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		mu.Lock()
		defer mu.Unlock()
		if d.timer == timer { // it was not moved meanwhile
			d.timer = nil
			close(d.expired)
		}
	})
	d.timer = timer
}

// stop keeps the moment from coming.
func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
