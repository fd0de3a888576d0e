package daemon

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"swarmnode/metainfo"
)

// places are the folders of a daemon that keeps unfinished content apart.
type places struct{ state, dir, incomplete, other string }

func newPlaces(t *testing.T) places {
	top := t.TempDir()
	return places{filepath.Join(top, "state"), filepath.Join(top, "done"),
		filepath.Join(top, "incomplete"), filepath.Join(top, "other")}
}

func (p places) config(log *logbook) Config {
	cfg := testConfig(p.state, p.dir, log)
	cfg.Settings.IncompleteDir = p.incomplete
	return cfg
}

// wantContent waits until content lies in a folder, and not in another one.
func wantContent(t *testing.T, got *Torrent, dir, not, name string, size int) {
	t.Helper()
	eventually(t, "the content lies in "+dir, func() bool {
		s := got.State()
		_, err := os.Lstat(filepath.Join(not, name))
		return s.Dir == dir && s.Left == 0 && got.Options().Dir == dir && err != nil
	})
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil || !bytes.Equal(content, contentOf(size, byte(len(name)))) {
		t.Errorf("the content differs: %v", err)
	}
}

// Content lies in the incomplete folder until it is complete, also that of a link.
func TestIncompleteFolder(t *testing.T) {
	for _, how := range []string{"torrent", "link"} {
		from, torrent := makeTorrent(t, "content", 200_000, metainfo.V1)
		seeds := seeder(t, from, torrent)
		p := newPlaces(t)
		d := startDaemon(t, p.config(nil))
		spec := AddSpec{Torrent: torrent}
		if how == "link" {
			spec = AddSpec{Magnet: torrent.Magnet()}
		}
		got := add(t, d, spec)
		if s := got.State(); s.Dir != p.incomplete {
			t.Errorf("%s: at first it lies in %s", how, s.Dir)
		}
		if err := got.AddPeer(t.Context(), hostOf(seeds)); err != nil {
			t.Fatal(err)
		}
		wantContent(t, got, p.dir, p.incomplete, "content", 200_000)
		awaitStatus(t, got, Seeding)
		if s := got.State(); s.Error != "" {
			t.Errorf("%s: %s", how, s.Error)
		}
	}
}

// The user may choose another folder before and after the content is complete.
func TestMoveInBothPhases(t *testing.T) {
	from, torrent := makeTorrent(t, "content", 200_000, metainfo.V1)
	seeds := seeder(t, from, torrent)
	p := newPlaces(t)
	d := startDaemon(t, p.config(nil))
	got := add(t, d, AddSpec{Torrent: torrent})
	if err := got.Move(t.Context(), p.other); err != nil {
		t.Fatal(err)
	}
	if s := got.State(); s.Dir != p.incomplete || got.Options().Dir != p.other {
		t.Errorf("unfinished content lies in %s and goes to %s", s.Dir, got.Options().Dir)
	}
	if err := got.AddPeer(t.Context(), hostOf(seeds)); err != nil {
		t.Fatal(err)
	}
	wantContent(t, got, p.other, p.incomplete, "content", 200_000)
	eventually(t, "it can be moved again", func() bool {
		return got.Move(t.Context(), p.dir) == nil
	})
	wantContent(t, got, p.dir, p.other, "content", 200_000)
}

// Content that is in its folder already is not fetched again, even if only the metadata tells
// that.
func TestContentThatIsThere(t *testing.T) {
	for _, how := range []string{"torrent", "link", "complete"} {
		from, torrent := makeTorrent(t, "content", 200_000, metainfo.V1)
		seeds := seeder(t, from, torrent)
		p := newPlaces(t)
		if err := os.Mkdir(p.dir, 0o755); err != nil {
			t.Fatal(err)
		}
		content := contentOf(200_000, 7)
		if err := os.WriteFile(filepath.Join(p.dir, "content"), content, 0o644); err != nil {
			t.Fatal(err)
		}
		d := startDaemon(t, p.config(nil))
		spec := AddSpec{Torrent: torrent, Complete: how == "complete"}
		if how == "link" {
			spec = AddSpec{Magnet: torrent.Magnet(), Peers: []string{hostOf(seeds)}}
		}
		got := add(t, d, spec)
		wantContent(t, got, p.dir, p.incomplete, "content", 200_000)
		awaitStatus(t, got, Seeding)
		if down := got.State().Totals.Down; down != 0 {
			t.Errorf("%s: %d bytes were fetched", how, down)
		}
	}
}

