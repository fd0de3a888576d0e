package peer

import (
	"errors"
	"net"
	"os"
	"time"

	"swarmnode/swarm/limit"
	"swarmnode/swarm/wire"
)

// batchMax bounds the bytes of blocks that go into one write: beyond it calls
// cost nothing any more, and control messages would wait.
const batchMax = 512 << 10

// A batch is what goes out in one vectored write.
type batch struct {
	control []byte
	inserts []insert
	blocks  []upload

	heads  []byte      // headers of blocks
	vector net.Buffers // into control, heads and the blocks' data
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

// release gives the blocks' memory back and empties the batch. It returns the
// number of blocks.
func (b *batch) release() (blocks int) {
	for i := range b.inserts {
		b.inserts[i].done()
	}
	for i := range b.blocks {
		b.blocks[i].done()
	}
	blocks = len(b.inserts) + len(b.blocks)
	b.inserts, b.blocks = emptied(b.inserts), emptied(b.blocks)
	if cap(b.control) > keepControl {
		b.control = nil
	}
	b.control = b.control[:0]
	return blocks
}

// A writer sends what is in the queue of its Conn. It is owned by one
// goroutine.
type writer struct {
	c        *Conn
	batch    batch
	vector   net.Buffers // what is left of batch.vector; a field, so that writing does not allocate
	lastSent time.Time
	deadline time.Time // as set on the connection
	timer    *time.Timer
}

func newWriter(c *Conn) *writer {
	return &writer{c: c, lastSent: time.Now()}
}

// run sends until the connection is closed, and returns why it stopped.
func (w *writer) run() error {
	w.timer = time.NewTimer(KeepAliveInterval)
	defer w.timer.Stop()
	defer w.batch.release()
	for {
		w.c.queue.takeControl(&w.batch, false)
		up := w.c.cfg.Up
		if up == nil {
			w.c.queue.takeBlocks(&w.batch, batchMax)
		}
		sent, err := w.flush(0)
		if err == nil && up != nil {
			var more bool
			more, err = w.limited(up)
			sent = sent || more
		}
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

// wait blocks until something is queued, and says something itself when it
// gets late.
func (w *writer) wait() error {
	w.timer.Reset(time.Until(w.lastSent.Add(KeepAliveInterval)))
	select {
	case <-w.c.queue.wake:
		return nil
	case <-w.c.done:
		return net.ErrClosed
	case <-w.timer.C:
		return w.c.queue.send(&wire.Message{ID: wire.KeepAlive})
	}
}

// limited sends one step's worth of blocks under a rate limit, and meanwhile
// whatever control messages are queued.
func (w *writer) limited(up *limit.Bucket) (sent bool, err error) {
	n := w.c.queue.takeBlocks(&w.batch, up.Quantum())
	if n == 0 {
		return false, nil
	}
	// The blocks wait apart, for the batch is needed for control messages.
	blocks := w.batch.blocks
	w.batch.blocks = nil
	if ticket := up.Take(n); ticket != nil {
		err = w.await(ticket)
	}
	w.batch.blocks = blocks
	if err != nil {
		return false, err
	}
	return w.flush(n)
}

// await sends control messages until it is the ticket's turn.
func (w *writer) await(ticket *limit.Ticket) error {
	for {
		select {
		case <-ticket.Ready():
			return nil
		case <-w.c.queue.wake:
			w.c.queue.takeControl(&w.batch, true)
			if _, err := w.flush(0); err != nil {
				ticket.Leave()
				return err
			}
		case <-w.c.done:
			ticket.Leave()
			return net.ErrClosed
		}
	}
}

// flush writes the batch, of which so many bytes were taken out of the rate
// limit before. It reports whether there was anything to write.
func (w *writer) flush(paid int) (sent bool, err error) {
	bytes := w.batch.assemble()
	if bytes == 0 {
		return false, nil
	}
	w.c.cfg.Up.Spend(bytes - paid)
	w.vector = w.batch.vector
	if err := w.write(); err != nil {
		return false, err
	}
	w.c.queue.written(bytes, len(w.batch.control))
	if blocks := w.batch.release(); blocks > 0 {
		w.c.served.Add(int64(blocks))
		w.c.cfg.Handler.OnSent(blocks)
	}
	return true, nil
}

// write writes the vector. Time runs out only when not a single byte is taken
// for WriteTimeout.
func (w *writer) write() error {
	for len(w.vector) > 0 {
		now := time.Now()
		w.lastSent = now
		if now.Add(WriteTimeout).Sub(w.deadline) > deadlineSlack {
			w.deadline = now.Add(WriteTimeout)
			if err := w.c.conn.SetWriteDeadline(w.deadline); err != nil {
				return err
			}
		}
		n, err := w.writeOnce()
		w.c.written.Add(n)
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded) && n == 0:
			return ErrStuck
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		}
	}
	return nil
}

// writeOnce writes the vector and drops from it what was taken, which is all
// unless there is an error.
func (w *writer) writeOnce() (n int64, err error) {
	if _, ok := w.c.conn.(*net.TCPConn); ok {
		return w.vector.WriteTo(w.c.conn) // one call of the system
	}
	// Other streams would get every header and every block by itself.
	lent := windows.Get().(*[windowSize]byte)
	defer windows.Put(lent)
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
