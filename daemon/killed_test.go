package daemon

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"swarmnode/metainfo"
)

// kills is how often TestKilled kills a daemon every day, and killsSoak with SWARM_SOAK=1.
const (
	kills     = 5
	killsSoak = 1000
)

// killedEnv holds the victim that a process of TestKilled is.
const killedEnv = "SWARMNODE_TEST_KILLED_DAEMON"

// A victim is what a daemon that will be killed needs to know.
type victim struct {
	State, Dir string
	Peer       string // HOST:PORT of a seed
	Torrent    string // path of the .torrent file of its content
	First      int    // number of the first link that it adds
	Seed       uint64
}

// A deed is something that a victim has done, and that a kill must not undo.
type deed struct {
	What  string // "add", "label", "remove" or "removing"
	Hash  string
	ID    ID
	Label string
}

// be is the process: it adds, changes and removes torrents until it is killed, and says on its
// standard output what it has done.
func (v victim) be(t *testing.T) {
	doc, err := os.ReadFile(v.Torrent)
	if err != nil {
		t.Fatal(err)
	}
	content, err := metainfo.ParseTorrent(doc)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(v.Seed, 0))
	d := startDaemon(t, testConfig(v.State, v.Dir, nil))
	say := func(what string, torrent *Torrent, label string) {
		line, err := json.Marshal(deed{what, torrent.Hash().String(), torrent.ID(), label})
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout.Write(append(line, '\n'))
	}
	if d.Torrent(content.Info().Hash()) == nil {
		say("add", add(t, d, AddSpec{Torrent: content, Peers: []string{v.Peer}}), "")
	}
	os.Stdout.WriteString("running\n")
	for n := v.First; ; n++ {
		torrent := add(t, d, AddSpec{Magnet: numberedLink(n), Options: Options{Stopped: true}})
		say("add", torrent, "")
		list := d.Torrents()
		any := list[1+rng.IntN(len(list)-1)]
		label := strconv.Itoa(n)
		err := any.Set(t.Context(), func(o *Options) { o.Labels = []string{label} })
		if err != nil {
			t.Fatal(err)
		}
		if rng.IntN(4) == 0 {
			eventually(t, "the record is written", func() bool { return any.isSaved() })
			say("label", any, label)
		}
		if rng.IntN(3) == 0 {
			gone := list[1+rng.IntN(len(list)-1)]
			say("removing", gone, "")
			if err := gone.Remove(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			say("remove", gone, "")
		}
	}
}

// isSaved reports whether the record says what the torrent has.
func (t *Torrent) isSaved() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.saved.durable && t.saved.written == t.saved.version
}

// numberedLink returns a link to a torrent that nobody has.
func numberedLink(n int) metainfo.Magnet {
	var hash metainfo.Hash
	binary.BigEndian.PutUint32(hash[:], uint32(n)*2654435761)
	hash[19] = 1
	return metainfo.Magnet{V1: hash, HasV1: true, Name: fmt.Sprint("link ", n)}
}

// run starts the process, lets it run for a while, kills it, and returns what it said.
func (v victim) run(t *testing.T, wait time.Duration) (deeds []deed) {
	t.Helper()
	arg, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$", "-test.timeout=10m")
	cmd.Env = append(os.Environ(), killedEnv+"="+string(arg))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	lines := bufio.NewScanner(out)
	var killer *time.Timer
	for lines.Scan() {
		if lines.Text() == "running" {
			killer = time.AfterFunc(wait, func() { cmd.Process.Kill() })
			continue
		}
		var d deed
		if err := json.Unmarshal(lines.Bytes(), &d); err != nil {
			t.Fatalf("the process says %q", lines.Text())
		}
		deeds = append(deeds, d)
	}
	if killer == nil {
		t.Fatal("the process has ended before it ran")
	}
	killer.Stop()
	return deeds
}

// A truth is what must hold after the deeds so far.
type truth struct {
	ids    map[string]ID     // of torrents that were added, by info-hash
	labels map[string]string // those that were written
	doubts map[string]bool   // torrents whose removal was begun
	used   map[ID]string     // every id that was given away, with its info-hash
}

// take takes note of deeds.
func (tr *truth) take(t *testing.T, deeds []deed) {
	t.Helper()
	for _, d := range deeds {
		switch d.What {
		case "add":
			if of := tr.used[d.ID]; of != "" {
				t.Errorf("the id %d of %s was used for %s before", d.ID, d.Hash, of)
			}
			tr.ids[d.Hash], tr.used[d.ID] = d.ID, d.Hash
		case "label":
			tr.labels[d.Hash] = d.Label
		case "removing":
			tr.doubts[d.Hash] = true
		case "remove":
			delete(tr.doubts, d.Hash)
			delete(tr.ids, d.Hash)
			delete(tr.labels, d.Hash)
		}
	}
}

