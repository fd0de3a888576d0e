package swarm

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/storage"
)

// HasContent reports whether something lies in dir under a name of content, whole or
// unfinished.
func HasContent(dir, name string) bool {
	for _, suffix := range []string{"", storage.PartSuffix} {
		if _, err := os.Lstat(filepath.Join(dir, name+suffix)); err == nil {
			return true
		}
	}
	return false
}

// A Verdict is how a file of a torrent was found on disk.
type Verdict uint8

// The verdicts.
const (
	FileRight      Verdict = iota // whole, and all hashes agree
	FileMissing                   // there is no such file
	FileShort                     // it ends too early
	FileLong                      // it is longer than the torrent's
	FileDamaged                   // of the right length, and a hash differs
	FileUnreadable                // it may not be read
)

func (v Verdict) String() string {
	return [...]string{"ok", "missing", "short", "long", "damaged", "unreadable"}[v]
}

// A Verified is a file of a torrent as Verify found it.
type Verified struct {
	File    int    // its index in the layout
	Found   string // its path below the folder, if that differs from the torrent's; else ""
	Verdict Verdict
	// Right and Pieces count the pieces that it has a part in: those with the right hash,
	// and all.
	Right, Pieces int
}

// ErrNoHashes says that a torrent of version 2 lacks the piece layers (BEP 52), without
// which its content cannot be compared with anything.
var ErrNoHashes = errors.New("the torrent lacks the piece layers")

// verifyParallel is how many pieces that storage takes for holes are hashed at a time:
// enough to keep all cores busy.
const verifyParallel = 32

// Verify compares the content in dir with the hashes of a torrent, and changes nothing. It
// returns what it found of each file, without padding and symbolic links. progress, which
// may be nil, is called with the bytes hashed so far and all bytes. The error is ErrNoHashes,
// that of ctx, or one of storage (see CauseOf).
func Verify(ctx context.Context, dir string, info *metainfo.Info,
	progress func(done, total int64)) ([]Verified, error) {
	l := info.Layout()
	if l.Kind() == metainfo.V2 && !l.HashesKnown() {
		return nil, ErrNoHashes
	}
	if progress == nil {
		progress = func(done, total int64) {}
	}
	workers := storage.NewWorkers(0)
	defer workers.Close()
	results := make(chan storage.Result, verifyParallel)
	store, err := storage.Open(storage.Config{
		Dir: dir, Layout: l, Workers: workers, ReadOnly: true,
		Results: func(r storage.Result) { results <- r },
	})
	if err != nil {
		return nil, err
	}
	defer store.Close()
	have, err := store.Check(ctx, progress)
	if err != nil {
		return nil, err
	}
	if err := verifyHoles(ctx, store, l, have, results, progress); err != nil {
		return nil, err
	}
	var all []Verified
	for i := range l.Files {
		if !l.Files[i].Pad && l.Files[i].Link == nil {
			all = append(all, verdictOf(store, l, i, have))
		}
	}
	return all, nil
}

// verifyHoles hashes what Check may have skipped, since storage takes long runs of zeros
// for holes, and adds the pieces that are right to have.
func verifyHoles(ctx context.Context, store *storage.Store, l *metainfo.Layout, have *bits.Set,
	results <-chan storage.Result, progress func(done, total int64)) error {
	asked, all := 0, l.Size()
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
		progress(done, all)
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
	return ctx.Err()
}

// verdictOf describes file i, given the right pieces of the torrent in have.
func verdictOf(store *storage.Store, l *metainfo.Layout, i int, have *bits.Set) Verified {
	v := Verified{File: i}
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
		v.Verdict = FileUnreadable
	case err != nil:
		v.Verdict = FileMissing
	case size < l.Files[i].Length:
		v.Verdict = FileShort
	case size > l.Files[i].Length:
		v.Verdict = FileLong
	case v.Right == v.Pieces:
	case !store.FileReadable(i):
		v.Verdict = FileUnreadable
	default:
		v.Verdict = FileDamaged
	}
	if name := store.FileName(i); err == nil && name != l.FilePath(i) {
		v.Found = name
	}
	return v
}
