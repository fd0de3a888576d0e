package dht

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

const (
	// k is the number of nodes in an answer, and of contacts in a bucket,
	// BEP 5, "Routing Table".
	k = 8

	// goodTime is how long a contact stays good after its last answer or, as it has
	// answered us before, its last query, BEP 5.
	goodTime = 15 * time.Minute

	// failsBad is how many unanswered queries in a row make a contact bad. BEP 5
	// asks for one more try after the first failure.
	failsBad = 2

	// networkMax bounds the contacts of one /24 or /64 in the whole table; a bucket
	// holds one of them. Local addresses are exempt.
	networkMax = 8

	// The first buckets are larger. A lookup takes its first step from them, and
	// reaches farther the more of the network they hold. The first bucket has
	// k << wideDepth places and each further one half as many, down to k. A
	// bootstrap node, whose purpose is to hand out contacts, has routerDepth more
	// such buckets.
	wideDepth   = 3
	routerDepth = 2
)

// contact is a node that has answered us at least once.
type contact struct {
	id       ID
	at       endpoint
	secure   bool // its id fits its address, BEP 42
	fails    uint8
	rtt      time.Duration
	queries  lane    // its queries to us, apart from those of its source
	answered instant // its last answer
	asked    instant // its last query to us, or zero
	probed   instant // our last ping for upkeep, or zero
}

func (c *contact) addr() netip.AddrPort { return c.at.addrPort() }

func (c *contact) bad() bool { return c.fails >= failsBad }

func (c *contact) good(now instant) bool {
	return !c.bad() && now-max(c.answered, c.asked) < goodTime
}

// tableBucket holds the contacts that share a number of leading bits with our
// id, and spares that can replace them.
type tableBucket struct {
	contacts []contact // at most table.size(depth)
	spares   []contact // at most k, the last heard last
	changed  instant   // last insertion, replacement or answer, BEP 5
	filled   instant   // last lookup to fill the bucket
	fills    uint8     // number of such lookups
}

// table is the routing table of one family: buckets by the number of leading bits
// that a contact shares with our id. The last bucket also takes all contacts that
// share more bits.
//
// Invariants: every contact has answered us; an address has at most one contact; a
// network of addresses that are not local has at most one contact in a bucket, and
// networkMax in the table.
type table struct {
	self    ID
	router  bool
	strict  bool // contacts that break BEP 42 are refused
	buckets []tableBucket
	count   int // contacts in all buckets
}

func newTable(self ID, router, strict bool) table {
	return table{self: self, router: router, strict: strict, buckets: make([]tableBucket, 1)}
}

// size is how many contacts the bucket at depth may hold.
func (t *table) size(depth int) int {
	wide := wideDepth
	if t.router {
		wide += routerDepth
	}
	return k << max(0, wide-depth)
}

func (t *table) bucketOf(id *ID) int {
	return min(commonBits(&t.self, id), len(t.buckets)-1)
}

// find returns the contact at addr, or nil. It is valid until the table changes.
func (t *table) find(id *ID, addr netip.AddrPort) *contact {
	b, at := &t.buckets[t.bucketOf(id)], pack(addr)
	for i := range b.contacts {
		if c := &b.contacts[i]; c.at == at && c.id == *id {
			return c
		}
	}
	return nil
}

// answered records that the node at addr has answered with that id, and adds it if
// there is room. It reports whether the table has a new contact. A valid probe is a
// questionable contact that should be pinged, since it occupies the place.
func (t *table) answered(now instant, id ID, addr netip.AddrPort,
	rtt time.Duration) (added bool, probe netip.AddrPort) {
	if id == t.self {
		return false, probe
	}
	if c := t.find(&id, addr); c != nil {
		c.answered, c.fails, c.rtt = now, 0, rtt
		t.buckets[t.bucketOf(&id)].changed = now
		return false, probe
	}
	fresh := contact{id: id, at: pack(addr), rtt: rtt, answered: now,
		secure: isSecure(id, addr.Addr())}
	if t.strict && !fresh.secure {
		return false, probe
	}
	t.dropAddr(addr, id)
	if !t.distinct(&fresh) {
		return false, probe
	}
	return t.insert(now, fresh)
}

func (t *table) insert(now instant, fresh contact) (added bool, probe netip.AddrPort) {
	for {
		depth := t.bucketOf(&fresh.id)
		b := &t.buckets[depth]
		last := depth == len(t.buckets)-1
		switch {
		case last && len(b.contacts) < k, !last && len(b.contacts) < t.size(depth):
			b.contacts = append(b.contacts, fresh)
			b.changed = now
			t.count++
			return true, probe
		case !last, depth == idBits-1:
			return t.replace(now, depth, fresh)
		}
		t.split()
	}
}

