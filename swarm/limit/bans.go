package limit

import (
	"slices"
	"time"
)

// BanTime is how long a ban lasts: the peer sent data that is proven to be bad, or broke
// the protocol again and again.
const BanTime = time.Hour

// Bans remembers who is banned, for BanTime each. Each ban belongs to a group, as an
// address does to its network. When there are too many, the oldest ban of the group that
// has most gives way: somebody who owns a network cannot end the bans of others by being
// banned again and again.
//
// Times are since any fixed moment. Bans is owned by one goroutine at a time. The zero
// value remembers nothing: use NewBans.
type Bans[K, G comparable] struct {
	most   int
	until  map[K]time.Duration // nil before the first ban
	order  []ban[K, G]         // keys of until, the first to end first; len(order) <= most
	groups map[G]int           // bans by group; values > 0
}

// A ban is who is banned, and the group of that one.
type ban[K, G comparable] struct {
	key   K
	group G
}

// NewBans returns Bans that remember at most that many.
func NewBans[K, G comparable](most int) Bans[K, G] { return Bans[K, G]{most: most} }

// Ban bans key, a member of group, from now on.
func (b *Bans[K, G]) Ban(now time.Duration, key K, group G) {
	if b.most <= 0 {
		return
	}
	if b.until == nil {
		b.until, b.groups = make(map[K]time.Duration), make(map[G]int)
	}
	if _, again := b.until[key]; again {
		b.remove(slices.IndexFunc(b.order, func(o ban[K, G]) bool { return o.key == key }))
	}
	b.groups[group]++ // before one gives way: rather one of its own group
	for len(b.order) >= b.most && b.until[b.order[0].key] <= now {
		b.remove(0)
	}
	if len(b.order) >= b.most {
		b.remove(b.oldest())
	}
	b.order = append(b.order, ban[K, G]{key, group})
	b.until[key] = now + BanTime
}

// Has reports whether key is banned.
func (b *Bans[K, G]) Has(now time.Duration, key K) bool {
	return len(b.until) > 0 && b.until[key] > now
}

// Len returns how many bans are remembered, with those that are over.
func (b *Bans[K, G]) Len() int { return len(b.order) }

// oldest returns the place of the oldest ban of the group that has most.
func (b *Bans[K, G]) oldest() int {
	most := 0
	for _, n := range b.groups {
		most = max(most, n)
	}
	return slices.IndexFunc(b.order, func(o ban[K, G]) bool { return b.groups[o.group] == most })
}

// remove forgets the ban at a place in order.
func (b *Bans[K, G]) remove(i int) {
	old := b.order[i]
	b.order = slices.Delete(b.order, i, i+1)
	delete(b.until, old.key)
	if b.groups[old.group]--; b.groups[old.group] == 0 {
		delete(b.groups, old.group)
	}
}
