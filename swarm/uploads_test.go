package swarm

import (
	"testing"

	"swarmnode/swarm/block"
)

// newRun returns a run of n blocks for l.
func newRun(l *link, n int) run {
	r := run{link: l}
	for i := range n {
		r.extend(block.Ref{Begin: uint32(i * block.Size), Length: block.Size})
	}
	return r
}

func TestReadersLeaveRoomForOthers(t *testing.T) {
	const budget = 64 * block.Size
	r := &uploads{budget: budget} // without workers
	r.changed.L = &r.mu
	var bufs [][]byte
	var holders []*link
	for range 16 { // many that never give anything back
		l := &link{}
		for {
			job := newRun(l, runMax)
			buf, n := r.take(&job)
			if n == 0 {
				break
			}
			bufs, holders = append(bufs, buf), append(holders, l)
		}
	}
	fresh := &link{}
	job := newRun(fresh, runMax)
	buf, n := r.take(&job)
	if n == 0 {
		t.Fatalf("nothing is left for a newcomer of %d; %d buffers are out", budget, len(bufs))
	}
	if first := holders[0].share.held; first > budget/2 {
		t.Errorf("one holds %d of %d", first, budget)
	}
	r.release(fresh, buf)
	for i, buf := range bufs {
		r.release(holders[i], buf)
	}
	if r.budget != budget || holders[0].share.held != 0 || fresh.share.held != 0 {
		t.Errorf("budget %d, want %d", r.budget, budget)
	}
}

func TestReadersPassOverWhoHasEnough(t *testing.T) {
	r := &uploads{budget: 64 * block.Size}
	r.changed.L = &r.mu
	greedy, other := &link{}, &link{}
	for range 5 {
		r.read(newRun(greedy, runMax))
	}
	r.read(newRun(other, 1))
	var got []*link
	total := 0
	for range 4 {
		job, _, ok := r.next()
		if !ok {
			t.Fatal("closed")
		}
		got = append(got, job.link)
		total += job.n
		if job.link == other {
			break
		}
		want := uint32((total - job.n) * block.Size)
		if job.refs[0].Begin != want%(runMax*block.Size) {
			t.Errorf("a run starts at %d, want %d", job.refs[0].Begin, want)
		}
	}
	if got[len(got)-1] != other {
		t.Errorf("who came last was never served")
	}
}
