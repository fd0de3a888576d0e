package swarm

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/peer"
	"swarmnode/swarm/simnet"
	"swarmnode/swarm/transport/mse"
	"swarmnode/swarm/wire"
)

var (
	calledHash = metainfo.Hash{1, 2, 3} // names the torrent of the calls in these tests
	otherHash  = metainfo.Hash{4, 5, 6} // is its other info-hash
	calledPeer = endpoint.IP(netip.MustParseAddrPort("60.0.0.1:6881"))
)

// A fakeWay leads to one peer in memory, which answers by a policy and knows the torrent
// by one info-hash.
type fakeWay struct {
	over   endpoint.Transport
	policy Encryption
	knows  metainfo.Hash
	takes  time.Duration // until the outcome of a dial
	slow   time.Duration // until the peer begins to answer
	silent bool          // the peer never answers
	fails  error         // of each dial, if not nil
	only   netip.Addr    // reaches this host alone, if valid

	answering sync.WaitGroup
	dials     int
	hellos    atomic.Int32 // streams on which we said something
}

func (w *fakeWay) transport() endpoint.Transport { return w.over }

func (w *fakeWay) reaches(to endpoint.Endpoint) bool {
	return !w.only.IsValid() || w.only == to.Host()
}

func (w *fakeWay) dial(ctx context.Context, to endpoint.Endpoint) (net.Conn, error) {
	w.dials++
	select {
	case <-time.After(w.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if w.fails != nil {
		return nil, w.fails
	}
	world := simnet.New(1)
	l, err := world.Host(to.Host(), simnet.Link{}).Listen(to.Addr.Port())
	if err != nil {
		return nil, err
	}
	defer l.Close()
	near, err := world.Host(netip.MustParseAddr("60.0.1.1"), simnet.Link{}).Dial(ctx, to.Addr)
	if err != nil {
		return nil, err
	}
	far, err := l.Accept()
	if err != nil {
		return nil, err
	}
	w.answering.Go(func() {
		w.answer(far)
		far.Close()
	})
	return near, nil
}

// A hearing is a stream that counts itself when something comes.
type hearing struct {
	net.Conn
	way  *fakeWay
	once sync.Once
}

func (h *hearing) Read(b []byte) (int, error) {
	n, err := h.Conn.Read(b)
	if n > 0 {
		h.once.Do(func() {
			h.way.hellos.Add(1)
			time.Sleep(h.way.slow) // in a bubble of synctest
		})
	}
	return n, err
}

// answer is the other end of a dial.
func (w *fakeWay) answer(conn net.Conn) {
	conn = &hearing{Conn: conn, way: w}
	if w.silent {
		io.Copy(io.Discard, conn)
		return
	}
	shaken, err := peer.Accept(context.Background(), conn, peer.Welcome{
		Answer: func(asked wire.Hello) (wire.Hello, bool) {
			return wire.Hello{InfoHash: asked.InfoHash, PeerID: [20]byte{9}},
				asked.InfoHash == w.knows
		},
		Encryption: w.policy, MayCompute: func() bool { return true },
		Key: func(id mse.ID) (mse.Key, bool) {
			return mse.Key(w.knows), id == mse.Key(w.knows).ID()
		},
	})
	if err == nil {
		io.Copy(io.Discard, shaken.Conn)
	}
}

// dialerOf returns a dialer of some ways that has banned nobody.
func dialerOf(policy Encryption, ways ...way) *dialer {
	return newDialer(nil, newBans(nil, newBlocked(nil)), policy, ways...)
}

// callTo is a call of a torrent with some info-hashes to calledPeer.
func callTo(told limit.Told, hashes ...metainfo.Hash) call {
	return call{
		owner: "torrent", to: calledPeer, told: told, hashes: hashes,
		hello: func(hash metainfo.Hash) wire.Hello {
			return wire.Hello{InfoHash: hash, PeerID: [20]byte{1}}
		},
	}
}

// meet calls the peer of w and returns the outcome. The connection is closed again.
func meet(t *testing.T, d *dialer, c call, ways ...*fakeWay) (met, error) {
	t.Helper()
	shaken, err := d.meet(t.Context(), c)
	if err == nil {
		shaken.Conn.Close()
	}
	for _, w := range ways {
		w.answering.Wait()
	}
	if n := d.budget.HalfOpen(); n != 0 {
		t.Errorf("%d attempts are half open after the outcome", n)
	}
	return shaken, err
}

// TestDialEncryption: a peer that hangs up on one kind of handshake gets the other kind,
// if our policy has one.
func TestDialEncryption(t *testing.T) {
	for _, c := range []struct {
		name         string
		ours, theirs Encryption
		connections  int
		encrypted    bool
		want         error
	}{
		{"plain meets plain", EncryptionAllowed, EncryptionOff, 1, false, nil},
		{"plain first", EncryptionAllowed, EncryptionAllowed, 1, false, nil},
		{"encrypted on demand", EncryptionAllowed, EncryptionRequired, 2, true, nil},
		{"encrypted first", EncryptionPreferred, EncryptionAllowed, 1, true, nil},
		{"plain on demand", EncryptionPreferred, EncryptionOff, 2, false, nil},
		{"encrypted alone", EncryptionRequired, EncryptionAllowed, 1, true, nil},
		{"encrypted, refused", EncryptionRequired, EncryptionOff, 1, false, peer.ErrHungUp},
		{"plain, refused", EncryptionOff, EncryptionRequired, 1, false, peer.ErrHungUp},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &fakeWay{policy: c.theirs, knows: calledHash}
			shaken, err := meet(t, dialerOf(c.ours, w), callTo(limit.ByUser, calledHash), w)
			if !errors.Is(err, c.want) || w.dials != c.connections {
				t.Errorf("%d connections, %v; want %d, %v", w.dials, err, c.connections, c.want)
			}
			if err == nil && (shaken.Encrypted != c.encrypted || shaken.Theirs.PeerID[0] != 9) {
				t.Errorf("encrypted %v, peer id %x", shaken.Encrypted, shaken.Theirs.PeerID[0])
			}
		})
	}
}

