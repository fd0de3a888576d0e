package swarm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/storage"
)

// ErrNoInfo says that a method needs the info dictionary of the torrent, which is not known
// yet.
var ErrNoInfo = errors.New("the metadata is not known yet")

// ErrPriorities says that there is not one priority for each file of the layout.
var ErrPriorities = errors.New("the priorities do not fit the files of the torrent")

// A Priority ranks the files of a torrent. The pieces of a file with a higher priority are
// fetched before those of a file with a lower one.
type Priority uint8

// The priorities between which all others lie. A higher number than Highest counts as
// Highest.
const (
	Unwanted Priority = 0 // not fetched
	Lowest   Priority = 1
	Normal   Priority = 4 // the priority of a file unless the user chooses another one
	Highest  Priority = 7
)

// A FileState says how far a file of a torrent has come.
type FileState struct {
	Path     string // where the file lies or will lie; empty before storage is open
	Size     int64  // in bytes
	Have     int64  // bytes of the file that lie in verified pieces
	Priority Priority
	Pad      bool // the file is padding (BEP 47) and is not made
}

// Complete reports whether all of the file is verified.
func (f *FileState) Complete() bool { return f.Have == f.Size }

// fileTable is what is known of the files of a torrent outside of its loop. It is safe for
// concurrent use.
type fileTable struct {
	// changing is taken while other files are chosen, so that one choice comes after the
	// other.
	changing turn

	mu         sync.Mutex
	store      *storage.Store // nil until it is open and checked
	priorities []Priority     // by file; nil: all are Normal. Nobody changes the list
	choices    int            // calls of SetFiles
}

// open records that the storage is open.
func (f *fileTable) open(store *storage.Store) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.store = store
}

// keep calls do while nobody chooses other files, and returns its error. The error is that
// of ctx if ctx ends while somebody does.
func (f *fileTable) keep(ctx context.Context, do func() error) error {
	if err := f.changing.take(ctx); err != nil {
		return err
	}
	defer f.changing.give()
	return do()
}

// begin sets the first priorities of the files, unless the user has chosen others already.
func (f *fileTable) begin(priorities []Priority) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.choices == 0 {
		f.priorities = priorities
	}
}

// rank sets the priorities of the files.
func (f *fileTable) rank(priorities []Priority) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.priorities = priorities
}

// choose counts a choice of the user, and returns its number.
func (f *fileTable) choose() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.choices++
	return f.choices
}

// isLast reports whether the user has made no choice since the one of that number.
func (f *fileTable) isLast(choice int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.choices == choice
}

// get returns the open storage, or nil, and the priorities, or nil for Normal.
func (f *fileTable) get() (*storage.Store, []Priority) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.store, f.priorities
}

// Files returns the state of each file of the layout, nil before the metadata is known. It
// takes time in proportion to files and pieces, and asks the loop of the torrent for
// nothing.
func (t *Torrent) Files() []FileState {
	info := t.infoGiven()
	if info == nil {
		return nil
	}
	layout := info.Layout()
	store, priorities := t.files.get()
	var have *bits.Set
	if store != nil {
		have = store.Have()
	}
	files := make([]FileState, len(layout.Files))
	for i := range files {
		f := &layout.Files[i]
		files[i] = FileState{Size: f.Length, Priority: Normal, Pad: f.Pad}
		if priorities != nil {
			files[i].Priority = priorities[i]
		}
		if have != nil {
			files[i].Have = bytesOf(layout, i, have)
			files[i].Path = store.FilePath(i)
		}
	}
	return files
}

// infoGiven is Info, and does not wait for the files to be opened.
func (t *Torrent) infoGiven() *metainfo.Info {
	if t.spec.Torrent != nil {
		return t.spec.Torrent.Info()
	}
	return t.Info()
}

