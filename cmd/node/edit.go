package main

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/spf13/pflag"

	"swarmnode/metainfo"
)

func editCommand() *command {
	return &command{
		name:  "edit",
		args:  "FILE...",
		short: "change a .torrent file without changing its content or info-hash",
		long: `The info-hash stays, since it does not cover trackers, web seeds, DHT nodes and
texts. Each flag replaces everything of its kind in the file, except --add-tracker,
which adds. All else stays as it is in the file, byte for byte. --name sets a name
to show; the name that the content has on disk and in links is covered by the
info-hash. The paths of the files are printed.`,
		examples: []example{
			{"node edit --comment 'second try' some.torrent", "change the comment"},
			{"node edit --no-trackers some.torrent", "leave the swarm to the DHT"},
			{"node edit --remove-tracker http://old.example/a --add-tracker " +
				"http://new.example/a *.torrent", "for a tracker that moved"},
			{"node edit --tracker udp://a.example:6969 -o new.torrent some.torrent",
				"write a changed copy"},
		},
		argsMin: 1,
		argsMax: anyNumber,
		setup: func(fs *pflag.FlagSet) action {
			var f editFlags
			f.register(fs)
			return f.run
		},
	}
}

type editFlags struct {
	outside                         outsideFlags
	name                            textValue
	addTrackers, removeTrackers     listValue
	output                          string
	force                           bool
	noTrackers, noWebSeeds, noNodes bool
	noComment, noCreator, noDate    bool
}

func (f *editFlags) register(fs *pflag.FlagSet) {
	fs.StringVarP(&f.output, "output", "o", "", "`PATH` to write (default: FILE itself)")
	fs.BoolVar(&f.force, "force", false,
		"let --output replace a file that describes something else")
	f.outside.register(fs)
	f.addTrackers = listValue{kind: "URL", check: checkTrackers}
	f.removeTrackers = listValue{kind: "URL"}
	fs.Var(&f.addTrackers, "add-tracker",
		"tracker to add behind the others, or several with commas as one tier; may be repeated")
	fs.Var(&f.removeTrackers, "remove-tracker",
		"tracker to remove, if it is there; may be repeated")
	fs.Var(&f.name, "name", "name to show beside that of the content; empty for none")
	fs.BoolVar(&f.noTrackers, "no-trackers", false, "remove the trackers")
	fs.BoolVar(&f.noWebSeeds, "no-webseeds", false, "remove the web seeds")
	fs.BoolVar(&f.noNodes, "no-nodes", false, "remove the DHT nodes")
	fs.BoolVar(&f.noComment, "no-comment", false, "remove the comment")
	fs.BoolVar(&f.noCreator, "no-creator", false, "remove the name of the program that made it")
	fs.BoolVar(&f.noDate, "no-date", false, "remove the date")
}

func (f *editFlags) run(_ context.Context, c *console, args []string) error {
	if f.output != "" && len(args) > 1 {
		return usage(c.command, errors.New("--output needs a single FILE"))
	}
	for _, path := range args {
		if err := f.edit(c, path); err != nil {
			return err
		}
	}
	return nil
}

func (f *editFlags) edit(c *console, path string) error {
	src, err := readTorrent(path)
	if err != nil {
		return err
	}
	f.change(src.torrent)
	warnPrivate(c, src.torrent)
	return deliver(c, src.torrent, cmp.Or(f.output, path), f.force)
}

// change removes what the flags remove, then sets what they set. Everything else stays as
// it is in the file, even what could not be read there.
func (f *editFlags) change(t *metainfo.Torrent) {
	if f.noTrackers {
		t.Forget("announce")
		t.Trackers = nil
	}
	if f.noWebSeeds {
		t.Forget("url-list")
		t.WebSeeds = nil
	}
	if f.noNodes {
		t.Forget("nodes")
		t.Nodes = nil
	}
	if f.noComment {
		t.Forget("comment")
		t.Comment = ""
	}
	if f.noCreator {
		t.Forget("created by")
		t.Creator = ""
	}
	if f.noDate {
		t.Forget("creation date")
		t.Created = time.Time{}
	}
	f.outside.apply(t)
	if f.name.given {
		t.Forget("name")
	}
	f.name.setIn(&t.DisplayName)
	if len(f.removeTrackers.items)+len(f.addTrackers.items) > 0 {
		t.EditTrackers(f.removeTrackers.items, tiers(f.addTrackers.items))
	}
}