// split divides the last bucket, the one around our own id.
func (t *table) split() {
	depth := len(t.buckets) - 1
	old := t.buckets[depth]
	t.buckets[depth] = tableBucket{changed: old.changed}
	t.buckets = append(t.buckets, tableBucket{changed: old.changed})
	for _, c := range old.contacts {
		b := &t.buckets[t.bucketOf(&c.id)]
		b.contacts = append(b.contacts, c)
	}
	for _, c := range old.spares {
		b := &t.buckets[t.bucketOf(&c.id)]
		b.spares = append(b.spares, c)
	}
}

// replace puts fresh into a full bucket, in place of a bad contact, of one that
// violates BEP 42 while fresh does not, or of one whose owner crowds the bucket.
// Otherwise fresh becomes a spare, and replace returns the least recently seen
// questionable contact, if any, to be probed.
func (t *table) replace(now instant, depth int, fresh contact) (bool, netip.AddrPort) {
	b := &t.buckets[depth]
	victim, oldest := -1, -1
	for i := range b.contacts {
		c := &b.contacts[i]
		if c.bad() || (fresh.secure && !c.secure && victim < 0) {
			victim = i
		}
		if !c.good(now) && (oldest < 0 || c.answered < b.contacts[oldest].answered) {
			oldest = i
		}
	}
	if victim < 0 {
		victim = b.crowded(fresh.addr().Addr())
	}
	if victim >= 0 {
		b.contacts[victim], b.changed = fresh, now
		return true, netip.AddrPort{}
	}
	net := network(fresh.addr()) // which has at most one spare in a bucket
	for i := range b.spares {
		spare := b.spares[i].addr()
		if b.spares[i].at == fresh.at || !isLocal(spare.Addr()) && net.Contains(spare.Addr()) {
			b.spares = append(b.spares[:i], b.spares[i+1:]...)
			break
		}
	}
	if len(b.spares) >= k {
		b.spares = append(b.spares[:0], b.spares[1:]...)
	}
	b.spares = append(b.spares, fresh)
	if oldest >= 0 && now-b.contacts[oldest].probed > queryTimeout {
		b.contacts[oldest].probed = now
		return false, b.contacts[oldest].addr()
	}
	return false, netip.AddrPort{}
}

// crowdBits makes the hash table of crowded, 1<<crowdBits entries, larger than the
// largest bucket.
const crowdBits = 9

// crowded returns the last contact of the owner with the most contacts in the
// bucket, or -1 if the owner of ip would have as many with one more. So a /48 fills
// a bucket only while nobody else wants a place. IPv4 needs no such rule, since a
// bucket has one contact of each /24. crowded runs for queries of strangers, so it
// allocates nothing.
func (b *tableBucket) crowded(ip netip.Addr) (last int) {
	if ip.Is4() || isLocal(ip) || len(b.contacts) >= 1<<crowdBits {
		return -1
	}
	var owners [1 << crowdBits]uint64 // a /48 each; 0 is free, since ::/48 is nobody's
	var counts [1 << crowdBits]uint16
	count := func(ip [16]byte) *uint16 {
		own := binary.BigEndian.Uint64(ip[:8]) >> 16
		at := own * 0x9e3779b97f4a7c15 >> (64 - crowdBits)
		for owners[at] != own && owners[at] != 0 {
			at = (at + 1) % (1 << crowdBits)
		}
		owners[at] = own
		return &counts[at]
	}
	most := uint16(0)
	for i := range b.contacts {
		n := count(b.contacts[i].at.ip)
		if *n++; *n >= most {
			most, last = *n, i
		}
	}
	if most <= *count(ip.As16())+1 {
		return -1
	}
	return last
}

// distinct reports whether fresh may join the present contacts: whether its network
// has room in the bucket and in the table.
func (t *table) distinct(fresh *contact) bool {
	addr := fresh.addr()
	if isLocal(addr.Addr()) {
		return true
	}
	net, depth, same := network(addr), t.bucketOf(&fresh.id), 0
	for i := range t.buckets {
		for j := range t.buckets[i].contacts {
			other := t.buckets[i].contacts[j].addr().Addr()
			if !net.Contains(other) {
				continue
			}
			// A network has one place in a bucket, an address one in the table.
			if i == depth || other == addr.Addr() {
				return false
			}
			same++
		}
	}
	return same < networkMax
}

// dropAddr removes the contact at addr if it has another id: the node there has
// restarted with a new one.
func (t *table) dropAddr(addr netip.AddrPort, id ID) {
	at := pack(addr)
	for i := range t.buckets {
		b := &t.buckets[i]
		for j := range b.contacts {
			if c := &b.contacts[j]; c.at == at && c.id != id {
				t.remove(i, j)
				return
			}
		}
	}
}

// remove takes a contact out and moves the spare heard last into its place.
func (t *table) remove(bucket, i int) {
	b := &t.buckets[bucket]
	b.contacts = append(b.contacts[:i], b.contacts[i+1:]...)
	t.count--
	for len(b.spares) > 0 {
		last := b.spares[len(b.spares)-1]
		b.spares = b.spares[:len(b.spares)-1]
		if t.distinct(&last) {
			b.contacts = append(b.contacts, last)
			t.count++
			return
		}
	}
}

