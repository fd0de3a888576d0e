package swarm

import (
	"context"
	"sync"
)

// A turn is a lock for long work: those who wait for it can give up. The zero turn is free.
type turn struct {
	mu    sync.Mutex
	taken bool
	freed chan struct{} // closed when the turn is free again; nil if nobody waits
}

// take waits until the turn is free, and takes it. The error is that of ctx, of which it
// takes no notice if the turn is free.
func (u *turn) take(ctx context.Context) error {
	for {
		freed := u.tryTake()
		if freed == nil {
			return nil
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// tryTake takes the turn if it is free. Otherwise it returns a channel that is closed when
// it is free again.
func (u *turn) tryTake() (freed <-chan struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.taken {
		u.taken = true
		return nil
	}
	if u.freed == nil {
		u.freed = make(chan struct{})
	}
	return u.freed
}

// give makes the turn free again.
func (u *turn) give() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.taken = false
	if u.freed != nil {
		close(u.freed)
		u.freed = nil
	}
}
