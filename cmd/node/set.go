package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"swarmnode/daemon/api"
	"swarmnode/daemon/client"
)

// setFlags are the options of torrents.
type setFlags struct {
	steering
	fs *pflag.FlagSet

	files, want, skip, priority listValue

	labels, addLabels, rmLabels listValue
	noLabels                    bool

	down, up     rateValue
	alone        bool
	torrentPeers wholeValue
	group        string
	rank         choiceValue
	sequential   bool
	queue        queueValue

	ratio      ratioGoal
	time, idle timeGoal

	trackers, addTrackers, rmTrackers listValue
	ownTrackers                       bool
	webSeeds                          listValue
	ownWebSeeds                       bool
	peers                             listValue
}

func setCommand() *command {
	return &command{
		name:  "set",
		args:  "TORRENT...",
		short: "change options of torrents of the daemon",
		long: `What is not given stays as it is. These flags are for the command line alone: neither
the environment nor the configuration file changes a torrent.

FILES are globs or indices, as node files shows them: '*.srt', Extras/, or 0,2-5.

` + torrentHelp,
		argsMin: 1,
		argsMax: anyNumber,
		examples: []example{
			{"node set 3 --up 500k --seed-ratio 2", "limit the upload, and stop at a ratio of 2"},
			{"node set 3 --skip 'Extras/' --priority '*.srt=high'", "choose among the files"},
			{"node set label:linux --seed-ratio none --rank low", "seed for ever, after others"},
			{"node set 3 5 --queue top --add-label urgent", "two torrents to the top of the queue"},
		},
		setup: func(fs *pflag.FlagSet) action {
			f := &setFlags{fs: fs}
			typedFlags(fs, f.register)
			f.remote.register(fs)
			return f.remote.with(f.run)
		},
	}
}

func (f *setFlags) register(fs *pflag.FlagSet) {
	f.registerFiles(fs)
	f.labels, f.addLabels = listValue{kind: "NAME"}, listValue{kind: "NAME"}
	f.rmLabels = listValue{kind: "NAME"}
	fs.Var(&f.labels, "label", "labels in place of those that it has; may be repeated")
	fs.Var(&f.addLabels, "add-label", "another label; may be repeated")
	fs.Var(&f.rmLabels, "rm-label", "a label that it loses; may be repeated")
	fs.BoolVar(&f.noLabels, "no-labels", false, "it loses all labels")
	fs.Var(&f.down, "down", "its own download limit; 0 for none")
	fs.Var(&f.up, "up", "its own upload limit; 0 for none")
	fs.BoolVar(&f.alone, "alone", false, "the limits of the daemon do not count for it")
	fs.Var(&f.torrentPeers, "torrent-peers", "the most connections; 0 for the usual number")
	fs.StringVar(&f.group, "group", "", "`NAME` of the group whose limits it shares; empty for "+
		"none")
	f.rank = choiceValue{"normal", ranks}
	fs.Var(&f.rank, "rank", "who gets the bandwidth first")
	fs.BoolVar(&f.sequential, "sequential", false, "fetch from the first piece to the last")
	fs.Var(&f.queue, "queue", "place in the queue: a number from 1, or a word")
	fs.Var(&f.ratio, "seed-ratio", "stop after giving this many times the size; none for never, "+
		"global for what the daemon has")
	fs.Var(&f.time, "seed-time", "stop after seeding for so long; none or global")
	fs.Var(&f.idle, "seed-idle", "stop after giving nothing for so long; none or global")
	f.registerSources(fs)
}

