package daemon

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"swarmnode/swarm"
)

// A stage is a world in which tests say what happens.
type stage struct {
	t       *testing.T
	now     time.Time
	set     Settings
	list    []*actor
	version uint64
	free    map[string]int64 // an error where there is none
	limits  []swarm.EngineLimits
	steward *steward
	next    time.Time
}

// An actor is a torrent of a stage.
type actor struct {
	id    ID
	v     view
	runs  bool
	said  string // why it rests
	calls int    // wakes and rests that changed something
}

func (a *actor) ID() ID     { return a.id }
func (a *actor) view() view { return a.v }
func (a *actor) moved()     {}

func (a *actor) wake(haste) {
	if !a.runs {
		a.calls++
	}
	a.runs, a.said, a.v.aims = true, "", true
}

func (a *actor) rest(why string, _ haste) {
	if a.runs {
		a.calls++
	}
	a.runs, a.said, a.v.aims = false, why, false
}

func (a *actor) finish(why string) {
	a.v.wants, a.v.why = false, why
	a.rest(why, inTurn)
}

func (a *actor) appear(stalled bool) { a.said = map[bool]string{true: "stalled"}[stalled] }

func (w *stage) Settings() Settings { return w.set }

func (w *stage) ordered(version uint64) (list []charge, now uint64, ok bool) {
	if version == w.version {
		return nil, version, false
	}
	for _, a := range w.list {
		list = append(list, a)
	}
	return list, w.version, true
}

func (w *stage) setLimits(l swarm.EngineLimits) { w.limits = append(w.limits, l) }

func (w *stage) freeSpace(dir string) (int64, error) {
	if free, ok := w.free[dir]; ok {
		return free, nil
	}
	return 0, errors.New("no such disk")
}

func (w *stage) background(f func()) bool { f(); return true }

// newStage returns a stage with n torrents that want to download.
func newStage(t *testing.T, n int, set Settings) *stage {
	w := &stage{t: t, now: time.Now(), set: set, version: 1, free: make(map[string]int64)}
	for i := range n {
		w.list = append(w.list, &actor{id: ID(i + 1), v: view{wants: true, size: 100, dir: "/a"}})
	}
	w.steward = newSteward(w)
	w.steward.rates.clock = func() time.Time { return w.now }
	return w
}

// look lets time pass, and has the steward look at what changed.
func (w *stage) look(passes time.Duration, changed ...int) {
	w.now = w.now.Add(passes)
	c := Changes{}
	for _, i := range changed {
		c.Torrents = append(c.Torrents, Change{&Torrent{id: w.list[i].id}, swarm.ChangedState})
	}
	w.next = w.steward.round(w.now, &c)
}

// change changes the settings.
func (w *stage) change(by func(*Settings)) {
	by(&w.set)
	w.next = w.steward.round(w.now, &Changes{Settings: true})
}

// expect checks who runs: a letter each, r or -.
func (w *stage) expect(want string) {
	w.t.Helper()
	var got strings.Builder
	for _, a := range w.list {
		got.WriteString(map[bool]string{true: "r", false: "-"}[a.runs])
	}
	if got.String() != want {
		w.t.Errorf("%s run, want %s", got.String(), want)
	}
}

func TestStewardQueues(t *testing.T) {
	w := newStage(t, 4, Settings{QueueDown: 2, QueueSeed: 1, QueueStalled: 10 * time.Minute})
	w.look(0)
	w.expect("rr--")
	const waits = "waiting for its turn: 2 torrents may download at a time"
	if said := w.list[2].said; said != waits {
		t.Errorf("it says %q, want %q", said, waits)
	}
	w.list[0].v.done = true // it seeds now
	w.look(time.Minute, 0)
	w.expect("rrr-")
	w.list[3].v.forced = true
	w.look(0, 3)
	w.expect("rrrr")
	w.list[3].v.forced, w.list[1].v.wants = false, false // a user stops it
	w.look(time.Minute, 1, 3)
	w.expect("r-rr")
	w.list[1].v.wants = true
	w.look(0, 1)
	w.expect("rrr-") // it is before the last one
	slices.Reverse(w.list)
	w.version++
	w.look(time.Minute) // now it is the other way round
	w.expect("rr-r")
	w.change(func(s *Settings) { s.QueueDown = 0 })
	w.expect("rrrr")
}

