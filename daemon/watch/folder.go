package watch

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"swarmnode/swarm/statefile"
)

const (
	waitingMax = 10_000  // files of a folder that wait until they settle; others come later
	ignoredMax = 100_000 // files of a folder that stay where they are
	batch      = 1000    // entries of a folder that are read at one time
)

// A folder is one watched folder.
type folder struct {
	w     *watcher
	index int // in Config.Folders
	path  string

	info  fs.FileInfo // when it was last read; nil while it is missing
	read  time.Time   // when all of it was last read
	more  bool        // not all files of it were looked at, since too many wait
	fault string      // that was logged

	waiting map[string]*candidate // by name; at most Config.waitingMax
	due     time.Time             // not later than the first time of waiting; zero: none waits
	// ignored are files that were dealt with and kept their names; at most ignoredMax.
	ignored map[string]stamp
}

// A stamp changes when a file does.
type stamp struct {
	size    int64
	changed time.Time
}

// A candidate is a file that may be taken.
type candidate struct {
	stamp stamp
	since time.Time // when it was seen to be as it is
	at    time.Time // when it is looked at
	said  bool      // that it cannot be taken now
}

func newFolder(w *watcher, index int, path string) *folder {
	return &folder{w: w, index: index, path: filepath.Clean(path),
		waiting: make(map[string]*candidate), ignored: make(map[string]stamp)}
}

// look reads the folder, unless nothing was put there since it was read last.
func (f *folder) look(now time.Time) {
	info, err := os.Stat(f.path)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "watch", Path: f.path, Err: errors.New("is not a folder")}
	}
	if err != nil {
		f.lose(err)
		return
	}
	if f.info == nil || !os.SameFile(f.info, info) {
		f.w.attend(f.path)
	} else if f.unchanged(info, now) {
		return
	}
	if err := f.readAll(now); err != nil {
		f.lose(err)
		return
	}
	if f.fault != "" {
		f.w.log.Info("watched folder can be read now", "dir", f.path)
	}
	f.info, f.read, f.fault = info, now, ""
}

// unchanged reports whether the folder is as it was when it was read. Times of file systems
// are coarse, so a change just before that proves nothing.
func (f *folder) unchanged(info fs.FileInfo, now time.Time) bool {
	const coarse = 3 * time.Second
	changed := info.ModTime()
	return changed.Equal(f.info.ModTime()) && f.read.Sub(changed) > coarse &&
		now.Sub(f.read) < fullTime && !f.more
}

// lose forgets the folder until it is there again, and says once why.
func (f *folder) lose(err error) {
	f.info = nil
	if fault := err.Error(); fault != f.fault {
		f.fault = fault
		f.w.log.Warn("watched folder cannot be read", "dir", f.path, "err", err)
	}
}

