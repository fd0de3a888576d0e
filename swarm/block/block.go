// Package block holds the unit of exchange, a block of a piece of up to 16 KiB: where
// the block belongs, and the buffers that it travels in.
//
// Buffers are counted: a Pool hands out no more than its budget, and a caller that finds
// it empty waits, so that memory pressure becomes back-pressure on the wire.
//
// Its nouns: a Ref names a block; a Buf holds the bytes of one; a Pool owns the buffers.
// The package never looks at the bytes, and knows neither torrents nor files.
package block

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// Size is the size in bytes of every block but the last of a piece (BEP 3).
const Size = 16 << 10

// A Ref names a block by its position and length.
type Ref struct {
	Piece  uint32 // index of the piece
	Begin  uint32 // bytes from the start of the piece
	Length uint32 // bytes, at most Size in our own requests
}

func (r Ref) String() string {
	return fmt.Sprintf("%d+%d:%d", r.Piece, r.Begin, r.Length)
}

// Index returns the index of the block within its piece.
func (r Ref) Index() int { return int(r.Begin / Size) }

// Aligned reports whether r is one of the blocks that we cut a piece of pieceSize bytes
// into: it begins at a multiple of Size, and is as long as the piece allows.
func (r Ref) Aligned(pieceSize int) bool {
	return r.Begin%Size == 0 && int64(r.Begin) < int64(pieceSize) &&
		int64(r.Length) == min(Size, int64(pieceSize)-int64(r.Begin))
}

// A Buf holds one block. It has one owner at a time, who passes it on or
// releases it.
type Buf struct {
	pool *Pool
	n    int
	full bool // counted in pool.backlog
	data [Size]byte
}

// Bytes returns the content.
func (b *Buf) Bytes() []byte { return b.data[:b.n] }

// Resize makes the content n bytes long, 0 <= n <= Size. The bytes in the buffer
// stay.
func (b *Buf) Resize(n int) { b.n = len(b.data[:n]) }

// Filled tells the pool that b holds its content and waits to be processed.
func (b *Buf) Filled() {
	if !b.full {
		b.full = true
		b.pool.backlog.Add(1)
	}
}

// Release gives b back to its pool. A nil Buf needs no release.
func (b *Buf) Release() {
	if b != nil {
		b.pool.put(b)
	}
}

// backlogMax is the number of buffers with content at which filling pauses, and
// backlogLow the number at which it goes on. 2 MiB stay in the cache of a core until
// they are hashed and written; a backlog of 32 MiB costs two thirds more processor
// time. The pause is long enough for a large read to follow it.
const (
	backlogMax = 128
	backlogLow = 64
)

// A Pool hands out buffers within a budget. It is safe for concurrent use.
type Pool struct {
	free    chan struct{} // one token for each buffer that may still be handed out
	backlog atomic.Int64  // buffers that hold content to be processed
	calm    chan struct{} // has a token when the backlog has sunk to backlogLow
	mu      sync.Mutex
	idle    []*Buf
}

// NewPool returns a pool of at most budget bytes, and at least one buffer.
// Memory is allocated when it is needed, and kept.
func NewPool(budget int64) *Pool {
	p := &Pool{free: make(chan struct{}, max(1, budget/Size)), calm: make(chan struct{}, 1)}
	for range cap(p.free) {
		p.free <- struct{}{}
	}
	return p
}

// Get returns a buffer of Size bytes, and waits for one as long as the pool is
// empty. The error is that of ctx.
func (p *Pool) Get(ctx context.Context) (*Buf, error) {
	select {
	case <-p.free:
		return p.take(), nil
	default:
	}
	select {
	case <-p.free:
		return p.take(), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TryGet returns a buffer of Size bytes, or nil when the pool is empty.
func (p *Pool) TryGet() *Buf {
	select {
	case <-p.free:
		return p.take()
	default:
		return nil
	}
}

// Crowded reports whether the backlog is so large that no more buffers should be
// filled.
func (p *Pool) Crowded() bool { return p.backlog.Load() >= backlogMax }

// WaitUncrowded returns at once unless the pool is crowded, and otherwise when the
// backlog has become small. The error is that of ctx.
func (p *Pool) WaitUncrowded(ctx context.Context) error {
	if !p.Crowded() {
		return nil
	}
	for p.backlog.Load() > backlogLow {
		select {
		case <-p.calm:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	p.wakeOne() // others may wait as well
	return nil
}

// wakeOne wakes one goroutine that waits in WaitUncrowded.
func (p *Pool) wakeOne() {
	select {
	case p.calm <- struct{}{}:
	default:
	}
}

// Available returns how many more buffers the pool could hand out now.
func (p *Pool) Available() int { return len(p.free) }

// Cap returns how many buffers the pool can hand out in all.
func (p *Pool) Cap() int { return cap(p.free) }

func (p *Pool) take() *Buf {
	p.mu.Lock()
	defer p.mu.Unlock()
	if last := len(p.idle) - 1; last >= 0 {
		b := p.idle[last]
		p.idle[last] = nil
		p.idle = p.idle[:last]
		b.n = Size
		return b
	}
	return &Buf{pool: p, n: Size}
}

func (p *Pool) put(b *Buf) {
	if b.full {
		b.full = false
		if p.backlog.Add(-1) == backlogLow {
			p.wakeOne()
		}
	}
	p.mu.Lock()
	p.idle = append(p.idle, b)
	p.mu.Unlock()
	p.free <- struct{}{} // never blocks: a token was taken for b
}