// registerFiles adds the flags that choose files.
func (f *setFlags) registerFiles(fs *pflag.FlagSet) {
	const kind = "GLOB|INDICES"
	for _, list := range []*listValue{&f.files, &f.want, &f.skip} {
		*list = listValue{kind: kind, check: checkFiles}
	}
	f.priority = listValue{kind: "FILES=PRIORITY", check: checkPriority}
	fs.Var(&f.files, "files", "fetch these files alone; may be repeated")
	fs.Var(&f.want, "want", "fetch these files as well; may be repeated")
	fs.Var(&f.skip, "skip", "do not fetch these files; may be repeated")
	fs.Var(&f.priority, "priority", "priority of files: "+strings.Join(priorities, ", ")+
		"; may be repeated")
}

// registerSources adds the flags that say where content comes from.
func (f *setFlags) registerSources(fs *pflag.FlagSet) {
	f.trackers = listValue{kind: "URL", check: checkTrackers}
	f.addTrackers = listValue{kind: "URL", check: checkTrackers}
	f.rmTrackers = listValue{kind: "URL"}
	f.webSeeds = listValue{kind: "URL", check: checkURL}
	f.peers = listValue{kind: "HOST:PORT"}
	fs.Var(&f.trackers, "tracker", "trackers in place of those that it has, several with commas "+
		"as one tier; may be repeated")
	fs.Var(&f.addTrackers, "add-tracker", "another tracker; may be repeated")
	fs.Var(&f.rmTrackers, "rm-tracker", "a tracker that is asked no more; may be repeated")
	fs.BoolVar(&f.ownTrackers, "own-trackers", false, "the trackers of the torrent or link again")
	fs.Var(&f.webSeeds, "webseed", "web seeds in place of those that it has; may be repeated")
	fs.BoolVar(&f.ownWebSeeds, "own-webseeds", false, "the web seeds of the torrent or link again")
	fs.Var(&f.peers, "peer", "peer to try; may be repeated")
}

// checkPriority checks a value of --priority.
func checkPriority(s string) error {
	_, _, err := parsePriority(s)
	return err
}

// parsePriority parses a value of --priority.
func parsePriority(s string) (chosen, int, error) {
	i := strings.LastIndexByte(s, '=')
	if i < 0 {
		return chosen{}, 0, errors.New("want FILES=PRIORITY")
	}
	level := slices.Index(priorities, s[i+1:])
	if level < 0 {
		return chosen{}, 0, fmt.Errorf("want a priority: %s", strings.Join(priorities, ", "))
	}
	files, err := parseChosen(s[:i])
	return files, level, err
}

// queueWords are the moves in the queue besides numbers.
var queueWords = []string{"top", "up", "down", "bottom"}

// A queueValue is a flag of a place in the queue.
type queueValue struct {
	word  string
	place int // from 1, if word is empty
}

func (v *queueValue) Type() string { return "N|" + strings.Join(queueWords, "|") }
func (v *queueValue) String() string {
	if v.word == "" && v.place > 0 {
		return strconv.Itoa(v.place)
	}
	return v.word
}
func (v *queueValue) Set(s string) error {
	if slices.Contains(queueWords, s) {
		*v = queueValue{word: s}
		return nil
	}
	n, err := strconv.ParseUint(s, 10, 20)
	if err != nil || n == 0 {
		return fmt.Errorf("neither a number from 1 nor one of %s", strings.Join(queueWords, ", "))
	}
	*v = queueValue{place: int(n)}
	return nil
}

// The words for goals without a number.
const (
	goalGlobal = "global"
	goalNone   = "none"
)

// goalWord returns the goal that a word stands for.
func goalWord(s string) (api.Goal, bool) {
	switch s {
	case goalGlobal:
		return api.Goal{Mode: api.GoalGlobal}, true
	case goalNone:
		return api.Goal{Mode: api.GoalNone}, true
	}
	return api.Goal{}, false
}

// A ratioGoal is a flag of a ratio, none or global.
type ratioGoal api.Goal

