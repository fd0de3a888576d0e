package swarm

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"swarmnode/swarm/book"
	"swarmnode/swarm/peer"
)

const (
	// raceAfter is the head start of the first way: the Connection Attempt Delay of RFC
	// 8305, section 5. On most paths it is longer than the handshake of TCP, so that the
	// peer sees one connection.
	raceAfter = 250 * time.Millisecond
	// raceAnswer is how long a way that has a stream is left alone with its handshake. A
	// peer that sees a second handshake meanwhile may end the first connection for it. A
	// box on the path that takes streams and forwards nothing holds the other way up for
	// no longer than this.
	raceAnswer = time.Second
	// restMin and restMax bound how long the last way may take for its stream after the host
	// has turned down the other one. The host is alive, and its answer takes a round trip,
	// which is at most what the other way took; a rest has two of these beyond restMin.
	restMin = 500 * time.Millisecond
	restMax = 1500 * time.Millisecond
)

// A race is one call under way. Each way to the peer is a lane; the lanes start one after
// the other, and run side by side. The first to complete a handshake wins, and the streams
// of the others are closed.
//
// A lane may need several connections, one for each handshake that the peer hangs up on.
// The budget counts them by the lane that has most, so that it bounds what a host gets by
// each way.
type race struct {
	dialer *dialer
	call   *call
	offers [][]peer.Offer // by info-hash
	news   chan news
	floor  *floor

	// Of the goroutine of run:
	ways    []way // not started yet
	lanes   []*lane
	running int           // lanes that have not ended
	timer   *time.Timer   // when the next way starts, or lanes without a stream are ended
	rest    time.Duration // for lanes without a stream; 0 until the host has turned one down
	winner  *met
	err     error // why there is no winner

	mu   sync.Mutex
	most int // connections of the lane that has most
}

// newRace returns the race of a call, which the budget has allowed one connection.
func newRace(d *dialer, c *call) *race {
	return &race{dialer: d, call: c, offers: d.offers(c), news: make(chan news),
		floor: newFloor(), ways: ordered(d.ways, c.to, c.first), err: errNoWay, most: 1}
}

// A lane is what a race has by one way.
type lane struct {
	race      *race
	way       way
	began     time.Time
	cancel    context.CancelFunc
	connected bool // it had a stream; of the goroutine of race.run
}

// A step says what a lane has come to.
type step uint8

const (
	laneConnected step = iota // it has a stream
	laneHungUp                // the peer hung up on a handshake, and it goes on
	laneWon                   // it has shaken hands
	laneLost                  // it is out
)

// news are what a lane tells its race.
type news struct {
	lane  *lane
	step  step
	found met   // with laneWon
	err   error // with laneLost; nil if the budget allowed no connection
}

// run runs the race, and waits until all lanes have ended. The error says why there is no
// connection, as the lane has it that learnt most.
func (r *race) run(ctx context.Context) (met, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.timer = time.NewTimer(raceAfter)
	defer r.timer.Stop()
	for r.startNext(ctx) && r.call.zeal.has() {
	}
	for r.running > 0 {
		select {
		case <-r.call.zeal.wanted():
			r.hasten(ctx)
		case <-r.timer.C:
			if !r.startNext(ctx) {
				r.endOthers()
			}
		case n := <-r.news:
			r.take(ctx, &n)
		}
	}
	if r.winner == nil {
		return met{}, r.err
	}
	return *r.winner, nil
}

// startNext starts the next way, unless all of them have started or the race is decided.
// It reports whether it did.
func (r *race) startNext(ctx context.Context) bool {
	if len(r.ways) == 0 || r.winner != nil {
		return false
	}
	l := &lane{race: r, way: r.ways[0], began: time.Now()}
	r.ways, r.lanes = r.ways[1:], append(r.lanes, l)
	r.running++
	ctx, l.cancel = context.WithCancel(ctx)
	go l.run(ctx)
	r.wait(raceAfter)
	return true
}

// wait sets when the next way starts. If there is none, the lanes have as long as they
// want, unless the host has shown that it is there.
func (r *race) wait(d time.Duration) {
	switch {
	case len(r.ways) > 0:
		r.timer.Reset(d)
	case r.rest > 0:
		r.timer.Reset(r.rest)
	default:
		r.timer.Stop()
	}
}

// endOthers ends the lanes that have no stream, or all if there is a winner.
func (r *race) endOthers() {
	for _, l := range r.lanes {
		if !l.connected || r.winner != nil {
			l.cancel()
		}
	}
}

