package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"swarmnode/daemon/client"
)

// limitFlags are the limits of all torrents of a daemon together. Each has the name of its
// setting.
type limitFlags struct {
	remote         remoteFlags
	fs             *pflag.FlagSet
	down, up       rateValue
	altDown, altUp rateValue
	alt            bool
	noAlt          bool
	altSchedule    timesValue
	group          groupFlags

	maxPeers, torrentPeers     wholeValue
	queueDownloads, queueSeeds wholeValue
	queueStalled               timeValue
	seedRatio                  ratioGoal
	seedTime, seedIdle         timeValue
}

func limitCommand() *command {
	return &command{
		name:  "limit",
		short: "show or change the limits of the daemon for all torrents together",
		long: `Without flags the limits are shown. What is changed outlives the daemon, until the
configuration file says something new about it. These flags are for the command line
alone; limits of one torrent are changed by node set.

With --group they are those of a group: of all torrents together that node set --group
has put into it.`,
		examples: []example{
			{"node limit", "show all limits"},
			{"node limit --down 2M --up 500k", "change two of them"},
			{"node limit --alt", "use the alternative limits now"},
			{"node limit --alt-schedule 'mon-fri 08:00-18:30'", "use them at these times"},
			{"node limit --no-alt --alt-schedule none", "use them no more"},
			{"node limit --group films --down 1M", "1 MiB/s for all torrents of a group together"},
			{"node limit --groups", "list the groups that have limits"},
			{"node limit --rm-group films", "the group has no limits any more"},
		},
		setup: func(fs *pflag.FlagSet) action {
			f := &limitFlags{fs: fs}
			typedFlags(fs, f.register)
			f.remote.register(fs)
			return f.remote.with(f.run)
		},
	}
}

func (f *limitFlags) register(fs *pflag.FlagSet) {
	fs.Var(&f.down, "down", "download limit; 0 for none")
	fs.Var(&f.up, "up", "upload limit; 0 for none")
	fs.Var(&f.altDown, "alt-down", "download limit while the alternative ones are in force")
	fs.Var(&f.altUp, "alt-up", "upload limit while the alternative ones are in force")
	fs.BoolVar(&f.alt, "alt", false, "use the alternative limits")
	fs.BoolVar(&f.noAlt, "no-alt", false, "use the alternative limits at their times alone")
	fs.Var(&f.altSchedule, "alt-schedule", "use them at these times, as in "+
		"\"mon-fri 08:00-18:30; sat 10:00-12:00\"; none for no times")
	fs.Var(&f.maxPeers, "max-peers", "the most connections; 0 for the usual number")
	fs.Var(&f.torrentPeers, "torrent-peers", "the most connections of a torrent; 0 for the usual "+
		"number")
	fs.Var(&f.queueDownloads, "queue-downloads", "torrents that download at one time; 0 for all")
	fs.Var(&f.queueSeeds, "queue-seeds", "torrents that seed at one time; 0 for all")
	fs.Var(&f.queueStalled, "queue-stalled", "a torrent that has moved nothing for so long does "+
		"not count; 0: each counts")
	fs.Var(&f.seedRatio, "seed-ratio", "stop a torrent that has given this many times its size; "+
		"none for never")
	fs.Var(&f.seedTime, "seed-time", "stop a torrent that has seeded for so long; 0 for never")
	fs.Var(&f.seedIdle, "seed-idle", "stop a seed that has given nothing for so long; 0 for never")
	f.group.register(fs)
}

// A limit is a setting that is a limit.
type limit struct {
	name  string
	text  func(v any) string
	value func(f *limitFlags) any
}

