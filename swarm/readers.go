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
	// idleRunsMax bounds the buffers of a size that are kept for the next read.
	idleRunsMax = 32
)

// A run is a row of contiguous blocks of one piece, to be read at once for one
// peer.
type run struct {
	link  *link
	store *storage.Store
	refs  [runMax]block.Ref
	n     int
}

// extend adds ref to the run if it is contiguous with what is there.
func (r *run) extend(ref block.Ref) bool {
	if r.n == runMax || ref.Length > block.Size {
		return false
	}
	if r.n > 0 {
		last := r.refs[r.n-1]
		if ref.Piece != last.Piece || ref.Begin != last.Begin+last.Length {
			return false
		}
	}
	r.refs[r.n] = ref
	r.n++
	return true
}

func (r *run) length() int {
	last := r.refs[r.n-1]
	return int(last.Begin + last.Length - r.refs[0].Begin)
}

// readers reads blocks for upload. The queue is bounded by the credit that the
// core gives each peer, the memory by a budget that the workers wait for.
type readers struct {
	wait sync.WaitGroup

	mu      sync.Mutex
	changed sync.Cond // queue, budget or closed
	queue   []run     // a ring would save copying; queues are short
	budget  int64     // bytes that may still be read
	idle    [3][][]byte
	closed  bool
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
			r.release(buf)
			job.link.readFailed(refs, err)
			continue
		}
		job.link.peer.SendBlocks(refs, data, func() { r.release(buf) })
	}
}

// next waits for a run and for a buffer that it fits in.
func (r *readers) next() (run, []byte, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for !r.closed {
		if len(r.queue) > 0 {
			if buf := r.take(r.queue[0].length()); buf != nil {
				job := r.queue[0]
				n := copy(r.queue, r.queue[1:])
				r.queue[n] = run{}
				r.queue = r.queue[:n]
				return job, buf, true
			}
		}
		r.changed.Wait()
	}
	return run{}, nil, false
}

func (r *readers) take(length int) []byte {
	for class, blocks := range runSizes {
		size := blocks * block.Size
		if size < length {
			continue
		}
		if r.budget < int64(size) {
			return nil
		}
		r.budget -= int64(size)
		if last := len(r.idle[class]) - 1; last >= 0 {
			buf := r.idle[class][last]
			r.idle[class] = r.idle[class][:last]
			return buf
		}
		return make([]byte, size)
	}
	return nil
}

func (r *readers) release(buf []byte) {
	r.mu.Lock()
	r.budget += int64(len(buf))
	for class, blocks := range runSizes {
		if blocks*block.Size == len(buf) && len(r.idle[class]) < idleRunsMax {
			r.idle[class] = append(r.idle[class], buf)
		}
	}
	r.mu.Unlock()
	r.changed.Broadcast()
}
