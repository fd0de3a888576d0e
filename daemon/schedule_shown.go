package daemon

import "time"

// A ScheduleSpan is one time of a schedule such as Settings.AltSchedule. It ends on the next
// day if it does not end after it began.
type ScheduleSpan struct {
	Days     [7]bool // on which it begins, from time.Sunday
	From, To int     // minutes since midnight
}

// FirstSpan returns the first time of a schedule, and false if it has none or is wrong.
func FirstSpan(text string) (ScheduleSpan, bool) {
	s, err := parseSchedule(text)
	if err != nil || len(s) == 0 {
		return ScheduleSpan{}, false
	}
	return ScheduleSpan{s[0].days, s[0].from, s[0].to}, true
}

// AltAt reports whether AltSchedule has the time.
func (s *Settings) AltAt(t time.Time) bool {
	schedule, err := parseSchedule(s.AltSchedule)
	return err == nil && schedule.has(t)
}
