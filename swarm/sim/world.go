package sim

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"time"

	"swarmnode/metainfo"
	"swarmnode/metainfo/bencode"
	"swarmnode/swarm/block"
	"swarmnode/swarm/core"
)

// epoch is the wall time at which every run begins.
var epoch = time.Unix(1_600_000_000, 0).UTC()

const (
	// dialTimeout is how long an attempt to connect to nobody takes.
	dialTimeout = 3 * time.Second
	// hashRate is how many bytes a node hashes a second.
	hashRate = 1 << 30
	// trackerPeers is how many addresses a node learns at a time.
	trackerPeers = 50
	// trackerDelay is how long an answer takes. trackerEvery is the time between
	// answers that nobody asked for.
	trackerDelay = 200 * time.Millisecond
	trackerEvery = 2 * time.Minute
	// stopEvery is how many events pass before a run checks its context: some
	// milliseconds.
	stopEvery = 1024
)

// A world is one run.
type world struct {
	scenario *Scenario
	rng      *rand.Rand
	heap     heap
	now      int64 // ns since the start
	seq      uint64
	count    uint64

	info    *metainfo.Info
	nodes   []*node
	conns   []conn
	packets []packet
	spare   []uint32 // packets to be used again
	dials   []dial

	waiting int // honest leeches that are not done
	digest  uint64

	trace    io.Writer
	timeline *Timeline // nil unless one is wanted
}

// An Observer is what a run writes down besides its Result. What is nil is not
// wanted; neither changes the run.
type Observer struct {
	Trace    io.Writer // a line for each event
	Timeline *Timeline // overwritten
	Dump     io.Writer // the last events of each node at the end, for ReplayAll
}

// Run simulates a scenario. The Result is a function of both arguments.
func Run(s Scenario, seed uint64) Result {
	r, _ := Observe(context.Background(), s, seed, Observer{}) // nothing stops it
	return r
}

// Observe is Run, and writes down what o asks for. The end of ctx ends the run at
// once: then the error is a *Stopped, and there is no Result. Any other error is that of
// o.Dump.
func Observe(ctx context.Context, s Scenario, seed uint64, o Observer) (Result, error) {
	if s.Draw != nil {
		s = s.Draw(seed)
	}
	wd := &world{
		scenario: &s,
		rng:      rand.New(rand.NewPCG(seed, 0x51a)),
		info:     content(&s),
		trace:    o.Trace,
		timeline: o.Timeline,
		digest:   fnv.New64a().Sum64(),
	}
	wd.populate(seed)
	if wd.timeline != nil {
		wd.timeline.begin(wd)
	}
	for len(wd.heap.events) > 0 && wd.waiting > 0 {
		e := wd.heap.pop()
		if e.at > int64(s.Limit) {
			wd.now = int64(s.Limit)
			break
		}
		if wd.timeline != nil {
			wd.timeline.until(wd, e.at)
		}
		wd.now = e.at
		if wd.count%stopEvery == 0 && ctx.Err() != nil {
			return Result{}, &Stopped{At: time.Duration(wd.now), Events: wd.count,
				Cause: context.Cause(ctx)}
		}
		wd.count++
		wd.record(&e)
		wd.happen(&e)
	}
	r := wd.result(seed)
	if wd.timeline != nil {
		wd.timeline.end(wd, r)
	}
	return r, wd.dump(o.Dump)
}

// dump writes the last events of the nodes that are there.
func (w *world) dump(to io.Writer) error {
	if to == nil {
		return nil
	}
	for _, n := range w.nodes {
		if !n.up() {
			continue
		}
		if err := n.core.WriteEvents(to); err != nil {
			return err
		}
	}
	return nil
}

// Stopped is the error of a run that did not come to its end.
type Stopped struct {
	At     time.Duration // virtual time since the start
	Events uint64
	Cause  error // of the context that ended
}

func (s *Stopped) Error() string {
	return fmt.Sprintf("stopped at %.1f s: %v", s.At.Seconds(), s.Cause)
}

// Unwrap returns the cause.
func (s *Stopped) Unwrap() error { return s.Cause }

// content builds the info dictionary. Its hashes are never looked at.
func content(s *Scenario) *metainfo.Info {
	var b []byte
	b = append(b, 'd')
	b = bencode.AppendString(b, "length")
	b = bencode.AppendInt(b, s.Length())
	b = bencode.AppendString(b, "name")
	b = bencode.AppendString(b, "simulated")
	b = bencode.AppendString(b, "piece length")
	b = bencode.AppendInt(b, int64(s.PieceLength))
	b = bencode.AppendString(b, "pieces")
	b = bencode.AppendString(b, string(make([]byte, 20*s.Pieces)))
	b = append(b, 'e')
	info, err := metainfo.ParseInfo(b)
	if err != nil {
		panic(fmt.Sprintf("sim: scenario %s: %v", s.Name, err))
	}
	return info
}

func (w *world) schedule(after time.Duration, e event) { w.at(w.now+int64(after), e) }

func (w *world) at(at int64, e event) {
	e.at, e.seq = max(at, w.now), w.seq
	w.seq++
	w.heap.push(e)
}

// record takes an event into the digest and the trace.
func (w *world) record(e *event) {
	const prime = 1099511628211 // of FNV-1a
	for _, v := range [...]uint64{uint64(e.at), uint64(e.kind), uint64(e.node), uint64(e.arg)} {
		w.digest = (w.digest ^ v) * prime
	}
	if w.trace != nil {
		fmt.Fprintf(w.trace, "%.6f %s node %d arg %d\n", float64(e.at)/1e9, eventNames[e.kind],
			e.node, e.arg)
	}
}

func (w *world) happen(e *event) {
	switch e.kind {
	case evArrive:
		w.arrive(e.arg)
		return
	case evAck:
		w.acked(e.arg)
		return
	case evDial:
		w.dialled(e.arg)
		return
	case evClosed:
		w.closed(e.arg)
		return
	case evKnock:
		w.knocked(e.arg)
		return
	}
	n := w.nodes[e.node]
	if e.life != n.life {
		return
	}
	switch e.kind {
	case evTick:
		n.tick(e.at)
	case evUplink:
		n.uplinked()
	case evHashed:
		n.hashed(e.arg)
	case evRead:
		n.step(core.Event{Kind: core.Hashed, Ref: block.Ref{Piece: e.arg},
			Hashes: n.blockHashes(e.arg)})
	case evOpened:
		n.opened()
	case evJoin:
		n.join()
	case evLeave:
		n.leave()
	case evTracker:
		n.told()
	case evPause:
		n.pause()
	}
}

// populate makes the nodes.
func (w *world) populate(seed uint64) {
	for ci := range w.scenario.Classes {
		c := &w.scenario.Classes[ci]
		for i := range c.Count {
			n := newNode(w, len(w.nodes), ci, seed)
			n.nat = w.rng.Float64() < c.NAT
			n.distance = c.Distance
			if c.Jitter > 0 {
				n.distance += time.Duration(w.rng.Int64N(int64(c.Jitter)))
			}
			w.nodes = append(w.nodes, n)
			if n.leech() {
				w.waiting++
			}
			at := c.Join
			if c.Count > 1 {
				at += c.JoinOver * time.Duration(i) / time.Duration(c.Count)
			}
			w.at(int64(at), event{kind: evJoin, node: int32(n.id)})
		}
	}
}
