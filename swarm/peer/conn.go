package peer

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/transport"
	"swarmnode/swarm/wire"
)

const (
	// MessageTimeout is how long a peer may take for one message, whole. The Handler
	// decides which peers are idle and when we send keep-alives (BEP 3), and ends idle
	// connections sooner: this bound is for the memory and the socket.
	MessageTimeout = 150 * time.Second
	// WriteTimeout is how long a write may go on without any byte being
	// taken by the peer.
	WriteTimeout = 60 * time.Second
	// StallTimeout is how long a write may go on in that way until Config.Unacked is
	// called, and stallSlack how much later the call may come.
	StallTimeout = 2 * time.Second
	stallSlack   = 500 * time.Millisecond

	// BacklogStop is how many bytes of control messages may wait before we stop reading
	// from a peer: a peer that asks must also listen. Blocks do not count, since two peers
	// that upload to each other would stop each other.
	BacklogStop = 256 << 10
	// BacklogMax is the backlog, in bytes, at which the connection is given up. It has
	// room for BacklogStop, for messages to a peer that did not ask, and for the blocks
	// that one peer is given at a time.
	BacklogMax = 4 << 20

	// floodCount, floodPeriod and floodStrikes bound the control messages of a peer,
	// whatever they mean: more than 10,000 a second for 5 s on end are a flood. Requests
	// that were served do not count. The Handler decides which messages are pointless.
	floodCount   = 10_000
	floodPeriod  = time.Second
	floodStrikes = 5

	// deadlineSlack is how late a deadline may be renewed. It saves a system call for
	// every message.
	deadlineSlack = 5 * time.Second
)

// RuleFlood is broken by a peer that sends messages as fast as it can.
const RuleFlood wire.Rule = "more control messages than any dialogue needs"

// Why a Conn closes by itself, besides errors of the connection (io.EOF among them) and a
// wire.ProtocolError.
var (
	ErrIdle    = errors.New("the peer was silent for too long")
	ErrStuck   = errors.New("the peer did not read for too long")
	ErrBacklog = errors.New("the peer did not read what was sent")
)

// A Handler is told what happens on a connection. The reader calls OnMessage and OnBlock,
// and the writer OnSent and OnAnswered; each may block, which makes the peer wait.
type Handler interface {
	// OnMessage gives a message other than a piece that holds a block; m and its Payload
	// are valid only during the call. Keep-alives in quick succession are given as one
	// with the Size of all of them; one of Size 0 stands for a peer that keeps sending
	// what we requested while the limit Down makes it wait. A message of unknown id comes
	// without its payload. So does a Piece whose data has another length than a block can
	// have; its Ref.Length says how many bytes were passed over.
	OnMessage(m *wire.Message)
	// OnBlock gives a block; the handler owns buf from then on.
	OnBlock(r block.Ref, buf *block.Buf)
	// OnSent reports how many blocks were handed to the kernel.
	OnSent(blocks int)
	// OnAnswered reports how many answers were handed to the kernel.
	OnAnswered(answers int)
	// OnClosed is called exactly once, as the last call, with the reason.
	OnClosed(err error)
}

// Config is what a Conn needs to know.
type Config struct {
	Handler Handler
	Pool    *block.Pool   // where blocks go
	Down    *limit.Bucket // limits what is read; may be nil
	Up      *limit.Bucket // limits what is written; may be nil
	Pieces  int           // number of pieces, 0 while it is not known
	// Account is charged for the bytes that are held for the peer, beyond a few KiB. Its
	// evict calls Evict. It may be nil.
	Account *limit.Account
	// Source is where the peer comes from. Given counts what sources were given beside
	// blocks, and Talk their unsolicited messages: under a rate limit, the sources that
	// had least come first. Both may be nil.
	Source netip.Addr
	Given  *limit.Tally
	Talk   *limit.Tally
	// Path is told whenever something was sent. It may be nil.
	Path *transport.Path
	// Unacked is called by the writer when nothing of what was sent arrives any more, as
	// far as that is known: the path is dead, or the peer has gone. It is called again each
	// StallTimeout while that is so. It may be nil.
	Unacked func()
}

