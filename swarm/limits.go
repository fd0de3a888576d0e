package swarm

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"swarmnode/swarm/core"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/transport"
)

// Limits bound what one torrent uses, besides what the engine allows.
type Limits struct {
	// Down and Up bound the payload in bytes per second; 0 is no limit.
	Down, Up int64
	// Peers bounds the connections; 0 is EngineLimits.TorrentPeers.
	Peers int
	// Group names a group of Engine.SetGroups, whose limits the torrent shares with the other
	// members. A name that the engine does not know limits nothing.
	Group string
	// Alone leaves the torrent out of the rates of its group and of EngineLimits.
	Alone bool
	// Rank is how the torrent fares beside others under a rate that they share: one of rank 1
	// gets four times as much as one of rank 0, and that one four times as much as one of
	// rank -1, as long as each of them wants more.
	Rank int
}

// sane returns the limits with numbers that make sense: those below 0 mean the same as 0.
func (l Limits) sane() Limits {
	l.Down, l.Up = max(l.Down, 0), max(l.Up, 0)
	l.Peers = min(max(l.Peers, 0), math.MaxInt32)
	l.Rank = min(max(l.Rank, -1), 1)
	return l
}

// ownLimits are those that a torrent has for itself. They are safe for concurrent use.
type ownLimits struct {
	down, up limit.Bucket // share those of the engine
	peers    atomic.Int32
	placed   atomic.Pointer[placement] // nil: without a group, of rank 0, and not alone
}

// A placement is what Limits say of the rates that torrents share.
type placement struct {
	group string
	alone bool
	rank  int
}

// placement returns the part of l about rates that torrents share.
func (l *Limits) placement() placement { return placement{l.Group, l.Alone, l.Rank} }

// init sets the first limits.
func (o *ownLimits) init(e *Engine, first Limits) {
	o.down.Init(first.Down, e.down)
	o.up.Init(first.Up, e.up)
	o.peers.Store(int32(first.Peers))
	o.place(e, first.placement())
}

// rateDown and rateUp limit what connections read and write.
func (o *ownLimits) rateDown() *limit.Bucket { return &o.down }
func (o *ownLimits) rateUp() *limit.Bucket   { return &o.up }

// set sets sane limits.
func (o *ownLimits) set(e *Engine, l Limits) {
	o.down.SetRate(l.Down)
	o.up.SetRate(l.Up)
	o.peers.Store(int32(l.Peers))
	o.place(e, l.placement())
}

// place sets which rates the torrent shares.
func (o *ownLimits) place(e *Engine, p placement) {
	next := &p
	if p == (placement{}) {
		next = nil
	}
	before := o.placed.Swap(next)
	if before == nil && next == nil {
		return
	}
	down, up := e.groups.join(e, p.group)
	o.down.Place(limit.Placement{Group: down, Alone: p.alone, Rank: p.rank})
	o.up.Place(limit.Placement{Group: up, Alone: p.alone, Rank: p.rank})
	if before != nil {
		e.groups.leave(before.group)
	}
}

// end makes the torrent leave its group, at its end. Nobody calls place afterwards.
func (o *ownLimits) end(e *Engine) {
	if p := o.placed.Load(); p != nil {
		e.groups.leave(p.group)
	}
}

// get returns the limits.
func (o *ownLimits) get() Limits {
	l := Limits{Down: o.down.Rate(), Up: o.up.Rate(), Peers: int(o.peers.Load())}
	if p := o.placed.Load(); p != nil {
		l.Group, l.Alone, l.Rank = p.group, p.alone, p.rank
	}
	return l
}

// EngineLimits bound what all torrents of an Engine use together.
type EngineLimits struct {
	// Down and Up bound the payload in bytes per second; 0 is no limit.
	Down, Up int64
	// Peers bounds the connections of all torrents; 0 is limit.ConnectionsMax. There are
	// no more than the limit of open files allows.
	Peers int
	// TorrentPeers bounds the connections of each torrent that has no limit of its own;
	// 0 is 80.
	TorrentPeers int
}

// torrentPeersDefault is how many connections a torrent has unless the user says
// otherwise.
const torrentPeersDefault = 80

// engineLimits are the limits that the torrents of an engine look up when they start.
type engineLimits struct {
	setting      sync.Mutex // held while torrents are told of new ones
	torrentPeers atomic.Int64
	noPEX        atomic.Bool
}

// init sets the limits of a Config.
func (l *engineLimits) init(cfg *Config) {
	l.setTorrentPeers(cfg.TorrentPeersMax)
	l.noPEX.Store(cfg.NoPEX)
}

