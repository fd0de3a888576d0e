package transmission

import (
	"fmt"
	"strings"

	"swarmnode/daemon"
)

const (
	// altDefault is the number of the alternative limits, in kB/s, that nobody has set.
	altDefault = 50
	// The times between which a schedule has them, in minutes since midnight, and its days,
	// that nobody has set.
	beginDefault = 9 * 60
	endDefault   = 17 * 60
	daysDefault  = 127

	minutesOfDay = 24 * 60
)

// scheduleSettings are the alternative limits and when they are in force. Clients know one
// span of time on some days of the week. A schedule of several spans is shown by its first
// one, and replaced when a client changes it.
var scheduleSettings = []setting{
	altLimit("alt-speed-down", "alt_speed_down",
		func(s *daemon.Settings) *int64 { return &s.AltDown }),
	altLimit("alt-speed-up", "alt_speed_up",
		func(s *daemon.Settings) *int64 { return &s.AltUp }),
	settable("alt-speed-enabled", "alt_speed_enabled",
		func(w *writer, s *session) { w.bool(s.all.Alt || s.all.AltAt(s.h.now())) },
		func(_ *call, v value) (func(s *daemon.Settings), error) {
			is, ok := v.truth()
			if !ok {
				return nil, nil
			}
			return func(s *daemon.Settings) {
				s.Alt = is
				if is {
					setAltLimits(s)
				}
			}, nil
		}),
	scheduleNumber("alt-speed-time-begin", "alt_speed_time_begin", minutesOfDay-1,
		func(t *span) *int { return &t.begin }),
	scheduleNumber("alt-speed-time-end", "alt_speed_time_end", minutesOfDay,
		func(t *span) *int { return &t.end }),
	scheduleNumber("alt-speed-time-day", "alt_speed_time_day", daysDefault,
		func(t *span) *int { return &t.days }),
	settable("alt-speed-time-enabled", "alt_speed_time_enabled",
		func(w *writer, s *session) { w.bool(s.all.AltSchedule != "") },
		func(_ *call, v value) (func(s *daemon.Settings), error) {
			on, ok := v.truth()
			if !ok {
				return nil, nil
			}
			return func(s *daemon.Settings) {
				t := spanOf(s)
				setSpan(s, t)
				s.AltSchedule = ""
				if on {
					s.AltSchedule = t.String()
					setAltLimits(s)
				}
			}, nil
		}),
}

// altLimit returns an alternative limit. It has no switch of its own: 0 lets next to nothing
// through, as bytesOf says.
func altLimit(legacyName, modernName string, of func(s *daemon.Settings) *int64) setting {
	return settable(legacyName, modernName,
		func(w *writer, s *session) {
			if s.all.AltDown == 0 && s.all.AltUp == 0 {
				w.int(altDefault)
				return
			}
			w.int(*of(&s.all) / speedUnit)
		},
		func(_ *call, v value) (func(s *daemon.Settings), error) {
			n, ok := v.within(0, speedMax)
			if !ok {
				return nil, nil
			}
			return func(s *daemon.Settings) {
				setAltLimits(s)
				*of(s) = bytesOf(n)
			}, nil
		})
}

// setAltLimits sets the alternative limits to what clients show, if nobody has set any.
func setAltLimits(s *daemon.Settings) {
	if s.AltDown == 0 && s.AltUp == 0 {
		s.AltDown, s.AltUp = altDefault*speedUnit, altDefault*speedUnit
	}
}

// A span is a time of some days. The bits of days begin with Sunday.
type span struct{ begin, end, days int }

// spanNote is the name of the note that has the span of a schedule that is switched off.
const spanNote = "alt_speed_time"

// spanOf returns the first span of the schedule, or else the one that was set last.
func spanOf(s *daemon.Settings) span {
	if first, ok := daemon.FirstSpan(s.AltSchedule); ok {
		t := span{begin: first.From, end: first.To}
		for day, is := range first.Days {
			if is {
				t.days |= 1 << day
			}
		}
		return t
	}
	t := span{beginDefault, endDefault, daysDefault}
	var kept span
	_, err := fmt.Sscanf(s.Notes[notePrefix+spanNote], "%d %d %d", &kept.begin, &kept.end,
		&kept.days)
	if err == nil && kept.valid() {
		t = kept
	}
	return t
}

func (t span) valid() bool {
	return t.begin >= 0 && t.begin < minutesOfDay && t.end >= 0 && t.end <= minutesOfDay &&
		t.days >= 0 && t.days <= daysDefault
}

// setSpan changes the span of the schedule, which stays switched off if it is.
func setSpan(s *daemon.Settings, t span) {
	if s.AltSchedule != "" {
		s.AltSchedule = t.String()
	}
	setNote(&s.Notes, spanNote, fmt.Sprintf("%d %d %d", t.begin, t.end, t.days))
}

// String returns the span as a schedule of Settings. One without days has none.
func (t span) String() string {
	var days []string
	for day, name := range []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} {
		if t.days>>day&1 != 0 {
			days = append(days, name)
		}
	}
	if len(days) == 0 {
		return ""
	}
	return fmt.Sprintf("%s %02d:%02d-%02d:%02d", strings.Join(days, ","), t.begin/60, t.begin%60,
		t.end/60, t.end%60)
}

// scheduleNumber returns a number of the span.
func scheduleNumber(legacyName, modernName string, high float64, of func(t *span) *int) setting {
	return settable(legacyName, modernName,
		func(w *writer, s *session) {
			t := spanOf(&s.all)
			w.int(int64(*of(&t)))
		},
		func(_ *call, v value) (func(s *daemon.Settings), error) {
			n, ok := v.within(0, high)
			if !ok {
				return nil, nil
			}
			return func(s *daemon.Settings) {
				t := spanOf(s)
				*of(&t) = int(n)
				setSpan(s, t)
			}, nil
		})
}
