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

	// BacklogStop is how many bytes of control messages may wait before a peer
	// is not read any more: who asks must also listen. Blocks do not count,
	// for two peers that upload to each other would stop each other.
	BacklogStop = 256 << 10
	// BacklogMax is the backlog, in bytes, at which the connection is given
	// up. It has room for BacklogStop, for what is said to a peer that did not
	// ask, and for the blocks that one peer is given at a time.
	BacklogMax = 4 << 20

	// floodCount and floodRate bound the control messages of a peer: more
	// than 10,000 a second for 5 s on end. Requests that were served do not
	// count.
	floodCount   = 10_000
	floodPeriod  = time.Second
	floodStrikes = 5

	// deadlineSlack is how late a deadline may be renewed; it spares a call
	// for every message.
	deadlineSlack = 5 * time.Second
)

// RuleFlood is broken by a peer that sends messages as fast as it can.
const RuleFlood wire.Rule = "more control messages than any dialogue needs"

// The reasons for which a Conn closes of itself, besides errors of the
// connection (io.EOF among them) and a wire.ProtocolError.
var (
	ErrIdle    = errors.New("the peer was silent for too long")
	ErrStuck   = errors.New("the peer did not read for too long")
	ErrBacklog = errors.New("the peer did not read what was sent")
)

// A Handler hears what happens on a connection. OnMessage and OnBlock are
// called from the reader, OnSent from the writer; each may block, which makes
// the peer wait.
type Handler interface {
	// OnMessage gives a message other than a piece that holds a block; m and its
	// Payload are valid only during the call. Keep-alives in quick succession are given
	// as one with the Size of all of them. A message of unknown id comes without its
	// payload. So does a Piece whose data has another length than a block can have; its
	// Ref.Length says how many bytes were passed over.
	OnMessage(m *wire.Message)
	// OnBlock gives a block; buf is the handler's from then on.
	OnBlock(r block.Ref, buf *block.Buf)
	// OnSent tells that so many blocks were handed to the kernel.
	OnSent(blocks int)
	// OnAnswered reports how many answers were handed to the kernel.
	OnAnswered(answers int)
	// OnClosed is called exactly once, as the last, with the reason.
	OnClosed(err error)
}

// Config is what a Conn needs to know.
type Config struct {
	Handler Handler
	Pool    *block.Pool   // where blocks go
	Down    *limit.Bucket // limits what is read; may be nil
	Up      *limit.Bucket // limits what is written; may be nil
	Pieces  int           // number of pieces, 0 while it is not known
	// Account is charged for what is kept for the peer, beyond a few KiB; its evict
	// is to call Evict. May be nil.
	Account *limit.Account
	// Source is where the peer comes from. Given counts what was given beside
	// blocks, Talk what it said that nobody had asked for: under a rate limit
	// those come first who had least. Both may be nil.
	Source netip.Addr
	Given  *limit.Tally
	Talk   *limit.Tally
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

// New returns a Conn on conn, which it owns from then on. Run must be called
// for anything to move.
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

// Close closes the connection and makes Run return; what waits to be sent is
// dropped. Only the first call counts, its err is what OnClosed gets. Close
// does not wait.
func (c *Conn) Close(err error) {
	c.closing.Do(func() {
		c.reason = err
		close(c.done)
		c.queue.close()
		c.conn.Close()
	})
}

// Evict has the writer close the connection with ErrBacklog. Unlike Close it never
// waits for the reader, so a reader may call it, of its own or another connection.
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

// SetPieces tells the number of pieces once it is known.
func (c *Conn) SetPieces(n int) { c.pieces.Store(int64(n)) }

// RemoteAddr returns the address of the peer.
func (c *Conn) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// BytesRead returns how many bytes were read since New.
func (c *Conn) BytesRead() int64 { return c.read.Load() }

// BytesWritten returns how many bytes were written since New.
func (c *Conn) BytesWritten() int64 { return c.written.Load() }

// Backlog returns how many bytes wait to be sent.
func (c *Conn) Backlog() int { return int(c.queue.backlog.Load()) }

// Send queues a message other than a piece, and does not block. Messages go
// out in the order of the calls, and before blocks that wait; a Choke alone
// goes behind the blocks queued before it, for behind it they would be none
// that the peer expects. m.Payload is read during the call. False means that
// the connection is closed, or closes because the backlog became too long.
func (c *Conn) Send(m wire.Message) bool {
	c.credit.said(&m)
	return c.queued(c.queue.send(&m))
}

// SendAnswer queues a message that counts as payload, like a block: a part of the
// metadata, or hashes. Its payload goes on with tail, which is not copied and must
// not change; m.Payload is the connection's from then on. It does not block. False
// is as for Send.
func (c *Conn) SendAnswer(m wire.Message, tail []byte) bool {
	return c.queued(c.queue.sendAnswer(&m, tail))
}

// SendBlocks queues the blocks refs, whose bytes lie one after the other in
// data, and does not block. release is called exactly once, when data is no
// longer needed, in any case; it may be nil. False is as for Send.
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
