package core

import (
	"net/netip"
	"slices"
	"time"
)

const (
	// addressesMax bounds the addresses that are remembered: some times the
	// connections that there can be.
	addressesMax = 2000
	// perSourceMax bounds those of one source, so that none can drown the
	// others. What the user names is exempt.
	perSourceMax = addressesMax / 4
	// bansMax bounds the banned addresses that are remembered.
	bansMax = 1024
	// banFor is how long an address stays banned.
	banFor = time.Hour
	// failuresMax is how often an address may fail before it is forgotten.
	// What the user names never is.
	failuresMax = 6

	// The wait after a failure doubles from the first to the last.
	retryFirst     = 5 * time.Second
	retryLast      = 30 * time.Minute
	retryFirstUser = time.Second
	retryLastUser  = 30 * time.Second
	// againAfter is the wait before a peer that was connected is dialled again.
	againAfter = 2 * time.Second
	// upgradeAfter is the same for one that is to be connected to by another
	// info-hash: time for it to see the end of the first connection.
	upgradeAfter = 200 * time.Millisecond
)

type entryState uint8

const (
	entryIdle entryState = iota
	entryDialling
	entryConnected
	entrySelf
)

// An entry is what is known of one address.
type entry struct {
	addr     netip.AddrPort
	source   Source
	state    entryState
	failures uint8
	good     bool // a handshake went well once
	seed     bool // it had everything when last seen
	peer     PeerRef
	next     time.Duration // not to be dialled before
}

// A book holds the addresses that were learnt, and those that are banned.
type book struct {
	byAddr    map[netip.AddrPort]*entry
	list      []*entry
	perSource [sourceCount]int
	dialling  int
	bans      map[netip.AddrPort]time.Duration // port 0: all of the address
}

func newBook() book {
	return book{byAddr: map[netip.AddrPort]*entry{}, bans: map[netip.AddrPort]time.Duration{}}
}

// unmapped returns addr with an IPv4 address as such.
func unmapped(addr netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
}

// local tells whether an address says little about who is behind it: many
// nodes share a loopback or private one in tests and laboratories.
func local(ip netip.Addr) bool {
	return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()
}

// discard is the prefix to which nothing is ever sent (RFC 6666). Drivers give
// addresses in it to what stands in the seat of a peer and has none, such as a
// web seed, so they are neither dialled nor told to anybody.
var discard = netip.MustParsePrefix("100::/64")

// usable tells whether addr could be that of a peer.
func usable(addr netip.AddrPort) bool {
	ip := addr.Addr()
	return ip.IsValid() && addr.Port() != 0 && !ip.IsUnspecified() && !ip.IsMulticast() &&
		ip != netip.AddrFrom4([4]byte{255, 255, 255, 255}) && !discard.Contains(ip)
}

// add notes an address and tells whether it is new. When there are too many,
// one that failed makes room, else one chosen by pick of the candidates.
func (b *book) add(addr netip.AddrPort, source Source, pick func(n int) int) bool {
	if e := b.byAddr[addr]; e != nil {
		if source == SourceUser && e.source != SourceUser {
			b.perSource[e.source]--
			b.perSource[source]++
			e.source = source
		}
		return false
	}
	full := len(b.list) >= addressesMax
	crowded := source != SourceUser && b.perSource[source] >= perSourceMax
	if (full || crowded) && !b.evict(source, crowded, pick) {
		return false
	}
	e := &entry{addr: addr, source: source}
	b.byAddr[addr] = e
	b.list = append(b.list, e)
	b.perSource[source]++
	return true
}

// evict forgets an idle address, of the same source if that has its share.
func (b *book) evict(source Source, same bool, pick func(n int) int) bool {
	var worst *entry
	start := pick(len(b.list))
	for i := range b.list {
		e := b.list[(start+i)%len(b.list)]
		if e.state != entryIdle || e.source == SourceUser || same && e.source != source {
			continue
		}
		if worst == nil || e.failures > worst.failures {
			worst = e
		}
	}
	if worst == nil {
		return false
	}
	b.forget(worst)
	return true
}

