package daemon

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// linkTo returns the magnet link of a torrent that a daemon seeds.
func linkTo(torrent *metainfo.Torrent, seed *Daemon) metainfo.Magnet {
	m := torrent.Magnet()
	m.Peers = []string{hostOf(seed)}
	return m
}

// visit visits a link, and waits until the metadata is known.
func visit(t *testing.T, d *Daemon, m metainfo.Magnet) *Torrent {
	t.Helper()
	visited, err := d.Visit(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the metadata comes", func() bool { return visited.State().HaveInfo })
	return visited
}

// readerOf opens a reader of the first file.
func readerOf(t *testing.T, torrent *Torrent) (*swarm.Reader, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	reader, err := torrent.Reader(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	return reader, func() {
		reader.Close()
		cancel()
	}
}

// there reports whether a path exists.
func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// A visit fetches only what is read, and is over 15 minutes after its last use, with nothing
// left on disk.
func TestVisit(t *testing.T) {
	dir, torrent := makeTorrent(t, "film", 4<<20, metainfo.V1)
	seed := seeder(t, dir, torrent)
	d := startDaemon(t, testConfig(t.TempDir(), t.TempDir(), nil))
	visited := visit(t, d, linkTo(torrent, seed))
	if s := visited.State(); !s.Temporary || s.Wanted != 0 {
		t.Errorf("it is temporary: %v; %d bytes are wanted, want none", s.Temporary, s.Wanted)
	}
	again, err := d.Visit(t.Context(), linkTo(torrent, seed))
	if err != nil || again != visited {
		t.Errorf("the second visit is of %v, error %v", again, err)
	}
	reader, end := readerOf(t, visited)
	start := make([]byte, 1000)
	if _, err := io.ReadFull(reader, start); err != nil ||
		!bytes.Equal(start, contentOf(4<<20, 4)[:1000]) {
		t.Errorf("the start is wrong: %v", err)
	}
	later := time.Now().Add(visitRest + time.Minute)
	d.endVisits(t.Context(), later)
	if d.Torrent(torrent.Info().Hash()) == nil {
		t.Fatal("the torrent was removed while it was read")
	}
	end()
	eventually(t, "the reader is gone", func() bool { _, ok := visited.lastUse(); return ok })
	d.endVisits(t.Context(), time.Now().Add(visitRest-time.Minute))
	if d.Torrent(torrent.Info().Hash()) == nil {
		t.Error("the torrent was removed too early")
	}
	d.endVisits(t.Context(), later)
	if d.Torrent(torrent.Info().Hash()) != nil || there(d.visitDir(torrent.Info().Hash())) ||
		there(d.records.path(torrent.Info().Hash(), recordSuffix)) {
		t.Error("something is left of the torrent")
	}
	if _, err := d.Visit(t.Context(), metainfo.Magnet{}); err == nil {
		t.Error("a link without an info-hash can be visited")
	}
}

// A lasting torrent that is visited stays as it is.
func TestVisitOfATorrent(t *testing.T) {
	_, torrent := makeTorrent(t, "film", 1<<20, metainfo.V1)
	d := startDaemon(t, testConfig(t.TempDir(), t.TempDir(), nil))
	lasting := add(t, d, AddSpec{Torrent: torrent, Options: Options{Stopped: true}})
	visited, err := d.Visit(t.Context(), torrent.Magnet())
	if err != nil || visited != lasting || visited.State().Temporary {
		t.Errorf("visited %v, error %v", visited, err)
	}
	d.endVisits(t.Context(), time.Now().Add(time.Hour))
	if d.Torrent(torrent.Info().Hash()) != lasting {
		t.Error("the torrent is gone")
	}
}

// Adding a torrent that is visited makes it a lasting one: what was fetched moves to its folder,
// and a reader goes on reading.
func TestVisitIsKept(t *testing.T) {
	for _, incomplete := range []string{"", t.TempDir()} {
		dir, torrent := makeTorrent(t, "film", 2<<20, metainfo.V1)
		seed := seeder(t, dir, torrent)
		cfg := testConfig(t.TempDir(), t.TempDir(), nil)
		cfg.Settings.IncompleteDir = incomplete
		d := startDaemon(t, cfg)
		visited := visit(t, d, linkTo(torrent, seed))
		reader, end := readerOf(t, visited)
		defer end()
		if _, err := reader.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		target := t.TempDir()
		kept, err := d.Add(t.Context(), AddSpec{Magnet: torrent.Magnet(),
			Options: Options{Dir: target, Labels: []string{"kept"}}})
		if err != nil || kept != visited {
			t.Fatalf("added %v, error %v", kept, err)
		}
		eventually(t, "it is complete in its folder", func() bool {
			s := kept.State()
			return s.Left == 0 && s.Wanted == s.Size && s.Dir == target && !s.Temporary
		})
		if got, err := io.ReadAll(reader); err != nil || len(got) != 2<<20-1 {
			t.Errorf("the reader read %d bytes: %v", len(got), err)
		}
		if !there(filepath.Join(target, "film")) {
			t.Error("the content is not in its folder")
		}
		eventually(t, "the temporary folder is gone",
			func() bool { return !there(d.visitDir(torrent.Info().Hash())) })
		if o := kept.Options(); len(o.Labels) != 1 || o.Forced {
			t.Errorf("it has the options %+v", o)
		}
		if _, err := d.Add(t.Context(), AddSpec{Magnet: torrent.Magnet()}); err == nil {
			t.Error("it can be added a second time")
		}
		closeDaemon(t, d)
		d = startDaemon(t, cfg)
		if again := d.Torrent(torrent.Info().Hash()); again == nil || again.State().Temporary {
			t.Error("the next run does not know it")
		}
	}
}

// A link without metadata becomes what is added: a .torrent file, or a choice of files.
func TestVisitIsKeptBeforeItsMetadata(t *testing.T) {
	_, torrent := makeTorrent(t, "film", 1<<20, metainfo.Hybrid)
	d := startDaemon(t, testConfig(t.TempDir(), t.TempDir(), nil))
	visited, err := d.Visit(t.Context(), torrent.Magnet())
	if err != nil {
		t.Fatal(err)
	}
	kept, err := d.Add(t.Context(), AddSpec{Torrent: torrent})
	if err != nil || kept != visited {
		t.Fatalf("added %v, error %v", kept, err)
	}
	if s := kept.State(); !s.HaveInfo || s.Temporary || s.Left != 1<<20 {
		t.Errorf("it is %+v", s)
	}
	eventually(t, "it is open again", func() bool {
		run := kept.opened()
		return run != nil && run.Info() != nil
	})
}

// A visit of a torrent whose content the user has elsewhere gives way.
func TestVisitGivesWayToContent(t *testing.T) {
	dir, torrent := makeTorrent(t, "film", 1<<20, metainfo.V1)
	d := startDaemon(t, testConfig(t.TempDir(), t.TempDir(), nil))
	if _, err := d.Visit(t.Context(), torrent.Magnet()); err != nil {
		t.Fatal(err)
	}
	seed := add(t, d, AddSpec{Torrent: torrent, Complete: true, Options: Options{Dir: dir}})
	awaitStatus(t, seed, Seeding)
}

// There are 16 visits at most: the oldest that nobody reads gives way to another one.
func TestVisitsAreBounded(t *testing.T) {
	d := startDaemon(t, testConfig(t.TempDir(), t.TempDir(), nil))
	visitOf := func(i int) (*Torrent, error) {
		m, err := metainfo.ParseMagnet(fmt.Sprintf("magnet:?xt=urn:btih:%040x", i+1))
		if err != nil {
			t.Fatal(err)
		}
		return d.Visit(t.Context(), m)
	}
	var all []*Torrent
	for i := range visitsMax {
		visited, err := visitOf(i)
		if err != nil {
			t.Fatal(err)
		}
		if i != 3 {
			visited.use(1)
		}
		all = append(all, visited)
	}
	if _, err := visitOf(100); err != nil {
		t.Errorf("visit 17: %v", err)
	}
	if d.Torrent(all[3].Hash()) != nil || d.Torrent(all[4].Hash()) == nil {
		t.Error("the wrong visit gave way")
	}
	d.Torrents()[visitsMax-1].use(1)
	if _, err := visitOf(200); !errors.Is(err, ErrTooManyVisits) {
		t.Errorf("visit 18: %v", err)
	}
	if err := d.Change(t.Context(), func(s *Settings) { s.MinFree = rateMax }); err != nil {
		t.Fatal(err)
	}
	if _, ok := errors.AsType[*SpaceError](d.admitVisit(t.Context())); !ok {
		t.Error("a visit finds room on a disk that is full")
	}
}

// The content of a visit does not outlive the daemon, and nothing else of it its next start.
func TestVisitEndsWithTheDaemon(t *testing.T) {
	dir, torrent := makeTorrent(t, "film", 1<<20, metainfo.V1)
	seed := seeder(t, dir, torrent)
	cfg := testConfig(t.TempDir(), t.TempDir(), nil)
	d := startDaemon(t, cfg)
	reader, end := readerOf(t, visit(t, d, linkTo(torrent, seed)))
	if _, err := reader.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	end()
	folder := d.visitDir(torrent.Info().Hash())
	if !there(folder) {
		t.Error("the content is nowhere")
	}
	closeDaemon(t, d)
	if there(folder) {
		t.Error("the content is left")
	}
	if d := startDaemon(t, cfg); len(d.Torrents()) > 0 {
		t.Error("the torrent is left")
	}
}

// visitedEnv holds the state folder of the process that TestVisitIsKilled kills, and its link.
const visitedEnv = "SWARMNODE_TEST_KILLED_VISIT"

// Nothing is left of a visit in the next run of a daemon that was killed, except of one that was
// kept.
func TestVisitIsKilled(t *testing.T) {
	if state, link, ok := strings.Cut(os.Getenv(visitedEnv), "\n"); ok {
		beVisiting(t, state, link)
	}
	dir, torrent := makeTorrent(t, "film", 1<<20, metainfo.V1)
	seed := seeder(t, dir, torrent)
	state := t.TempDir()
	m := linkTo(torrent, seed)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestVisitIsKilled$")
	cmd.Env = append(os.Environ(), visitedEnv+"="+state+"\n"+m.String())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "reading\n" {
		t.Errorf("the process says %q, error %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	folder := filepath.Join(state, visitsFolder, torrent.Info().Hash().String())
	if !there(folder) {
		t.Errorf("there was nothing in %s", folder)
	}
	d := startDaemon(t, testConfig(state, t.TempDir(), nil))
	if list := d.Torrents(); len(list) > 0 {
		t.Errorf("%d torrents are left", len(list))
	}
	var left []string
	err = filepath.WalkDir(state, func(path string, _ os.DirEntry, err error) error {
		if strings.Contains(path, torrent.Info().Hash().String()) {
			left = append(left, path)
		}
		return err
	})
	if err != nil || len(left) > 0 {
		t.Errorf("left of the visit: %q, error %v", left, err)
	}
	next := add(t, d, AddSpec{Torrent: torrent, Options: Options{Stopped: true}})
	if next.ID() < 2 {
		t.Errorf("the next torrent has the id %d of the visit", next.ID())
	}
}

// beVisiting visits a link and reads from it until it is killed.
func beVisiting(t *testing.T, state, link string) {
	m, err := metainfo.ParseMagnet(link)
	if err != nil {
		t.Fatal(err)
	}
	d := startDaemon(t, testConfig(state, t.TempDir(), nil))
	reader, _ := readerOf(t, visit(t, d, m))
	if _, err := reader.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	fmt.Println("reading")
	<-t.Context().Done()
}
