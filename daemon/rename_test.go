package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"swarmnode/metainfo"
	"swarmnode/swarm/storage"
)

// TestRenamePaths: a file, a folder and the top get other names, by the names that they have in the
// torrent and by those that the user gave. The next run knows them.
func TestRenamePaths(t *testing.T) {
	for _, whole := range []bool{false, true} {
		renamePaths(t, whole)
	}
}

func renamePaths(t *testing.T, whole bool) {
	dir, state := t.TempDir(), t.TempDir()
	for _, name := range []string{"a/b/c", "a/d", "e"} {
		path := filepath.Join(dir, "top", filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755),
			os.WriteFile(path, contentOf(20_000, name[0]), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{
		Path: filepath.Join(dir, "top"), PieceLength: 16 << 10, Kind: metainfo.V1})
	if err != nil {
		t.Fatal(err)
	}
	d := startDaemon(t, testConfig(state, dir, nil))
	got := add(t, d, AddSpec{Torrent: torrent, Complete: whole})
	awaitStatus(t, got, Seeding)
	wrong := new(OptionError)
	for _, path := range []string{"top/x", "top/a/b/c/d", "a", "top/aa", "..", "top/..", "top//a"} {
		if err := got.Rename(t.Context(), path, "x"); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, name := range []string{"", "..", "x/y", ".", "../x"} {
		for _, path := range []string{"top/a/b", "top/a/b/c", ""} {
			if err := got.Rename(t.Context(), path, name); !errors.Is(err, storage.ErrName) {
				t.Errorf("%q for %s: %v", name, path, err)
			}
		}
	}
	if err := got.Rename(t.Context(), "top/a", "e"); !errors.Is(err, storage.ErrExists) {
		t.Errorf("a name that a file has: %v", err)
	}
	for _, step := range [][2]string{{"top/a/b/c", "x"}, {"top/a", "folder"}, {"top", "y"},
		{"y/folder/b/x", "z"}, {"/y/folder/b/", "deep"}, {"top/a/b/c", "file"},
		{"y/folder", "again"}} {
		if err := got.Rename(t.Context(), step[0], step[1]); err != nil {
			t.Errorf("%s to %s: %v", step[0], step[1], err)
		}
	}
	for _, name := range []string{"y/again/deep/file", "y/again/d", "y/e"} {
		if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			t.Error(err)
		}
	}
	closeDaemon(t, d)
	d = startDaemon(t, testConfig(state, dir, nil))
	got = d.ByID(1)
	awaitStatus(t, got, Seeding)
	s := got.State()
	files, err := got.Files(t.Context())
	if err != nil || s.Left != 0 || s.Error != "" || s.Name != "y" {
		t.Fatalf("after a restart: %v %+v", err, s)
	}
	var paths []string
	for i := range files {
		paths = append(paths, ShownPath(&s, torrent.Info().Layout(), i, files[i].Path))
	}
	if want := []string{"y/again/deep/file", "y/again/d", "y/e"}; !slices.Equal(paths, want) {
		t.Errorf("the files are %v, want %v", paths, want)
	}
}

// TestLocateRenamed: content that the user has renamed and then moved by other means is found by
// the names that it got, and by those of the torrent if it has them there.
func TestLocateRenamed(t *testing.T) {
	for _, given := range []bool{true, false} {
		top, state := t.TempDir(), t.TempDir()
		dir, other := filepath.Join(top, "dir"), filepath.Join(top, "other")
		for _, name := range []string{"top/a/b", "top/c"} {
			path := filepath.Join(dir, filepath.FromSlash(name))
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755),
				os.WriteFile(path, contentOf(20_000, name[len(name)-1]), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{
			Path: filepath.Join(dir, "top"), PieceLength: 16 << 10, Kind: metainfo.V1})
		if err == nil && !given {
			err = os.CopyFS(other, os.DirFS(dir))
		}
		if err != nil {
			t.Fatal(err)
		}
		d := startDaemon(t, testConfig(state, dir, nil))
		got := add(t, d, AddSpec{Torrent: torrent})
		awaitStatus(t, got, Seeding)
		if err := errors.Join(got.Rename(t.Context(), "top/a", "x"),
			got.Rename(t.Context(), "top/c", "y"), got.Rename(t.Context(), "", "z")); err != nil {
			t.Fatal(err)
		}
		if given {
			err = os.Rename(dir, other)
		} else {
			err = os.RemoveAll(dir)
		}
		if err = errors.Join(err, got.Locate(t.Context(), other)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "all of it is found", func() bool {
			s := got.State()
			return s.Status == Seeding && s.Dir == other && s.Swarm.Left == 0 &&
				s.Swarm.Dir == other
		})
		s := got.State()
		if _, err := os.Stat(filepath.Join(other, s.Name)); err != nil || s.Error != "" {
			t.Errorf("given %v: it is called %s: %v; %s", given, s.Name, err, s.Error)
		}
		closeDaemon(t, d)
	}
}
