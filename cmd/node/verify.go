package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/storage"
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
	workers := storage.NewWorkers(0)
	defer workers.Close()
	store, have, err := checkPieces(ctx, c, workers, dir, info)
	if err != nil {
		return err
	}
	defer store.Close()
	hash := info.Hash().String()
	all, wrong, missing := 0, 0, 0
	c.together(func() {
		for i := range l.Files {
			if l.Files[i].Pad || l.Files[i].Link != nil {
				continue
			}
			v := fileReport(store, l, i, have)
			v.Torrent = hash
			all++
			if v.State != "ok" {
				wrong++
			}
			if v.State == "missing" {
				missing++
			}
			c.event("verified", v)
			c.result(v.line())
		}
	})
	if wrong == 0 {
		return nil
	}
	err = fmt.Errorf("%d of %s wrong or missing", wrong, plural(all, "file"))
	if missing == all && filepath.Base(dir) == l.Name {
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

// fileReport describes file i, given the right pieces of the torrent in have.
func fileReport(store *storage.Store, l *metainfo.Layout, i int, have *bits.Set) verifiedEvent {
	v := verifiedEvent{Path: l.FilePath(i), Bytes: l.Files[i].Length, State: "ok"}
	first, end := l.FilePieces(i)
	v.Pieces = end - first
	for p := first; p < end; p++ {
		if have.Has(p) {
			v.Right++
		}
	}
	size, err := store.FileSize(i)
	switch {
	case errors.Is(err, fs.ErrPermission):
		v.State = "unreadable"
	case err != nil:
		v.State = "missing"
	case size < v.Bytes:
		v.State = "short"
	case size > v.Bytes:
		v.State = "long"
	case v.Right == v.Pieces:
	case !store.FileReadable(i):
		v.State = "unreadable"
	default:
		v.State = "damaged"
	}
	if name := store.FileName(i); name != v.Path && err == nil {
		v.Found = name
	}
	return v
}

// verifyParallel is how many pieces that storage takes for holes are hashed at a time:
// enough to keep all cores busy.
const verifyParallel = 32

// checkPieces hashes the content in dir. It returns the Store, which the caller closes,
// and the pieces that are right.
func checkPieces(
	ctx context.Context, c *console, workers *storage.Workers, dir string, info *metainfo.Info,
) (*storage.Store, *bits.Set, error) {
	l := info.Layout()
	results := make(chan storage.Result, verifyParallel)
	store, err := storage.Open(storage.Config{
		Dir: dir, Layout: l, Workers: workers, ReadOnly: true,
		Results: func(r storage.Result) { results <- r },
	})
	if err != nil {
		return nil, nil, contentFailure(err)
	}
	have, err := checkStore(ctx, c, store, info, results)
	if err != nil {
		store.Close()
		return nil, nil, err
	}
	return store, have, nil
}

func checkStore(
	ctx context.Context, c *console, store *storage.Store, info *metainfo.Info,
	results chan storage.Result,
) (*bits.Set, error) {
	l := info.Layout()
	shown := startHashing(c, info.Hash())
	defer shown.stop()
	have, err := store.Check(ctx, shown.at)
	if stop := ended(ctx); stop != nil {
		shown.tellStop(c)
		return nil, stop
	}
	if err != nil {
		return nil, contentFailure(err)
	}
	// Storage may have taken long runs of zeros for holes and skipped them.
	asked := 0
	all := l.Size()
	done := all
	for p := range l.Pieces() {
		if !have.Has(p) {
			done -= int64(l.ContentSize(p))
		}
	}
	take := func() {
		r := <-results
		if r.OK {
			have.Add(int(r.Piece))
		}
		done += int64(l.ContentSize(int(r.Piece)))
		shown.at(done, all)
		asked--
	}
	for p := range l.Pieces() {
		if have.Has(p) || ctx.Err() != nil {
			continue
		}
		if asked == verifyParallel {
			take()
		}
		store.Verify(uint32(p))
		asked++
	}
	for asked > 0 {
		take()
	}
	if stop := ended(ctx); stop != nil {
		shown.tellStop(c)
		return nil, stop
	}
	return have, nil
}

// contentFailure returns the failure of content that cannot be read.
func contentFailure(err error) error {
	code := exitDisk
	if errors.Is(err, storage.ErrConflict) {
		code = exitInput
	}
	if storage.IsInTheWay(err) || errors.Is(err, fs.ErrNotExist) {
		code = exitMismatch
	}
	return &failure{code: code, why: err}
}
