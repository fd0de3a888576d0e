package daemon

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"swarmnode/daemon/hook"
	"swarmnode/swarm"
)

// The bounds of Settings. They are above what people use, and keep the file of changes small.
const (
	rootsMax      = 100
	blocklistsMax = 100
	listBytesMax  = 4096    // of the name of a blocklist
	countMax      = 1 << 20 // of torrents or connections
	rateMax       = 1 << 50 // bytes per second
)

// check returns a *SettingError about the first setting that is wrong.
func (s *Settings) check() error {
	for _, c := range []struct {
		name string
		err  error
	}{
		{"dir", checkDir(s.Dir)},
		{"incomplete-dir", checkOptional(s.IncompleteDir)},
		{"root", checkEach(s.Roots, rootsMax, checkDir)},
		{"watch", checkWatch(s.Watch)},
		{"down", checkLimit(s.Down)},
		{"up", checkLimit(s.Up)},
		{"alt-down", checkLimit(s.AltDown)},
		{"alt-up", checkLimit(s.AltUp)},
		{"alt-schedule", checkSchedule(s.AltSchedule)},
		{"max-peers", checkRange(s.Peers, 0, countMax)},
		{"torrent-peers", checkRange(s.TorrentPeers, 0, countMax)},
		{"port", checkRange(s.Port, 0, math.MaxUint16)},
		{"queue-downloads", checkRange(s.QueueDown, 0, countMax)},
		{"queue-seeds", checkRange(s.QueueSeed, 0, countMax)},
		{"queue-stalled", checkTime(s.QueueStalled)},
		{"seed-ratio", checkRatio(Goal[float64]{GoalOwn, s.SeedRatio})},
		{"seed-time", checkTime(s.SeedTime)},
		{"seed-idle", checkTime(s.SeedIdle)},
		{"default-tracker", checkDefaultTrackers(s.Trackers)},
		{"min-free", checkLimit(s.MinFree)},
		{"on-added", hook.Check(s.OnAdded)},
		{"on-complete", hook.Check(s.OnComplete)},
		{"on-error", hook.Check(s.OnError)},
		{"blocklist", checkEach(s.Blocklists, blocklistsMax, checkListName)},
		{"groups", checkGroups(s.Groups)},
		{"notes", checkNotes(s.Notes)},
	} {
		if c.err != nil {
			return &SettingError{c.name, c.err}
		}
	}
	return nil
}

// Check says what is wrong with the settings, by a *SettingError.
func (s *Settings) Check() error { return s.check() }

// checkOptional checks a folder that may be missing.
func checkOptional(dir string) error {
	if dir == "" {
		return nil
	}
	return checkDir(dir)
}

// checkEach checks the items of a list.
func checkEach(items []string, most int, check func(string) error) error {
	if len(items) > most {
		return fmt.Errorf("there are %d, at most %d", len(items), most)
	}
	for _, item := range items {
		if err := check(item); err != nil {
			return err
		}
	}
	return nil
}

// checkLimit checks a number of bytes, or of bytes per second.
func checkLimit(n int64) error {
	if n < 0 || n > rateMax {
		return fmt.Errorf("%d is not between 0 and %d", n, int64(rateMax))
	}
	return nil
}

// checkTime checks a duration; 0 switches off what it is for.
func checkTime(d time.Duration) error {
	if d < 0 || d > goalMax {
		return fmt.Errorf("%v is not between 0 and %v", d, goalMax)
	}
	return nil
}

// checkSchedule checks the times of the alternative limits.
func checkSchedule(text string) error {
	_, err := parseSchedule(text)
	return err
}

// checkDefaultTrackers checks the URLs of trackers.
func checkDefaultTrackers(urls []string) error { return swarm.CheckTrackers([][]string{urls}) }

// checkListName checks the name of a blocklist.
func checkListName(name string) error {
	switch {
	case name == "":
		return errors.New("names no file")
	case len(name) > listBytesMax:
		return fmt.Errorf("the name of a list has at most %d bytes", listBytesMax)
	case strings.ContainsRune(name, 0):
		return errors.New("a path cannot have a zero byte")
	}
	return nil
}
