package main

import (
	"encoding/json"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"swarmnode/daemon"
	"swarmnode/metainfo/weburl"
)

// The defaults of the daemon's settings.
const (
	queueDownloadsDefault = 5
	queueStalledDefault   = 30 * time.Minute
	altRateDefault        = 50 << 10
	minFreeDefault        = 256 << 20
)

// daemonFlags are the flags of the daemon. Those that are Settings have the same names.
type daemonFlags struct {
	fs      *pflag.FlagSet
	engine  engineFlags
	control controlFlags
	rpc     rpcFlags
	metrics metricsFlags

	dir, incomplete string
	roots, watch    listValue

	altDown, altUp rateValue
	alt            bool
	altSchedule    timesValue

	queueDownloads, queueSeeds wholeValue
	queueStalled               timeValue

	seedRatio          ratioValue
	seedTime, seedIdle timeValue

	addPaused bool
	trackers  listValue
	minFree   sizeValue

	onAdded, onComplete, onError commandValue

	noPEX bool
}

func (f *daemonFlags) register(fs *pflag.FlagSet) {
	f.fs = fs
	fs.StringVarP(&f.dir, "dir", "d", "",
		"`FOLDER` for content (default: that of the user for downloads)")
	fs.StringVar(&f.incomplete, "incomplete-dir", "",
		"`FOLDER` for content until it is complete (default: that of --dir)")
	f.roots = listValue{kind: "FOLDER"}
	fs.Var(&f.roots, "root",
		"folder below which front ends may put content, besides --dir; may be repeated")
	f.watch = listValue{kind: "FOLDER[=DIR]"}
	fs.Var(&f.watch, "watch", "folder from which .torrent and .magnet files are added, with the "+
		"content in DIR; may be repeated")
	f.control.register(fs)
	f.rpc.register(fs)
	f.metrics.register(fs)
	f.registerPolicy(fs)
	f.engine.register(fs)
	fs.BoolVar(&f.noPEX, "no-pex", false, "do not exchange addresses of peers with peers")
}

// registerPolicy adds the flags that say which torrents run, and how fast.
func (f *daemonFlags) registerPolicy(fs *pflag.FlagSet) {
	f.altDown, f.altUp = altRateDefault, altRateDefault
	fs.Var(&f.altDown, "alt-down", "download limit while the alternative limits are in force")
	fs.Var(&f.altUp, "alt-up", "upload limit while the alternative limits are in force")
	fs.BoolVar(&f.alt, "alt", false, "use the alternative limits")
	fs.Var(&f.altSchedule, "alt-schedule", "use the alternative limits at these times, as in "+
		"\"mon-fri 08:00-18:30; sat 10:00-12:00\", or none")
	f.queueDownloads, f.queueStalled = queueDownloadsDefault, timeValue(queueStalledDefault)
	fs.Var(&f.queueDownloads, "queue-downloads", "torrents that download at one time; 0 for all")
	fs.Var(&f.queueSeeds, "queue-seeds", "torrents that seed at one time; 0 for all")
	fs.Var(&f.queueStalled, "queue-stalled",
		"a torrent that has moved nothing for so long does not count in the queue; 0: each counts")
	fs.Var(&f.seedRatio, "seed-ratio", "stop a torrent that has given this many times its size; "+
		"0: never")
	fs.Var(&f.seedTime, "seed-time", "stop a torrent that has seeded for so long; 0: never")
	fs.Var(&f.seedIdle, "seed-idle", "stop a seed that has given nothing for so long; 0: never")
	fs.BoolVar(&f.addPaused, "add-paused", false, "add torrents without starting them")
	f.trackers = listValue{kind: "URL", check: checkURL}
	fs.Var(&f.trackers, "default-tracker",
		"tracker for torrents that are not private; may be repeated")
	f.minFree = minFreeDefault
	fs.Var(&f.minFree, "min-free", "space that downloads leave free on a file system")
	fs.Var(&f.onAdded, "on-added", "program to run when a torrent was added; see docs/daemon.md "+
		"for what it is told")
	fs.Var(&f.onComplete, "on-complete", "program to run when a torrent is complete")
	fs.Var(&f.onError, "on-error", "program to run when a torrent has an error")
}