// check compares what a daemon lists with the truth.
func (tr *truth) check(t *testing.T, d *Daemon) {
	t.Helper()
	there := make(map[string]*Torrent)
	for _, torrent := range d.Torrents() {
		there[torrent.Hash().String()] = torrent
	}
	for hash, id := range tr.ids {
		torrent := there[hash]
		if torrent == nil {
			if !tr.doubts[hash] {
				t.Errorf("the torrent %s with the id %d is lost", hash, id)
			}
			delete(tr.ids, hash)
			delete(tr.labels, hash)
			continue
		}
		if torrent.ID() != id {
			t.Errorf("the torrent %s had the id %d, and has %d", hash, id, torrent.ID())
		}
		if want := tr.labels[hash]; want != "" && !newerLabel(torrent.Options().Labels, want) {
			t.Errorf("the torrent %s has the labels %v, want %s", hash, torrent.Options().Labels,
				want)
		}
	}
	clear(tr.doubts)
	for _, hash := range slices.Sorted(maps.Keys(there)) {
		torrent := there[hash]
		if tr.ids[hash] == 0 { // its process was killed before it could say so
			if of := tr.used[torrent.ID()]; of != "" {
				t.Errorf("%s, which was removed or has the id of %s, is there", hash, of)
			}
			tr.ids[hash], tr.used[torrent.ID()] = torrent.ID(), hash
		}
	}
}

// newerLabel reports whether labels are a number that is at least want.
func newerLabel(labels []string, want string) bool {
	if len(labels) != 1 {
		return false
	}
	got, err := strconv.Atoi(labels[0])
	least, _ := strconv.Atoi(want)
	return err == nil && got >= least
}

// TestKilled: a daemon that is killed at any moment loses no torrent that was added and no
// setting that was written, brings nothing back that was removed, and uses no id again. Every
// right piece that is on disk counts.
func TestKilled(t *testing.T) {
	if arg := os.Getenv(killedEnv); arg != "" {
		var v victim
		if err := json.Unmarshal([]byte(arg), &v); err != nil {
			t.Fatal(err)
		}
		v.be(t)
		return
	}
	n := kills
	if os.Getenv("SWARM_SOAK") == "1" {
		n = killsSoak
	}
	if text := os.Getenv("SWARM_TEST_KILLS"); text != "" {
		n, _ = strconv.Atoi(text)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	const size = 8 << 20
	from, torrent := makeTorrent(t, "content", size, metainfo.V1)
	seeds := startDaemon(t, testConfig(t.TempDir(), from, nil))
	add(t, seeds, AddSpec{Torrent: torrent, Complete: true, Options: Options{Dir: from,
		Up: 4 << 20}})
	v := victim{State: t.TempDir(), Dir: t.TempDir(), Peer: hostOf(seeds),
		Torrent: filepath.Join(t.TempDir(), "torrent")}
	if err := os.WriteFile(v.Torrent, torrent.Marshal(), 0o644); err != nil {
		t.Fatal(err)
	}
	tr := &truth{make(map[string]ID), make(map[string]string), make(map[string]bool),
		make(map[ID]string)}
	want := contentOf(size, byte(len("content")))
	for i := range n {
		v.First, v.Seed = i*100_000, rng.Uint64()
		tr.take(t, v.run(t, time.Duration(rng.IntN(400))*time.Millisecond))
		right := rightPieces(v.Dir, want, torrent.Info().Layout().PieceLength)
		d, err := Start(t.Context(), testConfig(v.State, v.Dir, nil))
		if err != nil {
			t.Fatal(err)
		}
		tr.check(t, d)
		content := d.Torrent(torrent.Info().Hash())
		awaitFilesOf(t, content)
		if got := content.State().PiecesHave; got < right {
			t.Errorf("%d pieces are had, and %d on disk were right", got, right)
		}
		closeDaemon(t, d)
		if t.Failed() {
			t.Fatalf("after %d kills", i+1)
		}
	}
	t.Logf("%d torrents after %d kills, %d ids", len(tr.ids), n, len(tr.used))
}

// awaitFilesOf waits until the content of a torrent that is to run is known.
func awaitFilesOf(t *testing.T, torrent *Torrent) {
	t.Helper()
	eventually(t, "the content is known", func() bool {
		s := torrent.State()
		return s.Swarm.Dir != "" && (s.Status == Downloading || s.Status == Seeding)
	})
}

// rightPieces returns how many pieces of content on disk are right, whole or not.
func rightPieces(dir string, want []byte, length int) (right int) {
	for _, suffix := range []string{"", ".part"} {
		found, _ := os.ReadFile(filepath.Join(dir, "content"+suffix))
		n := 0
		for at := 0; at+length <= min(len(found), len(want)); at += length {
			if string(found[at:at+length]) == string(want[at:at+length]) {
				n++
			}
		}
		right = max(right, n)
	}
	return right
}

// TestKilledLabels: the test sees what it says it does.
func TestKilledLabels(t *testing.T) {
	for _, tt := range []struct {
		labels string
		want   bool
	}{{"5", true}, {"4", false}, {"", false}, {"6", true}, {"x", false}, {"5 6", false}} {
		if got := newerLabel(strings.Fields(tt.labels), "5"); got != tt.want {
			t.Errorf("%q: %v", tt.labels, got)
		}
	}
}
