package tracker

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// after reports whether got is want, or later by at most the jitter of a fifth.
func after(got, want time.Duration) bool {
	return got >= want && got <= want+want/5+time.Nanosecond
}

// The wait after a failure doubles from ten seconds to half an hour, however many
// failures there are, and starts over after an answer.
func TestScheduleBacksOff(t *testing.T) {
	now := time.Unix(1000, 0)
	var s schedule
	want := backoffFirst
	for i := range 100 {
		s.failed(now, errors.New("down"))
		if got := s.next.Sub(now); !after(got, want) {
			t.Fatalf("after %d failures: %v, want %v to a fifth more", i+1, got, want)
		}
		if s.earliest != s.next {
			t.Fatalf("after %d failures peers may be wanted at %v, before the next attempt at %v",
				i+1, s.earliest, s.next)
		}
		want = min(2*want, backoffLast)
	}
	s.answered(now, &Response{Interval: time.Hour})
	s.failed(now, errors.New("down"))
	if got := s.next.Sub(now); !after(got, backoffFirst) {
		t.Errorf("after an answer and a failure: %v, want %v", got, backoffFirst)
	}
}

// BEP 31: "retry in" is the least time to wait; a short one does not shorten the wait of
// a failure.
func TestScheduleRetryIn(t *testing.T) {
	now := time.Unix(1000, 0)
	for _, c := range []struct {
		why         string
		err         error
		least, most time.Duration
	}{
		{"no answer", errors.New("down"), backoffFirst, backoffFirst * 6 / 5},
		{"a refusal", &Failure{}, backoffFirst, backoffFirst * 6 / 5},
		{"a refusal for a second", &Failure{Retry: time.Second}, backoffFirst,
			backoffFirst * 6 / 5},
		{"a refusal for an hour", &Failure{Retry: time.Hour}, time.Hour, time.Hour + jitterMax},
		{"wrapped", fmt.Errorf("announcing: %w", &Failure{Retry: time.Hour}), time.Hour,
			time.Hour + jitterMax},
	} {
		var s schedule
		s.failed(now, c.err)
		if got := s.next.Sub(now); got < c.least || got > c.most {
			t.Errorf("%s: %v, want %v to %v", c.why, got, c.least, c.most)
		}
	}
}

// When peers are wanted, the next announce is as early as the tracker allows, and never
// later than it was.
func TestScheduleWanted(t *testing.T) {
	now := time.Unix(1000, 0)
	var s schedule
	s.answered(now, &Response{Interval: time.Hour, MinInterval: 10 * time.Minute})
	if s.wanted(); s.next != now.Add(10*time.Minute) {
		t.Errorf("next after %v, want 10m", s.next.Sub(now))
	}
	if s.wanted(); s.next != now.Add(10*time.Minute) {
		t.Errorf("wanted twice: next after %v, want 10m", s.next.Sub(now))
	}
	s.next = now.Add(time.Minute)
	if s.wanted(); s.next != now.Add(time.Minute) {
		t.Errorf("an earlier announce was put off until %v", s.next.Sub(now))
	}
	s.failed(now, errors.New("down"))
	before := s.next
	if s.wanted(); s.next != before {
		t.Error("a failure's pause was cut short")
	}
}

// Clients that start together do not announce together.
func TestScheduleJitter(t *testing.T) {
	now := time.Unix(1000, 0)
	seen := make(map[time.Time]bool)
	for range 50 {
		var s schedule
		s.answered(now, &Response{Interval: time.Hour})
		seen[s.next] = true
	}
	if len(seen) < 40 {
		t.Errorf("50 clients announce at %d different times", len(seen))
	}
	if got := jitter(0); got != 0 {
		t.Errorf("jitter of nothing: %v", got)
	}
}
