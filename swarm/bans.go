package swarm

import (
	"net/netip"
	"sync"
	"time"

	"swarmnode/swarm/limit"
)

const (
	// banTime is how long a source stays banned: its peer sent data that is
	// proven to be bad, or broke the protocol again and again.
	banTime = time.Hour
	// bansMax bounds the sources remembered. The oldest of the network that has most
	// give way.
	bansMax = 4096
)

// bans are the sources (limit.SourceOf) with which no torrent of the engine has a
// connection for a while. A ban is by source, since a peer that is banned can choose
// another port, or another address of its /64. It is safe for concurrent use.
type bans struct {
	home limit.Home // is exempt: all peers of this machine share it

	mu       sync.Mutex
	until    map[netip.Addr]time.Time
	order    []ban                // keys of until, the oldest first
	networks map[netip.Prefix]int // bans by network; values > 0
}

// A ban is a source that is banned, and its network.
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

// forget forgets the oldest ban of the network that has most, so that one who owns a
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
