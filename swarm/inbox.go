package swarm

import (
	"sync"

	"swarmnode/swarm/limit"
)

// inboxMax bounds, in bytes, the payloads of one connection that wait for the loop of its
// torrent. It is as much as a fast dialogue has on its way. A larger payload waits until
// there is no other.
const inboxMax = 32 << 10

// inboxFree is how many of these bytes are not charged to the account of the connection,
// as the memory of a connection at rest includes them.
const inboxFree = 4 << 10

// An inbox counts the payloads of a connection that the loop of its torrent has not taken
// yet. When they are too many, the reader waits, and so does the peer. Otherwise a few
// connections could fill the queue of events with their largest messages. The zero inbox
// is empty and ready for use. It is safe for concurrent use by one goroutine that puts and
// one that takes.
type inbox struct {
	mu    sync.Mutex
	bytes int
	taken chan struct{} // made when put has to wait; has a token when something was taken
}

// put counts n bytes once there is room for them, and charges the bytes beyond inboxFree
// to account. It reports false if stop is closed before.
func (b *inbox) put(account *limit.Account, n int, stop <-chan struct{}) bool {
	for n > 0 {
		b.mu.Lock()
		if b.bytes == 0 || b.bytes+n <= inboxMax {
			before := b.charge()
			b.bytes += n
			more := b.charge() - before
			b.mu.Unlock()
			account.Add(more)
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

// charge returns how many of the bytes are charged.
func (b *inbox) charge() int { return max(0, b.bytes-inboxFree) }

// take ends the count of n bytes that were put.
func (b *inbox) take(account *limit.Account, n int) {
	if n == 0 {
		return
	}
	b.mu.Lock()
	before := b.charge()
	b.bytes -= n
	less := b.charge() - before
	taken := b.taken
	b.mu.Unlock()
	account.Add(less)
	if taken == nil {
		return
	}
	select {
	case taken <- struct{}{}:
	default:
	}
}
