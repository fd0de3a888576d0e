package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"swarmnode/metainfo"
)

// TestRenamePaths: a file and the top get other names; a folder in between and a path that is
// none of the torrent do not, and the error says which it is.
func TestRenamePaths(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a/b/c", "a/d"} {
		path := filepath.Join(dir, "top", filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755),
			os.WriteFile(path, contentOf(20_000, name[2]), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{
		Path: filepath.Join(dir, "top"), PieceLength: 16 << 10, Kind: metainfo.V1})
	if err != nil {
		t.Fatal(err)
	}
	d := startDaemon(t, testConfig(t.TempDir(), dir, nil))
	got := add(t, d, AddSpec{Torrent: torrent})
	awaitStatus(t, got, Seeding)
	for _, path := range []string{"top/a", "top/a/b", "/top/a/b/"} {
		if err := got.Rename(t.Context(), path, "x"); !errors.Is(err, ErrFolder) {
			t.Errorf("%s: %v", path, err)
		}
	}
	wrong := new(OptionError)
	for _, path := range []string{"top/x", "top/a/b/c/d", "a", "top/a/", "top/aa"} {
		err := got.Rename(t.Context(), path, "x")
		if !errors.As(err, &wrong) || errors.Is(err, ErrFolder) != (path == "top/a/") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := errors.Join(got.Rename(t.Context(), "top/a/b/c", "x"),
		got.Rename(t.Context(), "top", "y")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"y/a/b/x", "y/a/d"} {
		if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			t.Error(err)
		}
	}
}
