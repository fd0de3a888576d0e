package peer

import (
	"encoding/binary"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"swarmnode/swarm/block"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/wire"
)

// A queue holds what waits for the writer, in three lanes: control messages, and behind
// them blocks and answers. Control messages overtake both, so that a slow or limited
// upload delays neither requests nor haves.
type queue struct {
	account *limit.Account // of what is kept here beyond talkFree; may be nil
	wake    chan struct{}  // has a token when something was queued
	room    chan struct{}  // has a token when talk went below BacklogStop
	backlog atomic.Int64   // bytes queued or being written
	talk    atomic.Int64   // those of them that are control messages; <= backlog
	charged atomic.Int64   // bytes of talk that account was charged for

	mu      sync.Mutex
	closed  bool
	control []byte   // messages, encoded
	inserts []insert // blocks that have to go out in between, by ascending at
	choke   bool     // there is a Choke in control
	blocks  []upload // blocks that wait
	first   int      // blocks[:first] are gone
	answers []answer // that wait; few, see core
}

// An upload is a block on its way out. The release of the last block of its data gives the
// memory back.
type upload struct {
	ref     block.Ref
	data    []byte
	release func()
}

// An insert is a block that goes out before the byte at of the control lane.
type insert struct {
	at int
	upload
}

// An answer is a message that counts as payload: a part of the metadata, or hashes. It
// consists of head, body and tail. The caller owns tail, which must not change.
type answer struct {
	head, body, tail []byte
}

func (a *answer) size() int { return len(a.head) + len(a.body) + len(a.tail) }

const (
	// talkFree is how many bytes of control messages may wait without being charged, as
	// the memory of a connection at rest includes them.
	talkFree = 4 << 10
	// talkStep is the step in which the rest is charged.
	talkStep = 4 << 10
)

// keepControl is the capacity in bytes of a control lane that is kept for later messages.
// The memory of a longer burst is given up.
const keepControl = 4 << 10

func (q *queue) init() {
	q.wake = make(chan struct{}, 1)
	q.room = make(chan struct{}, 1)
}

func (q *queue) send(m *wire.Message) error {
	err := q.enqueue(m)
	q.charge()
	return err
}

func (q *queue) enqueue(m *wire.Message) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return net.ErrClosed
	}
	if m.ID == wire.Choke {
		q.choke = true
		for _, u := range q.blocks[q.first:] {
			q.inserts = append(q.inserts, insert{len(q.control), u})
		}
		q.blocks, q.first = emptied(q.blocks), 0
	}
	before := len(q.control)
	q.control = wire.Append(q.control, m)
	n := len(q.control) - before
	q.talk.Add(int64(n))
	return q.added(n)
}

// charge books the bytes that wait now on the account, or gives back those that no
// longer wait. The caller must hold no lock: it may close this connection or another.
func (q *queue) charge() {
	for {
		before := q.charged.Load()
		now := max(0, q.talk.Load()-talkFree+talkStep-1) / talkStep * talkStep
		if now == before {
			return
		}
		if q.charged.CompareAndSwap(before, now) {
			q.account.Add(int(now - before))
		}
	}
}

// sendAnswer queues m, whose payload ends with tail.
func (q *queue) sendAnswer(m *wire.Message, tail []byte) error {
	short := *m
	short.Payload = nil
	a := answer{head: wire.Append(nil, &short), body: m.Payload, tail: tail}
	binary.BigEndian.PutUint32(a.head, uint32(a.size()-wire.PrefixSize))
	q.account.Add(len(a.body))
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return net.ErrClosed
	}
	q.answers = append(q.answers, a)
	return q.added(a.size())
}

// takeAnswers appends answers to list: at least one if there is one, and as many as fit
// into n bytes.
func (q *queue) takeAnswers(list []answer, n int) (taken []answer, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	count := 0
	for i := range q.answers {
		size := q.answers[i].size()
		if i > 0 && bytes+size > n {
			break
		}
		bytes += size
		count++
	}
	list = append(list, q.answers[:count]...)
	q.answers = slices.Delete(q.answers, 0, count)
	return list, bytes
}

func (q *queue) sendBlocks(refs []block.Ref, data []byte, release func()) error {
	q.mu.Lock()
	if q.closed || len(refs) == 0 {
		q.mu.Unlock()
		if release != nil {
			release()
		}
		if len(refs) == 0 {
			return nil
		}
		return net.ErrClosed
	}
	defer q.mu.Unlock()
	if q.first > len(q.blocks)/2 {
		n := copy(q.blocks, q.blocks[q.first:])
		clear(q.blocks[n:])
		q.blocks, q.first = q.blocks[:n], 0
	}
	n := 0
	for i, r := range refs {
		u := upload{ref: r, data: data[n : n+int(r.Length)]}
		n += int(r.Length)
		if i == len(refs)-1 {
			u.release = release
		}
		q.blocks = append(q.blocks, u)
	}
	return q.added(n + len(refs)*wire.PieceHeaderSize)
}

// added counts n more bytes and wakes the writer.
func (q *queue) added(n int) error {
	if q.backlog.Add(int64(n)) > BacklogMax {
		return ErrBacklog
	}
	signal(q.wake)
	return nil
}

// written counts bytes that are no longer queued, and how many of them are of control
// messages.
func (q *queue) written(bytes, control int) {
	q.backlog.Add(-int64(bytes))
	if control == 0 {
		return
	}
	if q.talk.Add(-int64(control)) <= BacklogStop {
		signal(q.room)
	}
	q.charge()
}

// takeControl moves the control lane into the batch, and takes the memory of the batch in
// exchange. A writer that holds blocks gets nothing once there is a Choke: the blocks go
// first.
func (q *queue) takeControl(b *batch, holding bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.choke && holding {
		return
	}
	q.choke = false
	b.control, q.control = q.control, b.control[:0]
	b.inserts, q.inserts = q.inserts, b.inserts[:0]
}

// takeBlocks appends blocks to list: at least one if there is one, and as many as fit into
// n bytes.
func (q *queue) takeBlocks(list []upload, n int) (taken []upload, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.first < len(q.blocks) {
		u := &q.blocks[q.first]
		size := len(u.data) + wire.PieceHeaderSize
		if bytes > 0 && bytes+size > n {
			return list, bytes
		}
		bytes += size
		list = append(list, *u)
		*u = upload{}
		q.first++
	}
	q.blocks, q.first = q.blocks[:0], 0
	return list, bytes
}

// close makes the queue refuse messages from now on.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}

// drop releases everything that is still queued. Nobody may use the queue any more.
func (q *queue) drop() {
	q.mu.Lock()
	inserts, blocks := q.inserts, q.blocks[q.first:]
	q.inserts, q.blocks, q.first, q.control, q.answers = nil, nil, 0, nil, nil
	q.mu.Unlock()
	for _, in := range inserts {
		in.done()
	}
	for _, u := range blocks {
		u.done()
	}
}

func (u *upload) done() {
	if u.release != nil {
		u.release()
	}
}

// emptied returns s with length 0 and without references in its memory.
func emptied[T any](s []T) []T {
	clear(s)
	return s[:0]
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