// dropBlocked removes the contacts and spares whose address is blocked.
func (t *table) dropBlocked(blocked func(netip.Addr) bool) {
	is := func(c contact) bool { return blocked(c.addr().Addr()) }
	for i := range t.buckets {
		b := &t.buckets[i]
		b.spares = slices.DeleteFunc(b.spares, is)
		for j := len(b.contacts) - 1; j >= 0; j-- { // a spare takes the place at the end
			if is(b.contacts[j]) {
				t.remove(i, j)
			}
		}
	}
}

// failed records that the contact at addr did not answer. A bad contact is removed
// if a spare can take its place, or if other nodes still answer (online). If nobody
// answers, our own network has failed, and we need the contacts to come back.
func (t *table) failed(addr netip.AddrPort, online bool) {
	at := pack(addr)
	for i := range t.buckets {
		for j := range t.buckets[i].contacts {
			c := &t.buckets[i].contacts[j]
			if c.at != at {
				continue
			}
			c.fails += min(1, 255-c.fails)
			if c.bad() && (online || len(t.buckets[i].spares) > 0) {
				t.remove(i, j)
			}
			return
		}
	}
}

// wants reports whether a node that has not answered yet would be added if it did:
// whether it is worth a ping.
func (t *table) wants(now instant, id *ID, addr netip.AddrPort) bool {
	if *id == t.self || t.strict && !isSecure(*id, addr.Addr()) {
		return false
	}
	depth := t.bucketOf(id)
	b := &t.buckets[depth]
	if len(b.contacts) >= t.size(depth) && depth < len(t.buckets)-1 && len(b.spares) >= k {
		stale := false
		for i := range b.contacts {
			stale = stale || !b.contacts[i].good(now)
		}
		if !stale && b.crowded(addr.Addr()) < 0 {
			return false
		}
	}
	return t.distinct(&contact{id: *id, at: pack(addr)})
}

// closest writes the contacts closest to target into out, sorted, and returns how
// many there are. It leaves out contacts that failed their last query, since it
// serves other nodes too.
func (t *table) closest(target *ID, out []*contact) int {
	n := 0
	for i := range t.buckets {
		for j := range t.buckets[i].contacts {
			c := &t.buckets[i].contacts[j]
			if c.fails > 0 {
				continue
			}
			n = insertClosest(target, out, n, c)
		}
	}
	return n
}

// insertClosest inserts c into the n sorted contacts of out, drops the farthest if out
// is full, and returns the new number of contacts.
func insertClosest(target *ID, out []*contact, n int, c *contact) int {
	at := n
	for at > 0 && compareDistance(target, &c.id, &out[at-1].id) < 0 {
		at--
	}
	if at == len(out) {
		return n
	}
	n = min(n+1, len(out))
	copy(out[at+1:n], out[at:n-1])
	out[at] = c
	return n
}

// stalest returns the contact whose last answer is oldest, among those that have not
// answered for age and were not probed recently, or nil.
func (t *table) stalest(now instant, age time.Duration) *contact {
	var oldest *contact
	for i := range t.buckets {
		for j := range t.buckets[i].contacts {
			c := &t.buckets[i].contacts[j]
			if now-c.answered < age || now-c.probed < age/8 {
				continue
			}
			if oldest == nil || c.answered < oldest.answered {
				oldest = c
			}
		}
	}
	return oldest
}

// unchanged returns the depth of a bucket that has not changed for age, or -1. It
// counts the refresh, which the caller has to start, as a change.
func (t *table) unchanged(now instant, age time.Duration) int {
	for i := range t.buckets {
		if now-t.buckets[i].changed >= age {
			t.buckets[i].changed = now
			return i
		}
	}
	return -1
}

// rebase moves all contacts into a table around another id.
func (t *table) rebase(now instant, self ID) {
	old := t.buckets
	*t = newTable(self, t.router, t.strict)
	for i := range old {
		for _, c := range old[i].contacts {
			if c.id != self && t.distinct(&c) {
				t.insert(now, c)
			}
		}
	}
}

// random returns one of the contacts that did not fail their last query, or nil.
func (t *table) random(rng *rand.Rand) *contact {
	n := t.alive()
	if n == 0 {
		return nil
	}
	n = rng.IntN(n)
	for i := range t.buckets {
		for j := range t.buckets[i].contacts {
			if c := &t.buckets[i].contacts[j]; c.fails == 0 {
				if n == 0 {
					return c
				}
				n--
			}
		}
	}
	return nil
}

// alive counts the contacts that did not fail their last query.
func (t *table) alive() (n int) {
	for i := range t.buckets {
		for j := range t.buckets[i].contacts {
			if t.buckets[i].contacts[j].fails == 0 {
				n++
			}
		}
	}
	return n
}
