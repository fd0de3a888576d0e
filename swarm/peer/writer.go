package peer

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"swarmnode/swarm/limit"
	"swarmnode/swarm/transport"
	"swarmnode/swarm/wire"
)

// batchMax bounds the bytes of blocks that go into one write. Beyond it the cost of calls
// does not matter any more. On a slow stream, pace bounds them further.
const batchMax = 512 << 10

// gatherSize is how many bytes are gathered for one write to a stream that is no socket.
// The memory is kept while the peer does not read.
const gatherSize = 32 << 10

var gathered = sync.Pool{New: func() any { return new([gatherSize]byte) }}

// A batch goes out in one vectored write.
type batch struct {
	control []byte
	inserts []insert
	blocks  []upload
	answers []answer

	heads  []byte      // headers of blocks
	vector net.Buffers // into control, heads, answers and the blocks' data
}

// assemble builds the vector and returns the number of bytes in it.
func (b *batch) assemble() (bytes int) {
	// heads must not move once the vector points into it.
	if need := (len(b.inserts) + len(b.blocks)) * wire.PieceHeaderSize; cap(b.heads) < need {
		b.heads = make([]byte, 0, 2*need)
	}
	b.heads = b.heads[:0]
	b.vector = b.vector[:0]
	at := 0
	for i := range b.inserts {
		in := &b.inserts[i]
		bytes += b.add(b.control[at:in.at]) + b.addBlock(&in.upload)
		at = in.at
	}
	bytes += b.add(b.control[at:])
	for i := range b.blocks {
		bytes += b.addBlock(&b.blocks[i])
	}
	for i := range b.answers {
		a := &b.answers[i]
		bytes += b.add(a.head) + b.add(a.body) + b.add(a.tail)
	}
	return bytes
}

// inserted returns how many bytes of blocks are among the control messages.
func (b *batch) inserted() (bytes int) {
	for i := range b.inserts {
		bytes += len(b.inserts[i].data) + wire.PieceHeaderSize
	}
	return bytes
}

func (b *batch) add(p []byte) int {
	if len(p) > 0 {
		b.vector = append(b.vector, p)
	}
	return len(p)
}

func (b *batch) addBlock(u *upload) int {
	at := len(b.heads)
	b.heads = wire.AppendPieceHeader(b.heads, u.ref)
	return b.add(b.heads[at:]) + b.add(u.data)
}

// release releases the memory of the blocks and answers, and empties the batch. It returns
// how many blocks and answers there were.
func (b *batch) release(account *limit.Account) (blocks, answers int) {
	for i := range b.inserts {
		b.inserts[i].done()
	}
	for i := range b.blocks {
		b.blocks[i].done()
	}
	for i := range b.answers {
		account.Add(-len(b.answers[i].body))
	}
	blocks, answers = len(b.inserts)+len(b.blocks), len(b.answers)
	b.inserts, b.blocks, b.answers = emptied(b.inserts), emptied(b.blocks), emptied(b.answers)
	if cap(b.control) > keepControl {
		b.control = nil
	}
	b.control = b.control[:0]
	return blocks, answers
}

// A writer sends what is in the queue of its Conn. It is owned by one
// goroutine.
type writer struct {
	c        *Conn
	batch    batch
	vector   net.Buffers // what is left of batch.vector; a field, so that writing does not allocate
	deadline time.Time   // as set on the connection
	pace     pace
	beside   overhead

	// Under a rate limit blocks and answers wait here, since the batch is needed for
	// control messages.
	blocks  []upload
	answers []answer
	forThem struct{ blocks, answers turn }
	owed    int // bytes of blocks that went before a choke, and are not paid for
}

// A turn holds the bytes that wait under a rate limit, and the ticket that they wait for.
type turn struct {
	bytes  int
	ticket *limit.Ticket // nil when it has come
}

// ready returns the channel to wait for, or nil if there is nothing to wait for.
func (t *turn) ready() <-chan struct{} {
	if t.ticket == nil {
		return nil
	}
	return t.ticket.Ready()
}

