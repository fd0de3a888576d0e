package swarm_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// below returns the names of all files and folders below dir.
func below(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err == nil && path != dir {
			names = append(names, filepath.ToSlash(path[len(dir)+1:]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// mustHave checks what lies below dir.
func mustHave(t *testing.T, dir string, want ...string) {
	t.Helper()
	if got := below(t, dir); !slices.Equal(got, want) {
		t.Errorf("there are %q, want %q", got, want)
	}
}

// write writes a file of a stranger.
func write(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("something else"), 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestRemove: a torrent goes with its records, and with its data only if that is asked for.
func TestRemove(t *testing.T) {
	dir, torrent := makeContent(t, 300_000)
	state, out := t.TempDir(), t.TempDir()
	e := listen(t, swarm.Config{StateDir: state})
	for _, data := range []bool{false, true} {
		if err := os.CopyFS(out, os.DirFS(dir)); err != nil && !errors.Is(err, os.ErrExist) {
			t.Fatal(err)
		}
		done := add(t, e, swarm.Spec{Torrent: torrent, Dir: out})
		waitDone(t, done)
		if err := done.Remove(t.Context(), data); err != nil {
			t.Fatal(err)
		}
		mustHave(t, state)
		if done.State().Phase != swarm.Closed || len(e.Torrents()) != 0 {
			t.Error("the torrent is still there")
		}
		if data {
			mustHave(t, out)
		} else {
			mustHave(t, out, "content", "content/a", "content/sub", "content/sub/b")
		}
		if err := done.Remove(t.Context(), data); err != nil {
			t.Error("once more:", err)
		}
	}
}

// TestRemoveLeavesOthers: files of others, and what lies behind links, stay.
func TestRemoveLeavesOthers(t *testing.T) {
	dir, torrent := makeContent(t, 300_000)
	e := newEngine(t)
	done := add(t, e, swarm.Spec{Torrent: torrent, Dir: dir})
	waitDone(t, done)
	elsewhere := t.TempDir()
	write(t, filepath.Join(elsewhere, "kept"))
	write(t, filepath.Join(dir, "content", "sub", "other"))
	write(t, filepath.Join(dir, "beside"))
	if err := os.Symlink(elsewhere, filepath.Join(dir, "content", "link")); err != nil {
		t.Fatal(err)
	}
	if err := done.Close(); err != nil {
		t.Fatal(err)
	}
	if err := done.Remove(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	mustHave(t, dir, "beside", "content", "content/link", "content/sub", "content/sub/other")
	mustHave(t, elsewhere, "kept")
}

// TestRemoveUnfinished: files that were begun go, with the partfile; a file of a stranger in
// the place of one that is not wanted stays.
func TestRemoveUnfinished(t *testing.T) {
	state := t.TempDir()
	spec := chosen("0044000")
	f := newFiles(t, 0, spec)
	f.wait(t)
	write(t, filepath.Join(f.out, "files", "6"))
	e := listen(t, swarm.Config{StateDir: state})
	f.leech.Close()
	spec.Torrent, spec.Dir, spec.Peers = f.torrent, f.out, []string{f.seed.Addr().String()}
	again := add(t, e, spec)
	waitDone(t, again)
	if err := again.SetFiles(ranks("4444400")); err != nil {
		t.Fatal(err)
	}
	if err := again.Remove(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	mustHave(t, state)
	mustHave(t, f.out, "files", "files/6")
}

// TestRemoveShared: a file that another torrent of the engine uses stays until that one is
// removed too.
func TestRemoveShared(t *testing.T) {
	dir, torrent := makeContent(t, 300_000)
	same, err := metainfo.Build(t.Context(), metainfo.BuildOptions{
		Path: filepath.Join(dir, "content"), PieceLength: 16 << 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(t)
	first := add(t, e, swarm.Spec{Torrent: torrent, Dir: dir})
	second := add(t, e, swarm.Spec{Torrent: same, Dir: dir})
	waitDone(t, first)
	waitDone(t, second)
	before := below(t, dir)
	if err := first.Remove(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	mustHave(t, dir, before...)
	if err := second.Remove(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	mustHave(t, dir)
}

// TestRemoveSharedByLink: so does one that the other torrent knows by another path.
func TestRemoveSharedByLink(t *testing.T) {
	dir, torrent := makeContent(t, 300_000)
	same, err := metainfo.Build(t.Context(), metainfo.BuildOptions{
		Path: filepath.Join(dir, "content"), PieceLength: 16 << 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	link, before := filepath.Join(t.TempDir(), "link"), below(t, dir)
	if err := os.Symlink(dir, link); err != nil {
		t.Skip(err)
	}
	e := newEngine(t)
	first := add(t, e, swarm.Spec{Torrent: torrent, Dir: dir})
	second := add(t, e, swarm.Spec{Torrent: same, Dir: link})
	waitDone(t, first)
	waitDone(t, second)
	mustDo(t, first.Move(t.Context(), t.TempDir()))
	mustHave(t, dir, before...)
	mustDo(t, second.Move(t.Context(), t.TempDir()))
	mustHave(t, dir)
}

// TestRemoveEarly: a torrent goes at any moment: without metadata, and before its content
// was checked, in which case the files that hold its data go and no others.
func TestRemoveEarly(t *testing.T) {
	dir, torrent := makeContent(t, 300_000)
	e := newEngine(t)
	link := add(t, e, swarm.Spec{Magnet: torrent.Magnet(), Dir: dir})
	if err := link.Remove(t.Context(), true); err != nil {
		t.Error("without metadata:", err)
	}
	mustHave(t, dir, "content", "content/a", "content/sub", "content/sub/b")
	path := filepath.Join(dir, "content", "a")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write(t, path)
	unchecked := add(t, e, swarm.Spec{Torrent: torrent, Dir: dir, Paused: true})
	if err := unchecked.Remove(t.Context(), true); err != nil {
		t.Error("before the check:", err)
	}
	mustHave(t, dir, "content", "content/a")
	nowhere := add(t, e, swarm.Spec{Torrent: torrent, Dir: filepath.Join(dir, "none")})
	<-nowhere.HaveInfo()
	if err := nowhere.Remove(t.Context(), true); err != nil {
		t.Error("without a folder:", err)
	}
	meta := add(t, e, swarm.Spec{Torrent: torrent, MetadataOnly: true})
	if err := meta.Remove(t.Context(), true); err != nil {
		t.Error("metadata alone:", err)
	}
}

// TestRemoveAddedAgain: the handle of a torrent that was added again removes nothing.
func TestRemoveAddedAgain(t *testing.T) {
	dir, torrent := makeContent(t, 300_000)
	e := newEngine(t)
	old := add(t, e, swarm.Spec{Torrent: torrent, Dir: dir})
	waitDone(t, old)
	old.Close()
	again := add(t, e, swarm.Spec{Torrent: torrent, Dir: dir})
	if err := old.Remove(t.Context(), true); !errors.Is(err, swarm.ErrExists) {
		t.Error("by the old handle:", err)
	}
	waitDone(t, again)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = again.Remove(ctx, true) // it may have ended before anybody looked at ctx
	if err := again.Remove(t.Context(), true); err != nil {
		t.Error("after a call that was given up:", err)
	}
	mustHave(t, dir)
	if len(e.Torrents()) != 0 {
		t.Error("the torrent is still there")
	}
}
