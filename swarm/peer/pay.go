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
	// answerCredit is how many bytes a peer may send for a request that is not one
	// for a block: hashes, or a part of the metadata.
	answerCredit = 20 << 10
	// answersCreditMax and blocksCreditMax bound what is expected of a peer that
	// does not answer.
	answersCreditMax = 64 * answerCredit
	blocksCreditMax  = 64 << 20
	// talkAllowed is how much a source may say that nobody asked for, beside what
	// is forgotten of it meanwhile, before it comes after what was asked for.
	talkAllowed = 8 << 10
	// talkQuantum is how much is read at a time of a peer that says more.
	talkQuantum = 4 << 10
)

// A credit is what a peer was asked for and has not sent, in bytes. It is safe for
// concurrent use.
type credit struct {
	blocks  atomic.Int64
	answers atomic.Int64
}

// said counts what a message of ours asks for. Which extension it is of only the
// peer knows, but those that are no requests are few.
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

// spend takes n bytes out of what is expected, and reports whether they are.
func spend(v *atomic.Int64, n int) bool {
	if v.Load() < int64(n) {
		return false
	}
	v.Add(-int64(n)) // only the reader takes out
	return true
}

// A toll is what was read and is still owed to a rate limit. It is owned by
// the reader.
type toll struct {
	read    int  // bytes, since the last payment
	asked   int  // those of them that we asked for
	early   int  // bytes of the message under way that were paid for already
	talking bool // the last payment was for what nobody asked for
}

// expected reports whether the block of a piece message was asked for.
func (c *credit) expected(r block.Ref) bool { return spend(&c.blocks, int(r.Length)) }

// mayAnswer reports whether a message of n bytes may be what we asked for.
func (c *credit) mayAnswer(id wire.ID, n int) bool {
	return (id == wire.Extended || id == wire.Hashes) && c.answers.Load() >= int64(n)
}

// whole counts a message that is complete.
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

// pay waits for the rate limit to allow what was read. The time is not the peer's.
// What we asked for goes first; what a peer says of itself goes beside it as long as
// it is little, and then has to wait, those that said most longest.
func (r *reader) pay(ctx context.Context) error {
	t, cfg := &r.toll, &r.c.cfg
	if cfg.Down == nil || t.read == 0 {
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
	return r.await(ctx, cfg.Down.Take(asked+talk))
}

// await waits for a ticket with as little memory as possible.
func (r *reader) await(ctx context.Context, ticket *limit.Ticket) error {
	if ticket == nil {
		return nil
	}
	r.idle()
	if err := ticket.Wait(ctx); err != nil {
		return err
	}
	r.progress = time.Now()
	return nil
}