// What has the name of the content in the final folder stays, and so does the content, until
// the user chooses another folder.
func TestCollision(t *testing.T) {
	from, torrent := makeTorrent(t, "content", 200_000, metainfo.V1)
	seeds := seeder(t, from, torrent)
	p, log := newPlaces(t), &logbook{}
	d := startDaemon(t, p.config(log))
	got := add(t, d, AddSpec{Torrent: torrent})
	taken := filepath.Join(p.dir, "content")
	if err := os.Mkdir(p.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(taken, []byte("something else"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := got.AddPeer(t.Context(), hostOf(seeds)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the error is shown", func() bool { return got.State().Error != "" })
	s := got.State()
	if !strings.Contains(s.Error, taken) || s.Dir != p.incomplete || s.Left != 0 {
		t.Errorf("the error is %q, the content lies in %s and lacks %d bytes", s.Error, s.Dir,
			s.Left)
	}
	awaitStatus(t, got, Seeding)
	if text, err := os.ReadFile(taken); string(text) != "something else" {
		t.Errorf("what was there is %q, %v", text, err)
	}
	eventually(t, "it can be moved elsewhere", func() bool {
		return got.Move(t.Context(), p.other) == nil
	})
	wantContent(t, got, p.other, p.incomplete, "content", 200_000)
	eventually(t, "the error is gone", func() bool { return got.State().Error == "" })
}

// A process that ends before complete content was moved leaves that to the next one.
func TestMoveGoesOnAfterRestart(t *testing.T) {
	from, torrent := makeTorrent(t, "content", 200_000, metainfo.V1)
	seeds := seeder(t, from, torrent)
	p := newPlaces(t)
	if err := os.Mkdir(p.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	d := startDaemon(t, p.config(nil))
	got := add(t, d, AddSpec{Torrent: torrent})
	if err := os.WriteFile(filepath.Join(p.dir, "content"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := got.AddPeer(t.Context(), hostOf(seeds)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the move fails", func() bool { return got.State().Error != "" })
	closeDaemon(t, d)
	if err := os.Remove(filepath.Join(p.dir, "content")); err != nil {
		t.Fatal(err)
	}
	d = startDaemon(t, p.config(nil))
	wantContent(t, d.ByID(1), p.dir, p.incomplete, "content", 200_000)
}

// A move that failed is tried again, after longer and longer pauses.
func TestMoveIsTriedAgain(t *testing.T) {
	from, torrent := makeTorrent(t, "content", 200_000, metainfo.V1)
	seeds := seeder(t, from, torrent)
	p := newPlaces(t)
	// A file lies where the folder for the content should be.
	if err := os.WriteFile(p.dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d := startDaemon(t, p.config(nil))
	got := add(t, d, AddSpec{Torrent: torrent, Peers: []string{hostOf(seeds)}})
	placer := d.folders.placer
	pause := func() time.Duration {
		placer.mu.Lock()
		defer placer.mu.Unlock()
		return placer.later[got].pause
	}
	for want := placeRetry; want < 2*placeRetryMax; want *= 2 {
		want = min(want, placeRetryMax)
		eventually(t, want.String(), func() bool { return pause() == want })
		if s := got.State(); s.Error == "" || s.Dir != p.incomplete || s.Left != 0 {
			t.Fatalf("the error is %q, the content lies in %s", s.Error, s.Dir)
		}
		placer.retry(time.Now()) // too early
		placer.retry(time.Now().Add(want))
		if want == placeRetryMax {
			break
		}
	}
	eventually(t, "the last try ends", func() bool {
		placer.mu.Lock()
		defer placer.mu.Unlock()
		return len(placer.queue) == 0 && placer.later[got].pause == placeRetryMax
	})
	if err := os.Remove(p.dir); err != nil {
		t.Fatal(err)
	}
	placer.retry(time.Now().Add(2 * placeRetryMax))
	wantContent(t, got, p.dir, p.incomplete, "content", 200_000)
	eventually(t, "the error is gone", func() bool { return got.State().Error == "" })
	if pause() != 0 {
		t.Error("it would be moved again")
	}
}

// From disk to disk, content is copied, with progress, and is served meanwhile.
func TestMoveToAnotherDisk(t *testing.T) {
	disk, err := os.MkdirTemp("/dev/shm", "swarmnode-test-")
	if err != nil {
		t.Skip("no other disk: ", err)
	}
	t.Cleanup(func() { os.RemoveAll(disk) })
	const size = 48 << 20
	from, torrent := makeTorrent(t, "content", size, metainfo.V1)
	seeds := seeder(t, from, torrent)
	p := newPlaces(t)
	p.dir = filepath.Join(disk, "done")
	d := startDaemon(t, p.config(nil))
	changes := d.Subscribe(0)
	got := add(t, d, AddSpec{Torrent: torrent, Peers: []string{hostOf(seeds)}})
	var copied, served bool
	for s := got.State(); s.Dir != p.dir || s.Left != 0; s = got.State() {
		if _, err := changes.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		copied = copied || s.MoveTotal > 0 && s.Moved <= s.MoveTotal
		served = served || s.MoveTotal > 0 && s.Status == Seeding
	}
	wantContent(t, got, p.dir, p.incomplete, "content", size)
	if !copied || !served {
		t.Errorf("progress was shown: %v, while it seeded: %v", copied, served)
	}
}