// readAll reads the folder, and forgets what is no longer there.
func (f *folder) readAll(now time.Time) error {
	dir, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer dir.Close()
	f.more = false
	seen := make(map[string]bool)
	for {
		entries, err := dir.ReadDir(batch)
		for _, e := range entries {
			if f.w.suffix(e.Name()) != "" && !e.IsDir() {
				if _, there := f.ignored[e.Name()]; there {
					seen[e.Name()] = true
				}
				f.sight(e.Name(), now)
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	for name := range f.ignored {
		if !seen[name] {
			delete(f.ignored, name)
		}
	}
	return nil
}

// sight is told that there may be a file of a name.
func (f *folder) sight(name string, now time.Time) {
	if f.w.suffix(name) == "" || f.waiting[name] != nil {
		return
	}
	if len(f.waiting) >= f.w.cfg.waitingMax || len(f.ignored) >= ignoredMax {
		f.more = true
		return
	}
	stamp, err := f.stat(name)
	if err != nil {
		return
	}
	if old, there := f.ignored[name]; there && old.same(stamp) {
		return
	}
	f.await(&candidate{stamp: stamp, since: now}, name, now.Add(settleTime))
}

func (f *folder) await(c *candidate, name string, at time.Time) {
	c.at = at
	f.waiting[name] = c
	if f.due.IsZero() || at.Before(f.due) {
		f.due = at
	}
}

func (f *folder) stat(name string) (stamp, error) {
	info, err := os.Lstat(filepath.Join(f.path, name))
	if err != nil {
		return stamp{}, err
	}
	return stamp{info.Size(), info.ModTime()}, nil
}

func (s stamp) same(other stamp) bool {
	return s.size == other.size && s.changed.Equal(other.changed)
}

// take takes the files that have settled, in the order of their names.
func (f *folder) take(ctx context.Context) {
	if f.due.IsZero() || time.Now().Before(f.due) {
		return
	}
	now := time.Now()
	var names []string
	for name, c := range f.waiting {
		if !now.Before(c.at) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if ctx.Err() != nil {
			return
		}
		c := f.waiting[name]
		delete(f.waiting, name)
		f.consider(ctx, name, c)
	}
	f.due = time.Time{}
	for _, c := range f.waiting {
		if f.due.IsZero() || c.at.Before(f.due) {
			f.due = c.at
		}
	}
}

// consider takes a file, if it has settled.
func (f *folder) consider(ctx context.Context, name string, c *candidate) {
	now := time.Now()
	latest, err := f.stat(name)
	if err != nil {
		return // it is gone
	}
	if !latest.same(c.stamp) {
		f.await(&candidate{stamp: latest, since: now}, name, now.Add(settleTime))
		return
	}
	path := filepath.Join(f.path, name)
	suffix := f.w.suffix(name)
	doc, changed, err := statefile.Read(path, f.w.cfg.Suffixes[suffix])
	if err == nil && !c.stamp.same(stamp{int64(len(doc)), changed}) {
		f.await(&candidate{stamp: latest, since: now}, name, now.Add(settleTime))
		return
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return
	case errors.Is(err, statefile.ErrTooLong):
		err = &BadError{err}
	case errors.Is(err, statefile.ErrLink), errors.Is(err, statefile.ErrSpecial):
		f.w.log.Warn("not taken from a watched folder", "path", path, "err", err)
		f.ignore(name, latest)
		return
	case err == nil:
		err = f.w.cfg.Take(ctx, File{Folder: f.index, Path: path, Suffix: suffix, Doc: doc})
	}
	f.conclude(ctx, name, c, err)
}

// conclude deals with a file according to the error with which it was taken.
func (f *folder) conclude(ctx context.Context, name string, c *candidate, err error) {
	path, now := filepath.Join(f.path, name), time.Now()
	var bad *BadError
	switch {
	case err == nil:
		f.rename(name, c.stamp, Added)
	case errors.Is(err, ErrSkip):
		f.ignore(name, c.stamp)
	case ctx.Err() != nil:
		// It will be taken by the next Run.
	case errors.As(err, &bad):
		if ripe := c.since.Add(badTime); now.Before(ripe) {
			f.await(c, name, ripe)
			return
		}
		f.w.log.Warn("a file in a watched folder cannot be used", "path", path, "err", bad.Err)
		f.rename(name, c.stamp, Invalid)
	default:
		if !c.said {
			c.said = true
			f.w.log.Warn("a file in a watched folder cannot be taken yet", "path", path,
				"err", err)
		}
		f.await(c, name, now.Add(pollTime))
	}
}

// rename gives a file that was dealt with another name. An older file of that name goes.
func (f *folder) rename(name string, was stamp, suffix string) {
	path := filepath.Join(f.path, name)
	if latest, err := f.stat(name); err != nil || !latest.same(was) {
		return // another file has taken its place, which is seen later
	}
	if err := os.Rename(path, path+suffix); err != nil {
		f.w.log.Warn("a file that was taken from a watched folder keeps its name", "path", path,
			"err", err)
		f.ignore(name, was)
	}
}

// ignore leaves a file alone until it changes.
func (f *folder) ignore(name string, was stamp) {
	if len(f.ignored) < ignoredMax {
		f.ignored[name] = was
	}
}
