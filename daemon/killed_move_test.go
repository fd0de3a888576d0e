package daemon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"swarmnode/metainfo"
	"swarmnode/swarm/statefile"
)

// moverEnv holds the mover that a process of TestKilledMoves is.
const moverEnv = "SWARMNODE_TEST_KILLED_MOVER"

// A mover is what a daemon needs to know that moves content until it is killed.
type mover struct {
	State, From, To string
	Incomplete      bool   // From is the folder of unfinished content
	Point           string // at which it kills itself
}

// points are the moments at which a process kills itself, as far as it can see them.
var points = map[string]func(m *mover, t *Torrent) bool{
	"recorded": func(m *mover, t *Torrent) bool {
		doc, _ := os.ReadFile(t.daemon.records.path(t.hash, recordSuffix))
		return bytes.Contains(doc, []byte(`"moving"`))
	},
	"begun": func(m *mover, _ *Torrent) bool { return contentLike(m.To, "") },
	"copied": func(_ *mover, t *Torrent) bool {
		s := t.State()
		return s.MoveTotal > 0 && s.Moved == s.MoveTotal
	},
	"there": func(m *mover, _ *Torrent) bool { return contentIn(m.To, "content") },
	"gone":  func(m *mover, _ *Torrent) bool { return !contentIn(m.From, "content") },
	"shown": func(m *mover, t *Torrent) bool { return t.State().Dir == m.To },
}

// contentLike reports whether a folder has something of the content, unfinished copies included.
func contentLike(dir, suffix string) bool {
	found, _ := filepath.Glob(filepath.Join(dir, "content*"+suffix))
	return len(found) > 0
}

// config is that of the daemon of m.
func (m *mover) config(log *logbook) Config {
	cfg := testConfig(m.State, m.From, log)
	if m.Incomplete {
		cfg.Settings.Dir, cfg.Settings.IncompleteDir = m.To, m.From
	}
	return cfg
}

// be is the process.
func (m *mover) be(t *testing.T) {
	at := points[m.Point]
	d := startDaemon(t, m.config(nil))
	torrent := d.ByID(1)
	go func() {
		for !at(m, torrent) {
			runtime.Gosched()
		}
		p, _ := os.FindProcess(os.Getpid())
		p.Kill()
	}()
	if !m.Incomplete {
		if err := torrent.Move(t.Context(), m.To); err != nil {
			t.Error(err)
		}
	}
	<-t.Context().Done() // it is killed before the deadline of the test
}

// run starts the process, and returns once it is dead.
func (m *mover) run(t *testing.T) {
	t.Helper()
	arg, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledMoves$",
		"-test.timeout=2m")
	cmd.Env = append(os.Environ(), moverEnv+"="+string(arg))
	if out, err := cmd.CombinedOutput(); err == nil || cmd.ProcessState.Exited() {
		t.Fatalf("it was not killed at %q: %v\n%s", m.Point, err, out)
	}
}

// prepare makes content that lies in From, and a state folder that knows it.
func (m *mover) prepare(t *testing.T, torrent *metainfo.Torrent, content []byte) {
	t.Helper()
	for _, dir := range []string{m.From, m.To} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(m.From, "content"), content, 0o644); err != nil {
		t.Fatal(err)
	}
	d, err := Start(t.Context(), m.config(nil))
	if err != nil {
		t.Fatal(err)
	}
	got := add(t, d, AddSpec{Torrent: torrent, Options: Options{Dir: m.From}})
	awaitStatus(t, got, Seeding)
	closeDaemon(t, d)
	if m.Incomplete {
		rewrite(t, m.State, torrent, func(r *record) { r.Options.Dir, r.Place = m.To, m.From })
	}
}