// come reports whether the bytes may go out.
func (t *turn) come() bool {
	if t.ticket != nil {
		select {
		case <-t.ticket.Ready():
			t.ticket = nil
		default:
		}
	}
	return t.bytes > 0 && t.ticket == nil
}

func (t *turn) leave() {
	if t.ticket != nil {
		t.ticket.Leave()
	}
}

func newWriter(c *Conn) *writer {
	return &writer{c: c, pace: newPace(transport.NotSentLowat, aheadOf(c.conn)),
		beside: overhead{of: carrierOf(c.conn), ours: true}}
}

// run sends until the connection is closed, and returns why it stopped.
func (w *writer) run() error {
	defer w.end()
	for {
		w.c.queue.takeControl(&w.batch, len(w.blocks) > 0)
		paid := 0
		if !w.c.cfg.Up.Limits() && len(w.blocks)+len(w.answers) == 0 {
			w.owed = 0
			w.batch.blocks, _ = w.c.queue.takeBlocks(w.batch.blocks, w.pace.step)
			w.batch.answers, _ = w.c.queue.takeAnswers(w.batch.answers, batchMax)
		} else {
			n, err := w.takeLimited(w.c.cfg.Up)
			if err != nil {
				return err
			}
			paid = n
		}
		sent, err := w.flush(paid)
		if err != nil {
			return err
		}
		if sent {
			continue
		}
		if err := w.wait(); err != nil {
			return err
		}
	}
}

// end releases what was not sent.
func (w *writer) end() {
	w.forThem.blocks.leave()
	w.forThem.answers.leave()
	w.batch.release(w.c.cfg.Account)
	w.batch.blocks, w.batch.answers = w.blocks, w.answers
	w.batch.release(w.c.cfg.Account)
}

// wait blocks until something is queued or may go out.
func (w *writer) wait() error {
	select {
	case <-w.c.queue.wake:
		return nil
	case <-w.forThem.blocks.ready():
		return nil
	case <-w.forThem.answers.ready():
		return nil
	case <-w.c.evicted:
		return ErrBacklog
	case <-w.c.done:
		return net.ErrClosed
	}
}

// takeLimited moves the bytes whose turn has come into the batch, at most one step's worth
// of blocks and one of answers, and takes tickets for the next ones. It returns how many
// bytes it took out of the limit.
func (w *writer) takeLimited(up *limit.Bucket) (paid int, err error) {
	if n := w.batch.inserted(); n > 0 {
		if err := w.payOff(up); err != nil {
			return 0, err
		}
		paid += n
		w.owed += up.Owe(n)
	}
	blocks, answers := &w.forThem.blocks, &w.forThem.answers
	if len(w.blocks) == 0 {
		if w.blocks, blocks.bytes = w.c.queue.takeBlocks(w.blocks, up.Quantum()); blocks.bytes > 0 {
			blocks.ticket = up.Take(blocks.bytes + w.owed)
			w.owed = 0
		}
	}
	if len(w.answers) == 0 {
		if w.answers, answers.bytes = w.c.queue.takeAnswers(w.answers,
			up.Quantum()); answers.bytes > 0 {
			rank := w.c.cfg.Given.Add(time.Now(), w.c.cfg.Source, answers.bytes)
			answers.ticket = up.TakeAside(answers.bytes, rank)
		}
	}
	if blocks.come() {
		paid += blocks.bytes
		w.batch.blocks, w.blocks, *blocks = w.blocks, w.batch.blocks, turn{}
	}
	if answers.come() {
		paid += answers.bytes
		w.batch.answers, w.answers, *answers = w.answers, w.batch.answers, turn{}
	}
	return paid, nil
}

