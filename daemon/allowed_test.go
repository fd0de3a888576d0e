package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"swarmnode/metainfo"
)

// Somebody far away may use the folders that the user has chosen, and no others; somebody on
// this machine may use all.
func TestFoldersAreConfined(t *testing.T) {
	p := newPlaces(t)
	root := t.TempDir()
	cfg := p.config(nil)
	cfg.Settings.Roots = []string{root}
	d := startDaemon(t, cfg)
	if err := os.Symlink(t.TempDir(), filepath.Join(root, "out")); err != nil {
		t.Skip(err)
	}
	outside := t.TempDir()
	far, near := Confine(t.Context()), t.Context()
	wrong := []string{outside, filepath.Join(root, "out", "x"), root + "/../x", filepath.Dir(root)}
	for _, dir := range []string{p.dir, p.incomplete, root, filepath.Join(root, "a", "b")} {
		if err := d.Allowed(dir); err != nil {
			t.Error(err)
		}
	}
	_, torrent := makeTorrent(t, "content", 100, metainfo.V1)
	isPathError := func(err error) bool {
		found, ok := errors.AsType[*PathError](err)
		return ok && found.Path != "" && found.Err != nil
	}
	for _, dir := range wrong {
		_, err := d.Add(far, AddSpec{Torrent: torrent, Options: Options{Dir: dir, Stopped: true}})
		if !isPathError(err) {
			t.Errorf("added to %s: %v", dir, err)
		}
	}
	got := add(t, d, AddSpec{Torrent: torrent, Options: Options{Stopped: true}})
	for _, dir := range wrong {
		if err := got.Move(far, dir); !isPathError(err) {
			t.Errorf("moved to %s: %v", dir, err)
		}
		if err := got.Locate(far, dir); !isPathError(err) {
			t.Errorf("located in %s: %v", dir, err)
		}
		err := got.Set(far, func(o *Options) { o.Dir = dir })
		if !isPathError(err) {
			t.Errorf("set to %s: %v", dir, err)
		}
	}
	if err := got.Move(far, filepath.Join(root, "a")); err != nil {
		t.Error(err)
	}
	if err := got.Move(near, outside); err != nil {
		t.Errorf("on this machine: %v", err)
	}
}

// Somebody far away does not make the daemon seed whatever has the name of a torrent: their word
// that the content was hashed does not count.
func TestCompleteIsConfined(t *testing.T) {
	dir, torrent := makeTorrent(t, "content", 100_000, metainfo.V1)
	other := contentOf(100_000, 99)
	if err := os.WriteFile(filepath.Join(dir, "content"), other, 0o600); err != nil {
		t.Fatal(err)
	}
	for what, far := range map[string]bool{"far away": true, "on this machine": false} {
		d := startDaemon(t, testConfig(t.TempDir(), dir, nil))
		ctx, want := t.Context(), Seeding
		if far {
			ctx, want = Confine(ctx), Downloading
		}
		got, err := d.Add(ctx, AddSpec{Torrent: torrent, Complete: true})
		if err != nil {
			t.Fatal(what, err)
		}
		awaitStatus(t, got, want)
		if s := got.State(); far && s.Got != 0 {
			t.Errorf("%s: %d bytes count", what, s.Got)
		}
		closeDaemon(t, d)
	}
}

// Nobody far away changes what runs or is read on this machine, nor the folders that
// are allowed.
func TestSettingsAreConfined(t *testing.T) {
	p := newPlaces(t)
	cfg := p.config(nil)
	list := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(list, []byte("192.0.2.0/24\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Settings.Blocklists = []string{list}
	d := startDaemon(t, cfg)
	far := Confine(t.Context())
	for name, change := range map[string]func(*Settings){
		"root":           func(s *Settings) { s.Roots = append(s.Roots, "/") },
		"watch":          func(s *Settings) { s.Watch = []string{"/tmp"} },
		"on-added":       func(s *Settings) { s.OnAdded = []string{"sh"} },
		"on-complete":    func(s *Settings) { s.OnComplete = []string{"sh"} },
		"on-error":       func(s *Settings) { s.OnError = []string{"sh"} },
		"blocklist":      func(s *Settings) { s.Blocklists = []string{"/etc/passwd"} },
		"dir":            func(s *Settings) { s.Dir = t.TempDir() },
		"incomplete-dir": func(s *Settings) { s.IncompleteDir = "/" },
	} {
		before := d.Settings()
		err := d.Change(far, change)
		found, ok := errors.AsType[*SettingError](err)
		if !ok || found.Name != name {
			t.Errorf("%s: %v", name, err)
		}
		after := d.Settings()
		if after.Dir != before.Dir || !slices.Equal(after.Roots, before.Roots) {
			t.Errorf("%s was changed", name)
		}
	}
	// A folder below can be chosen, and the way back stays open.
	below := filepath.Join(p.dir, "films")
	for _, dir := range []string{below, p.dir} {
		if err := d.Change(far, func(s *Settings) { s.Dir = dir }); err != nil {
			t.Error(err)
		}
	}
	if err := d.Change(far, func(s *Settings) { s.IncompleteDir = "" }); err != nil {
		t.Error(err)
	}
	// The lists of the user can be switched off and on again.
	for _, lists := range [][]string{nil, {list}} {
		if err := d.Change(far, func(s *Settings) { s.Blocklists = lists }); err != nil {
			t.Error(err)
		}
	}
}
