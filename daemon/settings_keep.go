package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"swarmnode/swarm/statefile"
)

const (
	// keptFile is the file of changes in the state folder.
	keptFile = "settings.json"
	// keepLate is how long a change may wait until it is written, so that changes that come
	// together are written once.
	keepLate = 250 * time.Millisecond
	// keepRetry is the pause after the file could not be written.
	keepRetry = 10 * time.Second
	// keptAsideMax bounds how many damaged files are kept.
	keptAsideMax = 100
)

// A keeper keeps the changes of settings in a file. It is safe for concurrent use.
type keeper struct {
	log  *slog.Logger
	path string
	// ready says why the state folder must not be written to; nil if it may.
	ready func() error

	changing sync.Mutex // held while the settings change

	mu      sync.Mutex
	doc     settingsDoc
	session kept     // changes of pinned settings, which end with the process
	base    Settings // what files, flags and the environment give
	pinned  []string // names of settings that a change does not outlive
	frozen  bool     // the file is that of a later version, and left alone
	dirty   bool
	closed  bool
	timer   *time.Timer // until the next write; nil if none is due
	failing error       // why the file cannot be written; nil if it can
}

// openKeeper reads the file of a state folder. A damaged one is set aside.
func openKeeper(log *slog.Logger, state string, ready func() error) *keeper {
	k := &keeper{log: log, path: filepath.Join(state, keptFile), ready: ready, session: kept{},
		doc: settingsDoc{changed: kept{}}}
	doc, err := readKept(k.path)
	switch {
	case err == nil:
		k.doc = doc
	case errors.Is(err, errLater):
		k.frozen = true
		log.Warn("settings that were changed while an earlier run are not used, and changes are "+
			"not kept", "file", k.path, "err", err)
	default:
		k.setAside(err)
	}
	return k
}

// readKept reads the file of changes at path. If there is none, there are no changes.
func readKept(path string) (settingsDoc, error) {
	none := settingsDoc{changed: kept{}}
	sealed, _, err := statefile.Read(path, settingsBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return none, nil
	}
	if err != nil {
		return none, err
	}
	object, err := unseal(sealed, settingsVersion)
	if err != nil {
		return none, err
	}
	doc := none
	if err := doc.unmarshal(object); err != nil {
		return none, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return doc, nil
}

// setAside gives a file that cannot be used another name.
func (k *keeper) setAside(why error) {
	for n := 1; n <= keptAsideMax; n++ {
		aside := fmt.Sprintf("%s.damaged-%d", k.path, n)
		if _, err := os.Lstat(aside); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.Rename(k.path, aside); err != nil {
			break
		}
		k.log.Warn("settings that were changed in an earlier run are lost, the file was set aside",
			"file", aside, "err", why)
		return
	}
	k.frozen = true
	k.log.Warn("settings that were changed in an earlier run cannot be used, and changes are not "+
		"kept", "file", k.path, "err", why)
}

// baseDir returns Settings.Dir as files, flags and the environment give it.
func (k *keeper) baseDir() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.base.Dir
}

// baseBlocklists returns Settings.Blocklists as files, flags and the environment give them.
func (k *keeper) baseBlocklists() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.base.Blocklists
}

// rebase returns the settings for a new base: with the changes of earlier runs and of this one
// that still count. If base is wrong, nothing changes.
func (k *keeper) rebase(base Settings, pinned []string) (Settings, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s, dropped, err := k.doc.changed.with(base, pinned)
	if err != nil {
		return Settings{}, err
	}
	s, ended, err := k.session.with(s, nil)
	if err != nil {
		return Settings{}, err
	}
	for _, name := range ended {
		delete(k.session, name)
	}
	for _, name := range dropped {
		delete(k.doc.changed, name)
	}
	if len(dropped) > 0 {
		k.log.Info("the configuration says something new, so changes by controls are dropped",
			"settings", strings.Join(dropped, " "))
		k.save()
	}
	k.base, k.pinned = base.clone(), slices.Clone(pinned)
	return s, nil
}

// record keeps how next differs from old.
func (k *keeper) record(old, next *Settings) {
	k.mu.Lock()
	defer k.mu.Unlock()
	changes := kept{}
	lasting, passing := maps.Clone(k.doc.changed), k.session
	changes.record(old, next, &k.base)
	for _, name := range next.differing(old) {
		into := lasting
		if slices.Contains(k.pinned, name) {
			into = passing
		}
		delete(into, name)
		if change, ok := changes[name]; ok {
			into[name] = change
		}
	}
	if !maps.EqualFunc(lasting, k.doc.changed, keptChange.equal) {
		k.doc.changed = lasting
		k.save()
	}
}

func (c keptChange) equal(o keptChange) bool {
	return string(c.Value) == string(o.Value) && string(c.Base) == string(o.Base)
}

// changed returns the names of the settings that controls have changed.
func (k *keeper) changed(s *Settings) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return s.differing(&k.base)
}

// pins returns the names of the pinned settings.
func (k *keeper) pins() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.pinned)
}

// save schedules a write. k.mu is held.
func (k *keeper) save() {
	k.dirty = true
	if k.timer == nil && !k.closed {
		k.timer = time.AfterFunc(keepLate, k.write)
	}
}

// write writes the file if there is something new, and tries again later if it fails.
func (k *keeper) write() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.timer = nil
	if k.flush() != nil && !k.closed {
		k.timer = time.AfterFunc(keepRetry, k.write)
	}
}

// flush writes the file if there is something new. k.mu is held.
func (k *keeper) flush() error {
	if !k.dirty || k.frozen {
		return nil
	}
	err := k.ready()
	if err == nil {
		var object []byte
		if object, err = k.doc.marshal(); err == nil {
			err = statefile.Replace(k.path, seal(object), true)
		}
	}
	k.dirty = err != nil
	switch {
	case err != nil && k.failing == nil:
		k.log.Warn("changes of settings cannot be kept; trying again", "every", keepRetry, "err",
			err)
	case err == nil && k.failing != nil:
		k.log.Info("changes of settings are kept again")
	}
	k.failing = err
	return err
}

// close writes what is left, and ends the trying.
func (k *keeper) close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	if k.timer != nil {
		k.timer.Stop()
		k.timer = nil
	}
	return k.flush()
}

// Preview returns the settings with which a daemon would start in a state folder, and the names
// of those that were changed while one ran. The file of changes is only read. The error is that
// of base, a *SettingError, or says why the file cannot be read.
func Preview(stateDir string, base Settings, pinned []string) (Settings, []string, error) {
	if err := base.check(); err != nil {
		return Settings{}, nil, err
	}
	doc, err := readKept(filepath.Join(stateDir, keptFile))
	if err != nil {
		return Settings{}, nil, err
	}
	s, _, err := doc.changed.with(base, pinned)
	return s, s.differing(&base), err
}
