package daemon

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// scheduleMax bounds the spans of a schedule.
const scheduleMax = 64

// A schedule is a set of times of the week, such as that of Settings.AltSchedule. The zero
// schedule has none.
type schedule []span

// A span is a time of some days. It goes on after midnight if it does not end after it began;
// its day is the one on which it began.
type span struct {
	days     [7]bool // from time.Sunday
	from, to int     // minutes since midnight; to is not part of it
}

// dayNames are the days of a schedule, from time.Sunday.
var dayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

const minutesOfDay = 24 * 60

// parseSchedule reads a schedule: spans such as "mon-fri 08:00-18:30", separated by ";". Days
// are names of three letters, alone, as ranges, or several of them separated by ","; without
// days, a span is for each day. "22:00-06:00" ends on the next day, and a span that ends when
// it begins lasts for 24 hours.
func parseSchedule(text string) (schedule, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	parts := strings.Split(text, ";")
	if len(parts) > scheduleMax {
		return nil, fmt.Errorf("has %d times, at most %d are allowed", len(parts), scheduleMax)
	}
	var all schedule
	for _, part := range parts {
		s, err := parseSpan(part)
		if err != nil {
			return nil, fmt.Errorf("%q: %w; want times such as %q", strings.TrimSpace(part), err,
				"mon-fri 08:00-18:30; sat,sun 22:00-06:00")
		}
		all = append(all, s)
	}
	return all, nil
}

// parseSpan reads one span.
func parseSpan(text string) (s span, err error) {
	words := strings.Fields(strings.ToLower(text))
	switch len(words) {
	case 1:
		words = []string{"sun-sat", words[0]}
	case 2:
	default:
		return s, errors.New("is not days and a time")
	}
	for part := range strings.SplitSeq(words[0], ",") {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		from, to := slices.Index(dayNames, first), slices.Index(dayNames, last)
		if from < 0 || to < 0 {
			return s, fmt.Errorf("%q is not a day", part)
		}
		for day := from; ; day = (day + 1) % len(s.days) {
			s.days[day] = true
			if day == to {
				break
			}
		}
	}
	from, to, ok := strings.Cut(words[1], "-")
	if !ok {
		return s, fmt.Errorf("%q is not a time from and to", words[1])
	}
	if s.from, err = parseMinute(from); err != nil {
		return s, err
	}
	if s.from == minutesOfDay {
		return s, errors.New("24:00 is the end of a day")
	}
	s.to, err = parseMinute(to)
	return s, err
}

// parseMinute reads a time of the day, up to 24:00, in minutes since midnight.
func parseMinute(text string) (minute int, err error) {
	hours, minutes, ok := strings.Cut(text, ":")
	h, okH := twoDigits(hours)
	m, okM := twoDigits(minutes)
	minute = h*60 + m
	if !ok || !okH || !okM || m > 59 || minute > minutesOfDay {
		return 0, fmt.Errorf("%q is not a time", text)
	}
	return minute, nil
}

// twoDigits reads a number of one or two digits.
func twoDigits(text string) (n int, ok bool) {
	if len(text) == 0 || len(text) > 2 {
		return 0, false
	}
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// has reports whether the time is in the schedule, by the clock of its time zone. An hour that
// comes twice, as at the end of daylight saving time, is in it both times or not at all.
func (s schedule) has(t time.Time) bool {
	minute := t.Hour()*60 + t.Minute()
	today := t.Weekday()
	yesterday := (today + 6) % 7
	for i := range s {
		x := &s[i]
		overMidnight := x.to <= x.from
		switch {
		case x.days[today] && minute >= x.from && (minute < x.to || overMidnight),
			x.days[yesterday] && overMidnight && minute < x.to:
			return true
		}
	}
	return false
}
