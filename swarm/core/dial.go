package core

import (
	"net/netip"
	"time"

	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
)

const (
	// dialEvery and dialBurst pace the Dials of a torrent: 20 a second.
	dialEvery = 50 * time.Millisecond
	dialBurst = 20

	// replaceEvery is how often a torrent that has all of its connections looks for one
	// to be replaced by another.
	replaceEvery = 10 * time.Second

	// WantPeers is given at most once in wantFirst. Without success the wait doubles, up
	// to wantLast.
	wantFirst = 15 * time.Second
	wantLast  = 2 * time.Minute
)

// A dialer decides when to dial, and how many attempts there are. Whom to dial is up
// to the book.
type dialer struct {
	book   *book.Book
	peers  *peerTable
	out    *outbox
	timers *timers
	needs  needs
	punch  *punch

	peersMax, dialsMax int // connections; attempts under way

	tokens  int
	filled  time.Duration // when tokens was up to date
	asked   time.Duration // when WantPeers was given last
	askWait time.Duration
	seek    seeker
}

// needs says what peers the torrent can use.
type needs interface {
	usable() bool      // it can use peers at all
	seeding() bool     // it has every wanted piece
	flowing() bool     // blocks come
	replaceable() bool // some peer is of so little use that another may take its place
}

// A dialNeeds is a Torrent that says its needs.
type dialNeeds Torrent

func (n *dialNeeds) usable() bool  { return !n.standing.isUnusable() && !n.standing.isPaused() }
func (n *dialNeeds) seeding() bool { return (*Torrent)(n).seeding() }
func (n *dialNeeds) flowing() bool { return n.down.rate(n.now) > 0 }
func (n *dialNeeds) replaceable() bool {
	return n.peers.eviction(n.now, n.book.Priority).leastUseful(nil, nil) != nil
}

// init sets what d needs of the rest of the torrent.
func (d *dialer) init(t *Torrent) {
	d.book, d.peers, d.out, d.timers = t.book, &t.peers, &t.out, &t.timers
	d.punch = &t.punch
	d.peersMax, d.dialsMax = t.cfg.Limits.PeersMax, t.cfg.Limits.HalfOpenMax
	d.needs = (*dialNeeds)(t)
	d.tokens = dialBurst
	d.timers.by(timerDial, 0)
}

// shares reports whether others may be told of the peers, and may tell of peers.
func (d *dialer) shares() bool { return d.book.Shares() }

// accepts reports whether the peer at an endpoint was met over a transport last.
func (d *dialer) accepts(at endpoint.Endpoint, over endpoint.Transport) bool {
	return d.book.Accepts(at, over)
}

// hear writes down a rumour, and dials soon if it is news.
func (d *dialer) hear(now time.Duration, r book.Rumour) {
	if d.book.Hear(now, r) && r.Source != book.SourceIncoming { // that one is connected
		d.askWait = 0
		d.timers.by(timerDial, now)
	}
}

// failed records that a Dial came to nothing.
func (d *dialer) failed(now time.Duration, at endpoint.Endpoint, fault book.Fault) {
	d.punch.ended(at)
	d.probed(now, d.book.Failed(now, at, fault))
	d.timers.by(timerDial, now)
}

// putOff records that a limit of the driver was in the way of a Dial.
func (d *dialer) putOff(now time.Duration, at endpoint.Endpoint) {
	d.punch.ended(at)
	d.probed(now, d.book.PutOff(now, at))
	d.timers.by(timerDial, now)
}

// closed records that the connection to p ended.
func (d *dialer) closed(now time.Duration, p *peer, reason Reason, broken bool) {
	d.book.Closed(now, book.Parting{
		Conn: book.Conn(p.ref), At: p.endpoint, Listen: p.listen, Since: p.since,
		Down: p.down.sum(), Up: p.up.sum(), Seed: p.has.isSeed(), Broken: broken,
		End: endOf(reason),
	})
	d.timers.by(timerDial, now)
}

// endOf returns the word of the book for the reason of the end of a connection.
func endOf(reason Reason) book.End {
	switch reason {
	case ReasonUpgrade:
		return book.EndUpgrade
	case ReasonRefresh, ReasonPaused:
		return book.EndRefresh
	case ReasonNone, ReasonIdle, ReasonDuplicate:
		return book.EndLeft
	}
	return book.EndUnwanted
}

