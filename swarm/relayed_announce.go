package swarm

import (
	"context"
	"net"
	"net/netip"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/book"
)

const (
	// announceBurst is how many torrents are announced at once through a new relay, and
	// announcePause the wait between later ones: each announce takes permits for the nodes
	// that it goes to, and peers need some as well.
	announceBurst = 3
	announcePause = 90 * time.Second
	// announceAgain is how old an announce gets. Nodes keep one for half an hour.
	announceAgain = 10 * time.Minute
	// announceRetry is the wait after an announce that no node has taken.
	announceRetry = 5 * time.Second
	// announceTime bounds an announce.
	announceTime = 15 * time.Second
)

// A ThroughAnnouncer is a Discovery that can also announce an address which is not that of its
// own socket. A DHT is one.
type ThroughAnnouncer interface {
	// AnnounceThrough announces once that the swarm of ih has a peer at the address of conn,
	// which has everything if seed is set. It reads and writes conn, after permit has let the
	// hosts in that it sends to. It returns how many nodes have taken the announce, and the
	// peers that they name. The error is that of ctx or of conn, or says that nobody answered.
	AnnounceThrough(ctx context.Context, conn net.PacketConn,
		permit func(context.Context, []netip.Addr) error, ih metainfo.Hash, seed bool) (
		taken int, peers []netip.AddrPort, err error)
}

// An announcing is what an announcer remembers of a torrent.
type announcing struct {
	next time.Time // not announced before
	seed bool      // it was announced as one
}

// announce announces torrents at a relayed address, through the relay, until ctx or the
// allocation ends. So peers that know nothing of relays find the address.
func (k *relayKeeper) announce(ctx context.Context, l *lent) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.dht.Close() })
	defer stop()
	known := make(map[*Torrent]announcing)
	tokens, filled := announceBurst, time.Now()
	tick := time.NewTicker(relayTick)
	defer tick.Stop()
	for {
		now := time.Now()
		if tokens < announceBurst && now.Sub(filled) >= announcePause {
			tokens, filled = tokens+1, now
		}
		if tokens > 0 { // otherwise nothing is looked for among all torrents
			if t, hash := k.dueTorrent(now, known); t != nil {
				if tokens == announceBurst {
					filled = now
				}
				if k.announceOne(ctx, l, t, hash, known) {
					tokens--
				}
				continue
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-l.allocation.Done():
			return
		case <-tick.C:
		}
	}
}

// dueTorrent returns the torrent to announce next, with its info-hash, or nil. It forgets those
// that have ended.
func (k *relayKeeper) dueTorrent(now time.Time, known map[*Torrent]announcing) (
	due *Torrent, hash metainfo.Hash) {
	all := k.engine.Torrents()
	live := make(map[*Torrent]bool, len(all))
	var oldest time.Time
	for _, t := range all {
		live[t] = true
		is := known[t]
		if t.traffic.isShut() || t.private() || t.throughAnnouncer() == nil ||
			is.next.After(now) {
			continue
		}
		if due == nil || is.next.Before(oldest) {
			due, oldest = t, is.next
		}
	}
	for t := range known {
		if !live[t] {
			delete(known, t)
		}
	}
	if due != nil {
		hash = due.hashes()[0]
	}
	return due, hash
}

// throughAnnouncer returns what announces t through a relay, or nil.
func (t *Torrent) throughAnnouncer() ThroughAnnouncer {
	from := t.spec.DHT
	if t.spec.PeersOnly {
		return nil
	}
	if s, ok := from.(*Switch); ok {
		from, _ = s.get()
	}
	a, _ := from.(ThroughAnnouncer)
	return a
}

// announceOne announces a torrent, and reports whether that took permits. The Discovery may have
// been switched off since the torrent was due.
func (k *relayKeeper) announceOne(ctx context.Context, l *lent, t *Torrent, hash metainfo.Hash,
	known map[*Torrent]announcing) bool {
	by := t.throughAnnouncer()
	if by == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, announceTime)
	defer cancel()
	seed := t.State().Phase == Seeding
	asked := false
	permit := func(ctx context.Context, hosts []netip.Addr) error {
		asked = true
		return l.permit(ctx, hosts)
	}
	taken, peers, err := by.AnnounceThrough(ctx, l.dht, permit, hash, seed)
	k.engine.log.Debug("announced through a relay", "torrent", hash.String()[:8], "taken", taken,
		"peers", len(peers), "err", err)
	next := time.Now().Add(announceAgain)
	if taken == 0 {
		next = time.Now().Add(announceRetry)
	}
	known[t] = announcing{next: next, seed: seed}
	for _, at := range peers {
		t.found(book.SourceDHT, at)
	}
	return asked
}
