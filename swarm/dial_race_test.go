package swarm

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/peer"
	"swarmnode/swarm/transport"
	"swarmnode/swarm/transport/socks"
	"swarmnode/swarm/wire"
)

const (
	byTCP = endpoint.TransportTCP
	byUTP = endpoint.TransportUTP
)

// silence is what a dial ends with to which nobody answers.
var silence = &net.OpError{Op: "dial", Err: context.DeadlineExceeded}

// TestRace: which way wins, when, after how many streams by each way, and on how many of
// them the peer was told anything.
func TestRace(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name      string
		tcp, utp  *fakeWay // that answers at once, if nil
		first     endpoint.Transport
		policy    Encryption
		wins      endpoint.Transport
		fault     book.Fault // if none wins
		after     time.Duration
		dials     [2]int
		hellos    [2]int32
		encrypted bool
	}{
		{name: "TCP is fast enough", tcp: &fakeWay{takes: 100 * ms}, wins: byTCP, after: 100 * ms,
			dials: [2]int{1, 0}, hellos: [2]int32{1, 0}},
		{name: "uTP worked last", first: byUTP, utp: &fakeWay{takes: 100 * ms}, wins: byUTP,
			after: 100 * ms, dials: [2]int{0, 1}, hellos: [2]int32{0, 1}},
		{name: "TCP is slow, and uTP is not", tcp: &fakeWay{takes: 3 * time.Second},
			utp: &fakeWay{takes: 100 * ms}, wins: byUTP, after: 350 * ms,
			dials: [2]int{1, 1}, hellos: [2]int32{0, 1}},
		{name: "TCP connects, and its answer takes a while",
			tcp: &fakeWay{takes: 200 * ms, slow: 400 * ms}, utp: &fakeWay{}, wins: byTCP,
			after: 600 * ms, dials: [2]int{1, 0}, hellos: [2]int32{1, 0}},
		{name: "both connect, and one shakes hands",
			tcp: &fakeWay{takes: 300 * ms, slow: 400 * ms}, utp: &fakeWay{takes: 100 * ms},
			wins: byTCP, after: 700 * ms, dials: [2]int{1, 1}, hellos: [2]int32{1, 0}},
		{name: "TCP connects to a box that forwards nothing", tcp: &fakeWay{silent: true},
			utp: &fakeWay{takes: 50 * ms}, wins: byUTP, after: 1050 * ms,
			dials: [2]int{1, 1}, hellos: [2]int32{1, 1}},
		{name: "TCP is refused", tcp: &fakeWay{takes: 20 * ms, fails: syscall.ECONNREFUSED},
			utp: &fakeWay{takes: 30 * ms}, wins: byUTP, after: 50 * ms,
			dials: [2]int{1, 1}, hellos: [2]int32{0, 1}},
		{name: "TCP is refused, and uTP silent",
			tcp: &fakeWay{takes: 20 * ms, fails: syscall.ECONNREFUSED},
			utp: &fakeWay{takes: time.Hour}, fault: book.FaultRefused, after: 560 * ms,
			dials: [2]int{1, 1}},
		{name: "uTP is refused, and TCP silent", first: byUTP,
			utp: &fakeWay{takes: 20 * ms, fails: syscall.ECONNRESET},
			tcp: &fakeWay{takes: time.Hour}, fault: book.FaultHungUp, after: 560 * ms,
			dials: [2]int{1, 1}},
		{name: "uTP is refused by a host that is far away", first: byUTP,
			utp: &fakeWay{takes: 600 * ms, fails: syscall.ECONNRESET},
			tcp: &fakeWay{takes: time.Hour}, fault: book.FaultHungUp, after: 2100 * ms,
			dials: [2]int{1, 1}},
		{name: "neither answers",
			tcp:   &fakeWay{takes: transport.DialTimeout, fails: silence},
			utp:   &fakeWay{takes: transport.DialTimeout, fails: silence},
			fault: book.FaultTimeout, after: transport.DialTimeout + raceAfter,
			dials: [2]int{1, 1}},
		{name: "TCP hangs up at once, as where it is switched off",
			tcp: &fakeWay{policy: EncryptionRequired, knows: otherHash},
			utp: &fakeWay{takes: 50 * ms}, policy: EncryptionOff, wins: byUTP, after: 50 * ms,
			dials: [2]int{1, 1}, hellos: [2]int32{1, 1}},
		{name: "the peer wants encryption",
			tcp:  &fakeWay{takes: 50 * ms, policy: EncryptionRequired},
			utp:  &fakeWay{takes: 60 * ms, policy: EncryptionRequired},
			wins: byTCP, after: 100 * ms, dials: [2]int{2, 1}, hellos: [2]int32{2, 0},
			encrypted: true},
		{name: "the peer wants encryption, over uTP alone",
			tcp: &fakeWay{fails: syscall.ECONNREFUSED},
			utp: &fakeWay{policy: EncryptionRequired}, wins: byUTP,
			dials: [2]int{1, 2}, hellos: [2]int32{0, 2}, encrypted: true},
		{name: "the peer has no such torrent",
			tcp: &fakeWay{knows: otherHash}, utp: &fakeWay{knows: otherHash},
			fault: book.FaultHungUp, dials: [2]int{2, 2}, hellos: [2]int32{2, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ways := [2]*fakeWay{c.tcp, c.utp}
				for i, over := range []endpoint.Transport{byTCP, byUTP} {
					if ways[i] == nil {
						ways[i] = &fakeWay{}
					}
					w := ways[i]
					if w.over = over; w.knows == (metainfo.Hash{}) {
						w.knows = calledHash
					}
				}
				call := callTo(limit.ByRumour, calledHash)
				call.first = c.first
				start := time.Now()
				got, err := meet(t, dialerOf(c.policy, ways[0], ways[1]), call, ways[:]...)
				if after := time.Since(start); after != c.after {
					t.Errorf("it took %v, want %v", after, c.after)
				}
				if got.over != c.wins || c.wins == 0 && faultOf(err) != c.fault {
					t.Errorf("met over %v, %v; want over %v, or %v", got.over, err, c.wins, c.fault)
				}
				if got.Encrypted != c.encrypted {
					t.Errorf("encrypted %v, want %v", got.Encrypted, c.encrypted)
				}
				for i, w := range ways {
					if w.dials != c.dials[i] || w.hellos.Load() != c.hellos[i] {
						t.Errorf("over %v %d streams, %d told something; want %d, %d", w.over,
							w.dials, w.hellos.Load(), c.dials[i], c.hellos[i])
					}
				}
			})
		})
	}
}