// A Conn is a connection past the handshake. Its methods are safe for
// concurrent use.
type Conn struct {
	conn    net.Conn
	cfg     Config
	pieces  atomic.Int64
	queue   queue
	read    atomic.Int64 // bytes, since New
	written atomic.Int64 // bytes, since New
	served  atomic.Int64 // blocks and answers written since the flood count last looked
	credit  credit

	evicting sync.Once
	evicted  chan struct{} // closed by Evict

	closing sync.Once
	done    chan struct{} // closed by Close
	reason  error         // set before done is closed
}

// New returns a Conn on conn, which the Conn owns from then on. Nothing moves before Run
// is called.
func New(conn net.Conn, cfg Config) *Conn {
	c := &Conn{conn: conn, cfg: cfg, done: make(chan struct{}), evicted: make(chan struct{})}
	c.queue.init()
	c.queue.account = cfg.Account
	c.pieces.Store(int64(cfg.Pieces))
	return c
}

// Run reads and writes until the connection is closed or ctx ends, and returns
// when both goroutines have. It is called once.
func (c *Conn) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { c.Close(context.Cause(ctx)) })
	defer stop()
	var writing sync.WaitGroup
	writing.Go(func() {
		c.Close(newWriter(c).run())
		cancel() // the reader may be waiting for a buffer
	})
	c.Close(newReader(c).run(ctx))
	writing.Wait()
	c.queue.drop()
	c.cfg.Account.Close()
	c.cfg.Handler.OnClosed(c.reason)
}

// Close closes the connection and makes Run return. Messages that wait to be sent are
// dropped. Only the first call has an effect; OnClosed gets its err. Close does not wait.
func (c *Conn) Close(err error) {
	c.closing.Do(func() {
		c.reason = err
		close(c.done)
		c.queue.close()
		c.conn.Close()
	})
}

// Evict makes the writer close the connection with ErrBacklog. Unlike Close it never waits
// for the reader, so any reader may call it.
func (c *Conn) Evict() {
	c.evicting.Do(func() {
		close(c.evicted)
		c.conn.SetWriteDeadline(time.Unix(1, 0)) // ends a write under way
	})
}

// isEvicted reports whether Evict was called.
func (c *Conn) isEvicted() bool {
	select {
	case <-c.evicted:
		return true
	default:
		return false
	}
}

// SetPieces sets the number of pieces once it is known.
func (c *Conn) SetPieces(n int) { c.pieces.Store(int64(n)) }

// RemoteAddr returns the address of the peer.
func (c *Conn) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// BytesRead returns how many bytes were read since New.
func (c *Conn) BytesRead() int64 { return c.read.Load() }

// BytesWritten returns how many bytes were written since New.
func (c *Conn) BytesWritten() int64 { return c.written.Load() }

// Backlog returns how many bytes wait to be sent.
func (c *Conn) Backlog() int { return int(c.queue.backlog.Load()) }

// Send queues a message other than a piece, and does not block. Messages go out in the
// order of the calls, before blocks that wait. Only a Choke goes behind the blocks queued
// before it, since the peer would not expect them after it. m.Payload is read during the
// call. Send reports false if the connection is closed, or closes because the backlog
// became too long.
func (c *Conn) Send(m wire.Message) bool {
	c.credit.said(&m)
	return c.queued(c.queue.send(&m))
}

// SendAnswer queues a message that counts as payload, like a block: a part of the
// metadata, or hashes. Its payload ends with tail, which is not copied and must not
// change; the connection owns m.Payload from then on. It does not block. It reports false
// as Send does.
func (c *Conn) SendAnswer(m wire.Message, tail []byte) bool {
	return c.queued(c.queue.sendAnswer(&m, tail))
}

// SendBlocks queues the blocks refs, whose bytes lie one after the other in data, and does
// not block. release is called exactly once, in any case, when data is no longer needed;
// it may be nil. It reports false as Send does.
func (c *Conn) SendBlocks(refs []block.Ref, data []byte, release func()) bool {
	return c.queued(c.queue.sendBlocks(refs, data, release))
}

// SendBlock queues one block, as SendBlocks.
func (c *Conn) SendBlock(r block.Ref, data []byte, release func()) bool {
	refs := [1]block.Ref{r}
	return c.SendBlocks(refs[:], data, release)
}

func (c *Conn) queued(err error) bool {
	if err != nil {
		c.Close(err)
	}
	return err == nil
}