// bytesOf returns how many bytes of file i lie in pieces of have.
func bytesOf(l *metainfo.Layout, i int, have *bits.Set) (n int64) {
	f := &l.Files[i]
	first, end := l.FilePieces(i)
	for p := first; p < end; p++ {
		if !have.Has(p) {
			continue
		}
		from := max(f.Offset, l.PieceOffset(p))
		to := min(f.Offset+f.Length, l.PieceOffset(p)+int64(l.PieceLength))
		n += to - from
	}
	return n
}

// SetFiles chooses which files are fetched, and which of them first: priorities has one
// entry for each file of the layout, and those of padding do not matter. A piece that
// several files share has the highest of their priorities. While the content is checked for
// the first time, the choice is kept for the end of the check.
//
// Content that is complete becomes incomplete when more files are wanted than are there;
// see Done. It is complete at once when nothing else is wanted, and also when nothing at
// all is. What is there of a file that is no longer wanted stays. If a file comes to be
// wanted, SetFiles waits for the end of a Move, and hashes what another program has put in
// the place of the file, also while the torrent is paused.
//
// The error is ErrNoInfo before the metadata is known, ErrNoContent with
// Spec.MetadataOnly, ErrPriorities, ErrStopped, or a *storage.Error if a file cannot be
// written. Then everything stays as it was.
func (t *Torrent) SetFiles(priorities []Priority) error {
	info := t.infoGiven()
	switch {
	case t.ctx.Err() != nil:
		return t.stopped()
	case t.spec.MetadataOnly:
		return ErrNoContent
	case info == nil:
		return ErrNoInfo
	case len(priorities) != len(info.Layout().Files):
		return fmt.Errorf("%d priorities, %d files: %w", len(priorities),
			len(info.Layout().Files), ErrPriorities)
	}
	priorities = slices.Clone(priorities)
	for i := range priorities {
		priorities[i] = min(priorities[i], Highest)
	}
	if t.files.changing.take(t.ctx) != nil {
		return t.stopped()
	}
	defer t.files.changing.give()
	opened, number := false, t.files.choose()
	err := t.command(func(time.Time) error {
		if opened = t.loop.store != nil; !opened {
			t.loop.wish.late, t.loop.wish.number = priorities, number
			t.files.rank(priorities)
		}
		return nil
	})
	if err == nil && opened {
		err = t.choose(info.Layout(), priorities)
	}
	t.changed(ChangedFiles | ChangedSettings)
	return err
}

// choose makes priorities those of the files, in storage first. t.files.changing is taken.
func (t *Torrent) choose(l *metainfo.Layout, priorities []Priority) error {
	store, _ := t.files.get()
	changed, err := store.Select(t.ctx, wantedFiles(priorities))
	if err != nil {
		return t.fileError(err)
	}
	ranks, parts := pieceRanks(l, priorities), l.Parts(wantedFiles(priorities))
	return t.command(func(now time.Time) error {
		t.files.rank(priorities)
		t.loop.setRanks(now, ranks, parts)
		t.loop.doubt(now, changed)
		return nil
	})
}

// fileError returns err, which came of storage, or ErrStopped if the torrent has ended
// meanwhile.
func (t *Torrent) fileError(err error) error {
	if t.ctx.Err() != nil {
		return t.stopped()
	}
	return err
}

// keepFile prepares to fetch pieces of a file even if it is not wanted. The error wraps
// ErrStopped, or is that of ctx, or a *storage.Error if the file cannot be written.
func (t *Torrent) keepFile(ctx context.Context, file int) error {
	if err := t.files.changing.take(ctx); err != nil {
		return err
	}
	defer t.files.changing.give()
	store, priorities := t.files.get()
	switch {
	case store == nil:
		return ErrNoContent
	case t.spec.Complete, priorities == nil, priorities[file] != Unwanted:
		return nil
	}
	changed, err := store.Keep(ctx, file)
	if err != nil {
		return t.fileError(err)
	}
	if changed == (storage.Reselection{}) {
		return nil
	}
	return t.command(func(now time.Time) error {
		t.loop.doubt(now, changed)
		return nil
	})
}
