package daemon

import (
	"testing"
	"time"
)

func TestFirstSpan(t *testing.T) {
	got, ok := FirstSpan("mon-wed 08:05-18:30; sun 22:00-06:00")
	want := ScheduleSpan{[7]bool{1: true, 2: true, 3: true}, 8*60 + 5, 18*60 + 30}
	if !ok || got != want {
		t.Errorf("%+v, %v; want %+v", got, ok, want)
	}
	for _, none := range []string{"", "x", "mon"} {
		if got, ok := FirstSpan(none); ok {
			t.Errorf("%q begins with %+v", none, got)
		}
	}
}

func TestAltAt(t *testing.T) {
	monday := time.Date(2024, 1, 1, 9, 0, 0, 0, time.UTC)
	s := Settings{AltSchedule: "mon 08:00-18:00"}
	if !s.AltAt(monday) || s.AltAt(monday.AddDate(0, 0, 1)) {
		t.Error("the day is wrong")
	}
	if s.AltSchedule = ""; s.AltAt(monday) {
		t.Error("no schedule has a time")
	}
}
