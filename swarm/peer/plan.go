package peer

import (
	"swarmnode/swarm/block"
	"swarmnode/swarm/wire"
)

const (
	// aheadMax is how many blocks are read into place beyond the one under way. If they
	// turn out to be something else, they fit into a window together with their headers.
	aheadMax = windowSize / (block.Size + wire.PieceHeaderSize)
	// aheadStreak is how many blocks must come in a row before more are expected. A peer
	// that downloads as well sends requests in between, and a wrong guess costs a copy.
	aheadStreak = 8
	// targetsMax is how many buffers one call reads into.
	targetsMax = 1 + 2*aheadMax
)

// A plan says where the next bytes go. In the middle of a fast download they are most
// likely the rest of the block under way and then whole blocks, each behind its header.
// Bytes that are read into the buffers of blocks right away need not be copied. It is
// owned by the reader.
type plan struct {
	streak  int // blocks that came since any other message
	targets [targetsMax][]byte
	heads   [aheadMax][wire.PieceHeaderSize]byte
	ahead   [aheadMax]*block.Buf // for blocks that are expected; the first held are not nil
	held    int
	planned int // of them in use by the read under way
	last    int // bytes that the last read brought
}

// targets returns the buffers to read into. They are held only while data arrive: the
// caller calls idle before it waits.
func (r *reader) targets(most int) [][]byte {
	p := &r.plan
	list := p.targets[:0]
	if r.block != nil {
		list = append(list, r.block.Bytes()[r.got:])
	}
	p.planned = 0
	pool := r.c.cfg.Pool
	if r.in.empty() && p.streak >= aheadStreak && most >= windowSize &&
		2*pool.Available() > pool.Cap() {
		want := min(aheadMax, p.last/block.Size+1)
		for p.held < want {
			b := pool.TryGet()
			if b == nil {
				break
			}
			p.ahead[p.held] = b
			p.held++
		}
		for i := range min(p.held, want) {
			list = append(list, p.heads[i][:], p.ahead[i].Bytes())
			p.planned++
		}
	}
	if p.planned == 0 {
		list = append(list, r.in.room(r.wide()))
	}
	return list
}

// landed assigns n bytes that were read into targets.
func (r *reader) landed(n int) {
	p := &r.plan
	p.last = n
	if r.block != nil {
		k := min(n, len(r.block.Bytes())-r.got)
		r.advance(k)
		n -= k
	}
	if p.planned == 0 {
		r.in.w += n
		return
	}
	used := 0
	for n > 0 && used < p.planned {
		ref, ok := wire.ParsePieceHeader(p.heads[used][:min(n, wire.PieceHeaderSize)])
		if !ok || ref.Length != block.Size {
			break
		}
		n -= wire.PieceHeaderSize
		r.begin(ref, p.ahead[used])
		used++
		k := min(n, block.Size)
		r.advance(k)
		n -= k
	}
	if n > 0 {
		r.misplaced(used, n)
	}
	copy(p.ahead[:], p.ahead[used:p.held])
	clear(p.ahead[p.held-used : p.held])
	p.held -= used
}

// misplaced moves n bytes that are no whole blocks into the window, from the targets of
// the expected blocks, the given one first.
func (r *reader) misplaced(from, n int) {
	p := &r.plan
	p.streak = 0
	window := clip(r.in.room(true), n)
	r.in.w += n
	for i := from; len(window) > 0; i++ {
		window = window[copy(window, p.heads[i][:]):]
		window = window[copy(window, p.ahead[i].Bytes()):]
	}
}

// idle gives back the memory that is needed only while data arrive.
func (r *reader) idle() {
	r.plan.release()
	r.in.park()
}

func (p *plan) release() {
	for i, b := range p.ahead[:p.held] {
		b.Release()
		p.ahead[i] = nil
	}
	p.held, p.planned = 0, 0
}

// wide reports whether blocks come, so that a read should be large.
func (r *reader) wide() bool { return r.plan.streak >= aheadStreak }
