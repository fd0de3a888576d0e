package storage

import (
	"runtime"
	"sync"
)

const (
	// piecesKept bounds the open pieces that are kept for reuse.
	piecesKept = 64
	// checkChunk is how many bytes are read at once for hashing. They fit into
	// the second-level cache of a core together with other data in use.
	checkChunk = 256 << 10
)

// Workers write, hash and sync for the Stores of an engine, one worker per
// core. They are safe for concurrent use.
//
// A piece with work to do is in the queue once, and a worker takes it with all blocks
// that have come for it. So blocks that come faster than they are written are
// written in longer runs, and no two workers work on one piece.
type Workers struct {
	wait  sync.WaitGroup
	files handles
	// chunks are the buffers of Check, one per core; a goroutine that holds one may
	// hash. They have checkChunk bytes at least, unless they are nil.
	chunks chan []byte

	disks   sharedDisks
	rooms   rooms
	writers writers
	reserve reserve

	mu     sync.Mutex
	wake   sync.Cond // queue or closed
	queue  []*openPiece
	head   int // of queue
	kept   []*openPiece
	closed bool
}

// NewWorkers starts n workers; one for each core that Go uses if n <= 0. The
// caller ends them by Close.
func NewWorkers(n int) *Workers {
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	w := &Workers{chunks: make(chan []byte, n)}
	w.wake.L = &w.mu
	w.files.init()
	for range n {
		w.chunks <- nil // allocated when it is first taken
		w.wait.Go(w.work)
	}
	return w
}

// Close waits until all work is done, and ends the workers. All Stores must have been
// closed.
func (w *Workers) Close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.wake.Broadcast()
	w.wait.Wait()
}

// work takes pieces from the queue until Close.
func (w *Workers) work() {
	var scratch scratch
	for {
		p, verify := w.take()
		if p == nil {
			return
		}
		result, posted := p.process(&scratch, verify)
		if posted {
			p.store.results(result)
		}
		w.release(p, verify)
	}
}

// take waits for a piece with work to do; nil ends the worker.
func (w *Workers) take() (p *openPiece, verify bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.head == len(w.queue) {
		if w.closed {
			return nil, false
		}
		w.wake.Wait()
	}
	p = w.queue[w.head]
	w.queue[w.head] = nil
	w.head++
	if w.head == len(w.queue) {
		w.queue, w.head = w.queue[:0], 0
	}
	p.taken, p.pending = p.pending, p.taken[:0]
	verify, p.verify = p.verify, false
	p.ended, p.revived = p.ended || p.revived, false
	return p, verify
}

// release queues p again if more blocks have come meanwhile, and forgets it if it is
// done.
func (w *Workers) release(p *openPiece, done bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := p.store
	if p.hasWork() && !s.held {
		w.push(p)
		return
	}
	p.busy = false
	if (done || p.revived) && !p.hasWork() {
		w.forget(p)
	}
	s.busy--
	if s.busy == 0 {
		s.idle.Broadcast()
	}
}

// open returns the open piece of s with this index. w.mu is held.
func (w *Workers) open(s *Store, index int) *openPiece {
	p := s.open[index]
	if p != nil {
		return p
	}
	if last := len(w.kept) - 1; last >= 0 {
		p = w.kept[last]
		w.kept[last] = nil
		w.kept = w.kept[:last]
	} else {
		p = new(openPiece)
	}
	p.reset(s, index)
	if s.open == nil {
		s.open = make(map[int]*openPiece)
	}
	s.open[index] = p
	return p
}

// forget frees p for another piece. w.mu is held, p is not busy.
func (w *Workers) forget(p *openPiece) {
	delete(p.store.open, p.index)
	if len(w.kept) < piecesKept {
		p.store = nil
		w.kept = append(w.kept, p)
	}
}

// schedule queues p for a worker, unless it is busy or its Store holds writes. w.mu is held.
func (w *Workers) schedule(p *openPiece) {
	if p.busy || p.store.held {
		return
	}
	p.busy = true
	p.store.busy++
	w.push(p)
	w.wake.Signal()
}

func (w *Workers) push(p *openPiece) {
	if w.head > 0 && len(w.queue) == cap(w.queue) {
		n := copy(w.queue, w.queue[w.head:])
		clear(w.queue[n:])
		w.queue, w.head = w.queue[:n], 0
	}
	w.queue = append(w.queue, p)
}
