package queue

import (
	"math/rand/v2"
	"testing"
	"time"
)

// FuzzDecide lets bytes say what happens to torrents, carries out the plans, and checks each.
func FuzzDecide(f *testing.F) {
	f.Add([]byte{8, 2, 1, 1, 10, 3, 1, 200, 0, 3, 4, 9, 1, 1, 250, 2, 5, 250, 1, 250})
	f.Add([]byte{3, 1, 0, 1, 0, 0, 1, 250, 0, 250, 0, 250, 0, 250, 0, 250, 0, 250})
	f.Fuzz(func(t *testing.T, script []byte) { newTrial(t, script[:min(len(script), 500)]).run() })
}

// TestRandomDecisions is FuzzDecide with many scripts.
func TestRandomDecisions(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		script := make([]byte, 400)
		for i := range script {
			script[i] = byte(rng.Uint32())
		}
		z := newTrial(t, script)
		z.run()
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// A trial is a queue to which a script happens.
type trial struct {
	t       *testing.T
	script  []byte
	now     time.Time
	limits  Limits
	list    []Torrent
	changed []time.Time // when each one was started or rested by a plan last
	planner Planner
}

func newTrial(t *testing.T, script []byte) *trial {
	z := &trial{t: t, script: script, now: noon}
	n := int(z.byte() % 24)
	z.limits = Limits{Downloads: int(z.byte() % 5), Seeds: int(z.byte() % 5),
		Stalled: time.Duration(z.byte()%20) * time.Minute}
	for range n {
		z.list = append(z.list, Torrent{Kind: Kind(z.byte() % byte(kinds)), Since: z.now})
	}
	z.changed = make([]time.Time, n)
	return z
}

func (z *trial) byte() byte {
	if len(z.script) == 0 {
		return 0
	}
	b := z.script[0]
	z.script = z.script[1:]
	return b
}

func (z *trial) run() {
	z.decide()
	for len(z.script) > 0 && !z.t.Failed() {
		z.happen()
		z.decide()
	}
}

// happen lets time pass, or changes something.
func (z *trial) happen() {
	what, arg := z.byte(), z.byte()
	if len(z.list) == 0 || what%4 < 2 {
		z.now = z.now.Add(time.Duration(arg) * 20 * time.Second)
		return
	}
	i := int(arg) % len(z.list)
	x := &z.list[i]
	switch what / 4 % 7 {
	case 0, 1, 2:
		if x.Running {
			x.Move(z.now, z.limits.Stalled)
		}
	case 3:
		x.Forced = !x.Forced
	case 4:
		x.Kind = (x.Kind + 1) % kinds
		x.Since = z.now
		z.changed[i] = time.Time{}
	case 5:
		x.After = z.now.Add(time.Minute)
	case 6:
		if x.Hashed = x.Running && !x.Hashed; x.Running && !x.Hashed {
			x.Since = z.now
			z.changed[i] = time.Time{}
		}
	}
}

// decide carries out a plan and checks what the package promises.
func (z *trial) decide() {
	before := z.counted()
	plan := z.planner.Decide(z.now, z.limits, z.list)
	for _, step := range plan.Steps {
		x, last := &z.list[step.Torrent], z.changed[step.Torrent]
		if !step.Start && z.now.Sub(last) < settleTime && !last.IsZero() {
			z.t.Errorf("%+v loses its place %v after it got it", *x, z.now.Sub(last))
		}
		if !step.Start && (x.Forced || x.Hashed) {
			z.t.Errorf("%+v is forced or being checked, and rests", *x)
		}
		z.changed[step.Torrent] = z.now
	}
	carryOut(z.t, z.now, plan, z.list)
	if !plan.Next.IsZero() && !plan.Next.After(z.now) {
		z.t.Errorf("asks again at %v, which has come", plan.Next)
	}
	z.checkPlaces(before)
	if again := z.planner.Decide(z.now, z.limits, z.list); len(again.Steps) > 0 {
		z.t.Errorf("is not content with its own plan: %s", again.describe())
	}
	z.checkNext()
}

// counted returns how many torrents of each kind have a place.
func (z *trial) counted() (n [kinds]int) {
	for i := range z.list {
		x := &z.list[i]
		if x.Running && !x.Forced && !x.Hashed && !x.Stalled(z.now, z.limits.Stalled) {
			n[x.Kind]++
		}
	}
	return n
}

// checkPlaces checks that no place is given away twice, none stays free while somebody waits,
// and forced torrents run.
func (z *trial) checkPlaces(before [kinds]int) {
	after := z.counted()
	for kind := range kinds {
		limit := z.limits.of(kind)
		if limit > 0 && after[kind] > max(limit, before[kind]) {
			z.t.Errorf("%d have one of %d places, %d before", after[kind], limit, before[kind])
		}
		for i := range z.list {
			x := &z.list[i]
			if x.Kind != kind || x.Running || z.now.Before(x.After) {
				continue
			}
			if limit == 0 || after[kind] < limit || x.Forced {
				z.t.Errorf("%+v waits though it need not: %d of %d places", *x, after[kind], limit)
			}
		}
	}
}

// checkNext checks that nothing changes before the time at which Decide wants to be asked
// again.
func (z *trial) checkNext() {
	plan := z.planner.Decide(z.now, z.limits, z.list)
	until := plan.Next
	if until.IsZero() {
		until = z.now.Add(100 * time.Hour)
	}
	for _, at := range []time.Time{z.now.Add(time.Second), until.Add(-time.Second)} {
		if !at.After(z.now) || !at.Before(until) {
			continue
		}
		if early := z.planner.Decide(at, z.limits, z.list); len(early.Steps) > 0 {
			z.t.Errorf("%v after now it wants %s, but asked for %v", at.Sub(z.now),
				early.describe(), plan.Next)
		}
	}
}

// Torrents that nobody wants share one place: each gets its turn.
func TestEachGetsATurn(t *testing.T) {
	for _, stalled := range []time.Duration{0, stalledAfter} {
		const torrents, places = 40, 3
		list := make([]Torrent, torrents)
		for i := range list {
			list[i] = Torrent{Kind: Seed, Since: noon}
		}
		ran := make(map[int]bool)
		var p Planner
		turns := torrents/places + 1
		for now := noon; now.Before(noon.Add(time.Duration(turns) * turnTime)); {
			plan := p.Decide(now, Limits{Seeds: places, Stalled: stalled}, list)
			carryOut(t, now, plan, list)
			for _, step := range plan.Steps {
				ran[step.Torrent] = true
			}
			if plan.Next.IsZero() {
				break
			}
			now = plan.Next
		}
		if len(ran) != torrents {
			t.Errorf("stalled after %v: only %d of %d torrents had a turn", stalled, len(ran),
				torrents)
		}
	}
}

// A torrent that moves a block now and then makes nobody rest.
func TestNoFlapping(t *testing.T) {
	list := []Torrent{{Since: noon}, {Since: noon}}
	var p Planner
	var steps int
	for now := noon; now.Before(noon.Add(24 * time.Hour)); now = now.Add(10 * time.Second) {
		if now.Sub(noon)%(stalledAfter+time.Minute) == 0 { // one block in eleven minutes
			list[0].Move(now, stalledAfter)
		}
		if list[1].Running {
			list[1].Move(now, stalledAfter)
		}
		plan := p.Decide(now, Limits{Downloads: 1, Stalled: stalledAfter}, list)
		steps += len(plan.Steps)
		carryOut(t, now, plan, list)
	}
	if steps != 2 {
		t.Errorf("%d starts and ends in a day, want 2", steps)
	}
}
