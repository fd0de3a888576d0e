package swarm

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// banTime is how long an address stays banned: its peer sent data that is
	// proven to be bad, or broke the protocol again and again.
	banTime = time.Hour
	// bansMax bounds the addresses remembered. The oldest give way.
	bansMax = 4096
)

// bans are the addresses that no torrent of the engine connects to or accepts
// for a while. A ban is by address and not by port, since a peer that is
// banned can choose another port. It is safe for concurrent use; the zero bans
// are ready.
type bans struct {
	mu    sync.Mutex
	until map[netip.Addr]time.Time
	order []netip.Addr // keys of until, the oldest first
}

// ban bans addr from now on. Loopback is exempt: all peers of one machine
// share it, so a ban would hit the honest with the liar.
func (b *bans) ban(now time.Time, addr netip.Addr) {
	if addr.IsLoopback() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until == nil {
		b.until = make(map[netip.Addr]time.Time)
	}
	if _, ok := b.until[addr]; !ok {
		if len(b.order) == bansMax {
			delete(b.until, b.order[0])
			b.order = append(b.order[:0], b.order[1:]...)
		}
		b.order = append(b.order, addr)
	}
	b.until[addr] = now.Add(banTime)
}

// banned tells whether addr is banned at now.
func (b *bans) banned(now time.Time, addr netip.Addr) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return now.Before(b.until[addr])
}