// TestRaceIsOneAttempt: a race takes one half-open place, and counts for the host as the
// way that needed most connections. So a stranger who names a host gains one connection by
// the other way for each that it gained before.
func TestRaceIsOneAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ways := []*fakeWay{{over: byTCP, policy: EncryptionOff},
			{over: byUTP, policy: EncryptionOff}}
		d := dialerOf(EncryptionAllowed, ways[0], ways[1]) // nobody knows the torrent
		c := callTo(limit.ByRumour, calledHash, otherHash)
		var held atomic.Int32
		ways[1].takes = 100 * time.Millisecond
		time.AfterFunc(50*time.Millisecond, func() { held.Store(int32(d.budget.HalfOpen())) })
		if _, err := meet(t, d, c, ways...); !errors.Is(err, peer.ErrHungUp) {
			t.Errorf("the outcome is %v, want that the peer hung up", err)
		}
		if held.Load() != 1 {
			t.Errorf("a race holds %d half-open places, want 1", held.Load())
		}
		for _, w := range ways {
			if w.dials != limit.DialsPerSourceMax {
				t.Errorf("%d streams over %v, want %d", w.dials, w.over, limit.DialsPerSourceMax)
			}
		}
		if _, err := meet(t, d, c, ways...); !errors.Is(err, limit.ErrTooOften) {
			t.Errorf("the next attempt: %v, want %v", err, limit.ErrTooOften)
		}
	})
}

