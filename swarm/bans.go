package swarm

import (
	"net/netip"
	"sync"
	"time"

	"swarmnode/swarm/limit"
)

// bansMax bounds the sources that are remembered.
const bansMax = 4096

// bans holds the sources (limit.SourceOf) with which no torrent of the engine connects for
// a while. It bans sources rather than addresses, since a banned peer can choose another
// port, or another address of its /64. The core of a torrent says whom to ban. It is safe
// for concurrent use.
type bans struct {
	home    limit.Home // exempt: all peers of this machine share it
	blocked *blocked   // what the user wants no connections with

	mu    sync.Mutex
	first time.Time // of the first ban
	list  limit.Bans[netip.Addr, netip.Prefix]
}

// newBans returns bans of a process that listens at home and whose user blocks addresses.
func newBans(home limit.Home, blocked *blocked) *bans {
	return &bans{home: home, blocked: blocked}
}

// sibling returns bans of the same process that know of nobody.
func (b *bans) sibling() *bans { return newBans(b.home, newBlocked(nil)) }

// ban bans the source of addr from now on.
func (b *bans) ban(now time.Time, addr netip.Addr) {
	if b.home.Has(addr) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.first.IsZero() {
		b.first, b.list = now, limit.NewBans[netip.Addr, netip.Prefix](bansMax)
	}
	b.list.Ban(now.Sub(b.first), limit.SourceOf(addr), limit.NetworkOf(addr))
}

// refuses reports whether there shall be no connection with addr now.
func (b *bans) refuses(addr netip.Addr) bool { return b.refusal(time.Now(), addr) != nil }

// refusal returns errBlocked or errBanned if there shall be no connection with addr at now,
// and nil otherwise.
func (b *bans) refusal(now time.Time, addr netip.Addr) error {
	switch {
	case b.blocked.refuses(addr):
		return errBlocked
	case b.banned(now, addr):
		return errBanned
	}
	return nil
}

// banned reports whether the source of addr is banned at now.
func (b *bans) banned(now time.Time, addr netip.Addr) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.list.Len() > 0 && b.list.Has(now.Sub(b.first), limit.SourceOf(addr))
}
