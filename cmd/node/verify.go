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
		args:  "FILE [DIR]",
		short: "compare content with the hashes of a .torrent file",
		long: `DIR is the folder that holds the content, like --dir of add; the current one by
default. One line is printed for each file, and nothing is changed. The exit code
is 6 unless all files are complete and right. A file with another name than add
would give it, such as the one that the torrent was made of, is found as well, and
the line says under which name.`,
		examples: []example{
			{"node verify some.torrent", "check what add has fetched into the current folder"},
			{"node verify --json some.torrent ~/Downloads", "a report for a program"},
		},
		argsMin: 1,
		argsMax: 2,
		setup:   func(*pflag.FlagSet) action { return verify },
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
