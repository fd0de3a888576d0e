package swarm

import (
	"sync"

	"swarmnode/swarm/block"
	"swarmnode/swarm/storage"
)

const (
	// runMax is how many contiguous blocks are read by one system call and
	// written by one. More does not make it faster.
	runMax = 16
	// readersCount is how many reads may wait for the disk at once. On a page
	// cache one is as good as many; a spinning disk likes a few to choose from.
	readersCount = 4
	// shareMax is which part of the budget that is left one link may hold: with
	// the usual budget as much as the core gives it credit for.
	shareMax = 16
	// idleRunsMax bounds the buffers of a size that are kept for the next read.
	idleRunsMax = 32
)

// A run is a row of contiguous blocks of one piece, to be read at once for one
// peer; one that is longer than block.Size is a run by itself.
type run struct {
	link  *link
	store *storage.Store
	refs  [runMax]block.Ref
	n     int
}

// extend adds ref to the run if it is contiguous with what is there.
func (r *run) extend(ref block.Ref) bool {
	if r.n == runMax {
		return false
	}
	if r.n > 0 {
		last := r.refs[r.n-1]
		if last.Length > block.Size || ref.Length > block.Size {
			return false
		}
		if ref.Piece != last.Piece || ref.Begin != last.Begin+last.Length {
			return false
		}
	}
	r.refs[r.n] = ref
	r.n++
	return true
}

// units returns how many blocks of block.Size the run takes up.
func (r *run) units() int {
	if r.n == 1 {
		return (int(r.refs[0].Length) + block.Size - 1) / block.Size
	}
	return r.n
}

func (r *run) length() int {
	last := r.refs[r.n-1]
	return int(last.Begin + last.Length - r.refs[0].Begin)
}

// readers reads blocks for upload. The queue is bounded by the credit that the
// core gives each peer, the memory by a budget that the workers wait for. No
// link holds more than a share of what is left of the budget, and each may hold a
// block beyond it (of the longest that is served), so that peers that do not read
// what they asked for cannot use it up, however many there are.
type readers struct {
	wait sync.WaitGroup

	mu      sync.Mutex
	changed sync.Cond // queue, budget or closed
	queue   []run     // a ring would save copying; queues are short
	// bytes that may still be read; below 0 by the least buffer of each link at
	// most
	budget int64
	idle   [3][][]byte
	closed bool
}

// runSizes are the sizes of buffers, in blocks.
var runSizes = [...]int{1, 4, runMax}

func newReaders(budget int64) *readers {
	r := &readers{budget: max(budget, runMax*block.Size)}
	r.changed.L = &r.mu
	for range readersCount {
		r.wait.Go(r.work)
	}
	return r
}

// read queues a run; its blocks are given to the peer when they have come. It
// never blocks.
func (r *readers) read(job run) {
	r.mu.Lock()
	r.queue = append(r.queue, job)
	r.mu.Unlock()
	r.changed.Signal()
}

// close ends the workers, dropping what is queued.
func (r *readers) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.changed.Broadcast()
	r.wait.Wait()
}

func (r *readers) work() {
	for {
		job, buf, ok := r.next()
		if !ok {
			return
		}
		data := buf[:job.length()]
		refs := job.refs[:job.n]
		err := job.store.ReadAt(data, refs[0].Piece, refs[0].Begin)
		if err != nil {
			r.release(job.link, buf)
			job.link.readFailed(refs, err)
			continue
		}
		job.link.peer.SendBlocks(refs, data, func() { r.release(job.link, buf) })
	}
}

// next waits for a run and for a buffer that it fits in, or the start of it.
func (r *readers) next() (run, []byte, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for !r.closed {
		for i := range r.queue {
			if buf, n := r.take(&r.queue[i]); n > 0 {
				return r.split(i, n), buf, true
			}
		}
		r.changed.Wait()
	}
	return run{}, nil, false
}

// split takes the first n blocks of the i-th run out of the queue.
func (r *readers) split(i, n int) run {
	job := r.queue[i]
	if n < job.n {
		rest := &r.queue[i]
		rest.n = copy(rest.refs[:], rest.refs[n:rest.n])
		job.n = n
		return job
	}
	last := len(r.queue) - 1
	copy(r.queue[i:], r.queue[i+1:])
	r.queue[last] = run{}
	r.queue = r.queue[:last]
	return job
}

// take returns a buffer for as many blocks of job as its link may have read now.
// A run is cut only if it could not be had whole soon: large reads cost less.
func (r *readers) take(job *run) (buf []byte, blocks int) {
	units, least := job.units(), 0
	for job.n == 1 && runSizes[least] < units {
		least++ // a long block is not split
	}
	share := r.budget / shareMax
	for class := len(runSizes) - 1; class >= least; class-- {
		if class > least && units <= runSizes[class-1] {
			continue
		}
		size := int64(runSizes[class]) * block.Size
		if first := class == least && job.link.held == 0; job.link.held+size > share && !first {
			if 2*size <= share {
				return nil, 0 // there is room for it once others of its link are written
			}
			continue
		}
		job.link.held += size
		r.budget -= size
		blocks = min(job.n, runSizes[class])
		if last := len(r.idle[class]) - 1; last >= 0 {
			buf = r.idle[class][last]
			r.idle[class] = r.idle[class][:last]
			return buf, blocks
		}
		return make([]byte, size), blocks
	}
	return nil, 0
}

func (r *readers) release(l *link, buf []byte) {
	r.mu.Lock()
	r.budget += int64(len(buf))
	l.held -= int64(len(buf))
	for class, blocks := range runSizes {
		if blocks*block.Size == len(buf) && len(r.idle[class]) < idleRunsMax {
			r.idle[class] = append(r.idle[class], buf)
		}
	}
	r.mu.Unlock()
	r.changed.Broadcast()
}