// limits are all limits, in the order in which they are shown.
var limits = []limit{
	{"down", rateText, func(f *limitFlags) any { return int64(f.down) }},
	{"up", rateText, func(f *limitFlags) any { return int64(f.up) }},
	{"alt-down", rateText, func(f *limitFlags) any { return int64(f.altDown) }},
	{"alt-up", rateText, func(f *limitFlags) any { return int64(f.altUp) }},
	{"alt", switchText, func(f *limitFlags) any { return f.alt }},
	{"alt-schedule", stringText, func(f *limitFlags) any { return string(f.altSchedule) }},
	{"max-peers", peersText, func(f *limitFlags) any { return int(f.maxPeers) }},
	{"torrent-peers", peersText, func(f *limitFlags) any { return int(f.torrentPeers) }},
	{"queue-downloads", allText, func(f *limitFlags) any { return int(f.queueDownloads) }},
	{"queue-seeds", allText, func(f *limitFlags) any { return int(f.queueSeeds) }},
	{"queue-stalled", lastingText, func(f *limitFlags) any { return inSeconds(f.queueStalled) }},
	{"seed-ratio", ratioText, func(f *limitFlags) any { return f.seedRatio.At }},
	{"seed-time", lastingText, func(f *limitFlags) any { return inSeconds(f.seedTime) }},
	{"seed-idle", lastingText, func(f *limitFlags) any { return inSeconds(f.seedIdle) }},
}

func inSeconds(d timeValue) float64 { return time.Duration(d).Seconds() }

// numberOf returns a value of a setting that is a number, 0 for others.
func numberOf(v any) float64 {
	n, _ := v.(float64)
	return n
}

// The texts of values, for people.

func rateText(v any) string {
	if numberOf(v) == 0 {
		return "none"
	}
	return formatRate(int64(numberOf(v)))
}

func switchText(v any) string {
	if on, _ := v.(bool); on {
		return "in force"
	}
	return "not in force"
}

func stringText(v any) string {
	s, _ := v.(string)
	if s == "" {
		return "none"
	}
	return s
}

func peersText(v any) string {
	if numberOf(v) == 0 {
		return "the usual number"
	}
	return strconv.Itoa(int(numberOf(v)))
}

func allText(v any) string {
	if numberOf(v) == 0 {
		return "all"
	}
	return strconv.Itoa(int(numberOf(v)))
}

func lastingText(v any) string {
	if numberOf(v) == 0 {
		return "none"
	}
	return formatDuration(seconds(numberOf(v)))
}

func ratioText(v any) string {
	if numberOf(v) == 0 {
		return "none"
	}
	return strconv.FormatFloat(numberOf(v), 'f', -1, 64)
}

// limit: a limit of the daemon.
type limitEvent struct {
	Name  string `json:"name"`
	Value any    `json:"value"`
}

func (f *limitFlags) run(ctx context.Context, c *console, d *client.Client, args []string) error {
	if f.seedRatio.Mode == goalGlobal {
		return usage(c.command, errors.New("--seed-ratio global is for single torrents"))
	}
	if f.given("alt") && f.given("no-alt") {
		return usage(c.command, errors.New("only one of --alt and --no-alt can be given"))
	}
	if err := f.checkGroups(c); err != nil {
		return err
	}
	if f.onGroups() {
		return f.runGroups(ctx, c, d)
	}
	changes := make(client.Settings)
	for _, l := range limits {
		if f.given(l.name) {
			changes[l.name] = l.value(f)
		}
	}
	if f.given("no-alt") {
		changes["alt"] = !f.noAlt
	}
	var settings client.Settings
	var err error
	if len(changes) > 0 {
		settings, err = d.Change(ctx, changes)
	} else {
		settings, err = d.Settings(ctx)
	}
	if err != nil {
		return err
	}
	for _, l := range limits {
		if v, ok := settings[l.name]; ok {
			c.event("limit", limitEvent{l.name, v})
		}
	}
	if len(changes) > 0 {
		var names []string
		for _, l := range limits {
			if _, ok := changes[l.name]; ok {
				names = append(names, fmt.Sprintf("%s %s", l.name, l.text(settings[l.name])))
			}
		}
		c.note("%s", strings.Join(names, ", "))
		return nil
	}
	width := 0
	for _, l := range limits {
		width = max(width, len(l.name))
	}
	for _, l := range limits {
		c.result(fmt.Sprintf("%-*s  %s", width, l.name, escape(l.text(settings[l.name]))))
	}
	return nil
}
