package daemon

import (
	"math"
	"testing"
	"time"
)

// noon is when tests of goals and schedules begin.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func TestGoalsOf(t *testing.T) {
	s := Settings{SeedRatio: 2, SeedTime: 0, SeedIdle: time.Hour}
	for _, c := range []struct {
		o    Options
		want goals
	}{
		{Options{}, goals{2, -1, time.Hour}},
		{Options{Ratio: Goal[float64]{GoalOwn, 1.5}}, goals{1.5, -1, time.Hour}},
		{Options{Ratio: Goal[float64]{GoalNone, 1.5}}, goals{-1, -1, time.Hour}},
		{Options{Ratio: Goal[float64]{GoalOwn, 0}}, goals{0, -1, time.Hour}},
		{Options{Time: Goal[time.Duration]{GoalOwn, time.Minute}},
			goals{2, time.Minute, time.Hour}},
		{Options{Idle: Goal[time.Duration]{GoalNone, 0}}, goals{2, -1, -1}},
	} {
		if got := goalsOf(&s, &c.o); got != c.want {
			t.Errorf("%+v: got %+v, want %+v", c.o, got, c.want)
		}
	}
}

func TestGoalReached(t *testing.T) {
	none := goals{-1, -1, -1}
	for _, c := range []struct {
		name string
		g    goals
		s    seeded
		what string
		next time.Duration // 0: never
	}{
		{"no goal", none, seeded{given: 1 << 40, size: 1, moved: noon}, "", 0},
		{"below the ratio", goals{2, -1, -1}, seeded{given: 199, size: 100, moved: noon}, "", 0},
		{"at the ratio", goals{2, -1, -1}, seeded{given: 200, size: 100, moved: noon},
			"reached the ratio 2", 0},
		{"nothing is wanted", goals{0, -1, -1}, seeded{moved: noon}, "", 0},
		{"an own ratio of 0", goals{0, -1, -1}, seeded{size: 100, moved: noon},
			"reached the ratio 0", 0},
		{"before the time", goals{-1, time.Hour, -1},
			seeded{seeding: 20 * time.Minute, moved: noon}, "", 40 * time.Minute},
		{"at the time", goals{-1, time.Hour, -1}, seeded{seeding: time.Hour, moved: noon},
			"has seeded for 1 hour", 0},
		{"not idle for long", goals{-1, -1, 30 * time.Minute},
			seeded{moved: noon.Add(-10 * time.Minute)}, "", 20 * time.Minute},
		{"idle", goals{-1, -1, 30 * time.Minute}, seeded{moved: noon.Add(-30 * time.Minute)},
			"has given nothing for 30 minutes", 0},
		{"the sooner of two", goals{-1, time.Hour, 90 * time.Minute},
			seeded{seeding: time.Minute, moved: noon.Add(-time.Hour)}, "", 30 * time.Minute},
	} {
		what, next := c.g.reached(noon, c.s)
		var want time.Time
		if c.next > 0 {
			want = noon.Add(c.next)
		}
		if what != c.what || !next.Equal(want) {
			t.Errorf("%s: got %q, %v, want %q, %v", c.name, what, next, c.what, want)
		}
	}
}

func TestGoalETA(t *testing.T) {
	for _, c := range []struct {
		name string
		g    goals
		s    seeded
		rate int64
		want time.Duration
	}{
		{"no goal", goals{-1, -1, -1}, seeded{size: 100, moved: noon}, 10, -1},
		{"by ratio", goals{2, -1, -1}, seeded{given: 100, size: 100, moved: noon}, 10,
			10 * time.Second},
		{"by ratio without a rate", goals{2, -1, -1}, seeded{size: 100, moved: noon}, 0, -1},
		{"by ratio in ages", goals{1e18, -1, -1}, seeded{size: 1 << 40, moved: noon}, 1,
			time.Duration(float64(math.MaxInt64/2e9) * float64(time.Second))},
		{"by time", goals{2, time.Minute, -1}, seeded{size: 1 << 40, moved: noon}, 1, time.Minute},
		{"by idleness", goals{-1, -1, time.Hour}, seeded{moved: noon.Add(-time.Minute)}, 0,
			59 * time.Minute},
		{"not idle", goals{-1, -1, time.Hour}, seeded{moved: noon}, 5, -1},
		{"reached", goals{1, -1, -1}, seeded{given: 200, size: 100, moved: noon}, 5, 0},
	} {
		if got := c.g.eta(noon, c.s, c.rate); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// A user who starts a torrent again wants it to run, so what was reached is no goal any more.
func TestWaive(t *testing.T) {
	s := Settings{SeedRatio: 1, SeedTime: time.Hour, SeedIdle: time.Minute}
	var o Options
	done := seeded{given: 100, size: 100, seeding: time.Minute, moved: noon}
	goalsOf(&s, &o).waive(&o, done)
	if o.Ratio.Mode != GoalNone || o.Time.Mode != GoalGlobal || o.Idle.Mode != GoalGlobal {
		t.Errorf("after the ratio: %+v", o)
	}
	done.seeding = time.Hour
	goalsOf(&s, &o).waive(&o, done)
	if o.Time.Mode != GoalNone {
		t.Errorf("after the time: %+v", o)
	}
	if what, _ := goalsOf(&s, &o).reached(noon, done); what != "" {
		t.Errorf("it %s again", what)
	}
}

func TestDurationText(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 seconds", time.Second: "1 second", 90 * time.Second: "90 seconds",
		time.Minute: "1 minute", 2 * time.Hour: "2 hours", 36 * time.Hour: "36 hours",
		48 * time.Hour: "2 days",
	} {
		if got := durationText(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}
