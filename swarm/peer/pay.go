package peer

import (
	"context"
	"sync/atomic"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/wire"
)

const (
	// answerCredit is how many bytes a peer may send for a request for something other
	// than a block: hashes, or a part of the metadata.
	answerCredit = 20 << 10
	// answersCreditMax and blocksCreditMax bound the bytes expected of a peer that does
	// not answer.
	answersCreditMax = 64 * answerCredit
	blocksCreditMax  = 64 << 20
	// talkAllowed is how many unsolicited bytes a source may send, beyond those that are
	// forgotten meanwhile, before they wait behind the bytes that we asked for.
	talkAllowed = 8 << 10
	// waitedEvery is how long a peer waits for our limit until the Handler hears of it. It
	// is several times shorter than the silence for which a peer counts as idle.
	waitedEvery = 30 * time.Second
	// talkQuantum is how many bytes are read at a time of a peer that sends more.
	talkQuantum = 4 << 10
)

// A credit is what we requested from a peer and it has not sent, in bytes. It is safe for
// concurrent use.
type credit struct {
	blocks  atomic.Int64
	answers atomic.Int64
}

// said counts what a message of ours requests. Only the peer knows which extension a
// message is of, but those that are no requests are few.
func (c *credit) said(m *wire.Message) {
	switch m.ID {
	case wire.Request:
		grow(&c.blocks, int64(m.Ref.Length), blocksCreditMax)
	case wire.HashRequest:
		grow(&c.answers, answerCredit, answersCreditMax)
	case wire.Extended:
		if m.Ext != wire.ExtHandshakeNumber {
			grow(&c.answers, answerCredit, answersCreditMax)
		}
	}
}

func grow(v *atomic.Int64, n, most int64) {
	if v.Load()+n <= most {
		v.Add(n)
	}
}

// spend takes n bytes out of the expected ones. It reports whether as many were expected.
func spend(v *atomic.Int64, n int) bool {
	if v.Load() < int64(n) {
		return false
	}
	v.Add(-int64(n)) // only the reader takes out
	return true
}

// A toll is what was read and is still owed to a rate limit. It is owned by the reader.
type toll struct {
	read    int  // bytes, since the last payment
	asked   int  // those of them that we asked for
	early   int  // bytes of the message under way that were paid for already
	talking bool // the last payment was for unsolicited bytes
}

// expected reports whether the block of a piece message was requested.
func (c *credit) expected(r block.Ref) bool { return spend(&c.blocks, int(r.Length)) }

// mayAnswer reports whether a message of n bytes may be an answer to a request.
func (c *credit) mayAnswer(id wire.ID, n int) bool {
	return (id == wire.Extended || id == wire.Hashes) && c.answers.Load() >= int64(n)
}

// whole counts a complete message.
func (t *toll) whole(c *credit, id wire.ID, size int) {
	if c.mayAnswer(id, size) {
		c.answers.Add(-int64(size))
		t.asked += max(0, size-t.early)
	}
	t.early = 0
}

// most returns how many bytes to read at a time.
func (r *reader) most() int {
	n := r.c.cfg.Down.Quantum()
	if r.toll.talking {
		n = min(n, talkQuantum)
	}
	return n
}

// pay waits until the rate limit allows what was read. The time does not count against the
// peer. Requested bytes go first. Unsolicited ones go beside them while they are few; then
// they have to wait, and those of the sources that sent most wait longest.
func (r *reader) pay(ctx context.Context) error {
	t, cfg := &r.toll, &r.c.cfg
	if n := r.beside.due(cfg.Down.Limits()); n > 0 {
		cfg.Down.Spend(n)
	}
	if !cfg.Down.Limits() || t.read == 0 {
		*t = toll{}
		return nil
	}
	if window := r.in.window(); r.skip == 0 && len(window) > wire.PrefixSize {
		if r.c.credit.mayAnswer(wire.ID(window[wire.PrefixSize]), len(window)) {
			t.asked += max(0, len(window)-t.early)
		}
		t.early = len(window)
	}
	asked := min(t.asked, t.read)
	talk := t.read - asked
	t.read, t.asked, t.talking = 0, 0, false
	rank := int64(0)
	if talk > 0 {
		rank = cfg.Talk.Add(time.Now(), cfg.Source, talk)
	}
	if rank > talkAllowed {
		t.talking = true
		if err := r.await(ctx, cfg.Down.TakeAside(talk, rank)); err != nil {
			return err
		}
		talk = 0
	}
	if asked+talk == 0 {
		return nil
	}
	if err := r.await(ctx, cfg.Down.Take(asked+talk)); err != nil {
		return err
	}
	if asked > 0 {
		r.keptWaiting()
	}
	return nil
}

// keptWaiting tells the handler that a peer is not silent: it sends what we requested, and
// waits for our limit. One keep-alive stands for each waitedEvery of waiting.
func (r *reader) keptWaiting() {
	if r.waited >= waitedEvery {
		r.waited = 0
		r.msg = wire.Message{ID: wire.KeepAlive}
		r.c.cfg.Handler.OnMessage(&r.msg)
	}
}

// await waits for a ticket with as little memory as possible.
func (r *reader) await(ctx context.Context, ticket *limit.Ticket) error {
	if ticket == nil {
		return nil
	}
	r.idle()
	start := time.Now()
	if err := ticket.Wait(ctx); err != nil {
		return err
	}
	r.progress = time.Now()
	r.waited += r.progress.Sub(start)
	return nil
}