// TestDialOtherHash: a peer that hangs up may know a hybrid by its other info-hash.
func TestDialOtherHash(t *testing.T) {
	w := &fakeWay{policy: EncryptionOff, knows: otherHash}
	d := dialerOf(EncryptionOff, w)
	shaken, err := meet(t, d, callTo(limit.ByUser, calledHash, otherHash), w)
	if err != nil || shaken.Theirs.InfoHash != otherHash || w.dials != 2 {
		t.Errorf("met for %v with %d connections, %v; want %v with 2", shaken.Theirs.InfoHash,
			w.dials, err, otherHash)
	}
	if _, err := meet(t, d, callTo(limit.ByUser, calledHash), w); !errors.Is(err, peer.ErrHungUp) {
		t.Errorf("with one info-hash: %v, want that the peer hung up", err)
	}
}

// TestDialWays: an attempt takes the first way that leads to the address, and the next
// one when that fails. It ends without a connection when no way leads there.
func TestDialWays(t *testing.T) {
	broken := errors.New("this way is broken")
	elsewhere := netip.MustParseAddr("60.0.0.2")
	for _, c := range []struct {
		name string
		ways []*fakeWay
		want []int // dials of each
		err  error
	}{
		{"the first", []*fakeWay{{}, {}}, []int{1, 0}, nil},
		{"one leads elsewhere", []*fakeWay{{only: elsewhere}, {}}, []int{0, 1}, nil},
		{"one fails", []*fakeWay{{fails: broken}, {}}, []int{1, 1}, nil},
		{"all fail", []*fakeWay{{fails: broken}, {fails: io.EOF}}, []int{1, 1}, io.EOF},
		{"all lead elsewhere", []*fakeWay{{only: elsewhere}}, []int{0}, errNoWay},
		{"none", nil, []int{}, errNoWay},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := dialerOf(EncryptionOff)
			for _, w := range c.ways {
				w.policy, w.knows = EncryptionOff, calledHash
				d.ways = append(d.ways, w)
			}
			_, err := meet(t, d, callTo(limit.ByUser, calledHash), c.ways...)
			got := make([]int, len(c.ways))
			for i, w := range c.ways {
				got[i] = w.dials
			}
			if !errors.Is(err, c.err) || !slices.Equal(got, c.want) {
				t.Errorf("dials %v, %v; want %v, %v", got, err, c.want, c.err)
			}
		})
	}
}

