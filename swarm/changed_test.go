package swarm_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"swarmnode/swarm"
)

// overwrite changes some bytes of a file, as another program would.
func overwrite(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("changed by somebody else"), at); err != nil {
		t.Fatal(err)
	}
}

// until waits for something that a torrent is to come to.
func until(t *testing.T, torrent *swarm.Torrent, what string, ok func(swarm.State) bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(torrent.State()); {
		if time.Now().After(end) {
			t.Fatalf("%s: %+v", what, torrent.State())
		}
		<-time.After(5 * time.Millisecond)
	}
}

// A file that is changed while it is seeded: nothing wrong is sent. Who only
// serves it offers the rest; who has fetched it fetches the piece again.
func TestContentChangesWhileSeeding(t *testing.T) {
	t.Parallel() // it waits for dials
	const size = 1<<20 + 12345
	dir, torrent := makeContent(t, size)
	first, second, third := newEngine(t), newEngine(t), newEngine(t)
	seed := add(t, first, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	waitDone(t, seed)
	copied := t.TempDir()
	mirror := add(t, second, swarm.Spec{Torrent: torrent, Dir: copied,
		Peers: []string{first.Addr().String()}})
	waitDone(t, mirror)
	original := t.TempDir()
	keep, err := os.ReadFile(filepath.Join(dir, "content/a"))
	if err != nil {
		t.Fatal(err)
	}

	// The source is changed: only the mirror has that piece now.
	overwrite(t, filepath.Join(dir, "content/a"), 100_000)
	leech := add(t, third, swarm.Spec{Torrent: torrent, Dir: original,
		Peers: []string{first.Addr().String()}})
	until(t, seed, "the change was not noticed", func(s swarm.State) bool { return s.Have < size })
	until(t, leech, "what is left did not come", func(s swarm.State) bool {
		return s.Have == size-32<<10
	})
	if s := leech.State(); s.Wasted() > 0 {
		t.Errorf("wrong data was sent: %+v", s)
	}
	leech.AddPeer(second.Addr())
	waitDone(t, leech)
	if s := seed.State(); s.Phase != swarm.Seeding || s.Have != size-32<<10 {
		t.Errorf("the source: %+v", s)
	}

	// The mirror is changed: it mends itself from the others.
	overwrite(t, filepath.Join(copied, "content/sub/b"), 300_000)
	fourth := newEngine(t)
	last := add(t, fourth, swarm.Spec{Torrent: torrent, Dir: t.TempDir(),
		Peers: []string{second.Addr().String()}})
	waitDone(t, last)
	until(t, mirror, "the mirror did not mend itself", func(s swarm.State) bool {
		return s.Have == size && s.Phase == swarm.Seeding
	})
	if s := last.State(); last.Err() != nil || s.Wasted() > 0 {
		t.Errorf("%v, %+v", last.Err(), s)
	}
	if err := os.WriteFile(filepath.Join(dir, "content/a"), keep, 0o666); err != nil {
		t.Fatal(err)
	}
	sameContent(t, dir, copied)
	sameContent(t, dir, original)
}

// Content that is cut short, deleted or changed before anything of it was sent:
// the rest is offered all the same, and nothing waits for the disk.
func TestContentVanishesWhileSeeding(t *testing.T) {
	t.Parallel()
	const (
		size = 1<<20 + 12345
		of1  = 32 << 10
		ofA  = (size/3 + of1 - 1) / of1 * of1 // the last piece is of b, too
	)
	for _, tt := range []struct {
		name   string
		change func(path string)
		gone   int64 // bytes
	}{
		{"cut short", func(path string) { os.Truncate(path, 0) }, ofA},
		{"deleted", func(path string) { os.Remove(path) }, ofA},
		{"changed", func(path string) { overwrite(t, path, 100_000) }, of1},
	} {
		dir, torrent := makeContent(t, size)
		first, second := newEngine(t), newEngine(t)
		seed := add(t, first, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
		waitDone(t, seed)
		until(t, seed, tt.name+": not open", func(s swarm.State) bool {
			return s.Phase == swarm.Seeding
		})
		tt.change(filepath.Join(dir, "content/a"))
		leech := add(t, second, swarm.Spec{Torrent: torrent, Dir: t.TempDir(),
			Peers: []string{first.Addr().String()}})
		until(t, leech, tt.name+": what is left did not come", func(s swarm.State) bool {
			return s.Have == size-tt.gone
		})
		until(t, seed, tt.name+": not noticed", func(s swarm.State) bool {
			return s.Have == size-tt.gone
		})
		got := leech.State()
		if s := seed.State(); s.Phase != swarm.Seeding || s.Fault != nil || got.Wasted() > 0 {
			t.Errorf("%s: the source: %+v, %v", tt.name, s, s.Fault)
		}
	}
}
