package transport

import (
	"cmp"
	"math"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"swarmnode/swarm/limit"
)

const (
	// flowFor is how long a stream counts as one that sends after its last send.
	flowFor = 1500 * time.Millisecond
	// flowsMax bounds the streams that are watched.
	flowsMax = 1024
	// readRate is how many bytes per second a stream must send for its round trips to count:
	// the system smooths them over eight packets.
	readRate = 8 << 10
	// wantsMore is what a stream that has sent all is given beyond what it sent.
	wantsMore = 1.25
	// levelLeast is the least rate to which one stream is held, in bytes per second.
	levelLeast = 4 << 10
	// levelStep is the share by which the rate of a stream must change to be set again.
	levelStep = 0.01
)

// UplinkConfig says what an Uplink does.
type UplinkConfig struct {
	// SystemCongestion leaves the congestion control of TCP to the system; see Path.
	SystemCongestion bool
	// Greedy lets streams fill the queue before the uplink; otherwise they are held to a
	// rate at which it stays short.
	Greedy bool
}

// An Uplink knows the streams to peers beyond the local network that send, since those share
// one line. It holds them together to a rate that leaves the queue before that line short,
// as far as the system can say how long it is. It is safe for concurrent use.
type Uplink struct {
	cfg      UplinkConfig
	received atomic.Int64 // bytes that the engine fetched, since it began

	mu       sync.Mutex
	flows    []*flow // of TCP
	yielders []*flow // of uTP
	polite   polite
	at       time.Time // of the last look
	came     int64     // received, at the last look
	level    float64   // to which each stream is held, in bytes per second; 0 for any
	readings []reading // of one look
}

// A flow is a stream that sends. It is guarded by the mutex of its Uplink.
type flow struct {
	socket  probe
	network netip.Prefix
	yields  bool      // it sends by uTP, and is not held
	seen    time.Time // when it sent last
	listed  bool      // in Uplink.flows
	fresh   bool      // it was looked at
	acked   uint64    // bytes, at the last look
	rate    float64   // bytes per second, smoothed
	eager   bool
	level   float64 // as the system was told; 0 for any
}

// A probe is a socket of which a flow knows how its path is, and which can be slowed down.
type probe interface {
	condition() (c condition, ok bool)
	pace(rate float64)
}

// A reading is how long the queue is by the round trips of a stream.
type reading struct {
	network netip.Prefix
	queue   time.Duration
}

// NewUplink returns an Uplink.
func NewUplink(cfg UplinkConfig) *Uplink { return &Uplink{cfg: cfg} }

// Watch returns the Path of a stream to a peer, which may be encrypted. It is nil where
// there is nothing to watch: for streams within a machine or a local network, for those
// that are neither TCP nor uTP, on systems that cannot be asked, and where nothing may be
// changed.
//
// A stream that has a Delivery method, as a utp.Conn does, counts as uTP. It is never held, but
// those over TCP leave room for it.
func (u *Uplink) Watch(conn net.Conn) *Path {
	if u.cfg.SystemCongestion && u.cfg.Greedy {
		return nil
	}
	if outer, ok := conn.(interface{ Below() net.Conn }); ok {
		conn = outer.Below()
	}
	remote := RemoteAddrPort(conn).Addr()
	if !Distant(remote) {
		return nil
	}
	if c, ok := conn.(yielder); ok {
		return u.watchYielder(c, remote)
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	s, ok := socketOf(tcp)
	if !ok {
		return nil
	}
	return &Path{socket: s, uplink: u, changed: u.cfg.SystemCongestion,
		flow: flow{socket: s, network: limit.NetworkOf(remote)}}
}

// Holds reports whether streams over TCP are held where they would fill the queue: this system
// says how long it is, and nobody wants it otherwise.
func (u *Uplink) Holds() bool { return tellsQueue && !u.cfg.Greedy }

// Received counts bytes that the engine fetched. While it fetches, streams are not held.
func (u *Uplink) Received(bytes int64) {
	if bytes > 0 {
		u.received.Add(bytes)
	}
}

// sends records that a stream sends, and returns how many do over TCP. It looks at all of
// them, if they were not looked at just now.
func (u *Uplink) sends(now time.Time, f *flow) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	f.seen = now
	if all := u.listOf(f); !f.listed && len(*all) < flowsMax {
		*f = flow{socket: f.socket, network: f.network, yields: f.yields, seen: now,
			listed: true, level: f.level}
		*all = append(*all, f)
		if !u.cfg.Greedy && !f.yields {
			f.hold(u.level)
		}
	}
	if now.Sub(u.at) >= politeEvery {
		u.look(now)
	}
	return len(u.flows)
}

