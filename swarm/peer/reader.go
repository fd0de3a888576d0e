package peer

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/wire"
)

// A reader turns the bytes of a connection into messages. It is owned by one
// goroutine.
//
// Bytes arrive in the window in.buf[in.r:in.w]. While a block is under way, the next bytes
// of the stream belong to it: they are copied out of the window, or read straight into the
// block when the window is empty. Where one call can read into several buffers, the blocks
// that are likely to follow are read into place as well; see plan.
type reader struct {
	c    *Conn
	in   input
	ack  acker     // acknowledges what came
	raw  rawReader // reads into several buffers at once; inert where that is not possible
	away *scatter  // the same for streams that are no sockets, or nil
	plan plan

	block  *block.Buf // block under way, or nil
	ref    block.Ref
	got    int  // bytes of the block that are there; got < ref.Length
	wanted bool // we requested it
	skip   int  // bytes to pass over

	toll       toll
	beside     overhead
	keepAlives keepAlives

	msg      wire.Message
	progress time.Time     // when a message was last complete
	moved    bool          // a message was completed since progress
	deadline time.Time     // as set on the connection
	waited   time.Duration // for the rate limit, since the handler heard of it
	flood    floodCounter
}

func newReader(c *Conn) *reader {
	now := time.Now()
	r := &reader{c: c, progress: now, flood: floodCounter{since: now}}
	r.in.conn, r.in.account = c.conn, c.cfg.Account
	r.raw.init(c.conn, r)
	r.away = newScatter(c.conn, r)
	r.beside.of = carrierOf(c.conn)
	r.ack.init(c.conn)
	return r
}

// run reads until the connection ends, and returns why.
func (r *reader) run(ctx context.Context) error {
	defer func() {
		r.block.Release()
		r.plan.release()
		r.in.free()
	}()
	for {
		if err := r.parse(ctx); err != nil {
			return err
		}
		if err := r.pay(ctx); err != nil {
			return err
		}
		if err := r.awaitRoom(ctx); err != nil {
			return err
		}
		n, err := r.fill()
		if n > 0 {
			r.c.read.Add(int64(n))
			if r.plan.streak == 0 { // many blocks are acknowledged by themselves
				r.ack.now()
			}
			r.toll.read += n
			continue // bytes that came before an error still count
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if time.Since(r.progress) < MessageTimeout {
				r.deadline = time.Time{} // it was set before the last message
				continue
			}
			return ErrIdle
		}
		if err != nil {
			return err
		}
		return io.ErrNoProgress
	}
}

// awaitRoom waits while more blocks have come, over all connections, than are written. The
// time does not count against the peer.
func (r *reader) awaitRoom(ctx context.Context) error {
	if r.plan.streak == 0 {
		return nil // messages that are no blocks cost no memory
	}
	if !r.c.cfg.Pool.Crowded() {
		return nil
	}
	r.moved = true
	return r.c.cfg.Pool.WaitUncrowded(ctx)
}

// fill reads once, as many bytes as there are and as fit.
func (r *reader) fill() (int, error) {
	now := time.Now()
	if r.moved {
		r.progress, r.moved = now, false
	}
	if limit := r.progress.Add(MessageTimeout); limit.Sub(r.deadline) > deadlineSlack {
		r.deadline = limit
		if err := r.c.conn.SetReadDeadline(limit); err != nil {
			return 0, err
		}
	}
	most := r.most()
	if r.raw.ok() {
		n, err := r.raw.read(most)
		r.landed(n)
		return n, err
	}
	if r.away != nil {
		n, err := r.away.read(most)
		r.landed(n)
		return n, err
	}
	if r.block != nil { // and so the window is empty
		n, err := r.c.conn.Read(clip(r.block.Bytes()[r.got:], most))
		r.advance(n)
		return n, err
	}
	return r.in.read(most)
}

// clip returns the first n bytes of b, or all if it is shorter.
func clip(b []byte, n int) []byte { return b[:min(len(b), n)] }

// advance counts n bytes of the block under way.
func (r *reader) advance(n int) {
	if r.wanted {
		r.toll.asked += n
	}
	if r.got += n; r.got == len(r.block.Bytes()) {
		r.deliver()
	}
}

// listen waits while the peer has too many unread messages of ours.
func (r *reader) listen() error {
	r.idle()
	for r.c.queue.talk.Load() > BacklogStop {
		select {
		case <-r.c.queue.room:
		case <-r.c.done:
			return r.c.reason
		}
	}
	r.moved = true // the time does not count against the peer
	return nil
}

// parse consumes the complete messages in the window.
func (r *reader) parse(ctx context.Context) error {
	for {
		window := r.in.window()
		switch {
		case r.skip > 0:
			n := min(r.skip, len(window))
			r.in.consume(n)
			if r.skip -= n; r.skip > 0 {
				return nil
			}
			r.moved = true
			continue
		case r.block != nil:
			n := copy(r.block.Bytes()[r.got:], window)
			r.in.consume(n)
			r.advance(n)
			if r.block != nil {
				return nil
			}
			continue
		}
		if r.c.queue.talk.Load() > BacklogStop {
			if err := r.listen(); err != nil {
				return err
			}
			continue
		}
		more, err := r.message(ctx, window)
		if err != nil || !more {
			return err
		}
	}
}

// deliver passes the complete block on.
func (r *reader) deliver() {
	b := r.block
	r.block, r.moved = nil, true
	r.plan.streak++
	b.Filled()
	r.c.cfg.Handler.OnBlock(r.ref, b)
}

