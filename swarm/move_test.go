package swarm_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"swarmnode/metainfo"
	"swarmnode/swarm"
	"swarmnode/swarm/storage"
)

// otherDevice returns a new folder on another device than that for temporary files.
func otherDevice(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "swarmnode-test-")
	if err != nil {
		t.Skip("no other device:", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	probe := filepath.Join(t.TempDir(), "probe")
	if err := os.WriteFile(probe, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if os.Rename(probe, filepath.Join(dir, "probe")) == nil {
		t.Skip("no other device")
	}
	return dir
}

// A seed and a leech are moved to another device and back while one fetches from the other:
// the leech gets everything, nothing is left behind, and the next run finds it.
func TestMoveUnderTraffic(t *testing.T) {
	dir, torrent := makeContent(t, 24<<20)
	shm := otherDevice(t)
	state := t.TempDir()
	seeder, leecher := newEngine(t), listen(t, swarm.Config{Client: "test", StateDir: state})
	seed := add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	waitDone(t, seed)
	out := t.TempDir()
	spec := swarm.Spec{Torrent: torrent, Dir: out, Down: 12 << 20,
		Peers: []string{seeder.Addr().String()}}
	leech := add(t, leecher, spec)
	until(t, leech, "the first bytes", func(s swarm.State) bool { return s.Have > 0 })
	sub := leecher.Subscribe(0)
	for _, place := range []string{"one", "two"} {
		seedTo, leechTo := filepath.Join(shm, "seed", place), filepath.Join(shm, "leech", place)
		if place == "two" {
			seedTo, leechTo = filepath.Join(t.TempDir(), "seed"),
				filepath.Join(t.TempDir(), "leech")
		}
		mustDo(t, seed.Move(t.Context(), seedTo), leech.Move(t.Context(), leechTo))
		for torrent, want := range map[*swarm.Torrent]string{seed: seedTo, leech: leechTo} {
			s := torrent.State()
			if torrent.Dir() != want || s.Dir != want || s.Moved != 0 {
				t.Errorf("it lies in %s (%s), want %s; %d bytes moved", torrent.Dir(), s.Dir, want,
					s.Moved)
			}
		}
		empty(t, dir)
		empty(t, out)
	}
	waitDone(t, leech)
	mustDo(t, leech.Err())
	sameContent(t, seed.Dir(), leech.Dir())
	if got, want := leech.Paths(), filepath.Join(leech.Dir(), "content"); got[0] != want {
		t.Errorf("the content lies at %s, want %s", got, want)
	}
	changes, err := sub.Next(t.Context())
	if err != nil || len(changes.Torrents) == 0 {
		t.Errorf("nothing changed: %+v %v", changes, err)
	}
	was := leech.Dir()
	mustDo(t, leech.Move(t.Context(), leech.Dir()), leech.Close()) // the former does nothing
	leech = add(t, leecher, spec)                                  // which names the first folder
	waitDone(t, leech)
	if leech.Dir() != was || leech.State().Totals.Down < 24<<20 {
		t.Errorf("the next run finds it in %s, want %s", leech.Dir(), was)
	}
}

// empty reports whether nothing lies in dir.
func empty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("%v is in %s (%v)", entries, dir, err)
	}
}

// Close and the end of its context end a move, after which everything is as before.
func TestMoveEnds(t *testing.T) {
	for _, by := range []string{"Close", "context"} {
		t.Run(by, func(t *testing.T) {
			const attempts = 10 // a move may end before it is told to
			for try := 1; !cutShort(t, by == "Close"); try++ {
				if try == attempts {
					t.Fatal("every move was faster")
				}
			}
		})
	}
}

