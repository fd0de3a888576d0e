package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"swarmnode/daemon/confine"
)

// Allowed reports, by a nil error, that a control may put content into the folder dir, or look for
// content there: it is Settings.Dir, IncompleteDir, one of Roots, or lies below one of them.
// Symbolic links count as where they lead. The error is a *PathError.
func (d *Daemon) Allowed(dir string) error {
	s := d.Settings()
	return allowed(dir, d.roots(&s))
}

// roots returns the folders that settings allow. The folder for content that files and flags
// name stays allowed when a control chooses one below it.
func (d *Daemon) roots(s *Settings) []string {
	return append([]string{s.Dir, s.IncompleteDir, d.keeper.baseDir()}, s.Roots...)
}

func allowed(dir string, roots []string) error {
	if err := confine.Check(dir, roots); err != nil {
		return &PathError{Path: dir, Err: err}
	}
	return nil
}

// admit returns a *PathError if ctx is one of Confine and dir is not allowed.
func (d *Daemon) admit(ctx context.Context, dir string) error {
	if !Confined(ctx) {
		return nil
	}
	return d.Allowed(dir)
}

// errLocal says that a setting says what runs or is read on this machine. Over the network,
// nobody changes such settings.
var errLocal = errors.New("can be changed only on the machine of the daemon")

// admitSettings returns an error if ctx is one of Confine and a change of settings would let
// its author out of the allowed folders.
func (d *Daemon) admitSettings(ctx context.Context, old, now *Settings) error {
	if !Confined(ctx) {
		return nil
	}
	for _, s := range []struct {
		name     string
		old, now []string
	}{
		{"root", old.Roots, now.Roots}, {"watch", old.Watch, now.Watch},
		{"on-added", old.OnAdded, now.OnAdded}, {"on-complete", old.OnComplete, now.OnComplete},
		{"on-error", old.OnError, now.OnError},
	} {
		if !slices.Equal(s.old, s.now) {
			return &SettingError{s.name, errLocal}
		}
	}
	// Lists of the user's own can be switched off and on again.
	local := slices.Concat(old.Blocklists, d.keeper.baseBlocklists())
	for _, list := range now.Blocklists {
		if !isURL(list) && !slices.Contains(local, list) {
			return &SettingError{"blocklist", fmt.Errorf("the file %q %w", list, errLocal)}
		}
	}
	roots := d.roots(old)
	for _, s := range []struct{ name, old, now string }{
		{"dir", old.Dir, now.Dir}, {"incomplete-dir", old.IncompleteDir, now.IncompleteDir},
	} {
		if s.old == s.now || s.now == "" {
			continue
		}
		if err := allowed(s.now, roots); err != nil {
			return &SettingError{s.name, err}
		}
	}
	return nil
}

// isURL reports whether a blocklist is fetched from a server.
func isURL(list string) bool {
	scheme, _, ok := strings.Cut(list, "://")
	return ok && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"))
}