// payOff waits until nothing is owed. Blocks before a choke go out at once, since the
// messages behind them are more urgent, but not twice in a row.
func (w *writer) payOff(up *limit.Bucket) error {
	if w.owed == 0 {
		return nil
	}
	ticket := up.Take(w.owed)
	w.owed = 0
	if ticket == nil {
		return nil
	}
	select {
	case <-ticket.Ready():
		return nil
	case <-w.c.evicted:
		ticket.Leave()
		return ErrBacklog
	case <-w.c.done:
		ticket.Leave()
		return net.ErrClosed
	}
}

// flush writes the batch. paid bytes of it were taken out of the rate limit before. It
// reports whether there was anything to write.
func (w *writer) flush(paid int) (sent bool, err error) {
	bytes := w.batch.assemble()
	if bytes == 0 {
		return false, nil
	}
	w.c.cfg.Up.Spend(bytes - paid + w.beside.due(w.c.cfg.Up.Limits()))
	w.vector = w.batch.vector
	began := time.Now()
	if err := w.write(); err != nil {
		return false, err
	}
	now := time.Now()
	w.pace.wrote(bytes, now.Sub(began))
	w.c.cfg.Path.Sent(now)
	w.c.queue.written(bytes, len(w.batch.control))
	blocks, answers := w.batch.release(w.c.cfg.Account)
	if blocks > 0 {
		w.c.served.Add(int64(blocks))
		w.c.cfg.Handler.OnSent(blocks)
	}
	if answers > 0 {
		w.c.served.Add(int64(answers))
		w.c.cfg.Handler.OnAnswered(answers)
	}
	return true, nil
}

// write writes the vector. It times out only if not a single byte is taken within
// WriteTimeout.
func (w *writer) write() error {
	var since time.Time // no byte was taken, as the last deadline has shown
	for len(w.vector) > 0 {
		now := time.Now()
		if w.deadline.Sub(now) < StallTimeout {
			w.deadline = now.Add(StallTimeout + stallSlack)
			if err := w.c.conn.SetWriteDeadline(w.deadline); err != nil {
				return err
			}
		}
		if w.c.isEvicted() { // after the deadline was set, which Evict sets as well
			return ErrBacklog
		}
		n, err := w.writeOnce()
		w.c.written.Add(n)
		switch {
		case err == nil:
			continue
		case w.c.isEvicted():
			return ErrBacklog
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		case n > 0:
			since = time.Time{}
		case since.IsZero():
			since = now
		case time.Since(since) >= WriteTimeout-StallTimeout:
			return ErrStuck
		}
		w.unacked()
	}
	return nil
}

// unacked calls Config.Unacked if what was sent has no answer. A peer that does not read, or
// whose line is slow, does answer.
func (w *writer) unacked() {
	if w.c.cfg.Unacked != nil && transport.Unacked(w.c.conn) >= StallTimeout/2 {
		w.c.cfg.Unacked()
	}
}

// writeOnce writes the vector and drops the bytes that were taken from it, which are all
// of them unless there is an error.
func (w *writer) writeOnce() (n int64, err error) {
	if _, ok := w.c.conn.(*net.TCPConn); ok {
		return w.vector.WriteTo(w.c.conn) // one call of the system
	}
	if gatherer, ok := w.c.conn.(gatherer); ok {
		return gatherer.WriteBuffers(&w.vector)
	}
	// Other streams would get every header and every block by itself.
	lent := gathered.Get().(*[gatherSize]byte)
	defer gathered.Put(lent)
	for len(w.vector) > 0 && err == nil {
		k := 0
		for i := 0; i < len(w.vector) && k < len(lent); i++ {
			k += copy(lent[k:], w.vector[i])
		}
		k, err = w.c.conn.Write(lent[:k])
		n += int64(k)
		w.consume(k)
	}
	return n, err
}

// consume drops the first n bytes of the vector.
func (w *writer) consume(n int) {
	for len(w.vector) > 0 && n >= len(w.vector[0]) {
		n -= len(w.vector[0])
		w.vector[0] = nil
		w.vector = w.vector[1:]
	}
	if n > 0 {
		w.vector[0] = w.vector[0][n:]
	}
}
