package daemon

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// goals are the numbers at which one torrent stops. Each is negative if there is no such goal.
type goals struct {
	ratio      float64 // of what was given to the size of the wanted files
	time, idle time.Duration
}

// goalsOf returns the goals of a torrent. An own goal of 0 is reached at once; a global one of
// 0 is none.
func goalsOf(s *Settings, o *Options) goals {
	return goals{
		ratio: goalOf(o.Ratio, s.SeedRatio),
		time:  goalOf(o.Time, s.SeedTime),
		idle:  goalOf(o.Idle, s.SeedIdle),
	}
}

// goalOf returns the number of one goal.
func goalOf[T float64 | time.Duration](g Goal[T], global T) T {
	switch {
	case g.Mode == GoalOwn:
		return max(g.At, 0)
	case g.Mode == GoalGlobal && global > 0:
		return global
	}
	return -1
}

// seeded is what goals are measured by.
type seeded struct {
	given   int64 // payload bytes of all runs
	size    int64 // bytes of the wanted files
	seeding time.Duration
	moved   time.Time // when it last gave something, or began to seed
}

// ratioOf returns what was given as a share of the size of the wanted files, which is the
// ratio of Transmission from version 4 on. It does not fall when data comes twice, and content
// that the user had before has one, too. It is negative if nothing is wanted.
func ratioOf(given, size int64) float64 {
	if size <= 0 {
		return -1
	}
	return float64(given) / float64(size)
}

// reached returns the goal that a seed has reached, in words for users, or "". If it has
// reached none, next is the time at which it reaches one if it gives nothing more; zero:
// never.
func (g goals) reached(now time.Time, s seeded) (what string, next time.Time) {
	ratio := ratioOf(s.given, s.size)
	idle := now.Sub(s.moved)
	switch {
	case g.ratio >= 0 && ratio >= g.ratio:
		return "reached the ratio " + ratioText(g.ratio), time.Time{}
	case g.time >= 0 && s.seeding >= g.time:
		return "has seeded for " + durationText(g.time), time.Time{}
	case g.idle >= 0 && idle >= g.idle:
		return "has given nothing for " + durationText(g.idle), time.Time{}
	}
	if g.time >= 0 {
		next = now.Add(g.time - s.seeding)
	}
	if at := s.moved.Add(g.idle); g.idle >= 0 && (next.IsZero() || at.Before(next)) {
		next = at
	}
	return "", next
}

// eta returns how long a seed will take to reach one of its goals at its present rate in bytes
// per second; negative: unknown.
func (g goals) eta(now time.Time, s seeded, rate int64) time.Duration {
	eta := time.Duration(-1)
	sooner := func(d time.Duration) {
		if d = max(d, 0); eta < 0 || d < eta {
			eta = d
		}
	}
	if g.ratio >= 0 && s.size > 0 {
		left := g.ratio*float64(s.size) - float64(s.given)
		if left <= 0 {
			sooner(0)
		} else if rate > 0 {
			seconds := left / float64(rate)
			sooner(time.Duration(min(seconds, math.MaxInt64/2e9) * float64(time.Second)))
		}
	}
	if g.time >= 0 {
		sooner(g.time - s.seeding)
	}
	if g.idle >= 0 && rate == 0 {
		sooner(s.moved.Add(g.idle).Sub(now))
	}
	return eta
}

// waive takes the goals out of o that are reached already, as a user does who starts a torrent
// again that had stopped at a goal. An idle goal begins again by itself.
func (g goals) waive(o *Options, s seeded) {
	if g.ratio >= 0 && ratioOf(s.given, s.size) >= g.ratio {
		o.Ratio = Goal[float64]{Mode: GoalNone}
	}
	if g.time >= 0 && s.seeding >= g.time {
		o.Time = Goal[time.Duration]{Mode: GoalNone}
	}
}

// ratioText writes a ratio as users do.
func ratioText(ratio float64) string { return strconv.FormatFloat(ratio, 'f', -1, 64) }

// durationText writes a duration in the largest unit that it is a multiple of.
func durationText(d time.Duration) string {
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if n := d / unit.of; n > 0 && d%unit.of == 0 {
			return countText(int64(n), unit.name)
		}
	}
	return countText(int64(d.Round(time.Second)/time.Second), "second")
}

// countText writes a number of things.
func countText(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