func (v *ratioGoal) Type() string { return "RATIO|none|global" }
func (v *ratioGoal) String() string {
	if v.Mode == api.GoalOwn {
		return strconv.FormatFloat(v.At, 'f', -1, 64)
	}
	return string(v.Mode)
}
func (v *ratioGoal) Set(s string) error {
	g, ok := goalWord(s)
	if !ok {
		n, err := strconv.ParseFloat(s, 64)
		if err != nil || !(n >= 0 && n <= 1e9) {
			return errors.New("not a ratio such as 1.5")
		}
		g = api.Goal{Mode: api.GoalOwn, At: n}
	}
	*v = ratioGoal(g)
	return nil
}

// A timeGoal is a flag of a time, none or global.
type timeGoal api.Goal

func (v *timeGoal) Type() string { return "TIME|none|global" }
func (v *timeGoal) String() string {
	if v.Mode == api.GoalOwn {
		return seconds(v.At).String()
	}
	return string(v.Mode)
}
func (v *timeGoal) Set(s string) error {
	g, ok := goalWord(s)
	if !ok {
		var d timeValue
		if err := d.Set(s); err != nil {
			return err
		}
		g = api.Goal{Mode: api.GoalOwn, At: time.Duration(d).Seconds()}
	}
	*v = timeGoal(g)
	return nil
}

// given reports whether one of some flags was given.
func (f *setFlags) given(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return f.fs.Changed(name) })
}

// check returns a failure if flags contradict each other, or none was given.
func (f *setFlags) check(c *console) error {
	for _, group := range [][]string{{"label", "no-labels"}, {"tracker", "own-trackers"},
		{"webseed", "own-webseeds"}} {
		if f.given(group[0]) && f.given(group[1]) {
			return usage(c.command, fmt.Errorf("only one of --%s and --%s can be given", group[0],
				group[1]))
		}
	}
	some := false
	f.fs.Visit(func(flag *pflag.Flag) { some = some || isTyped(flag) })
	if !some {
		return usage(c.command, errors.New("expects what to change"))
	}
	return nil
}

// set sets where to the value if a flag was given.
func set[T any](f *setFlags, name string, where **T, value T) {
	if f.given(name) {
		*where = &value
	}
}

// patch returns the changes that are the same for each torrent.
func (f *setFlags) patch() (p api.Patch, some bool) {
	set(f, "sequential", &p.Sequential, f.sequential)
	set(f, "group", &p.Group, f.group)
	set(f, "down", &p.Down, int64(f.down))
	set(f, "up", &p.Up, int64(f.up))
	set(f, "alone", &p.Alone, f.alone)
	set(f, "torrent-peers", &p.MaxPeers, int(f.torrentPeers))
	set(f, "rank", &p.Rank, slices.Index(ranks, f.rank.word)-1)
	set(f, "seed-ratio", &p.SeedRatio, api.Goal(f.ratio))
	set(f, "seed-time", &p.SeedTime, api.Goal(f.time))
	set(f, "seed-idle", &p.SeedIdle, api.Goal(f.idle))
	if !f.given("add-label", "rm-label") {
		set(f, "label", &p.Labels, f.labels.items)
		set(f, "no-labels", &p.Labels, []string{})
	}
	return p, p != api.Patch{}
}

// labelsFor returns the labels of a torrent after the change.
func (f *setFlags) labelsFor(now []string) []string {
	labels := slices.Clone(now)
	if f.given("label", "no-labels") {
		labels = slices.Clone(f.labels.items)
	}
	for _, label := range f.addLabels.items {
		if !slices.Contains(labels, label) {
			labels = append(labels, label)
		}
	}
	return slices.DeleteFunc(labels, func(label string) bool {
		return slices.Contains(f.rmLabels.items, label)
	})
}

func (f *setFlags) run(ctx context.Context, c *console, d *client.Client, args []string) error {
	if err := f.check(c); err != nil {
		return err
	}
	chosen, err := pickTorrents(ctx, c, d, args, "queue")
	if err != nil {
		return err
	}
	f.past = "changed"
	return f.apply(ctx, c, d, chosen)
}
