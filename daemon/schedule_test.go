package daemon

import (
	"strings"
	"testing"
	"time"
)

func TestSchedule(t *testing.T) {
	for _, c := range []struct {
		text, in, out string // times such as "mon 08:00", separated by ","
	}{
		{"mon-fri 08:00-18:30", "mon 08:00,fri 18:29,wed 12:00", "mon 07:59,fri 18:30,sat 12:00"},
		{"sat,sun 10:00-11:00", "sat 10:30,sun 10:30", "mon 10:30,fri 10:30"},
		{"22:00-06:00", "mon 22:00,tue 05:59,sun 23:59,mon 00:00", "mon 21:59,tue 06:00"},
		{"sat 22:00-06:00", "sat 22:00,sun 05:59", "sat 05:59,sun 22:00,sun 06:00"},
		{"sun 08:00-08:00", "sun 08:00,mon 07:59", "sun 07:59,mon 08:00"},
		{"fri-mon 00:00-24:00", "fri 00:00,mon 23:59,sun 12:00", "tue 00:00,thu 23:59"},
		{"mon 8:00-9:00 ; TUE 10:00-11:00", "mon 08:30,tue 10:30", "mon 10:30,tue 08:30"},
		{"", "", "mon 00:00"},
	} {
		s, err := parseSchedule(c.text)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		for _, at := range times(t, c.in) {
			if !s.has(at) {
				t.Errorf("%q has not %s", c.text, at.Format("Mon 15:04"))
			}
		}
		for _, at := range times(t, c.out) {
			if s.has(at) {
				t.Errorf("%q has %s", c.text, at.Format("Mon 15:04"))
			}
		}
	}
}

// times returns times of a week.
func times(t *testing.T, list string) (all []time.Time) {
	t.Helper()
	for text := range strings.SplitSeq(list, ",") {
		if text == "" {
			continue
		}
		day, clock, _ := strings.Cut(text, " ")
		at, err := time.Parse("15:04", clock)
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range dayNames { // 1 March 2026 is a Sunday
			if name == day {
				all = append(all, time.Date(2026, 3, 1+i, at.Hour(), at.Minute(), 0, 0, time.UTC))
			}
		}
	}
	return all
}

// The clock on the wall decides when it is put forward or back.
func TestScheduleAtChangesOfTheClock(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zones here:", err)
	}
	count := func(text string, day time.Time) (minutes int) {
		s, err := parseSchedule(text)
		if err != nil {
			t.Fatal(err)
		}
		for at := day; at.Before(day.Add(30 * time.Hour)); at = at.Add(time.Minute) {
			if s.has(at) {
				minutes++
			}
		}
		return minutes
	}
	spring := time.Date(2026, 3, 29, 0, 0, 0, 0, berlin) // 02:00 becomes 03:00
	autumn := time.Date(2026, 10, 25, 0, 0, 0, 0, berlin)
	for _, c := range []struct {
		text string
		day  time.Time
		want int
	}{
		{"sun 01:00-04:00", spring, 120},
		{"sun 02:00-03:00", spring, 0},
		{"sun 02:30-03:30", spring, 30},
		{"sun 01:00-04:00", autumn, 240},
		{"sun 02:00-03:00", autumn, 120},
		{"sun 00:00-24:00", spring, 23 * 60},
	} {
		if got := count(c.text, c.day); got != c.want {
			t.Errorf("%q on %s: %d minutes, want %d", c.text, c.day.Format(time.DateOnly), got,
				c.want)
		}
	}
}

var badSchedules = []string{
	"mon", "mon-fri", "08:00", "mon 08:00", "mon 08:00-", "mon 8-9", "mon 08:60-09:00",
	"mon 25:00-26:00", "mon 24:00-01:00", "mon 24:01-25:00", "mum 08:00-09:00", "mon- 08:00-09:00",
	"mon,,tue 08:00-09:00", "mon 08:00-09:00 tue", "mon 08:00-09:00;", ";", "mon 008:00-09:00",
	"mon +8:00-09:00", "mon 08:00-09:00-10:00", strings.Repeat("08:00-09:00;", scheduleMax+1),
}

func TestBadSchedules(t *testing.T) {
	for _, text := range badSchedules {
		if s, err := parseSchedule(text); err == nil {
			t.Errorf("%q is taken as %+v", text, s)
		}
	}
}

func FuzzSchedule(f *testing.F) {
	f.Add("mon-fri 08:00-18:30; sat,sun 22:00-06:00")
	f.Add("22:00-06:00")
	for _, text := range badSchedules {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseSchedule(text)
		if err != nil {
			return
		}
		for i := range s {
			if s[i].from < 0 || s[i].from >= minutesOfDay || s[i].to < 0 || s[i].to > minutesOfDay {
				t.Errorf("%q: a day has no such minutes: %+v", text, s[i])
			}
			if s[i].days == [7]bool{} {
				t.Errorf("%q: a span has no day", text)
			}
		}
		week := false
		for minute := range 7 * minutesOfDay {
			week = week || s.has(noon.Add(time.Duration(minute)*time.Minute))
		}
		if len(s) > 0 && !week {
			t.Errorf("%q is never", text)
		}
	})
}