func TestStewardStalls(t *testing.T) {
	w := newStage(t, 3, Settings{QueueDown: 1, QueueStalled: 10 * time.Minute})
	w.look(0)
	w.expect("r--")
	if passes := w.next.Sub(w.now); passes > 10*time.Minute || w.next.IsZero() {
		t.Errorf("it looks again after %v, want 10 minutes at most", passes)
	}
	w.list[0].v.payload = 1
	w.look(9*time.Minute, 0)
	w.look(9 * time.Minute)
	w.expect("r--")
	w.look(2 * time.Minute)
	w.expect("rr-")
	if w.list[0].said != "stalled" {
		t.Error("it does not appear as stalled")
	}
	for i := range 60 { // it moves again
		w.list[0].v.payload, w.list[1].v.payload = int64(i+2), int64(i+2)
		w.look(time.Second, 0, 1)
	}
	w.expect("r--")
}

func TestStewardGoals(t *testing.T) {
	w := newStage(t, 3, Settings{SeedRatio: 2, SeedTime: time.Hour, SeedIdle: 20 * time.Minute})
	w.look(0)
	for _, a := range w.list {
		a.v.done = true
	}
	w.look(time.Second, 0, 1, 2)
	w.expect("rrr")
	w.list[0].v.given, w.list[0].v.payload = 199, 199
	w.look(time.Second, 0)
	w.expect("rrr")
	w.list[0].v.given = 200
	w.look(time.Second, 0)
	w.expect("-rr")
	if said := w.list[0].said; said != "reached the ratio 2" {
		t.Errorf("it says %q", said)
	}
	if passes := w.next.Sub(w.now); w.next.IsZero() || passes > 20*time.Minute {
		t.Errorf("it looks again after %v, want 20 minutes at most", passes)
	}
	w.list[1].v.payload = 1
	w.look(19*time.Minute, 1)
	w.look(2 * time.Minute) // the third one gave nothing
	w.expect("-r-")
	w.list[1].v.payload = 2
	w.look(18*time.Minute, 1)
	w.list[1].v.seeding = time.Hour
	w.look(time.Minute, 1)
	w.expect("---")
	if said := w.list[1].said; said != "has seeded for 1 hour" {
		t.Errorf("it says %q", said)
	}
}

// A torrent that waits to seed has reached its ratio, too.
func TestStewardGoalsOfThoseThatWait(t *testing.T) {
	w := newStage(t, 2, Settings{QueueSeed: 1})
	w.list[0].v.done, w.list[1].v.done, w.list[1].v.given = true, true, 500
	w.look(0)
	w.expect("r-")
	w.change(func(s *Settings) { s.SeedRatio = 1 })
	if said := w.list[1].said; said != "reached the ratio 1" {
		t.Errorf("it says %q", said)
	}
}

func TestStewardKeepsSpaceFree(t *testing.T) {
	w := newStage(t, 3, Settings{MinFree: 1 << 30})
	w.free["/a"], w.free["/b"] = 2<<30, 1<<20
	w.list[1].v.dir, w.list[2].v.dir, w.list[2].v.done = "/b", "/b", true
	w.look(0)
	w.look(0)
	w.expect("r-r") // seeds need no space
	if said := w.list[1].said; said != "less than 1 GiB is free on the file system of /b" {
		t.Errorf("it says %q", said)
	}
	if passes := w.next.Sub(w.now); w.next.IsZero() || passes > spaceEvery {
		t.Errorf("it looks again after %v", passes)
	}
	w.free["/b"] = 1<<30 + 1
	again := func() {
		w.look(spaceEvery)
		w.look(0)
	}
	again()
	w.expect("r-r") // that is too little to begin again
	w.free["/b"] = 2 << 30
	again()
	w.expect("rrr")
	w.list[0].v.full = true // a write was refused
	w.look(0, 0)
	w.expect("-rr")
	w.list[0].v.full = false
	again()
	w.expect("rrr")
	delete(w.free, "/a") // nobody knows
	again()
	w.expect("rrr")
	w.free["/a"] = 0
	again()
	w.expect("-rr")
	w.change(func(s *Settings) { s.MinFree = 0 })
	w.expect("rrr")
}

