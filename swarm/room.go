package swarm

import (
	"context"
	"time"
)

const (
	// roomWaitersMax bounds the connections that wait for others to end when
	// the engine has as many as it may.
	roomWaitersMax = 16
	// roomWait is how long one waits, and roomLook how often it looks.
	roomWait = time.Second
	roomLook = 10 * time.Millisecond
)

// makeRoom ends one connection of no use, if there is one, and waits until
// there is a place. It is not for the goroutine of a torrent.
func (e *Engine) makeRoom(ctx context.Context) {
	e.evictOne()
	late := time.NewTimer(roomWait)
	defer late.Stop()
	look := time.NewTicker(roomLook)
	defer look.Stop()
	for e.conns.Full() {
		select {
		case <-look.C:
		case <-late.C:
			return
		case <-ctx.Done():
			return
		}
	}
}