// TestTCPReaches: TCP leads to what has an address and a port, and to nothing else.
func TestTCPReaches(t *testing.T) {
	for to, want := range map[endpoint.Endpoint]bool{
		calledPeer: true, endpoint.WebSeed(1): false, {}: false,
		endpoint.IP(netip.MustParseAddrPort("60.0.0.1:0")): false,
	} {
		if got := (overTCP{}).reaches(to); got != want {
			t.Errorf("TCP reaches %v: %v, want %v", to, got, want)
		}
	}
}

// TestDialBudget: all connections of an attempt count, so that an address which a
// stranger named gets no more of them than the budget has, and a meeting takes back
// what it counted.
func TestDialBudget(t *testing.T) {
	w := &fakeWay{policy: EncryptionRequired, knows: metainfo.Hash{7}} // hangs up on us
	d := dialerOf(EncryptionAllowed, w)
	c := callTo(limit.ByRumour, calledHash, otherHash)
	if _, err := meet(t, d, c, w); !errors.Is(err, peer.ErrHungUp) {
		t.Errorf("an attempt that ran out of connections: %v, want why the last one failed", err)
	}
	if w.dials != limit.DialsPerSourceMax {
		t.Errorf("%d connections, want %d", w.dials, limit.DialsPerSourceMax)
	}
	if _, err := meet(t, d, c, w); !errors.Is(err, limit.ErrTooOften) {
		t.Errorf("the next attempt: %v, want %v", err, limit.ErrTooOften)
	}
	w = &fakeWay{policy: EncryptionRequired, knows: calledHash}
	d = dialerOf(EncryptionAllowed, w)
	for i := range limit.DialsPerSourceMax {
		if _, err := meet(t, d, c, w); err != nil {
			t.Errorf("meeting %d: %v", i, err)
		}
	}
}

// TestDialBanned: a banned host gets no connection, whatever the port.
func TestDialBanned(t *testing.T) {
	w := &fakeWay{policy: EncryptionOff, knows: calledHash}
	d := dialerOf(EncryptionOff, w)
	d.bans.ban(time.Now(), calledPeer.Host())
	if _, err := meet(t, d, callTo(limit.ByUser, calledHash), w); err != errBanned || w.dials != 0 {
		t.Errorf("%d connections, %v; want none, %v", w.dials, err, errBanned)
	}
}

// TestDialTimeout: an attempt to meet a silent peer ends in time, sooner for a peer that
// was there a moment ago, and with its context.
func TestDialTimeout(t *testing.T) {
	for told, want := range map[limit.Told]time.Duration{
		limit.ByUser: peer.HandshakeTimeout, limit.ByRumour: peer.HandshakeTimeout,
		limit.ByItself: soonTimeout,
	} {
		synctest.Test(t, func(t *testing.T) {
			w := &fakeWay{silent: true}
			start := time.Now()
			_, err := meet(t, dialerOf(EncryptionAllowed, w), callTo(told, calledHash), w)
			if got := time.Since(start); got != want || faultOf(err) != book.FaultTimeout {
				t.Errorf("told %d: ended after %v, %v; want %v", told, got, err, want)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		w := &fakeWay{silent: true}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := dialerOf(EncryptionAllowed, w).meet(ctx, callTo(limit.ByUser, calledHash))
		if got := time.Since(start); got != time.Second || err == nil {
			t.Errorf("ended after %v, %v; want 1s and an error", got, err)
		}
		w.answering.Wait()
	})
}
