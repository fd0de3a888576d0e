package tracker

import (
	"net/netip"
	"sync"
)

// foundMax bounds the peers that wait for a caller. The oldest are dropped.
const foundMax = 2 * PeersMax

// found are peers that trackers named and that wait for a caller of Peers. It needs no
// memory without any: most torrents of a large seeder have none. It is safe for concurrent
// use.
type found struct {
	news chan struct{} // has a token when there are peers

	mu   sync.Mutex
	list []netip.AddrPort // oldest first, at most foundMax
}

func newFound() *found { return &found{news: make(chan struct{}, 1)} }

// add adds peers, and drops the oldest ones to make room.
func (f *found) add(peers []netip.AddrPort) {
	f.mu.Lock()
	f.list = append(f.list, peers...)
	if more := len(f.list) - foundMax; more > 0 {
		f.list = f.list[more:]
	}
	some := len(f.list) > 0
	f.mu.Unlock()
	if some {
		f.signal()
	}
}

// signal leaves a token in news.
func (f *found) signal() {
	select {
	case f.news <- struct{}{}:
	default:
	}
}

// take removes the oldest peer and returns it, or reports false if there is none.
func (f *found) take() (peer netip.AddrPort, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.list) == 0 {
		return netip.AddrPort{}, false
	}
	peer = f.list[0]
	if f.list = f.list[1:]; len(f.list) == 0 {
		f.list = nil
	}
	return peer, true
}

// leave tells another caller of the peers that are left.
func (f *found) leave() {
	f.mu.Lock()
	some := len(f.list) > 0
	f.mu.Unlock()
	if some {
		f.signal()
	}
}
