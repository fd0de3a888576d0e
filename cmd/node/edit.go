package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/spf13/pflag"

	"swarmnode/metainfo"
)

func editCommand() *command {
	return &command{
		name:  "edit",
		args:  "FILE",
		short: "change what a .torrent file says beside its content",
		long: `The info-hash stays: the trackers, web seeds, DHT nodes and the comment are not
covered by it. What is given takes the place of all there was of its kind. The
path of the file is printed.`,
		examples: []example{
			{"node edit --comment 'second try' some.torrent", "change the comment"},
			{"node edit --no-trackers some.torrent", "leave the swarm to the DHT"},
			{"node edit --tracker udp://a.example:6969 -o new.torrent some.torrent", "write a changed copy"},
		},
		argsMin: 1,
		argsMax: 1,
		setup: func(fs *pflag.FlagSet) action {
			var f editFlags
			f.register(fs)
			return f.run
		},
	}
}

type editFlags struct {
	outside                         outsideFlags
	output                          string
	force                           bool
	noTrackers, noWebSeeds, noNodes bool
	noComment, noCreator, noDate    bool
}

func (f *editFlags) register(fs *pflag.FlagSet) {
	fs.StringVarP(&f.output, "output", "o", "", "`PATH` to write (default: FILE itself)")
	fs.BoolVar(&f.force, "force", false, "let --output replace a file that describes something else")
	f.outside.register(fs)
	fs.BoolVar(&f.noTrackers, "no-trackers", false, "remove the trackers")
	fs.BoolVar(&f.noWebSeeds, "no-webseeds", false, "remove the web seeds")
	fs.BoolVar(&f.noNodes, "no-nodes", false, "remove the DHT nodes")
	fs.BoolVar(&f.noComment, "no-comment", false, "remove the comment")
	fs.BoolVar(&f.noCreator, "no-creator", false, "remove the name of the program that made it")
	fs.BoolVar(&f.noDate, "no-date", false, "remove the date")
}

func (f *editFlags) run(_ context.Context, c *console, args []string) error {
	b, err := readInput(args[0], metainfo.TorrentBytesMax)
	if err != nil {
		return err
	}
	src, err := parseTorrent(args[0], b)
	if err != nil {
		return err
	}
	f.change(src.torrent)
	out := f.output
	if out == "" {
		out = args[0]
	}
	if st, err := os.Stat(out); err == nil && !st.Mode().IsRegular() {
		return fail(exitExists, out, errors.New("is not a regular file"))
	}
	if err := writeTorrent(out, src.torrent, f.force); err != nil {
		return err
	}
	tellTorrent(c, src.torrent, out)
	c.result(out)
	return nil
}

// change removes what is to go, then sets what was given.
func (f *editFlags) change(t *metainfo.Torrent) {
	if f.noTrackers {
		t.Trackers = nil
	}
	if f.noWebSeeds {
		t.WebSeeds = nil
	}
	if f.noNodes {
		t.Nodes = nil
	}
	if f.noComment {
		t.Comment = ""
	}
	if f.noCreator {
		t.Creator = ""
	}
	if f.noDate {
		t.Created = time.Time{}
	}
	f.outside.apply(t)
}
