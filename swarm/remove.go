package swarm

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"

	"swarmnode/metainfo"
	"swarmnode/swarm/storage"
)

// A departure says when a torrent that has ended leaves its engine: at once, or when Remove
// has done its work, so that nobody adds the torrent while its files are removed. It is
// safe for concurrent use.
type departure struct {
	mu      sync.Mutex
	holds   int  // calls of Remove that are under way
	ended   bool // the loop has ended
	removed int  // what the calls of Remove have removed: see removedRecords
}

// What Remove has removed.
const (
	removedRecords = 1 + iota
	removedData
)

// hold keeps the torrent in its engine until release.
func (d *departure) hold() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.holds++
}

// release ends a hold. If the torrent leaves now, leave is called before the next hold.
func (d *departure) release(leave func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.holds--
	if d.ended && d.holds == 0 {
		leave()
	}
}

// end records that the loop has ended. If the torrent leaves now, leave is called.
func (d *departure) end(leave func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	if d.holds == 0 {
		leave()
	}
}

// has reports whether so much was removed.
func (d *departure) has(removed int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.removed >= removed
}

// did records that so much was removed.
func (d *departure) did(removed int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.removed = max(d.removed, removed)
}

// leave takes a torrent that has ended out of its engine.
func (t *Torrent) leave() {
	t.engine.feed.Remove(t) // before another torrent of this name can be added
	t.engine.registry.remove(t)
}

// Remove ends the torrent and forgets all that is recorded of it: what is on disk, its
// peers and totals, where it was moved. With data, it also removes the files of the
// torrent, and the folders that are empty then, but not the folder that Spec.Dir names.
// Other files stay, and so do those that another torrent of the engine uses and what lies
// behind symbolic links. Content that was not checked yet is hashed first, to tell which
// files are the torrent's.
//
// Remove can be called again, and after Close. The error is that of ctx, which ends the
// wait for the end of the torrent and the hashing; ErrExists if the engine has the torrent
// again by now; or a *storage.Error about the first files that cannot be removed. The
// torrent has ended even then, unless the error is that of ctx.
func (t *Torrent) Remove(ctx context.Context, data bool) error {
	t.departure.hold()
	defer t.departure.release(t.leave)
	t.cancel()
	t.changed(ChangedState)
	select {
	case <-t.ended:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	aim := removedRecords
	if data && !t.spec.MetadataOnly {
		aim = removedData
	}
	if t.departure.has(aim) {
		return nil
	}
	if err := t.engine.registry.regain(t); err != nil {
		return err
	}
	return t.files.keep(ctx, func() error { return t.remove(ctx, aim) })
}

// remove removes what is left of a torrent that has ended.
func (t *Torrent) remove(ctx context.Context, aim int) error {
	if t.departure.has(aim) {
		return nil
	}
	if aim == removedData {
		if err := t.removeData(ctx); err != nil {
			return err
		}
	}
	if cfg := &t.engine.cfg; cfg.StateDir != "" && !cfg.StateReadOnly {
		err := storage.Forget(cfg.StateDir, t.hash, peerCacheSuffix, totalsSuffix)
		if err != nil {
			return err
		}
	}
	t.departure.did(aim)
	t.log.Debug("removed", "data", aim == removedData)
	return nil
}

// removeData removes the files of a torrent that has ended.
func (t *Torrent) removeData(ctx context.Context) error {
	store, _ := t.files.get()
	if store == nil {
		var err error
		if store, err = t.findData(ctx); store == nil {
			return err
		}
	}
	return store.Remove(t.engine.usedBeside(t, store.Paths()))
}

// findData looks for the content of a torrent whose storage was not open when it ended, and
// returns a store of it that is closed, or nil if nothing is known of the content.
func (t *Torrent) findData(ctx context.Context) (*storage.Store, error) {
	info := t.infoGiven()
	if info == nil {
		return nil, nil
	}
	cfg := t.storageConfig(info)
	cfg.ReadOnly = true
	store, err := storage.Open(cfg)
	switch {
	case errors.Is(err, fs.ErrNotExist), storage.IsInTheWay(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	if _, err = store.Check(ctx, nil); err == nil {
		err = store.Close()
	} else {
		err = errors.Join(err, store.Close())
	}
	if err != nil {
		return nil, err
	}
	return store, nil
}

// usedBeside returns a function that reports whether a torrent other than t uses a file. It
// knows the files of torrents whose content lies where t has its own, which is at paths.
func (e *Engine) usedBeside(t *Torrent, paths []string) func(path string) bool {
	used, real := make(map[string]bool), make(realPaths)
	paths = real.all(paths)
	for _, other := range e.Torrents() {
		info := other.infoGiven()
		if other == t || info == nil || other.spec.MetadataOnly {
			continue
		}
		store, _ := other.files.get()
		if store != nil && !overlap(real.all(store.Paths()), paths) {
			continue
		}
		for i := range info.Layout().Files {
			used[real.of(other.filePath(store, info.Layout(), i))] = true
		}
	}
	return func(path string) bool { return used[real.of(path)] }
}

// realPaths are the folders of paths without symbolic links, by the folders as they are
// named. One folder may have several names.
type realPaths map[string]string

// of returns path with the links of its folder followed, if that exists.
func (r realPaths) of(path string) string {
	dir := filepath.Dir(path)
	real, known := r[dir]
	if !known {
		var err error
		if real, err = filepath.EvalSymlinks(dir); err != nil {
			real = dir
		}
		r[dir] = real
	}
	return filepath.Join(real, filepath.Base(path))
}

// all is of for several paths.
func (r realPaths) all(paths []string) []string {
	real := make([]string, len(paths))
	for i, path := range paths {
		real[i] = r.of(path)
	}
	return real
}

// filePath returns where file i lies, or will lie as far as is known without a store.
func (t *Torrent) filePath(store *storage.Store, l *metainfo.Layout, i int) string {
	if store != nil {
		return store.FilePath(i)
	}
	below := filepath.FromSlash(l.FilePath(i))
	if t.spec.Name != "" {
		_, rest, _ := strings.Cut(below, string(filepath.Separator))
		below = filepath.Join(t.spec.Name, rest)
	}
	abs, err := filepath.Abs(filepath.Join(t.firstDir(), below))
	if err != nil {
		return ""
	}
	return abs
}

// overlap reports whether a path of a lies in one of b, or the other way round.
func overlap(a, b []string) bool {
	within := func(x, y string) bool {
		return x == y || strings.HasPrefix(x, y+string(filepath.Separator))
	}
	for _, x := range a {
		for _, y := range b {
			if within(x, y) || within(y, x) {
				return true
			}
		}
	}
	return false
}
