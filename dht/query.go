package dht

import (
	"container/heap"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"time"
)

// queriesMax bounds the queries that wait for an answer. A lookup has about 20
// open, dead nodes included.
const queriesMax = 2048

// queryOwner learns the outcome of a query. Each query ends with one call of answered
// or failed; a call of stalled may precede it, when the short timeout has passed.
type queryOwner interface {
	answered(now instant, q *query, m *message)
	stalled(now instant, q *query)
	failed(now instant, q *query, err error)
}

// query is one request of ours that waits for its answer.
type query struct {
	owner queryOwner
	to    netip.AddrPort
	rtt   time.Duration // of the node when it last answered, or zero
	tid   uint32
	slow  bool // the short timeout has passed
	sent  instant
	next  instant // the next timeout
	index int     // in queries.heap
}

// queries holds the open queries by transaction id and by timeout. Transaction ids
// are 32 random bits, which a third party cannot guess.
type queries struct {
	byTid map[uint32]*query
	heap  queryHeap
}

func newQueries() queries { return queries{byTid: make(map[uint32]*query)} }

func (qs *queries) full() bool { return len(qs.heap) >= queriesMax }

// add enters q under a transaction id that is not in use.
func (qs *queries) add(q *query, rng *rand.Rand) {
	for {
		q.tid = rng.Uint32()
		if _, used := qs.byTid[q.tid]; !used {
			break
		}
	}
	qs.byTid[q.tid] = q
	heap.Push(&qs.heap, q)
}

// match returns the query that a packet from that address answers, or nil.
func (qs *queries) match(tid []byte, from netip.AddrPort) *query {
	if len(tid) != 4 {
		return nil
	}
	q := qs.byTid[binary.BigEndian.Uint32(tid)]
	if q == nil || q.to != from {
		return nil
	}
	return q
}

func (qs *queries) remove(q *query) {
	delete(qs.byTid, q.tid)
	heap.Remove(&qs.heap, q.index)
}

// fix restores the order after q.next has changed.
func (qs *queries) fix(q *query) { heap.Fix(&qs.heap, q.index) }

// next returns the earliest timeout.
func (qs *queries) next() instant {
	if len(qs.heap) == 0 {
		return forever
	}
	return qs.heap[0].next
}

// due returns a query whose timeout has come, or nil.
func (qs *queries) due(now instant) *query {
	if qs.next() > now {
		return nil
	}
	return qs.heap[0]
}

// queryHeap is ordered by timeout, for container/heap.
type queryHeap []*query

func (h queryHeap) Len() int           { return len(h) }
func (h queryHeap) Less(i, j int) bool { return h[i].next < h[j].next }
func (h queryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *queryHeap) Push(x any) {
	q := x.(*query)
	q.index = len(*h)
	*h = append(*h, q)
}
func (h *queryHeap) Pop() any {
	old := *h
	q := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return q
}