// dial gives out as many Dials as limits allow.
func (d *dialer) dial(now time.Duration) {
	if !d.needs.usable() {
		return
	}
	wish := book.Wish{Seeding: d.needs.seeding(), DialsMax: d.dialsMax}
	for {
		if d.book.Dialling() >= d.dialsMax {
			return // an answer comes first
		}
		if over := d.peers.count() + d.book.Dialling() - d.target(); over >= 0 &&
			!d.mayReplace(now, over) {
			return // the end of a connection comes first, or its uselessness
		}
		if !d.refill(now) {
			d.timers.by(timerDial, d.filled+dialEvery)
			return
		}
		next, at, ok := d.book.Next(now, wish)
		if !ok {
			d.timers.by(timerDial, at)
			d.want(now)
			return
		}
		d.give(now, next)
	}
}

// refill adds the tokens of the time that has passed, and reports whether there is one.
func (d *dialer) refill(now time.Duration) bool {
	if n := int((now - d.filled) / dialEvery); n > 0 {
		d.tokens = min(dialBurst, d.tokens+n)
		d.filled += time.Duration(n) * dialEvery
	}
	return d.tokens > 0
}

// introduced dials a peer that dials us at this moment; again says that it is connected, and
// that another path is wanted. A dial of the same peer that is under way is given out again: it
// goes on with more zeal.
func (d *dialer) introduced(now time.Duration, r book.Rumour, again bool) {
	if !d.needs.usable() {
		return
	}
	next, ok := d.book.Introduced(now, book.Introduction{Rumour: r, Seeding: d.needs.seeding(),
		Room: d.book.Dialling() < d.dialsMax &&
			d.peers.count()+d.book.Dialling() < d.peersMax, Again: again})
	if ok {
		d.give(now, next)
	}
}

// deserted dials a peer that has closed a connection which may have been one of two, made by
// both sides at the same time.
func (d *dialer) deserted(now time.Duration, at endpoint.Endpoint) {
	if d.book.Deserted(now, at) {
		d.introduced(now, book.Rumour{Endpoint: at, Source: book.SourceIncoming}, false)
	}
}

// isOwn reports whether an endpoint is our own, as far as we know.
func (d *dialer) isOwn(at endpoint.Endpoint) bool { return d.book.IsOwn(at) }

// give gives out a Dial.
func (d *dialer) give(now time.Duration, next book.Dial) {
	d.tokens--
	d.punch.dialled(now, next)
	d.out.do(Action{Kind: Dial, Endpoint: next.Endpoint, Told: next.Told,
		Transport: next.First})
}

// mayReplace reports whether one more peer may be dialled when there are over more
// connections than target: only at the target itself, and only if one of them is
// useless. A download in which every place is taken by peers that promise and do not
// give would never end. If not, the torrent looks again later.
func (d *dialer) mayReplace(now time.Duration, over int) bool {
	if d.needs.seeding() {
		return false
	}
	d.timers.by(timerDial, now+replaceEvery)
	return over == 0 && d.book.Dialling() == 0 && d.needs.replaceable()
}

// target is how many connections are worth making: a seed leaves some room for peers
// that come by themselves.
func (d *dialer) target() int {
	if d.needs.seeding() {
		return d.peersMax * 3 / 4
	}
	return d.peersMax
}

// want asks for addresses when none is left to dial.
func (d *dialer) want(now time.Duration) {
	if d.needs.seeding() || !d.needs.usable() {
		return
	}
	if d.peers.count() >= d.peersMax/2 && d.needs.flowing() {
		return
	}
	if at := d.asked + max(d.askWait, wantFirst); d.asked > 0 && now < at {
		d.timers.by(timerDial, at)
		return
	}
	d.asked = max(now, 1)
	d.askWait = min(max(wantFirst, 2*d.askWait), wantLast)
	d.out.do(Action{Kind: WantPeers})
	d.timers.by(timerDial, now+d.askWait)
}

// moved records that our own addresses have changed.
func (d *dialer) moved(now time.Duration) {
	d.book.Moved(now)
	d.timers.by(timerDial, now)
}

// SetOwn tells the torrent the addresses at which we listen. A source that names one
// of them names ourselves, or a predecessor that is dead. The torrent keeps addrs, which nobody
// may change.
func (t *Torrent) SetOwn(addrs []netip.AddrPort) {
	t.command(ownCommand(addrs))
	t.book.SetOwn(addrs)
}

// SetExternal tells the torrent an address at which the internet sees us, as the DHT or
// a tracker says. The canonical priority of peers (BEP 40) is computed with it until
// another address of its family is set.
func (t *Torrent) SetExternal(ip netip.Addr) {
	t.command(externalCommand(ip))
	t.book.SetExternal(ip)
}

// Known returns the peers that are worth an attempt in a later run, the last met first,
// and no more than most.
func (t *Torrent) Known(most int) []book.Known {
	return t.book.Known(t.now, most, func(conn book.Conn) bool {
		p := t.peers.live(PeerRef(conn))
		return p != nil && p.silence.broken()
	})
}
