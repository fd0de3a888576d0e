package peer

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"

	"swarmnode/swarm/block"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/simnet"
	"swarmnode/swarm/wire"
)

// simPair returns the two ends of a stream on a simulated network.
func simPair(tb testing.TB, link simnet.Link) (a, b net.Conn) {
	tb.Helper()
	n := simnet.New(1)
	ha := n.Host(netip.MustParseAddr("10.0.0.1"), link)
	hb := n.Host(netip.MustParseAddr("10.0.0.2"), link)
	l, err := hb.Listen(6881)
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	if a, err = ha.Dial(tb.Context(), l.AddrPort()); err != nil {
		tb.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		tb.Fatal(err)
	}
	return a, b
}

// A record is a Handler that keeps what it hears. It is safe for concurrent
// use.
type record struct {
	mu       sync.Mutex
	messages []wire.Message
	blocks   []block.Ref
	bytes    []byte // of all blocks
	sent     int
	answered int
	closed   int
	err      error
	keep     bool          // hold on to the buffers
	deaf     bool          // keep no messages; set before the Conn runs
	answer   func()        // called by OnMessage, if not nil
	heard    chan struct{} // a token for each change, if there is room
}

func newRecord() *record { return &record{heard: make(chan struct{}, 1)} }

func (r *record) OnMessage(m *wire.Message) {
	if r.deaf {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed > 0 {
		panic("message after the end")
	}
	kept := *m
	kept.Payload = append([]byte(nil), m.Payload...)
	if r.answer != nil {
		r.answer()
	}
	r.messages = append(r.messages, kept)
	signal(r.heard)
}

func (r *record) OnBlock(ref block.Ref, b *block.Buf) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.blocks = append(r.blocks, ref)
	r.bytes = append(r.bytes, b.Bytes()...)
	if !r.keep {
		b.Release()
	}
	signal(r.heard)
}

func (r *record) OnSent(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent += n
	signal(r.heard)
}

func (r *record) OnAnswered(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answered += n
	signal(r.heard)
}

func (r *record) OnClosed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed++
	r.err = err
	signal(r.heard)
}

// A rig is a Conn under test: what it hears, and the far end of its stream.
type rig struct {
	*record
	conn *Conn
	far  net.Conn
	pool *block.Pool
	done chan struct{} // closed when Run has returned
	stop context.CancelFunc
}

type rigOptions struct {
	near, far net.Conn // a perfect simulated stream if nil
	handler   *record  // a new one if nil
	pool      *block.Pool
	pieces    int
	up, down  *limit.Bucket
	cfg       Config // the rest of it
}

func newRig(t *testing.T, o rigOptions) *rig {
	t.Helper()
	if o.near == nil {
		o.near, o.far = simPair(t, simnet.Link{})
	}
	if o.handler == nil {
		o.handler = newRecord()
	}
	if o.pool == nil {
		o.pool = block.NewPool(1 << 20)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &rig{record: o.handler, far: o.far, pool: o.pool, done: make(chan struct{}), stop: cancel}
	cfg := o.cfg
	cfg.Handler, cfg.Pool, cfg.Up, cfg.Down, cfg.Pieces = r.record, o.pool, o.up, o.down, o.pieces
	r.conn = New(o.near, cfg)
	go func() {
		defer close(r.done)
		r.conn.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-r.done
		r.far.Close()
		if r.closed != 1 {
			t.Errorf("OnClosed was called %d times, want once", r.closed)
		}
		if !r.keep && o.pool.Available() != o.pool.Cap() {
			t.Errorf("%d buffers are missing", o.pool.Cap()-o.pool.Available())
		}
	})
	return r
}

// message returns m as bytes.
func message(m wire.Message) []byte { return wire.Append(nil, &m) }
