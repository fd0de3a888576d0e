package core

import (
	"math/rand/v2"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/book"
	"swarmnode/swarm/choke"
	"swarmnode/swarm/picker"
)

// A Torrent is the state machine of one torrent. It is for one goroutine at a
// time.
type Torrent struct {
	cfg   Config
	start time.Time
	now   time.Duration // since start; never goes back
	rng   *rand.Rand

	out      outbox
	timers   timers
	recorder recorder

	book   *book.Book
	dialer dialer
	pex    pex
	punch  punch
	public publicPorts
	peers  peerTable
	meta   *fetching // nil once the metadata is known, or of no use
	choker *choke.Choker

	// Not nil once the metadata is known.
	info   *metainfo.Info
	layout *metainfo.Layout
	pick   *picker.Picker

	hashes  hashing
	answers answers

	standing standing
	progress progress
	losses   losses

	requests requests
	relays   relays

	down, up meter
	counters counters
	checks   checks
}

// New returns a torrent without metadata and without peers. Its driver adds
// addresses by Found. The first event of a seed, or of a download that is resumed,
// is InfoReady.
func New(now time.Time, cfg Config) *Torrent {
	cfg.Limits = cfg.Limits.withDefaults()
	t := &Torrent{
		cfg:    cfg,
		start:  now,
		rng:    rand.New(rand.NewPCG(cfg.Seed, 0x5eed)),
		timers: newTimers(),
		peers:  newPeerTable(),
	}
	t.choker = choke.New(choke.Config{SlotsMax: cfg.Limits.SlotsMax, SuperSeed: cfg.SuperSeed,
		Rand: t.rng, SentRate: func(now time.Duration) int64 { return t.up.rate(now) }})
	t.book = book.New(book.Config{Start: now, Rand: t.rng, Home: cfg.Home, Port: cfg.Port,
		NamedOnly: cfg.PeersOnly, Priority: cfg.ranking()})
	if cfg.Private {
		t.book.SetPrivate()
	}
	t.meta = newFetching(t)
	t.dialer.init(t)
	t.pex.init(t)
	t.punch.init(t)
	t.requests.init(t)
	t.hashes.init(t)
	t.answers.init(&t.peers, &t.out)
	return t
}

// Step records that e happened at now. Actions returns what to do about it.
func (t *Torrent) Step(now time.Time, e Event) {
	t.advance(now)
	t.record(&e)
	switch e.Kind {
	case Tick:
	case Moved:
		t.dialer.moved(t.now)
	case Found:
		t.dialer.hear(t.now, book.Rumour{Endpoint: e.Endpoint, Source: e.Source, Met: e.Met,
			Vouched: e.Vouched, Transport: e.Transport, UTP: e.UTP})
	case DialFailed:
		t.dialer.failed(t.now, e.Endpoint, e.Fault)
	case DialPutOff:
		t.dialer.putOff(t.now, e.Endpoint)
	case Connected:
		t.onConnected(&e)
	case Closed:
		t.onClosed(e.Peer, e.Broken)
	case Received:
		if p := t.peers.heard(e.Peer, t.now); p != nil {
			t.onMessage(p, &e.Msg)
		}
	case ReceivedBlock:
		t.onBlock(&e)
	case Sent:
		t.onSent(e.Peer, e.Count)
	case Answered:
		t.answers.sent(e.Peer, e.Count)
	case ReadFailed:
		t.onReadFailed(e.Peer, e.Ref)
	case InfoReady:
		t.onInfoReady(&e)
	case Private:
		t.onPrivate()
	case InfoFailed:
		t.onInfoFailed(e.Err)
	case Verified:
		t.onVerified(e.Ref.Piece)
	case Failed:
		t.onFailed(e.Ref.Piece, e.Hashes)
	case StorageFailed:
		t.onStorageFailed(e.Ref.Piece, e.Err)
	case StorageWorks:
		if t.standing.resume() {
			t.requests.refillSoon(t.now)
		}
	case Hashed:
		t.onHashed(e.Ref.Piece, e.Hashes)
	case Paused, Resumed:
		t.onPause(e.Kind)
	case Rebound:
		t.onRebound(uint16(e.Count))
	case PublicPortsChanged:
		onPublicPorts(t, e.Count)
	case Doubted:
		t.onDoubted(e.Ref.Piece)
	case Limited:
		limitPeers(t, e.Count)
	case Shed:
		shed(t, e.Count)
	case PEXOff, PEXOn:
		t.pex.turn(t, e.Kind == PEXOn)
	case RelayFound, RelayLost:
		t.relays.change(t, e.Endpoint, e.Kind == RelayFound)
	case PathsChanged:
		t.relays.retry(t)
	case Blocked:
		dropBlocked(t, e.Peer)
	case Unacked:
		if p := t.peers.live(e.Peer); p != nil {
			t.dialer.unacked(t.now, p)
		}
	}
	t.expire()
	if checked && t.checks.due(t.pick) {
		t.check()
	}
}

// Actions appends the actions since the last call to buf, in the order in which the driver
// must carry them out.
func (t *Torrent) Actions(buf []Action) []Action {
	return t.out.take(buf)
}

// advance sets the time, which never goes back.
func (t *Torrent) advance(now time.Time) {
	t.now = max(t.now, now.Sub(t.start))
	t.out.advance(t.now)
}

// NextTick returns when the next Tick is due, or the zero Time if no deadline is
// set.
func (t *Torrent) NextTick() time.Time {
	at := t.timers.next()
	if at == never {
		return time.Time{}
	}
	return t.start.Add(at)
}

// downloading reports whether pieces are wanted and can be stored.
func (t *Torrent) downloading() bool {
	return t.pick != nil && !t.pick.Done() && !t.standing.isStalled()
}

// seeding reports whether every wanted piece is there.
func (t *Torrent) seeding() bool { return t.pick != nil && !t.cfg.MetadataOnly && t.pick.Done() }