// look looks at all streams, and holds them to the rate that follows.
func (u *Uplink) look(now time.Time) {
	passed := now.Sub(u.at)
	u.at = now
	u.flows, u.yielders = sending(u.flows, now), sending(u.yielders, now)
	if u.cfg.Greedy {
		return
	}
	var v uplinkView
	u.readings = u.readings[:0]
	for _, f := range u.flows {
		c, ok := f.socket.condition()
		if !ok {
			f.seen = time.Time{} // the stream has ended
			continue
		}
		sent, counts := f.look(passed, c)
		v.up += sent
		v.eager = v.eager || f.eager
		if counts {
			u.readings = append(u.readings, reading{f.network, c.rtt - c.rttMin})
		}
	}
	v.queue, v.known = agreed(u.readings)
	u.lookAtYielders(passed, &v)
	came := u.received.Load()
	v.down = float64(came - u.came)
	u.came = came
	u.level = levelOf(u.polite.look(now, v), u.flows, u.yielders)
	for _, f := range u.flows {
		f.hold(u.level)
	}
}

// look takes the condition of the stream. It returns how many bytes have arrived since the
// last look, and whether its round trips count.
func (f *flow) look(passed time.Duration, c condition) (sent float64, counts bool) {
	if f.fresh {
		sent = float64(c.acked - f.acked)
		f.rate += (sent/max(passed.Seconds(), politeEvery.Seconds()) - f.rate) / 4
	}
	f.fresh, f.acked = true, c.acked
	f.eager = c.unsent > 0
	return sent, f.rate >= readRate
}

// hold makes the system hold the stream to a rate, 0 for any.
func (f *flow) hold(level float64) {
	if math.Abs(level-f.level) <= levelStep*f.level {
		return
	}
	f.level = level
	f.socket.pace(level)
}

// agreed returns the queue that most networks agree on: the second lowest of them, if there
// are at least three, or the lower quartile of many. What is before our uplink delays all
// of them, so the others have queues of their own in addition. One alone decides nothing
// unless it is the only one.
func agreed(all []reading) (queue time.Duration, known bool) {
	if len(all) == 0 {
		return 0, false
	}
	slices.SortFunc(all, func(a, b reading) int {
		return cmp.Or(a.network.Addr().Compare(b.network.Addr()), cmp.Compare(a.queue, b.queue))
	})
	all = slices.CompactFunc(all, func(a, b reading) bool { return a.network == b.network })
	slices.SortFunc(all, func(a, b reading) int { return cmp.Compare(a.queue, b.queue) })
	at := (len(all) - 1) / 4
	if len(all) >= 3 {
		at = max(at, 1)
	}
	return max(all[at].queue, 0), true
}

// levelOf returns the rate to which each stream over TCP is held so that all, those over uTP
// included, send limit bytes per second together, 0 for any. Those that have less to send leave
// the rest to the others. A stream over uTP has room to grow until it sends as much as others.
func levelOf(limit float64, flows, yielders []*flow) float64 {
	if limit <= 0 || len(flows) == 0 {
		return limit
	}
	even := limit / float64(len(flows)+len(yielders))
	level := even
	for range 4 { // a few rounds come close enough
		rest, sharers := limit, 0
		for _, f := range yielders {
			if want := f.rate*wantsMore + levelLeast; want < level {
				rest -= want
			} else {
				sharers++
			}
		}
		for _, f := range flows {
			if want := f.rate*wantsMore + levelLeast; !f.eager && want < level {
				rest -= want
			} else {
				sharers++
			}
		}
		level = max(rest/float64(max(sharers, 1)), even)
	}
	return max(level, levelLeast)
}