func TestStewardSetsRates(t *testing.T) {
	w := newStage(t, 0, Settings{Down: 10, Up: 20, AltDown: 1, AltUp: 2, Peers: 30})
	last := func(want swarm.EngineLimits, changes int) {
		t.Helper()
		if len(w.limits) != changes || w.limits[changes-1] != want {
			t.Errorf("limits were set to %+v, want %d times, %+v at last", w.limits, changes, want)
		}
	}
	w.now = time.Date(2026, 3, 2, 7, 59, 30, 0, time.UTC) // a Monday
	w.look(0)
	usual := swarm.EngineLimits{Down: 10, Up: 20, Peers: 30}
	alt := swarm.EngineLimits{Down: 1, Up: 2, Peers: 30}
	last(usual, 1)
	w.look(time.Second)
	last(usual, 1)
	w.change(func(s *Settings) { s.Alt = true })
	last(alt, 2)
	w.change(func(s *Settings) { s.Alt = false })
	last(usual, 3)
	w.change(func(s *Settings) { s.AltSchedule = "mon 08:00-09:00" })
	last(usual, 3)
	if w.next.IsZero() || time.Until(w.next) > time.Minute {
		t.Errorf("it looks again in %v, want a minute at most", time.Until(w.next))
	}
	w.look(30 * time.Second)
	last(alt, 4)
	w.look(time.Hour)
	last(usual, 5)
	w.change(func(s *Settings) { s.Peers = 7 })
	last(swarm.EngineLimits{Down: 10, Up: 20, Peers: 7}, 6)
}

// Torrents that are hashed hold no place, and nothing is done about the others.
func TestStewardLetsOthersRunDuringHashing(t *testing.T) {
	w := newStage(t, 3, Settings{QueueDown: 1})
	w.look(0)
	w.list[0].v.hashed = true
	w.look(time.Minute, 0)
	w.expect("rr-")
	w.list[0].v.hashed = false
	w.look(time.Minute, 0)
	w.expect("rr-") // it begins only now
	w.look(time.Minute)
	w.expect("r--")
}

// Idle torrents cost nothing, removed ones are forgotten, and each is told once.
func TestStewardForgets(t *testing.T) {
	w := newStage(t, 100, Settings{QueueDown: 3, QueueStalled: time.Hour})
	w.look(0)
	w.look(time.Second)
	w.list, w.version = w.list[:50], 2
	w.look(time.Second)
	if n := len(w.steward.wards); n != 50 {
		t.Errorf("%d torrents are remembered, want 50", n)
	}
	for _, a := range w.list {
		if a.calls > 1 {
			t.Errorf("torrent %d was told %d times", a.id, a.calls)
		}
	}
	ids := slices.Sorted(maps.Keys(w.steward.wards))
	if fmt.Sprint(ids[0], ids[49]) != "1 50" {
		t.Errorf("those remembered are %v", ids)
	}
}

func TestSizeText(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 512: "512 bytes", 1 << 30: "1 GiB",
		3 << 29: "1.5 GiB", 100 << 20: "100 MiB"} {
		if got := sizeText(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

// BenchmarkRound is what a moment costs in which one of 10,000 torrents changes.
func BenchmarkRound(b *testing.B) {
	w := newStage(nil, 10_000, Settings{QueueDown: 5, QueueSeed: 5, QueueStalled: time.Minute})
	w.look(0)
	for i := 0; b.Loop(); i++ {
		w.list[3].v.payload = int64(i)
		w.look(time.Second, 3)
	}
}