// rewrite changes the record of a torrent, as a process would have left it that was killed.
func rewrite(t *testing.T, state string, torrent *metainfo.Torrent, by func(r *record)) {
	t.Helper()
	path := filepath.Join(state, recordsFolder, torrent.Info().Hash().String()+recordSuffix)
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := parseRecord(doc)
	if err != nil {
		t.Fatal(err)
	}
	by(r)
	if doc, err = r.marshal(); err == nil {
		err = statefile.Replace(path, doc, true)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// check starts a daemon after the process died: the content is whole in one of the folders, and
// nothing of it in the other, and the daemon says where it is.
func (m *mover) check(t *testing.T, content []byte) (moved bool) {
	t.Helper()
	d := startDaemon(t, m.config(nil))
	defer closeDaemon(t, d)
	got := d.ByID(1)
	eventually(t, "it seeds, and the folder is known", func() bool {
		s, dir := got.State(), got.Options().Dir
		return s.Status == Seeding && s.Dir == dir && !(m.Incomplete && dir == m.From)
	})
	s, there, other := got.State(), m.To, m.From
	if s.Dir == m.From {
		there, other = m.From, m.To
	}
	if s.Dir != there || s.Error != "" || s.Left != 0 || s.Totals.Down != 0 {
		t.Errorf("it lies in %s and lacks %d bytes; %d were fetched; the error is %q", s.Dir, s.Left,
			s.Totals.Down, s.Error)
	}
	now, err := os.ReadFile(filepath.Join(there, "content"))
	if err != nil || !bytes.Equal(now, content) {
		t.Errorf("the content in %s differs: %v", there, err)
	}
	if contentLike(other, "") || contentLike(there, "copying") {
		t.Errorf("something is left of the move to or from %s", other)
	}
	return there == m.To
}

// TestKilledMoves: a daemon is killed while content is moved, on one disk and from disk to disk,
// by its user and out of the folder for unfinished content. The next one has all of the content,
// at one place, and knows which.
func TestKilledMoves(t *testing.T) {
	if arg := os.Getenv(moverEnv); arg != "" {
		var m mover
		if err := json.Unmarshal([]byte(arg), &m); err != nil {
			t.Fatal(err)
		}
		m.be(t)
		return
	}
	disk, err := os.MkdirTemp("/dev/shm", "swarmnode-test-")
	if err == nil {
		t.Cleanup(func() { os.RemoveAll(disk) })
	}
	const size = 6 << 20
	from, torrent := makeTorrent(t, "content", size, metainfo.V1)
	content, err := os.ReadFile(filepath.Join(from, "content"))
	if err != nil {
		t.Fatal(err)
	}
	moved := 0
	for _, tt := range []struct {
		point      string
		incomplete bool
		copies     bool // from disk to disk
	}{
		{"recorded", false, false}, {"begun", true, false}, {"there", false, false},
		{"shown", false, false}, {"shown", true, false}, {"recorded", true, true},
		{"begun", false, true}, {"copied", false, true}, {"copied", true, true},
		{"there", false, true}, {"gone", false, true}, {"gone", true, true},
	} {
		t.Run(fmt.Sprintf("%s/%v/%v", tt.point, tt.incomplete, tt.copies), func(t *testing.T) {
			top := t.TempDir()
			m := &mover{State: filepath.Join(top, "state"), From: filepath.Join(top, "from"),
				To: filepath.Join(top, "to"), Incomplete: tt.incomplete, Point: tt.point}
			if tt.copies {
				if disk == "" {
					t.Skip("there is no other disk")
				}
				m.To = filepath.Join(disk, strings.ReplaceAll(t.Name(), "/", "-"))
			}
			m.prepare(t, torrent, content)
			m.run(t)
			if m.check(t, content) {
				moved++
			}
		})
	}
	t.Logf("%d times it lies at the new place", moved)
}

// TestKilledBeforeName: a daemon is killed after the top has got another name, and before the
// record says so, or before the top has got the name. The next one shows the name that the content
// has.
func TestKilledBeforeName(t *testing.T) {
	_, torrent := makeTorrent(t, "content", 100_000, metainfo.V1)
	for _, tt := range []struct {
		renamed, rests bool
		want           string
	}{{true, false, "new"}, {true, true, "new"}, {false, true, "content"}} {
		top := t.TempDir()
		m := &mover{State: filepath.Join(top, "state"), From: filepath.Join(top, "from"),
			To: filepath.Join(top, "to")}
		m.prepare(t, torrent, contentOf(100_000, byte(len("content"))))
		if tt.renamed {
			d := startDaemon(t, m.config(nil))
			if err := d.ByID(1).Rename(t.Context(), "", "new"); err != nil {
				t.Fatal(err)
			}
			closeDaemon(t, d)
		}
		rewrite(t, m.State, torrent, func(r *record) {
			r.Shown.Name, r.Naming, r.Options.Stopped = "content", "new", tt.rests
		})
		d := startDaemon(t, m.config(nil))
		got := d.ByID(1)
		eventually(t, "the name is known", func() bool {
			got.mu.Lock()
			defer got.mu.Unlock()
			return got.rec.Naming == ""
		})
		if s := got.State(); s.Name != tt.want || s.Left != 0 || s.Error != "" {
			t.Errorf("%+v: it is called %s, lacks %d bytes, and the error is %q", tt, s.Name,
				s.Left, s.Error)
		}
		if _, err := os.Stat(filepath.Join(m.From, tt.want)); err != nil {
			t.Error(err)
		}
		closeDaemon(t, d)
	}
}

// TestKilledBeforeRecord: a daemon is killed after a move has ended, and before that was recorded.
// Whichever the move was, the next one finds the content and does not say that it is gone; a
// torrent that rests, too.
func TestKilledBeforeRecord(t *testing.T) {
	_, torrent := makeTorrent(t, "content", 100_000, metainfo.V1)
	content := contentOf(100_000, byte(len("content")))
	for _, tt := range []struct {
		name               string
		incomplete, linked bool
		rests              bool
	}{
		{name: "move"}, {name: "incomplete", incomplete: true}, {name: "linked", linked: true},
		{name: "rests", rests: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			top := t.TempDir()
			m := &mover{State: filepath.Join(top, "state"), From: filepath.Join(top, "from"),
				To: filepath.Join(top, "to"), Incomplete: tt.incomplete}
			m.prepare(t, torrent, content)
			if tt.linked {
				aside := filepath.Join(top, "aside")
				if err := os.Rename(filepath.Join(m.From, "content"), aside); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(aside, filepath.Join(m.From, "content")); err != nil {
					t.Skip(err)
				}
			}
			d := startDaemon(t, m.config(nil))
			if !tt.incomplete {
				awaitStatus(t, d.ByID(1), Seeding)
				if err := d.ByID(1).Move(t.Context(), m.To); err != nil {
					t.Fatal(err)
				}
			}
			wantContent(t, d.ByID(1), m.To, m.From, "content", len(content))
			closeDaemon(t, d)
			rewrite(t, m.State, torrent, func(r *record) {
				r.Options.Dir, r.Place, r.Moving = m.From, "", m.To
				if tt.incomplete {
					r.Options.Dir, r.Place = m.To, m.From
				}
				r.Options.Stopped = tt.rests
			})
			if tt.rests {
				d = startDaemon(t, m.config(nil))
				wantContent(t, d.ByID(1), m.To, m.From, "content", len(content))
				awaitStatus(t, d.ByID(1), Stopped)
				return
			}
			if !m.check(t, content) {
				t.Error("it does not lie at the new place")
			}
		})
	}
}
