package daemon

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// The bounds of Options. They are above what people and programs use, and keep a record
// small.
const (
	labelsMax     = 100
	labelBytesMax = 256
	notesMax      = 64
	noteBytesMax  = 4 << 10
	groupBytesMax = 256
	dirBytesMax   = 4096
	ratioMax      = 1e9
	goalMax       = 100 * 366 * 24 * time.Hour
)

// check returns an *OptionError about the first option that is wrong.
func (o *Options) check() error {
	for _, c := range []struct {
		name string
		err  error
	}{
		{"dir", checkDir(o.Dir)},
		{"files", checkFiles(o.Files)},
		{"labels", checkLabels(o.Labels)},
		{"group", checkText(o.Group, groupBytesMax)},
		{"down", checkRate(o.Down)},
		{"up", checkRate(o.Up)},
		{"peers", checkRange(o.Peers, 0, math.MaxInt32)},
		{"rank", checkRange(o.Rank, -1, 1)},
		{"ratio", checkRatio(o.Ratio)},
		{"time", checkGoal(o.Time)},
		{"idle", checkGoal(o.Idle)},
		{"trackers", swarm.CheckTrackers(o.Trackers)},
		{"webseeds", swarm.CheckWebSeeds(o.WebSeeds)},
		{"notes", checkNotes(o.Notes)},
	} {
		if c.err != nil {
			return &OptionError{c.name, c.err}
		}
	}
	return nil
}

// checkDir checks a folder for content.
func checkDir(dir string) error {
	switch {
	case dir == "":
		return errors.New("no folder is given")
	case strings.ContainsRune(dir, 0):
		return errors.New("a path cannot have a zero byte")
	case len(dir) > dirBytesMax:
		return fmt.Errorf("a path has at most %d bytes", dirBytesMax)
	case !filepath.IsAbs(dir):
		return fmt.Errorf("%q is not an absolute path", dir)
	}
	return nil
}

func checkFiles(priorities []swarm.Priority) error {
	if len(priorities) > metainfo.FilesMax {
		return fmt.Errorf("there are %d priorities, at most %d", len(priorities),
			metainfo.FilesMax)
	}
	for _, p := range priorities {
		if p > swarm.Highest {
			return fmt.Errorf("a priority is %d, at most %d", p, swarm.Highest)
		}
	}
	return nil
}

func checkLabels(labels []string) error {
	if len(labels) > labelsMax {
		return fmt.Errorf("there are %d labels, at most %d", len(labels), labelsMax)
	}
	for _, label := range labels {
		if strings.TrimSpace(label) == "" {
			return errors.New("a label is empty")
		}
		if err := checkText(label, labelBytesMax); err != nil {
			return err
		}
	}
	return nil
}

// checkText checks what a user wrote on one line.
func checkText(s string, most int) error {
	switch {
	case len(s) > most:
		return fmt.Errorf("%q has more than %d bytes", s[:16]+"…", most)
	case !utf8.ValidString(s):
		return fmt.Errorf("%q is not UTF-8", s)
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("%q has control characters", s)
	}
	return nil
}

func checkRate(rate int64) error {
	if rate < 0 {
		return fmt.Errorf("%d is less than 0", rate)
	}
	return nil
}

func checkRange(n, least, most int) error {
	if n < least || n > most {
		return fmt.Errorf("%d is not between %d and %d", n, least, most)
	}
	return nil
}

func checkRatio(g Goal[float64]) error {
	if g.Mode == GoalOwn && !(g.At >= 0 && g.At <= ratioMax) { // NaN is refused, too
		return fmt.Errorf("%v is not between 0 and %v", g.At, ratioMax)
	}
	return checkRange(int(g.Mode), int(GoalGlobal), int(GoalNone))
}

func checkGoal(g Goal[time.Duration]) error {
	if g.Mode == GoalOwn && (g.At < 0 || g.At > goalMax) {
		return fmt.Errorf("%v is not between 0 and %v", g.At, goalMax)
	}
	return checkRange(int(g.Mode), int(GoalGlobal), int(GoalNone))
}

func checkNotes(notes map[string]string) error {
	if len(notes) > notesMax {
		return fmt.Errorf("there are %d notes, at most %d", len(notes), notesMax)
	}
	for key, note := range notes {
		if len(key) > labelBytesMax || len(note) > noteBytesMax {
			return fmt.Errorf("a note has at most %d bytes", noteBytesMax)
		}
	}
	return nil
}

// clone returns a copy that shares nothing.
func (o *Options) clone() Options {
	c := *o
	c.Files, c.Labels, c.WebSeeds = slices.Clone(o.Files), slices.Clone(o.Labels),
		slices.Clone(o.WebSeeds)
	c.Trackers = cloneTiers(o.Trackers)
	c.Notes = maps.Clone(o.Notes)
	return c
}

// cloneTiers returns a copy of tiers of trackers; nil stays nil.
func cloneTiers(tiers [][]string) [][]string {
	if tiers == nil {
		return nil
	}
	c := make([][]string, len(tiers))
	for i := range tiers {
		c[i] = slices.Clone(tiers[i])
	}
	return c
}
