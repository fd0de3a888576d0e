package swarm

import (
	"context"
	"errors"
	"slices"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/book"
	"swarmnode/swarm/core"
	"swarmnode/swarm/egress"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/peer"
	"swarmnode/swarm/wire"
)

// soonTimeout bounds an attempt to meet a peer that was there a moment ago. A
// handshake takes a few round trips; on a dead path the next attempt is worth more
// than a longer wait.
const soonTimeout = 4 * time.Second

var (
	// errBanned is the outcome of a call to a banned host.
	errBanned = errors.New("the address is banned")
	// errNoWay is the outcome of a call to an endpoint that no way reaches.
	errNoWay = errors.New("no way leads to the peer")
)

// A dialer meets peers for all torrents of an Engine. It owns the attempts that are
// half open: how many there are, which ways they take, whether they are encrypted,
// and how often an attempt may connect to one address. It is safe for concurrent use.
type dialer struct {
	ways       []way // in the order in which a peer is tried of which nothing is known
	budget     *limit.Dials
	bans       *bans
	encryption Encryption
	under      underway
}

// newDialer returns the dialer of a process that listens at home. It takes the ways in
// the order in which a peer is tried of which nothing is known.
func newDialer(home limit.Home, bans *bans, encryption Encryption, ways ...way) *dialer {
	return &dialer{ways: ways, budget: limit.NewDials(0, home), bans: bans,
		encryption: encryption}
}

// A call asks the dialer to meet a peer.
type call struct {
	owner  any // of the attempt, as limit.Dials.Acquire has it
	to     endpoint.Endpoint
	told   limit.Told                     // how to is known
	first  endpoint.Transport             // to try first, if it is known
	hashes []metainfo.Hash                // of the torrent, in the order in which to name them
	hello  func(metainfo.Hash) wire.Hello // returns our side of the handshake
	zeal   *zeal                          // set by meet
}

// destination returns what the budget counts c by.
func (c *call) destination() limit.Destination {
	return limit.Destination{Addr: c.to.Addr, Told: c.told}
}

// timeout returns how long the attempt of c may take.
func (c *call) timeout() time.Duration {
	if c.told == limit.ByItself {
		return soonTimeout
	}
	return peer.HandshakeTimeout
}

// A met is a peer that the dialer met.
type met struct {
	peer.Shaken
	over endpoint.Transport // how the stream was made
}

// meet connects to the peer of c and shakes hands with it. It waits until the budget
// allows the attempt. The error is errBlocked, errBanned, limit.ErrTooOften, limit.ErrBusy,
// that of ctx, or why there is no connection.
func (d *dialer) meet(ctx context.Context, c call) (met, error) {
	if err := d.bans.refusal(time.Now(), c.to.Host()); err != nil {
		return met{}, err
	}
	defer d.under.begin(&c)()
	if err := d.budget.Acquire(ctx, c.owner, c.destination()); err != nil {
		return met{}, err
	}
	defer d.budget.Release(c.owner)
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	r := newRace(d, &c)
	found, err := r.run(ctx)
	if err != nil {
		return met{}, err
	}
	d.budget.Met(c.destination(), r.counted())
	return found, nil
}

// offers returns the handshakes to try with the peer of c, in order: for one info-hash
// after the other, the kinds of handshake that the policy has, plain or encrypted. A peer
// that hangs up without a word may speak the other kind only. One that takes no kind may
// know a hybrid by its other info-hash only, as from a magnet link.
func (d *dialer) offers(c *call) (list [][]peer.Offer) {
	for i, hash := range c.hashes {
		offer := peer.Offer{Mine: c.hello(hash),
			Others: slices.Delete(slices.Clone(c.hashes), i, i+1)}
		var kinds []peer.Offer
		for _, offer.Encrypt = range d.encryption.Attempts() {
			kinds = append(kinds, offer)
		}
		list = append(list, kinds)
	}
	return list
}

// dial meets the peer at an endpoint for the torrent of l, over the transport first if
// that is known. It hands the connection to the loop, or posts why there is none.
func (l *loop) dial(to endpoint.Endpoint, told limit.Told, first endpoint.Transport) {
	if l.t.engine.nearProxy(to, told) {
		l.t.log.Debug("dial", "peer", to, "err", errNearProxy)
		l.t.post(core.Event{Kind: core.DialFailed, Endpoint: to, Err: errNearProxy,
			Fault: faultOf(errNearProxy)})
		return
	}
	l.t.engine.relays.name(time.Now(), to.Host())
	ctx := l.t.traffic.context(l.t.ctx)
	found, err := l.t.engine.dialer.meet(ctx, call{
		owner: l.t, to: to, told: told, first: first,
		hashes: l.t.hashes(), hello: l.t.hello,
	})
	if err == nil {
		l.t.join(&link{torrent: l.t, conn: found.Conn, endpoint: to, over: found.over,
			hello: found.Theirs, outgoing: true, encrypted: found.Encrypted})
		return
	}
	l.t.log.Debug("dial", "peer", to, "err", err)
	if faultOf(err) == book.FaultTimeout {
		l.t.engine.relays.miss(time.Now(), to.Host())
	}
	kind := core.DialFailed
	_, gone := errors.AsType[*egress.DeviceError](err)
	if errors.Is(err, limit.ErrTooOften) || errors.Is(err, limit.ErrBusy) || ctx.Err() != nil ||
		gone || blameless(err) {
		kind = core.DialPutOff
	}
	l.t.post(core.Event{Kind: kind, Endpoint: to, Err: err, Fault: faultOf(err)})
}