// setTorrentPeers sets the connections of a torrent without a limit of its own.
func (l *engineLimits) setTorrentPeers(most int) {
	if most <= 0 {
		most = torrentPeersDefault
	}
	l.torrentPeers.Store(int64(most))
}

// peersOf returns how many connections a torrent with those limits may have.
func (l *engineLimits) peersOf(own Limits) int {
	return cmp.Or(own.Peers, int(l.torrentPeers.Load()))
}

// pexOff reports whether peers are not to be exchanged.
func (l *engineLimits) pexOff() bool { return l.noPEX.Load() }

// SetLimits sets the limits of the torrent from now on. Connections that are waiting for
// their turn go on at the new rates, and peers that are too many leave, the least useful
// first. The error is ErrStopped after the end of the torrent.
func (t *Torrent) SetLimits(limits Limits) error {
	limits = limits.sane()
	err := t.command(func(now time.Time) error {
		t.loop.setLimits(now, limits)
		return nil
	})
	if err == nil {
		t.changed(ChangedSettings | ChangedState)
	}
	return err
}

// limitPeers tells the core how many connections there may be.
func (l *loop) limitPeers(now time.Time) {
	most := l.t.engine.limits.peersOf(l.t.limits.get())
	l.core.Step(now, core.Event{Kind: core.Limited, Count: most})
}

// Limits returns the limits of the engine as they are in force.
func (e *Engine) Limits() EngineLimits {
	return EngineLimits{Down: e.down.Rate(), Up: e.up.Rate(), Peers: e.conns.Max(),
		TorrentPeers: int(e.limits.torrentPeers.Load())}
}

// SetLimits sets the limits of the engine from now on. Connections that are waiting for
// their turn go on at the new rates. Peers that are too many leave: of each torrent the
// least useful first, and with too many in all those of the torrents that have most.
func (e *Engine) SetLimits(limits EngineLimits) {
	e.limits.setting.Lock()
	defer e.limits.setting.Unlock()
	e.down.SetRate(limits.Down)
	e.up.SetRate(limits.Up)
	before := e.limits.torrentPeers.Load()
	if e.limits.setTorrentPeers(limits.TorrentPeers); e.limits.torrentPeers.Load() != before {
		e.tellAll(func(l *loop, now time.Time) { l.limitPeers(now) })
	}
	asked := e.cfg
	asked.PeersMax = max(limits.Peers, 0)
	e.shed(e.conns.SetMax(connectionsMax(&asked, transport.DescriptorsMax())))
}

// SetPEX sets whether the torrents exchange addresses with their peers (BEP 11). Peers are
// told, since a later extension handshake changes what an earlier one said (BEP 10).
func (e *Engine) SetPEX(on bool) {
	e.limits.setting.Lock()
	defer e.limits.setting.Unlock()
	if e.limits.noPEX.Swap(!on) == !on {
		return
	}
	kind := core.PEXOff
	if on {
		kind = core.PEXOn
	}
	e.tellAll(func(l *loop, now time.Time) { l.core.Step(now, core.Event{Kind: kind}) })
}

// tellAll makes the loop of every torrent call f, and waits for all of them.
func (e *Engine) tellAll(f func(l *loop, now time.Time)) {
	for _, t := range e.Torrents() {
		// A torrent that has ended needs to know nothing.
		_ = t.command(func(now time.Time) error {
			f(t.loop, now)
			return nil
		})
	}
}

// shed ends surplus connections, those of the torrents that have most.
func (e *Engine) shed(surplus int) {
	if surplus <= 0 {
		return
	}
	torrents := e.Torrents()
	counts := make([]int, len(torrents))
	for i, t := range torrents {
		counts[i] = t.State().PeersHere
	}
	level := waterLevel(counts, surplus)
	for i, t := range torrents {
		over := min(counts[i]-level, surplus)
		if over <= 0 {
			continue
		}
		surplus -= over
		_ = t.command(func(now time.Time) error {
			t.loop.core.Step(now, core.Event{Kind: core.Shed, Count: over})
			return nil
		})
	}
}

// waterLevel returns the highest level at which the parts of counts above it amount to
// surplus at least.
func waterLevel(counts []int, surplus int) int {
	sorted := slices.Clone(counts)
	slices.SortFunc(sorted, func(a, b int) int { return b - a })
	above := 0 // the sum of those seen, which are the largest
	for i, n := range sorted {
		above += n
		next := 0
		if i+1 < len(sorted) {
			next = sorted[i+1]
		}
		if above-(i+1)*next >= surplus {
			return (above - surplus) / (i + 1)
		}
	}
	return 0
}
