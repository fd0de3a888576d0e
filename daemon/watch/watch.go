package watch

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// The suffixes of files that were dealt with.
const (
	Added   = ".added"
	Invalid = ".invalid"
)

const (
	pollTime   = 10 * time.Second
	settleTime = time.Second
	badTime    = 10 * time.Second // a file that cannot be used must have settled for so long
	fullTime   = time.Minute      // a folder is read again even if it did not change
)

// A Config describes what Run watches.
type Config struct {
	// Folders are watched, whether they exist or not. Each is an absolute path.
	Folders []string
	// Suffixes are those of files to take, in lower case, each with the most bytes that such a
	// file may have. Hidden files are left alone.
	Suffixes map[string]int64
	// Take takes a file. Run calls it for one file after the other. If the error is a
	// *BadError, the file becomes an invalid one; after ErrSkip it is left alone until it
	// changes. After any other error, it is tried again at the next look.
	Take func(ctx context.Context, file File) error
	// Logger takes a line for what cannot be used. Nothing is logged if it is nil.
	Logger *slog.Logger

	noNotices  bool // in tests: look only
	waitingMax int  // unless 0, in tests
}

// A File is a file in a watched folder.
type File struct {
	Folder int // the index in Config.Folders
	Path   string
	Suffix string // of Config.Suffixes
	Doc    []byte // what is in the file
}

// ErrSkip says that a file is none of ours.
var ErrSkip = errors.New("not for us")

// A BadError says that a file is of no use and will not be later.
type BadError struct{ Err error }

func (e *BadError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *BadError) Unwrap() error { return e.Err }

// A watcher is owned by the goroutine of Run.
type watcher struct {
	cfg     Config
	log     *slog.Logger
	folders []*folder
	notices *fsnotify.Watcher // nil if the system sends none
	deaf    bool              // and that was said
}

// Run watches the folders until ctx ends.
func Run(ctx context.Context, cfg Config) {
	cfg.waitingMax = cmp.Or(cfg.waitingMax, waitingMax)
	w := &watcher{cfg: cfg, log: cfg.Logger}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	for i, path := range cfg.Folders {
		w.folders = append(w.folders, newFolder(w, i, path))
	}
	if !cfg.noNotices {
		notices, err := fsnotify.NewWatcher()
		if err != nil {
			w.sayDeaf("", err)
		} else {
			defer notices.Close()
			w.notices = notices
		}
	}
	w.run(ctx)
}

func (w *watcher) run(ctx context.Context) {
	var events <-chan fsnotify.Event
	var faults <-chan error
	if w.notices != nil {
		events, faults = w.notices.Events, w.notices.Errors
	}
	poll := time.NewTicker(pollTime)
	defer poll.Stop()
	due := time.NewTimer(0)
	defer due.Stop()
	w.look(time.Now())
	for {
		w.take(ctx)
		if next := w.next(); !next.IsZero() {
			due.Reset(time.Until(next))
		}
		select {
		case <-ctx.Done():
			return
		case e, ok := <-events:
			if !ok {
				events = nil
				continue
			}
			w.notice(e, time.Now())
		case err, ok := <-faults:
			if !ok {
				faults = nil
				continue
			}
			// Some notices may be lost.
			w.log.Debug("notices of watched folders", "err", err)
			w.look(time.Now())
		case <-poll.C:
			w.look(time.Now())
		case <-due.C:
		}
	}
}

// look reads the folders that may have changed.
func (w *watcher) look(now time.Time) {
	for _, f := range w.folders {
		f.look(now)
	}
}

// notice is told that something happened to a file, or to a folder itself.
func (w *watcher) notice(e fsnotify.Event, now time.Time) {
	path := filepath.Clean(e.Name)
	dir, name := filepath.Split(path)
	for _, f := range w.folders {
		switch {
		case f.path == filepath.Clean(dir):
			f.sight(name, now)
		case f.path == path && e.Op&(fsnotify.Remove|fsnotify.Rename) != 0:
			f.info = nil // notices of it have ended; another one may have taken its place
			f.look(now)
		}
	}
}

// take takes the files that have settled.
func (w *watcher) take(ctx context.Context) {
	for _, f := range w.folders {
		f.take(ctx)
	}
}

// next returns when the next file may have settled; zero if there is none.
func (w *watcher) next() (next time.Time) {
	for _, f := range w.folders {
		if !f.due.IsZero() && (next.IsZero() || f.due.Before(next)) {
			next = f.due
		}
	}
	return next
}

// attend asks for notices of a folder that has appeared.
func (w *watcher) attend(path string) {
	if w.notices == nil {
		return
	}
	_ = w.notices.Remove(path) // of a folder that had this path before
	if err := w.notices.Add(path); err != nil {
		w.sayDeaf(path, err)
	}
}

// sayDeaf says once that files are found a few seconds later than they could be.
func (w *watcher) sayDeaf(path string, err error) {
	if !w.deaf {
		w.deaf = true
		w.log.Warn("the system sends no notices of watched folders, which are looked at every "+
			pollTime.String(), "dir", path, "err", err)
	}
}

// suffix returns the suffix of Config.Suffixes that name has, or "".
func (w *watcher) suffix(name string) string {
	if strings.HasPrefix(name, ".") {
		return ""
	}
	ext := strings.ToLower(filepath.Ext(name))
	if _, ok := w.cfg.Suffixes[ext]; !ok || len(ext) == len(name) {
		return ""
	}
	return ext
}