func (b *book) forget(e *entry) {
	delete(b.byAddr, e.addr)
	b.perSource[e.source]--
	if i := slices.Index(b.list, e); i >= 0 {
		last := len(b.list) - 1
		b.list[i] = b.list[last]
		b.list[last] = nil
		b.list = b.list[:last]
	}
}

// connected notes that a handshake with addr went well. The address of an
// incoming connection says nothing of where the peer can be reached.
func (b *book) connected(addr netip.AddrPort, ref PeerRef, outgoing bool, now time.Duration) {
	if e := b.byAddr[addr]; outgoing && e != nil {
		b.setState(e, entryConnected)
		e.peer, e.failures, e.good = ref, 0, true
	}
}

// joined notes that the peer that can be reached at addr is connected.
func (b *book) joined(addr netip.AddrPort, ref PeerRef) {
	if e := b.byAddr[addr]; e != nil && e.state != entrySelf {
		b.setState(e, entryConnected)
		e.peer, e.good = ref, true
	}
}

// closed notes that a connection ended, and when to try again.
func (b *book) closed(p *peer, reason Reason, now time.Duration) {
	for _, addr := range [...]netip.AddrPort{p.listen, p.addr} {
		e := b.byAddr[addr]
		if e == nil || e.state != entryConnected || e.peer != p.ref {
			continue
		}
		b.setState(e, entryIdle)
		e.peer = 0
		e.seed = p.has.isSeed()
		e.next = now + againAfter
		switch reason {
		case ReasonUpgrade:
			e.next, e.seed = now+upgradeAfter, false
		case ReasonNone, ReasonIdle, ReasonRefresh, ReasonDuplicate:
			// A peer that hangs up at once each time is as one that fails.
			if p.down.total == 0 && p.up.total == 0 && reason != ReasonRefresh {
				b.failed(e, now, now%retryFirst)
			}
		default:
			e.failures = max(e.failures, 3)
			b.failed(e, now, now%retryFirst)
		}
	}
}

// failed puts the next attempt off, by up to a fifth more than the plan so that
// attempts spread. An address that failed too often is forgotten.
func (b *book) failed(e *entry, now, jitter time.Duration) {
	first, last := retryFirst, retryLast
	if e.source == SourceUser {
		first, last = retryFirstUser, retryLastUser
	}
	wait := min(last, first<<min(e.failures, 12))
	e.next = now + wait + jitter%(wait/5+1)
	e.failures = min(e.failures+1, 100)
	if e.failures > failuresMax && e.source != SourceUser && !e.good {
		b.forget(e)
	}
}

func (b *book) setState(e *entry, s entryState) {
	if e.state == entryDialling {
		b.dialling--
	}
	if s == entryDialling {
		b.dialling++
	}
	e.state = s
}

// isSelf notes that addr is our own.
func (b *book) isSelf(addr netip.AddrPort) {
	if e := b.byAddr[addr]; e != nil {
		b.setState(e, entrySelf)
	}
}

// ban bans the address of a peer, all of its ports unless the address is local.
func (b *book) ban(addr, listen netip.AddrPort, now time.Duration) {
	for _, a := range [...]netip.AddrPort{addr, listen} {
		if !a.IsValid() {
			continue
		}
		if !local(a.Addr()) {
			a = netip.AddrPortFrom(a.Addr(), 0)
		}
		if len(b.bans) >= bansMax {
			b.unban(now)
		}
		b.bans[a] = now + banFor
	}
}

// unban forgets the bans that are over, or else the oldest.
func (b *book) unban(now time.Duration) {
	var oldest netip.AddrPort
	for a, until := range b.bans {
		if until <= now {
			delete(b.bans, a)
		} else if u, ok := b.bans[oldest]; !ok || until < u || until == u && a.Compare(oldest) < 0 {
			oldest = a
		}
	}
	if len(b.bans) >= bansMax {
		delete(b.bans, oldest)
	}
}

func (b *book) banned(addr netip.AddrPort, now time.Duration) bool {
	if len(b.bans) == 0 {
		return false
	}
	return b.bans[addr] > now || b.bans[netip.AddrPortFrom(addr.Addr(), 0)] > now
}