// cutShort ends a move by closing the torrent, or by its context. It reports whether the
// move had not ended before.
func cutShort(t *testing.T, byClose bool) bool {
	t.Helper()
	dir, torrent := makeContent(t, 32<<20)
	to := filepath.Join(otherDevice(t), "new")
	seed := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	waitDone(t, seed)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	moved := make(chan error, 1)
	go func() { moved <- seed.Move(ctx, to) }()
	until(t, seed, "the first bytes", func(s swarm.State) bool {
		return s.Moved > 0 || s.Dir != dir
	})
	want := swarm.ErrStopped
	if byClose {
		mustDo(t, seed.Close())
	} else {
		cancel()
		want = context.Canceled
	}
	err := <-moved
	if err == nil {
		return false
	}
	if !errors.Is(err, want) {
		t.Error("Move:", err)
	}
	if _, err := os.Lstat(to); err == nil {
		t.Error("something is left of it")
	}
	if seed.Dir() != dir || seed.State().Moved != 0 {
		t.Errorf("it lies in %s", seed.Dir())
	}
	for _, name := range []string{"content/a", "content/sub/b"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	return true
}

// The top and a file get other names, which the next run knows.
func TestRename(t *testing.T) {
	dir, torrent := makeContent(t, 1<<20)
	e := listen(t, swarm.Config{Client: "test", StateDir: t.TempDir()})
	spec := swarm.Spec{Torrent: torrent, Dir: dir}
	seed := add(t, e, spec)
	waitDone(t, seed)
	mustDo(t, seed.Rename(0, "first"), seed.Rename(-1, "other"))
	check := func() {
		t.Helper()
		want := filepath.Join(dir, "other", "first")
		if got := seed.FilePath(0); got != want || seed.Paths()[0] != filepath.Dir(want) {
			t.Errorf("the file lies at %s, want %s", got, want)
		}
		if _, err := os.Stat(want); err != nil {
			t.Error(err)
		}
	}
	check()
	if err := seed.Rename(0, "a/b"); !errors.Is(err, storage.ErrName) {
		t.Error("a path for a name:", err)
	}
	if err := seed.Rename(7, "c"); !errors.Is(err, swarm.ErrNoFile) {
		t.Error("there is no such file:", err)
	}
	if err := seed.RenameFolder(0, 1, "c"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("there is no such folder:", err)
	}
	if err := seed.Move(t.Context(), ""); !errors.Is(err, storage.ErrName) ||
		err.Error() != `"": cannot be the name of a file or folder` {
		t.Error("no name for a folder:", err)
	}
	mustDo(t, seed.Close())
	seed = add(t, e, spec)
	waitDone(t, seed)
	check()
}

// A torrent without metadata, without content or after its end cannot be moved.
func TestMoveRefuses(t *testing.T) {
	dir, torrent := makeContent(t, 1<<20)
	e := newEngine(t)
	magnet := add(t, e, swarm.Spec{Magnet: metainfo.Magnet{V1: metainfo.Hash{9}, HasV1: true},
		Dir: dir})
	bare := add(t, e, swarm.Spec{Torrent: torrent, Dir: dir, MetadataOnly: true})
	for _, move := range []func(*swarm.Torrent) error{
		func(x *swarm.Torrent) error { return x.Move(t.Context(), t.TempDir()) },
		func(x *swarm.Torrent) error { return x.Rename(-1, "y") },
		func(x *swarm.Torrent) error { return x.RenameFolder(0, 1, "y") },
	} {
		if err := move(magnet); !errors.Is(err, swarm.ErrNoInfo) {
			t.Error("without metadata:", err)
		}
		if err := move(bare); !errors.Is(err, swarm.ErrNoContent) {
			t.Error("without content:", err)
		}
	}
	if magnet.Dir() != dir {
		t.Error("it will lie in", magnet.Dir())
	}
	mustDo(t, bare.Close())
	mustDo(t, magnet.Close())
	seed := add(t, e, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	waitDone(t, seed)
	to := t.TempDir()
	if err := os.WriteFile(filepath.Join(to, "content"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := seed.Move(t.Context(), to); !errors.Is(err, storage.ErrExists) {
		t.Error("onto another file:", err)
	}
	mustDo(t, seed.Close())
	if err := seed.Move(t.Context(), to); !errors.Is(err, swarm.ErrStopped) {
		t.Error("after the end:", err)
	}
}

// A file that another torrent of the engine has as well is copied and stays, and the next run
// finds each torrent at its own place.
func TestMoveShared(t *testing.T) {
	dir, torrent := makeContent(t, 300_000)
	same, err := metainfo.Build(t.Context(), metainfo.BuildOptions{
		Path: filepath.Join(dir, "content"), PieceLength: 16 << 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	state, to := t.TempDir(), t.TempDir()
	before := below(t, dir)
	for range 2 {
		e := listen(t, swarm.Config{Client: "test", StateDir: state})
		first := add(t, e, swarm.Spec{Torrent: torrent, Dir: dir})
		second := add(t, e, swarm.Spec{Torrent: same, Dir: dir})
		waitDone(t, first)
		waitDone(t, second)
		mustDo(t, first.Move(t.Context(), to))
		if first.Dir() != to || second.Dir() != dir {
			t.Error("they lie in", first.Dir(), second.Dir())
		}
		mustHave(t, dir, before...)
		mustHave(t, to, before...)
		mustDo(t, e.Close())
	}
}

// A torrent that was moved and renamed is removed with its data, and nothing is left: no
// file, no folder, no record, and no way to the new place.
func TestRemoveAfterMove(t *testing.T) {
	dir, torrent := makeContent(t, 1<<20)
	state, to := t.TempDir(), t.TempDir()
	e := listen(t, swarm.Config{Client: "test", StateDir: state})
	spec := swarm.Spec{Torrent: torrent, Dir: dir}
	seed := add(t, e, spec)
	waitDone(t, seed)
	mustDo(t, seed.Move(t.Context(), to), seed.Rename(-1, "other"), seed.Rename(1, "file"),
		seed.Remove(t.Context(), true))
	empty(t, dir)
	empty(t, to)
	left, err := filepath.Glob(filepath.Join(state, "*"+torrent.Info().Hash().String()+"*"))
	if err != nil || len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// The folder for the content of a link is chosen once its metadata is known.
func TestPlaceIsChosenByLayout(t *testing.T) {
	for _, choose := range []bool{true, false} {
		dir, torrent := makeContent(t, 1<<20)
		seeder, leecher := newEngine(t), newEngine(t)
		add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
		first, other := t.TempDir(), t.TempDir()
		want := first
		if choose {
			want = other
		}
		var asked int
		leech := add(t, leecher, swarm.Spec{Magnet: torrent.Magnet(), Dir: first,
			Peers: []string{seeder.Addr().String()},
			Place: func(l *metainfo.Layout) string {
				asked++
				if l.Name != torrent.Info().Name() {
					t.Errorf("asked about %q", l.Name)
				}
				if !choose {
					return ""
				}
				return other
			}})
		waitDone(t, leech)
		if paths := leech.Paths(); leech.Dir() != want || len(paths) != 1 ||
			filepath.Dir(paths[0]) != want {
			t.Errorf("it lies in %s, at %v, want %s", leech.Dir(), paths, want)
		}
		mustDo(t, leech.Close())
		if asked != 1 {
			t.Errorf("asked %d times", asked)
		}
	}
}