// take takes note of what a lane has come to.
func (r *race) take(ctx context.Context, n *news) {
	switch n.step {
	case laneConnected:
		n.lane.connected = true
		r.wait(raceAnswer)
	case laneHungUp:
		r.startNext(ctx)
	case laneWon:
		n.lane.cancel()
		r.running--
		if r.winner != nil {
			n.found.Conn.Close()
			return
		}
		r.winner = &n.found
		r.endOthers()
	case laneLost:
		n.lane.cancel()
		r.running--
		r.err = moreTelling(r.err, n.err)
		if isThere(n.err) {
			r.rest = min(restMin+2*time.Since(n.lane.began), restMax)
		}
		if !r.startNext(ctx) {
			r.wait(0)
		}
	}
}

// run makes streams by one way and shakes hands on them, until the peer takes one of the
// handshakes or there is no stream.
func (l *lane) run(ctx context.Context) {
	r, made := l.race, 0
	var last error
	for _, kinds := range r.offers {
		for _, offer := range kinds {
			if !r.mayConnect(made) {
				r.news <- news{lane: l, step: laneLost, err: last}
				return
			}
			made++
			conn, err := l.dial(ctx)
			if err != nil {
				r.news <- news{lane: l, step: laneLost, err: err}
				return
			}
			r.news <- news{lane: l, step: laneConnected}
			shaken, err := r.shake(ctx, conn, offer)
			if err == nil {
				r.news <- news{lane: l, step: laneWon, found: met{shaken, l.way.transport()}}
				return
			}
			if last = err; !errors.Is(err, peer.ErrHungUp) {
				break
			}
			r.news <- news{lane: l, step: laneHungUp}
		}
	}
	r.news <- news{lane: l, step: laneLost, err: last}
}

// shake shakes hands on a stream, after its turn has come. The winner keeps the floor.
func (r *race) shake(ctx context.Context, conn net.Conn, offer peer.Offer) (peer.Shaken, error) {
	mine := r.floor.take(ctx)
	if err := ctx.Err(); err != nil {
		conn.Close()
		return peer.Shaken{}, err
	}
	shaken, err := peer.Dial(ctx, conn, offer)
	if mine && err != nil {
		r.floor.give()
	}
	return shaken, err
}

// A floor is held by the lane that shakes hands, so that the peer hears one at a time.
type floor struct {
	free  chan struct{} // holds a token while nobody has the floor
	mu    sync.Mutex
	since time.Time // when the floor was taken last
}

func newFloor() *floor {
	f := &floor{free: make(chan struct{}, 1)}
	f.give()
	return f
}

// take waits for the floor, and takes it. It reports false if another lane has had the
// floor for raceAnswer, or if ctx has ended: then the caller goes on without it.
func (f *floor) take(ctx context.Context) bool {
	select {
	case <-f.free:
		f.begin()
		return true
	default:
	}
	late := time.NewTimer(raceAnswer - f.taken())
	defer late.Stop()
	select {
	case <-f.free:
		f.begin()
		return true
	case <-late.C:
	case <-ctx.Done():
	}
	return false
}

// begin records that the floor was taken.
func (f *floor) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.since = time.Now()
}

// taken returns how long ago the floor was taken.
func (f *floor) taken() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Since(f.since)
}

// give gives the floor up.
func (f *floor) give() { f.free <- struct{}{} }

// mayConnect counts another connection of a lane that has made some, and reports whether
// the budget allows it.
func (r *race) mayConnect(made int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if made < r.most {
		return true
	}
	if r.dialer.budget.Again(r.call.destination()) != nil {
		return false
	}
	r.most++
	return true
}

// counted returns how many connections the budget has counted.
func (r *race) counted() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.most
}

// isThere reports whether an error of a lane came from the host, rather than from its
// silence or from our side.
func isThere(err error) bool {
	if blameless(err) {
		return false
	}
	switch faultOf(err) {
	case book.FaultTimeout, book.FaultBanned, book.FaultBlocked, book.FaultNoWay,
		book.FaultInward, book.FaultOther, book.FaultNone:
		return false
	}
	return true
}

// telling lists the faults of a lane from that which says least of the peer to that which
// says most.
var telling = []book.Fault{book.FaultOther, book.FaultTimeout, book.FaultUnreachable,
	book.FaultRefused, book.FaultHungUp, book.FaultProtocol, book.FaultOtherTorrent}

// moreTelling returns that of two errors which says more of the peer, and the second one
// if they say the same. errNoWay says nothing, and neither does nil.
func moreTelling(a, b error) error {
	switch {
	case b == nil:
		return a
	case errors.Is(a, errNoWay):
		return b
	case tells(a) > tells(b):
		return a
	}
	return b
}

// tells returns how much an error says, for comparisons. That the way itself failed, such as
// a proxy, explains the silence of the others.
func tells(err error) int {
	fault := faultOf(err)
	if blameless(err) {
		fault = book.FaultUnreachable
	}
	return slices.Index(telling, fault)
}
