package swarm

import (
	"net/netip"
	"sync"
	"time"

	"swarmnode/swarm/limit"
)

const (
	// banTime is how long a source stays banned. Its peer sent proven bad data, or broke
	// the protocol again and again.
	banTime = time.Hour
	// bansMax bounds the sources that are remembered. Beyond it, the oldest one of the
	// network with most bans is forgotten.
	bansMax = 4096
)

// bans holds the sources (limit.SourceOf) with which no torrent of the engine connects for
// a while. It bans sources rather than addresses, since a banned peer can choose another
// port, or another address of its /64. It is safe for concurrent use.
type bans struct {
	home limit.Home // exempt: all peers of this machine share it

	mu       sync.Mutex
	until    map[netip.Addr]time.Time
	order    []ban                // keys of until, the oldest first
	networks map[netip.Prefix]int // bans by network; values > 0
}

// A ban is a banned source and its network.
type ban struct {
	source  netip.Addr
	network netip.Prefix
}

// ban bans the source of addr from now on.
func (b *bans) ban(now time.Time, addr netip.Addr) {
	if b.home.Has(addr) {
		return
	}
	source := limit.SourceOf(addr)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until == nil {
		b.until, b.networks = make(map[netip.Addr]time.Time), make(map[netip.Prefix]int)
	}
	if _, ok := b.until[source]; !ok {
		if len(b.order) == bansMax {
			b.forget()
		}
		fresh := ban{source, limit.NetworkOf(addr)}
		b.order = append(b.order, fresh)
		b.networks[fresh.network]++
	}
	b.until[source] = now.Add(banTime)
}

// forget forgets the oldest ban of the network with most bans, so that the owner of one
// network cannot end the bans of others.
func (b *bans) forget() {
	most := 0
	for _, n := range b.networks {
		most = max(most, n)
	}
	for i, old := range b.order {
		if b.networks[old.network] < most {
			continue
		}
		b.order = append(b.order[:i], b.order[i+1:]...)
		delete(b.until, old.source)
		if b.networks[old.network]--; b.networks[old.network] == 0 {
			delete(b.networks, old.network)
		}
		return
	}
}

// banned reports whether the source of addr is banned at now.
func (b *bans) banned(now time.Time, addr netip.Addr) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.until) > 0 && now.Before(b.until[limit.SourceOf(addr)])
}
