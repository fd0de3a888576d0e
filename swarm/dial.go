package swarm

import (
	"context"
	"errors"
	"net"
	"slices"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/core"
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
	ways       []way // the preferred ones first
	budget     *limit.Dials
	bans       *bans
	encryption Encryption
}

// newDialer returns the dialer of a process that listens at home. It takes the ways in
// order of preference.
func newDialer(home limit.Home, bans *bans, encryption Encryption, ways ...way) *dialer {
	return &dialer{ways: ways, budget: limit.NewDials(0, home), bans: bans,
		encryption: encryption}
}

// A call asks the dialer to meet a peer.
type call struct {
	owner  any // of the attempt, as limit.Dials.Acquire has it
	to     endpoint.Endpoint
	told   limit.Told                     // how to is known
	hashes []metainfo.Hash                // of the torrent, in the order in which to name them
	hello  func(metainfo.Hash) wire.Hello // returns our side of the handshake
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

// meet connects to the peer of c and shakes hands with it. It waits until the budget
// allows the attempt. The error is errBlocked, errBanned, limit.ErrTooOften, limit.ErrBusy, that
// of ctx, or why the last connection failed.
func (d *dialer) meet(ctx context.Context, c call) (peer.Shaken, error) {
	if err := d.bans.refusal(time.Now(), c.to.Host()); err != nil {
		return peer.Shaken{}, err
	}
	if err := d.budget.Acquire(ctx, c.owner, c.destination()); err != nil {
		return peer.Shaken{}, err
	}
	defer d.budget.Release(c.owner)
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	a := attempt{dialer: d, call: c, err: errNoWay}
	shaken, ok := a.run(ctx)
	if !ok {
		return peer.Shaken{}, a.err
	}
	d.budget.Met(c.destination(), a.connections)
	return shaken, nil
}

// An attempt is one call under way. It may need several connections, one after the
// other.
type attempt struct {
	dialer      *dialer
	call        call
	connections int
	err         error // why the last connection failed
}

// run shakes hands with the peer, naming one info-hash after the other. A peer that
// hangs up on a handshake without a word gets the next kind of handshake that the
// policy has, plain or encrypted: it may speak the other kind only. A peer that hangs
// up on each kind may know a hybrid by its other info-hash only, as from a magnet link.
func (a *attempt) run(ctx context.Context) (shaken peer.Shaken, ok bool) {
	hashes := a.call.hashes
	for i, hash := range hashes {
		offer := peer.Offer{Mine: a.call.hello(hash), Others: slices.Delete(slices.Clone(hashes),
			i, i+1)}
		for _, offer.Encrypt = range a.dialer.encryption.Attempts() {
			conn := a.connect(ctx)
			if conn == nil {
				return peer.Shaken{}, false
			}
			if shaken, a.err = peer.Dial(ctx, conn, offer); a.err == nil {
				return shaken, true
			}
			if !errors.Is(a.err, peer.ErrHungUp) {
				break
			}
		}
	}
	return peer.Shaken{}, false
}

// connect makes a stream to the peer by the first way that leads to it. It returns nil,
// and leaves the reason in a.err, when no way does or when the budget allows no further
// connection. Ways that race each other would do so here.
func (a *attempt) connect(ctx context.Context) net.Conn {
	to := a.call.to
	for _, w := range a.dialer.ways {
		if !w.reaches(to) {
			continue
		}
		if a.connections > 0 && a.dialer.budget.Again(a.call.destination()) != nil {
			return nil
		}
		a.connections++
		conn, err := w.dial(ctx, to)
		if err == nil {
			return conn
		}
		a.err = err
	}
	return nil
}

// dial meets the peer at an endpoint for the torrent of l. It hands the connection to
// the loop, or posts why there is none.
func (l *loop) dial(to endpoint.Endpoint, told limit.Told) {
	ctx := l.t.traffic.context(l.t.ctx)
	shaken, err := l.t.engine.dialer.meet(ctx, call{
		owner: l.t, to: to, told: told, hashes: l.t.hashes(), hello: l.t.hello,
	})
	if err == nil {
		l.t.join(shaken, to, true)
		return
	}
	l.t.log.Debug("dial", "peer", to, "err", err)
	kind := core.DialFailed
	if errors.Is(err, limit.ErrTooOften) || errors.Is(err, limit.ErrBusy) || ctx.Err() != nil {
		kind = core.DialPutOff
	}
	l.t.post(core.Event{Kind: kind, Endpoint: to, Err: err, Fault: faultOf(err)})
}