// TestRaceOfWinners: when both ways shake hands at the same moment, one stream is kept and
// the other is closed.
func TestRaceOfWinners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		both := &barrier{}
		both.wait.Add(2)
		ways := []*fakeWay{{over: byTCP, takes: raceAfter}, {over: byUTP}}
		var streams [2]*watched
		d := dialerOf(EncryptionOff)
		for i, w := range ways {
			w.knows = calledHash
			d.ways = append(d.ways, &barred{fakeWay: w, barrier: both, stream: &streams[i]})
		}
		got, err := d.meet(t.Context(), callTo(limit.ByUser, calledHash))
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range streams {
			if kept := net.Conn(s) == got.Conn; s.closed.Load() == kept {
				t.Errorf("the stream over %v is closed: %v, and kept: %v", ways[i].over,
					s.closed.Load(), kept)
			}
		}
		got.Conn.Close()
		for _, w := range ways {
			w.answering.Wait()
		}
	})
}

// A barrier holds up the answers of two streams until both have come. It stands for two
// goroutines that the system runs at the same moment.
type barrier struct{ wait sync.WaitGroup }

// barred is a way whose streams are watched, and held up by a barrier.
type barred struct {
	*fakeWay
	barrier *barrier
	stream  **watched
}

func (b *barred) dial(ctx context.Context, to endpoint.Endpoint) (net.Conn, error) {
	conn, err := b.fakeWay.dial(ctx, to)
	*b.stream = &watched{Conn: conn, barrier: b.barrier}
	return *b.stream, err
}

// watched is a stream that records whether it was closed.
type watched struct {
	net.Conn
	barrier *barrier
	read    int
	closed  atomic.Bool
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if w.read += n; w.read == wire.HelloSize {
		w.barrier.wait.Done()
		w.barrier.wait.Wait()
	}
	return n, err
}

func (w *watched) Close() error {
	w.closed.Store(true)
	return w.Conn.Close()
}

// TestRaceEnds: a race ends with its context, and leaves no stream and no goroutine behind.
func TestRaceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ways := []*fakeWay{{over: byTCP, silent: true}, {over: byUTP, takes: time.Hour}}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		_, err := dialerOf(EncryptionOff, ways[0], ways[1]).meet(ctx,
			callTo(limit.ByUser, calledHash))
		if got := time.Since(start); got != 3*time.Second || err == nil {
			t.Errorf("ended after %v, %v; want 3s and an error", got, err)
		}
		for _, w := range ways {
			w.answering.Wait()
		}
	})
}

// TestMoreTelling: of two lanes that failed, the one is shown that learnt more of the peer.
func TestMoreTelling(t *testing.T) {
	refused, other := error(syscall.ECONNREFUSED), errors.New("something else")
	proxy := error(&socks.ServerError{Err: refused})
	for _, c := range []struct{ a, b, want error }{
		{errNoWay, other, other}, {other, nil, other}, {refused, silence, refused},
		{silence, refused, refused}, {peer.ErrHungUp, refused, peer.ErrHungUp},
		{peer.ErrHungUp, peer.ErrOtherHash, peer.ErrOtherHash},
		{refused, context.Canceled, refused}, {proxy, silence, proxy}, {silence, proxy, proxy},
		{proxy, refused, refused},
	} {
		if got := moreTelling(c.a, c.b); got != c.want {
			t.Errorf("of %v and %v: %v, want %v", c.a, c.b, got, c.want)
		}
	}
	if isThere(proxy) || !isThere(refused) {
		t.Error("a host is there because a proxy refused us, or not there because it did")
	}
}