// settings returns what the flags say. A relative path begins at the current folder.
func (f *daemonFlags) settings(getenv func(string) (string, bool), state string) (
	daemon.Settings, error) {
	s := daemon.Settings{
		Down: int64(f.engine.down), Up: int64(f.engine.up),
		AltDown: int64(f.altDown), AltUp: int64(f.altUp), Alt: f.alt,
		AltSchedule: string(f.altSchedule),
		Peers:       int(f.engine.peersMax), TorrentPeers: int(f.engine.torrentPeers),
		Port:      int(f.engine.listen.port.port),
		QueueDown: int(f.queueDownloads), QueueSeed: int(f.queueSeeds),
		QueueStalled: time.Duration(f.queueStalled), SeedRatio: float64(f.seedRatio),
		SeedTime: time.Duration(f.seedTime), SeedIdle: time.Duration(f.seedIdle),
		AddPaused: f.addPaused, Trackers: f.trackers.items, MinFree: int64(f.minFree),
		OnAdded: f.onAdded, OnComplete: f.onComplete, OnError: f.onError,
		DHT: !f.engine.noDHT, PEX: !f.noPEX, LSD: !f.engine.noLSD,
	}
	var err error
	whole := func(path string) string {
		if path == "" {
			return ""
		}
		abs, e := filepath.Abs(path)
		if e != nil {
			err = fail(exitDisk, path, e)
		}
		return abs
	}
	dir := f.dir
	if dir == "" {
		dir = defaultDownloads(getenv, state)
	}
	s.Dir, s.IncompleteDir = whole(dir), whole(f.incomplete)
	for _, root := range f.roots.items {
		s.Roots = append(s.Roots, whole(root))
	}
	for _, entry := range f.watch.items {
		folder, dir, both := strings.Cut(entry, "=")
		if entry = whole(folder); both {
			entry += "=" + whole(dir)
		}
		s.Watch = append(s.Watch, entry)
	}
	for _, list := range f.engine.block.lists.items {
		if weburl.Scheme(list) == "" {
			list = whole(list)
		}
		s.Blocklists = append(s.Blocklists, list)
	}
	return s, err
}

// pinned returns the names of the settings that the command line or the environment gives.
func (f *daemonFlags) pinned() (names []string) {
	for _, name := range daemon.SettingNames() {
		if flag := flagOf(f.fs, name); flag != nil && isPinned(flag) {
			names = append(names, name)
		}
	}
	return names
}

// A wholeValue is a flag of a number from 0 on.
type wholeValue int

func (v *wholeValue) Type() string   { return "N" }
func (v *wholeValue) String() string { return strconv.Itoa(int(*v)) }
func (v *wholeValue) Set(s string) error {
	n, err := strconv.ParseUint(s, 10, 20)
	if err != nil {
		return errors.New("not a number from 0 to 1048575")
	}
	*v = wholeValue(n)
	return nil
}

// A sizeValue is a flag of a number of bytes.
type sizeValue int64

func (v *sizeValue) Type() string   { return "SIZE" }
func (v *sizeValue) String() string { return compactBytes(int64(*v)) }
func (v *sizeValue) Set(s string) error {
	n, err := parseBytes(s)
	if err != nil {
		return err
	}
	*v = sizeValue(n)
	return nil
}

// A ratioValue is a flag of a number that is not negative, with a fraction.
type ratioValue float64

func (v *ratioValue) Type() string   { return "RATIO" }
func (v *ratioValue) String() string { return strconv.FormatFloat(float64(*v), 'f', -1, 64) }
func (v *ratioValue) Set(s string) error {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || n < 0 || math.IsInf(n, 0) || math.IsNaN(n) {
		return errors.New("not a ratio such as 1.5")
	}
	*v = ratioValue(n)
	return nil
}

// A timesValue is a flag of times of the week, which the daemon checks. None are the empty text.
type timesValue string

func (v *timesValue) Type() string   { return "TIMES" }
func (v *timesValue) String() string { return string(*v) }
func (v *timesValue) Set(s string) error {
	if s == noTimes {
		s = ""
	}
	*v = timesValue(s)
	return nil
}

// noTimes is the word for no times at all.
const noTimes = "none"

// A commandValue is a flag of a program with its arguments. No shell reads it: the text is the
// path of a program, or a list of the program and its arguments in JSON. In a file it is a list.
type commandValue []string

func (v *commandValue) Type() string { return "COMMAND" }
func (v *commandValue) String() string {
	if len(*v) == 1 && !strings.HasPrefix((*v)[0], "[") {
		return (*v)[0]
	}
	if len(*v) == 0 {
		return ""
	}
	text, err := v.joinItems(*v)
	if err != nil {
		return ""
	}
	return text
}
func (v *commandValue) Set(s string) error {
	if !strings.HasPrefix(s, "[") {
		*v = nil
		if s != "" {
			*v = commandValue{s}
		}
		return nil
	}
	var items []string
	if err := json.Unmarshal([]byte(s), &items); err != nil {
		return errors.New(`neither a program nor a list such as ["/usr/bin/program", "argument"]`)
	}
	*v = items
	return nil
}

func (v *commandValue) joinItems(items []string) (string, error) {
	if len(items) == 0 {
		return "", nil
	}
	doc, err := json.Marshal(items)
	return string(doc), err
}

func (v *commandValue) vectorItems() []string { return slices.Clone(*v) }
