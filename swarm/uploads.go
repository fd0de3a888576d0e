package swarm

import (
	"sync"

	"swarmnode/swarm/block"
	"swarmnode/swarm/storage"
)

const (
	// runMax bounds the contiguous blocks that one system call reads and another
	// one writes. More blocks are not faster.
	runMax = 16
	// uploadReaders is how many reads may wait for the disk at once. One is enough
	// for a page cache; a spinning disk is faster with a few to choose from.
	uploadReaders = 4
	// uploadShare is the part of the remaining budget that one link may hold. With the
	// usual budget that is as much as the core gives the link credit for.
	uploadShare = 16
	// idleBuffersMax bounds the buffers of one size that are kept for later reads.
	idleBuffersMax = 32
)

// A run is a row of contiguous blocks of one piece, which one read fetches for one
// peer. A block longer than block.Size is a run by itself.
type run struct {
	link  *link
	store *storage.Store
	refs  [runMax]block.Ref
	n     int
}

// extend adds ref to the run if ref goes on where the run ends. It reports whether it
// did.
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

// empty reports whether the run has no block.
func (r *run) empty() bool { return r.n == 0 }

// units returns how many blocks of block.Size the run takes up.
func (r *run) units() int {
	if r.n == 1 {
		return (int(r.refs[0].Length) + block.Size - 1) / block.Size
	}
	return r.n
}

// length returns the bytes of the run.
func (r *run) length() int {
	last := r.refs[r.n-1]
	return int(last.Begin + last.Length - r.refs[0].Begin)
}

// A share is how much of the budget a link holds. It is guarded by uploads.mu.
type share struct {
	held int64 // bytes read for the link and not yet written
}

// uploads reads blocks for peers. The credit that the core gives each peer bounds the
// queue, and a budget that the workers wait for bounds the memory. A link holds no more
// than a share of the remaining budget, and one block of the longest kind beyond it.
// So peers that do not read what they asked for cannot use up the budget, however many
// they are. It is safe for concurrent use.
type uploads struct {
	wait sync.WaitGroup

	mu      sync.Mutex
	changed sync.Cond // queue, budget or closed
	queue   []run     // a ring would save copying; queues are short
	// budget is how many bytes may still be read. It falls below 0 by at most the
	// smallest buffer of each link.
	budget int64
	idle   [len(runSizes)][][]byte // buffers for later reads, by size
	closed bool
}

// runSizes are the sizes of the buffers, in blocks.
var runSizes = [...]int{1, 4, runMax}

func newUploads(budget int64) *uploads {
	u := &uploads{budget: max(budget, runMax*block.Size)}
	u.changed.L = &u.mu
	for range uploadReaders {
		u.wait.Go(u.work)
	}
	return u
}

// read queues a run. Its blocks go to the peer once they are read. It never blocks.
func (u *uploads) read(job run) {
	u.mu.Lock()
	u.queue = append(u.queue, job)
	u.mu.Unlock()
	u.changed.Signal()
}

// close drops the queue and waits for the workers to end.
func (u *uploads) close() {
	u.mu.Lock()
	u.closed = true
	u.mu.Unlock()
	u.changed.Broadcast()
	u.wait.Wait()
}

// work reads runs until close.
func (u *uploads) work() {
	for {
		job, buf, ok := u.next()
		if !ok {
			return
		}
		data := buf[:job.length()]
		refs := job.refs[:job.n]
		err := job.store.ReadAt(data, refs[0].Piece, refs[0].Begin)
		if err != nil {
			u.release(job.link, buf)
			job.link.readFailed(refs, err)
			continue
		}
		job.link.peer.SendBlocks(refs, data, func() { u.release(job.link, buf) })
	}
}

// next waits for a run, and for a buffer that holds the run or the start of it. It
// reports false after close.
func (u *uploads) next() (run, []byte, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for !u.closed {
		for i := range u.queue {
			if buf, n := u.take(&u.queue[i]); n > 0 {
				return u.split(i, n), buf, true
			}
		}
		u.changed.Wait()
	}
	return run{}, nil, false
}

// split takes the first n blocks of run i out of the queue.
func (u *uploads) split(i, n int) run {
	job := u.queue[i]
	if n < job.n {
		rest := &u.queue[i]
		rest.n = copy(rest.refs[:], rest.refs[n:rest.n])
		job.n = n
		return job
	}
	last := len(u.queue) - 1
	copy(u.queue[i:], u.queue[i+1:])
	u.queue[last] = run{}
	u.queue = u.queue[:last]
	return job
}

// take returns a buffer for as many blocks of job as its link may read now, or none. It
// cuts a run only if there will be no buffer for the whole run soon, since large reads
// cost less.
func (u *uploads) take(job *run) (buf []byte, blocks int) {
	units, least := job.units(), 0
	for job.n == 1 && runSizes[least] < units {
		least++ // a long block is not split
	}
	share := u.budget / uploadShare
	for class := len(runSizes) - 1; class >= least; class-- {
		if class > least && units <= runSizes[class-1] {
			continue
		}
		size := int64(runSizes[class]) * block.Size
		first := class == least && job.link.share.held == 0
		if job.link.share.held+size > share && !first {
			if 2*size <= share {
				return nil, 0 // a whole run fits once other runs of the link are written
			}
			continue
		}
		job.link.share.held += size
		u.budget -= size
		blocks = min(job.n, runSizes[class])
		if last := len(u.idle[class]) - 1; last >= 0 {
			buf = u.idle[class][last]
			u.idle[class] = u.idle[class][:last]
			return buf, blocks
		}
		return make([]byte, size), blocks
	}
	return nil, 0
}

// release gives the buffer of a run of l back.
func (u *uploads) release(l *link, buf []byte) {
	u.mu.Lock()
	u.budget += int64(len(buf))
	l.share.held -= int64(len(buf))
	for class, blocks := range runSizes {
		if blocks*block.Size == len(buf) && len(u.idle[class]) < idleBuffersMax {
			u.idle[class] = append(u.idle[class], buf)
		}
	}
	u.mu.Unlock()
	u.changed.Broadcast()
}

// upload queues a block for reading, together with the blocks before it if they are
// contiguous.
func (l *link) upload(ref block.Ref, store *storage.Store) {
	if l.pending.extend(ref) {
		return
	}
	l.flush(store)
	l.pending.extend(ref)
}

// flush reads the pending blocks.
func (l *link) flush(store *storage.Store) {
	if l.pending.n > 0 {
		l.pending.link, l.pending.store = l, store
		l.torrent.engine.uploads.read(l.pending)
		l.pending.n = 0
	}
}
