package queue

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// start is when every picture is looked at.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// stalledAfter is Limits.Stalled of pictures.
const stalledAfter = 10 * time.Minute

// drawn returns the torrents of a picture: a word each, by position. A word is r for one that
// has been running and moving for an hour, or w for one that has waited for a minute, with
// these marks behind it:
//
//	f  forced            x  spent            c  is being hashed
//	n  began just now    h  may not start yet (waits only)
//	z  has moved nothing for an hour
//	b  was stalled and has moved for a second again
//	s  was stalled and has moved for a minute again
//	2  twice as long: since two hours, or waits for an hour
func drawn(t testing.TB, kind Kind, picture string) []Torrent {
	t.Helper()
	var list []Torrent
	for word := range strings.FieldsSeq(picture) {
		x := Torrent{Kind: kind, Since: noon.Add(-time.Minute)}
		if word[0] == 'r' {
			x.Running, x.Since, x.Moved = true, noon.Add(-time.Hour), noon.Add(-time.Second)
		}
		for _, mark := range word[1:] {
			switch mark {
			case 'f':
				x.Forced = true
			case 'x':
				x.Spent = true
			case 'c':
				x.Hashed = true
			case 'n':
				x.Since = noon
				x.Moved = time.Time{}
			case 'h':
				x.After = noon.Add(time.Minute)
			case 'z':
				x.Moved = time.Time{}
			case 'b':
				x.Back = noon.Add(-time.Second)
			case 's':
				x.Back = noon.Add(-time.Minute)
			case '2':
				x.Since = noon.Add(-2 * time.Hour)
			default:
				t.Fatalf("%q has the unknown mark %q", word, mark)
			}
		}
		list = append(list, x)
	}
	return list
}

// carryOut does what a plan says, and fails if that makes no sense.
func carryOut(t testing.TB, now time.Time, plan Plan, list []Torrent) {
	t.Helper()
	touched := make(map[int]bool)
	for _, step := range plan.Steps {
		x := &list[step.Torrent]
		if touched[step.Torrent] || x.Running == step.Start {
			t.Fatalf("the plan %+v does something twice, or what was done before", plan)
		}
		touched[step.Torrent] = true
		if step.Start {
			x.Start(now)
		} else {
			x.Rest(now, step.Why)
		}
	}
}

// result draws who runs (R) and who waits (W; X if it is spent).
func result(list []Torrent) string {
	var words []string
	for _, x := range list {
		switch {
		case x.Running:
			words = append(words, "R")
		case x.Spent:
			words = append(words, "X")
		default:
			words = append(words, "W")
		}
	}
	return strings.Join(words, " ")
}

// A picture is one decision.
type picture struct {
	name          string
	limit         int
	before, after string
	next          time.Duration // from noon to Plan.Next; 0: none, -1: does not matter
}

// look decides on pictures.
func look(t *testing.T, kind Kind, stalled time.Duration, pictures []picture) {
	for _, p := range pictures {
		t.Run(strings.ReplaceAll(p.name, " ", "_"), func(t *testing.T) {
			list := drawn(t, kind, p.before)
			limits := Limits{Downloads: p.limit, Seeds: p.limit, Stalled: stalled}
			var planner Planner
			plan := planner.Decide(noon, limits, list)
			carryOut(t, noon, plan, list)
			if got := result(list); got != p.after {
				t.Errorf("%d places, %q: got %q, want %q", p.limit, p.before, got, p.after)
			}
			var next time.Duration
			if !plan.Next.IsZero() {
				next = plan.Next.Sub(noon)
			}
			if p.next >= 0 && next != p.next {
				t.Errorf("asks again after %v, want %v", next, p.next)
			}
			if again := planner.Decide(noon, limits, list); len(again.Steps) > 0 {
				t.Errorf("is not content with its own plan: %s", again.describe())
			}
		})
	}
}

func (p Plan) describe() string { return fmt.Sprintf("%+v", p.Steps) }
