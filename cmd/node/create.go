package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"swarmnode"
	"swarmnode/metainfo"
	"swarmnode/metainfo/weburl"
)

func createCommand() *command {
	return &command{
		name:  "create",
		args:  "PATH",
		short: "make a .torrent file of a file or folder",
		long: `The torrent is of both versions, a hybrid, unless --v1 or --v2 is given; use --v1
for users of Transmission 3 or aria2, which read no hybrids. Symbolic links are
followed within the folder, and hidden files are left out unless --hidden is
given. The path of the new file is printed. Without --force, an existing file is
replaced only if it is a torrent of the same content.`,
		examples: []example{
			{"node create photos/", "make photos.torrent"},
			{"node create -o x.torrent --comment 'from the lake' --no-date film.mkv",
				"write the same bytes each time"},
			{"node create --tracker https://a.example/announce,https://b.example/announce " +
				"--tracker udp://c.example:6969 photos/",
				"with two trackers in the first tier and one in the second"},
		},
		argsMin: 1,
		argsMax: 1,
		setup: func(fs *pflag.FlagSet) action {
			var f createFlags
			f.register(fs)
			return f.run
		},
	}
}

type createFlags struct {
	build   buildFlags
	outside outsideFlags
	name    nameValue
	output  string
	force   bool
	noDate  bool
}

func (f *createFlags) register(fs *pflag.FlagSet) {
	fs.StringVarP(&f.output, "output", "o", "",
		"`FILE` to write, - for standard output (default: the name with .torrent)")
	fs.Var(&f.name, "name", "name of the content in the torrent (default: the name of PATH)")
	fs.BoolVar(&f.force, "force", false, "replace the file if it exists")
	f.outside.register(fs)
	fs.BoolVar(&f.noDate, "no-date", false, "leave out the date")
	f.build.register(fs, metainfo.Hybrid)
}

func (f *createFlags) run(ctx context.Context, c *console, args []string) error {
	if err := f.build.check(c.command); err != nil {
		return err
	}
	path, err := filepath.Abs(args[0])
	if err != nil {
		return fail(exitOther, args[0], err)
	}
	out := f.output
	if out == "" {
		out = torrentName(cmp.Or(string(f.name), filepath.Base(path)))
	}
	if _, err := os.Stat(args[0]); err != nil {
		return fail(diskCode(err), cmp.Or(args[0], `""`), err)
	}
	if err := checkOutput(c, out, f.force); err != nil {
		return err
	}
	opt := f.build.options(c, path)
	opt.Name, opt.Output = string(f.name), out
	opt.Creator = "swarmnode/" + swarmnode.Version
	if !f.noDate {
		opt.Created = time.Now()
	}
	t, err := buildWith(ctx, c, opt)
	if err != nil {
		return err
	}
	f.outside.apply(t)
	warnPrivate(c, t)
	return deliver(c, t, out, f.force)
}

// outsideFlags set what a .torrent file holds outside the info dictionary.
type outsideFlags struct {
	trackers listValue
	webSeeds listValue
	nodes    listValue
	comment  textValue
	creator  textValue
}

func (f *outsideFlags) register(fs *pflag.FlagSet) {
	f.trackers = listValue{kind: "URL", check: checkTrackers}
	f.webSeeds = listValue{kind: "URL", check: checkURL}
	f.nodes = listValue{kind: "HOST:PORT", check: checkHostPort}
	fs.Var(&f.trackers, "tracker", "tracker, or several with commas as one tier; may be repeated")
	fs.Var(&f.webSeeds, "webseed", "web server that has the content, BEP 19; may be repeated")
	fs.Var(&f.nodes, "node", "DHT node through which to find the swarm; may be repeated")
	fs.Var(&f.comment, "comment", "comment for readers of the file; empty for none")
	fs.Var(&f.creator, "creator", "name of the program that made the file; empty for none")
}

// apply sets in t what was given. Each flag replaces everything of its kind.
func (f *outsideFlags) apply(t *metainfo.Torrent) {
	if len(f.trackers.items) > 0 {
		t.Forget("announce")
		t.Trackers = tiers(f.trackers.items)
	}
	if len(f.webSeeds.items) > 0 {
		t.Forget("url-list")
		t.WebSeeds = cleanURLs(f.webSeeds.items)
	}
	if len(f.nodes.items) > 0 {
		t.Forget("nodes")
		t.Nodes = f.nodes.items
	}
	if f.comment.given {
		t.Forget("comment")
	}
	if f.creator.given {
		t.Forget("created by")
	}
	f.comment.setIn(&t.Comment)
	f.creator.setIn(&t.Creator)
}

var errURL = errors.New("not a URL such as https://example.org/announce")

// checkURL checks that s is a URL of any scheme.
func checkURL(s string) error {
	if _, err := weburl.Clean(s); err != nil {
		return errURL
	}
	return nil
}

func checkTrackers(s string) error {
	for each := range strings.SplitSeq(s, ",") {
		if err := checkURL(each); err != nil {
			return err
		}
	}
	return nil
}

// cleanURLs escapes URLs where necessary. It leaves anything that is not a URL as it is.
func cleanURLs(urls []string) []string {
	clean := make([]string, len(urls))
	for i, raw := range urls {
		url, err := weburl.Clean(raw)
		if err != nil {
			url = raw
		}
		clean[i] = url
	}
	return clean
}
