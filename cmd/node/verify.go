package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

func verifyCommand() *command {
	return &command{
		name:  "verify",
		args:  "FILE [DIR] | TORRENT...",
		short: "compare content with the hashes of a .torrent file, or with those of the daemon",
		long: `DIR is the folder that holds the content, like --dir of add; the current one by
default. One line is printed for each file, and nothing is changed. The exit code
is 6 unless all files are complete and right. A file with another name than add
would give it, such as the one that the torrent was made of, is found as well, and
the line says under which name.

An argument that is no path of a file, and has the form of a TORRENT, is one of the
daemon, whose content the daemon hashes again when its turn comes. With --wait the
command waits for that, and its exit code is 6 if something that was right before is
wrong or missing now.

` + torrentHelp,
		examples: []example{
			{"node verify some.torrent", "check what add has fetched into the current folder"},
			{"node verify --json some.torrent ~/Downloads", "a report for a program"},
			{"node verify --wait id:3", "let the daemon hash a torrent again"},
		},
		argsMin: 1,
		argsMax: anyNumber,
		setup: func(fs *pflag.FlagSet) action {
			f := new(verifyFlags)
			f.register(fs)
			return f.run
		},
	}
}

// verified: how a file of a torrent was found.
type verifiedEvent struct {
	Torrent string `json:"torrent"`
	Path    string `json:"path"`
	Found   string `json:"found_as,omitempty"` // its path on disk, if that is another
	Bytes   int64  `json:"bytes"`
	State   string `json:"state"` // ok, missing, short, long, damaged, unreadable
	Right   int    `json:"right"` // pieces of it that are right
	Pieces  int    `json:"pieces"`
}

func verify(ctx context.Context, c *console, args []string) error {
	src, err := readTorrent(args[0])
	if err != nil {
		return err
	}
	dir := "."
	if len(args) > 1 {
		dir = args[1]
	}
	if st, err := os.Stat(dir); err != nil {
		return fail(diskCode(err), dir, err)
	} else if !st.IsDir() {
		return fail(exitInput, dir, errors.New("is not a folder"))
	}
	info := src.torrent.Info()
	l := info.Layout()
	if l.Kind() == metainfo.V2 && !l.HashesKnown() {
		return failWithHint(exitInput, args[0], errNoLayers,
			program+" metainfo, which fetches them from peers")
	}
	files, err := verifyContent(ctx, c, dir, info)
	if err != nil {
		return err
	}
	hash := info.Hash().String()
	wrong, missing := 0, 0
	c.together(func() {
		for _, f := range files {
			v := verifiedEvent{Torrent: hash, Path: l.FilePath(f.File), Found: f.Found,
				Bytes: l.Files[f.File].Length, State: f.Verdict.String(), Right: f.Right,
				Pieces: f.Pieces}
			if f.Verdict != swarm.FileRight {
				wrong++
			}
			if f.Verdict == swarm.FileMissing {
				missing++
			}
			c.event("verified", v)
			c.result(v.line())
		}
	})
	if wrong == 0 {
		return nil
	}
	err = fmt.Errorf("%d of %s wrong or missing", wrong, plural(len(files), "file"))
	if missing == len(files) && filepath.Base(dir) == l.Name {
		return failWithHint(exitMismatch, info.Name(), err, "the folder above, "+filepath.Dir(dir))
	}
	return fail(exitMismatch, info.Name(), err)
}

// errNoLayers is the error of a .torrent file whose hashes are not enough to judge a
// piece.
var errNoLayers = errors.New("lacks the piece layers to compare with")

func (v *verifiedEvent) line() string {
	s := fmt.Sprintf("%-10s %s", v.State, v.Path)
	if v.State == "damaged" || v.State == "short" {
		s += fmt.Sprintf(" (%d of %d pieces are right)", v.Right, v.Pieces)
	}
	if v.Found != "" {
		s += " (found as " + v.Found + ")"
	}
	return s
}

// verifyContent hashes the content in dir, and shows the progress.
func verifyContent(ctx context.Context, c *console, dir string,
	info *metainfo.Info) ([]swarm.Verified, error) {
	shown := startHashing(c, info.Hash())
	defer shown.stop()
	files, err := swarm.Verify(ctx, dir, info, shown.at)
	if stop := ended(ctx); stop != nil {
		shown.tellStop(c)
		return nil, stop
	}
	if err != nil {
		return nil, contentFailure(err)
	}
	return files, nil
}

// contentFailure returns the failure of content that cannot be read.
func contentFailure(err error) error {
	code := exitDisk
	switch swarm.CauseOf(err) {
	case swarm.CauseConflict:
		code = exitInput
	case swarm.CauseInTheWay, swarm.CauseMissing:
		code = exitMismatch
	}
	return &failure{code: code, why: err}
}
