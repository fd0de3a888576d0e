package swarm

import "sync"

// inboxMax bounds, in bytes, the payloads of one connection that wait for the
// loop of its torrent: as much as a diligent dialogue has on its way. A payload
// that is larger by itself waits until there is no other.
const inboxMax = 32 << 10

// An inbox counts the payloads of a connection that are with its torrent and were
// not taken in yet. The reader waits when there are too many, and so the peer
// does: without that, a few connections could fill the queue of events with their
// largest messages. The zero inbox is empty and ready; it is safe for concurrent
// use by one that puts and one that takes.
type inbox struct {
	mu    sync.Mutex
	bytes int
	taken chan struct{} // made when put has to wait; has a token when something was taken
}

// put counts n bytes when there is room for them, and reports false if stop is
// closed before.
func (b *inbox) put(n int, stop <-chan struct{}) bool {
	for n > 0 {
		b.mu.Lock()
		if b.bytes == 0 || b.bytes+n <= inboxMax {
			b.bytes += n
			b.mu.Unlock()
			return true
		}
		if b.taken == nil {
			b.taken = make(chan struct{}, 1)
		}
		taken := b.taken
		b.mu.Unlock()
		select {
		case <-taken:
		case <-stop:
			return false
		}
	}
	return true
}

// take ends the count of n bytes that were put.
func (b *inbox) take(n int) {
	if n == 0 {
		return
	}
	b.mu.Lock()
	b.bytes -= n
	taken := b.taken
	b.mu.Unlock()
	if taken == nil {
		return
	}
	select {
	case taken <- struct{}{}:
	default:
	}
}
