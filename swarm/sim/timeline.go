package sim

import (
	"slices"
	"time"

	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
)

const (
	// samplesMax bounds the samples of a Timeline. When it is reached, every second
	// sample goes and the time between two doubles.
	samplesMax = 200
	// sampleEvery is the virtual time between the first samples.
	sampleEvery = 25 * time.Millisecond
)

// A Timeline records who had how much when, and what the seeds sent. Its samples
// lie at equal distances of virtual time; the last one is the end of the run. It
// takes 4 bytes a node and sample, 800 bytes a node at most.
type Timeline struct {
	Result  Result
	Pieces  int
	Every   time.Duration // virtual time between two samples
	Classes []TimelineClass
	// First and Repeats are what all seeds had sent at each sample, in multiples
	// of the content: blocks that no seed had sent before, and all others.
	First, Repeats []float64

	sent  bits.Set // blocks that some seed has sent
	first int64    // bytes of them
	all   int64    // bytes that the seeds have sent
	next  int64    // when the next sample is due, in ns since the start
}

// A TimelineClass is the part of a Timeline that belongs to one Class.
type TimelineClass struct {
	Name string
	Seed bool // its nodes have everything to begin with
	// Leech is whether the run waits until its nodes have everything.
	Leech bool
	// Had is the number of pieces that each node had, by sample and node.
	Had [][]uint32
	// Done is when each node had everything, since the start; 0 if it never had.
	Done []time.Duration
}

// begin prepares an empty timeline for a run.
func (tl *Timeline) begin(w *world) {
	s := w.scenario
	*tl = Timeline{Pieces: s.Pieces, Every: sampleEvery}
	tl.sent = *bits.New(s.Pieces * s.blocks())
	for i := range s.Classes {
		c := &s.Classes[i]
		tl.Classes = append(tl.Classes, TimelineClass{Name: c.Name, Seed: c.Seed,
			Leech: c.leech()})
	}
}

// blocks returns the number of blocks in a piece.
func (s *Scenario) blocks() int { return s.PieceLength / block.Size }

// until takes the samples that are due before something happens at a time.
func (tl *Timeline) until(w *world, at int64) {
	for tl.next < at {
		tl.sample(w)
		if len(tl.First) == samplesMax {
			tl.thin()
		}
		tl.next += int64(tl.Every)
	}
}

// sample records what each node has now.
func (tl *Timeline) sample(w *world) {
	for i := range tl.Classes {
		var had []uint32
		for _, n := range w.nodes {
			if n.ci == i {
				had = append(had, uint32(n.have.Count()))
			}
		}
		tl.Classes[i].Had = append(tl.Classes[i].Had, had)
	}
	length := float64(w.scenario.Length())
	tl.First = append(tl.First, float64(tl.first)/length)
	tl.Repeats = append(tl.Repeats, float64(tl.all-tl.first)/length)
}

// thin forgets every second sample. The last one stays when their number is odd.
func (tl *Timeline) thin() {
	tl.First, tl.Repeats = everySecond(tl.First), everySecond(tl.Repeats)
	for i := range tl.Classes {
		tl.Classes[i].Had = everySecond(tl.Classes[i].Had)
	}
	// The last sample that was kept lies one old distance back.
	if len(tl.First) > 0 {
		tl.next = int64(len(tl.First)-1) * 2 * int64(tl.Every)
	}
	tl.Every *= 2
}

// everySecond returns the elements of s with even indices.
func everySecond[T any](s []T) []T {
	kept := s[:0]
	for i := 0; i < len(s); i += 2 {
		kept = append(kept, s[i])
	}
	clear(s[len(kept):])
	return slices.Clip(kept)
}

// uploaded records that a seed has sent a block.
func (tl *Timeline) uploaded(s *Scenario, r block.Ref) {
	tl.all += int64(r.Length)
	i := int(r.Piece)*s.blocks() + int(r.Begin)/block.Size
	if !tl.sent.Has(i) {
		tl.sent.Add(i)
		tl.first += int64(r.Length)
	}
}

// end takes the last sample and keeps the result.
func (tl *Timeline) end(w *world, r Result) {
	tl.until(w, w.now)
	tl.sample(w)
	tl.Result = r
	for _, n := range w.nodes {
		c := &tl.Classes[n.ci]
		c.Done = append(c.Done, time.Duration(n.done))
	}
}

// At returns the virtual time of sample i.
func (tl *Timeline) At(i int) time.Duration {
	if i == len(tl.First)-1 {
		return tl.Result.Ended
	}
	return time.Duration(i) * tl.Every
}