// message reads the message that starts the window, or the header alone if it
// holds a block. It reports whether anything was consumed.
func (r *reader) message(ctx context.Context, window []byte) (more bool, err error) {
	if len(window) < wire.PrefixSize {
		return false, nil
	}
	size := binary.BigEndian.Uint32(window)
	if size == 0 {
		return true, r.keepAlive()
	}
	if len(window) < wire.PrefixSize+1 {
		return false, nil
	}
	id := wire.ID(window[wire.PrefixSize])
	if size > maxBody { // before the conversion to int, which may be 32 bits wide
		return false, wire.ProtocolError{Rule: wire.RuleMessageTooLong}
	}
	if err := wire.CheckLength(id, int(size), int(r.c.pieces.Load())); err != nil {
		return false, err
	}
	if id == wire.Piece {
		return r.piece(ctx, window)
	}
	whole := wire.PrefixSize + int(size)
	if len(window) < whole && wire.Known(id) {
		r.in.want(whole)
		return false, nil
	}
	r.toll.whole(&r.c.credit, id, whole)
	if !wire.Known(id) {
		r.msg = wire.Message{ID: id}
		r.in.consume(wire.PrefixSize)
		r.skip = int(size)
	} else {
		if r.msg, err = wire.Parse(window[wire.PrefixSize:whole]); err != nil {
			return false, err
		}
		r.in.consume(whole)
	}
	if err := r.control(); err != nil {
		return false, err
	}
	r.msg.Size, r.msg.Costly = whole, r.toll.talking
	r.c.cfg.Handler.OnMessage(&r.msg)
	r.msg.Payload = nil
	return true, nil
}

const (
	// keepAliveEvery is the time within which keep-alives are reported as one message.
	// An honest peer sends one every two minutes (BEP 3), and counts them from the last
	// one that it sent, reported or not. So this time must be shorter than the ten seconds
	// beyond two minutes after which the core takes a peer for idle.
	keepAliveEvery = 5 * time.Second
	// keepAliveBytes is how many bytes of keep-alives are reported at once even so.
	keepAliveBytes = 4 << 10
)

// keepAlives counts the keep-alives that the handler does not know of. A handler must
// hear of keep-alives, or it would take an honest peer for an idle one; but a flood of
// them should not cost it an event each.
type keepAlives struct {
	bytes    int       // not reported
	reported time.Time // when some were reported last
}

// add counts one more, and returns the size of the message to report, or 0.
func (k *keepAlives) add(now time.Time) (size int) {
	k.bytes += wire.PrefixSize
	if k.bytes < keepAliveBytes && now.Sub(k.reported) < keepAliveEvery {
		return 0
	}
	size = k.bytes
	k.bytes, k.reported = 0, now
	return size
}

// keepAlive takes a message without content.
func (r *reader) keepAlive() error {
	r.in.consume(wire.PrefixSize)
	r.toll.early = 0
	if err := r.control(); err != nil {
		return err
	}
	if size := r.keepAlives.add(time.Now()); size > 0 {
		r.msg = wire.Message{ID: wire.KeepAlive, Size: size, Costly: r.toll.talking}
		r.c.cfg.Handler.OnMessage(&r.msg)
	}
	return nil
}

// maxBody is larger than every body that wire.CheckLength accepts.
const maxBody = 1 << 20

// piece reads the header of a Piece message and makes room for its block.
func (r *reader) piece(ctx context.Context, window []byte) (more bool, err error) {
	if len(window) < wire.PieceHeaderSize {
		return false, nil
	}
	ref, ok := wire.ParsePieceHeader(window)
	if !ok {
		return false, wire.ProtocolError{Rule: wire.RuleMessageSize}
	}
	r.in.consume(wire.PieceHeaderSize)
	r.toll.early = 0
	if ref.Length == 0 || ref.Length > block.Size {
		if err := r.control(); err != nil {
			return false, err
		}
		r.skip = int(ref.Length)
		r.msg = wire.Message{ID: wire.Piece, Ref: ref, Size: wire.PieceHeaderSize + int(ref.Length)}
		r.c.cfg.Handler.OnMessage(&r.msg)
		return true, nil
	}
	buf := r.c.cfg.Pool.TryGet()
	if buf == nil {
		r.in.park()
		if buf, err = r.c.cfg.Pool.Get(ctx); err != nil {
			return false, err
		}
		r.moved = true // the time does not count against the peer
	}
	buf.Resize(int(ref.Length))
	r.begin(ref, buf)
	return true, nil
}

// begin takes the header of a block, whose data come next.
func (r *reader) begin(ref block.Ref, buf *block.Buf) {
	r.block, r.ref, r.got = buf, ref, 0
	if r.wanted = r.c.credit.expected(ref); r.wanted {
		r.toll.asked += wire.PieceHeaderSize
	}
}

// control counts a message that is no block.
func (r *reader) control() error {
	r.moved = true
	r.plan.streak = 0
	if r.flood.count++; r.flood.count < floodCount {
		return nil
	}
	return r.flood.check(&r.c.served)
}

// A floodCounter finds peers whose control messages come faster than floodCount per
// floodPeriod for floodStrikes periods on end. It reads the clock once in floodCount
// messages.
type floodCounter struct {
	count   int
	strikes int
	since   time.Time
}

func (f *floodCounter) check(served interface{ Swap(int64) int64 }) error {
	// Every block that we sent stands for a request that was worth serving.
	if f.count -= int(min(served.Swap(0), int64(f.count))); f.count*2 > floodCount {
		now := time.Now()
		if now.Sub(f.since) > floodPeriod {
			f.strikes = 0
		} else if f.strikes++; f.strikes >= floodStrikes {
			return wire.ProtocolError{Rule: RuleFlood}
		}
		f.since = now
		f.count = 0
	}
	return nil
}
