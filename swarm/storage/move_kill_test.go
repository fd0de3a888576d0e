//go:build linux

package storage

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"swarmnode/swarm/bits"
)

const (
	// moverEnv makes the test binary the process that moves and is killed: it names the
	// folder to work in. The other variables say what it does.
	moverEnv = "SWARM_TEST_STORAGE_MOVER"
	wayEnv   = "SWARM_TEST_STORAGE_WAY"  // of moveWays
	stepEnv  = "SWARM_TEST_STORAGE_STEP" // at which it kills itself
	fromEnv  = "SWARM_TEST_STORAGE_FROM" // Config.Dir
	toEnv    = "SWARM_TEST_STORAGE_TO"
	stateEnv = "SWARM_TEST_STORAGE_STATE" // Config.StateDir
	nameEnv  = "SWARM_TEST_STORAGE_NAME"  // to give to the top, in place of moving
	fileEnv  = "SWARM_TEST_STORAGE_FILE"  // index of the file that gets the name
	depthEnv = "SWARM_TEST_STORAGE_DEPTH" // of the folder above the file that gets it; 0: the file
)

// movingChild moves or renames content, and kills itself at one step.
func movingChild(dir string) error {
	shape, err := strconv.Atoi(os.Getenv(shapeEnv))
	if err != nil {
		return err
	}
	cfg, _, err := killConfig(dir, shape)
	if err != nil {
		return err
	}
	cfg.Dir, cfg.StateDir = os.Getenv(fromEnv), os.Getenv(stateEnv)
	if killShapes[shape].wanted != "" {
		cfg.Wanted = choose(killShapes[shape].wanted)
	}
	force := moveWays[os.Getenv(wayEnv)]
	cfg.moving = func(step string) error {
		if step == os.Getenv(stepEnv) {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		time.Sleep(time.Millisecond) // so that a kill from outside has its chance
		if force == nil {
			return nil
		}
		return force(step)
	}
	cfg.Workers = NewWorkers(1)
	s, err := Open(cfg)
	if err != nil {
		return err
	}
	if _, err := s.Check(context.Background(), nil); err != nil {
		return err
	}
	fmt.Println("checked")
	if name := os.Getenv(nameEnv); name != "" {
		i, _ := strconv.Atoi(os.Getenv(fileEnv))
		depth, _ := strconv.Atoi(os.Getenv(depthEnv))
		if depth > 0 {
			err = s.RenameFolder(i, depth, name)
		} else {
			err = s.Rename(i, name)
		}
	} else {
		err = s.Move(context.Background(), os.Getenv(toEnv), nil)
	}
	if err != nil {
		return err
	}
	fmt.Println("moved")
	return s.Close()
}

// A moveKill is content that is moved to and fro by processes that are killed.
type moveKill struct {
	t        *testing.T
	dir      string
	shape    int
	cfg      Config
	data     []byte
	have     *bits.Set // pieces that no kill may take away
	files    int       // that there are
	complete bool
}

// newMoveKill fetches the content, or half of it.
func newMoveKill(t *testing.T, shape int, complete, state bool) *moveKill {
	t.Helper()
	k := &moveKill{t: t, dir: t.TempDir(), shape: shape, complete: complete}
	k.cfg, k.data = mustKillConfig(t, k.dir, shape)
	if !state {
		k.cfg.StateDir = ""
	}
	if killShapes[shape].wanted != "" {
		k.cfg.Wanted = choose(killShapes[shape].wanted)
	}
	r := newRig(t, k.cfg, k.data)
	if _, err := r.store.Check(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	wanted := WantedPieces(k.cfg.Layout, k.cfg.Wanted)
	for p := range wanted.Members() {
		if !complete && p%2 == 1 {
			continue
		}
		if got := r.piece(p); !got.OK {
			t.Fatal(got)
		}
	}
	if complete {
		if err := r.store.Finish(); err != nil {
			t.Fatal(err)
		}
	}
	k.have = r.store.Have()
	r.back()
	k.files = len(filesBelow(t, k.cfg.Dir))
	return k
}

// run starts a mover, and kills it after a while unless it has killed itself before. It
// reports whether it had moved the content.
func (k *moveKill) run(way, step, to string, after time.Duration, more ...string) (moved bool) {
	k.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), moverEnv+"="+k.dir, shapeEnv+"="+strconv.Itoa(k.shape),
		wayEnv+"="+way, stepEnv+"="+step, fromEnv+"="+k.cfg.Dir, toEnv+"="+to,
		stateEnv+"="+k.cfg.StateDir), more...)
	var out, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
	defer timer.Stop()
	if err := cmd.Wait(); err != nil && cmd.ProcessState.Exited() {
		k.t.Fatalf("the mover failed by itself: %v\n%s", err, stderr.String())
	}
	return strings.Contains(out.String(), "moved")
}

// look opens the content as the next run would, given the folder dir. Everything is at one
// of the two folders.
func (k *moveKill) look(dir, from, to string) {
	k.t.Helper()
	cfg := k.cfg
	cfg.Dir = dir
	found, there := Find(cfg)
	r := newRig(k.t, cfg, k.data)
	if found != r.store.Dir() || !there {
		k.t.Errorf("Find says %s, %v; the content lies in %s", found, there, r.store.Dir())
	}
	have, err := r.store.Check(k.t.Context(), nil)
	if err != nil {
		k.t.Fatal(err)
	}
	if k.have.AnyNotIn(have) {
		k.t.Errorf("%d pieces were there, and %d are", k.have.Count(), have.Count())
	}
	for p := range have.Members() {
		r.mustBeSound(p)
	}
	place, other := r.store.Dir(), to
	if place == to {
		other = from
	} else if place != from {
		k.t.Errorf("the content lies in %s", place)
	}
	if files := filesBelow(k.t, place); len(files) != k.files {
		k.t.Errorf("%d files are in %s, want %d", len(files), place, k.files)
	}
	if left := filesBelow(k.t, other); len(left) > 0 && other != place {
		for name := range left {
			k.t.Errorf("%s is left in %s, while the content lies in %s", name, other, place)
		}
	}
	r.back()
	k.cfg.Dir = place
}

// noted reports whether the content is found from dir: by a note, or because it lies there.
func (k *moveKill) noted(dir string) bool {
	notes := k.cfg.notes()
	note, err := notes.read(dir)
	return err == nil && !note.isEmpty() || len(filesBelow(k.t, dir)) > 0
}

// where returns the one of two folders that has files.
func (k *moveKill) where(from, to string) string {
	if len(filesBelow(k.t, from)) > 0 {
		return from
	}
	return to
}

// A process that moves content is killed at each step: the next run finds all of it,
// whichever folder it is given, and nothing twice.
func TestMoveKilledAtEachStep(t *testing.T) {
	steps := map[string][]string{
		"rename": {"begun", "rename", "renamed", "switched", "removed", ""},
		"link":   {"begun", "link", "copied", "held", "synced", "renamed", "switched", "removed"},
		"copy":   {"begun", "chunk", "copied", "synced", "renamed", "switched", "removed", ""},
	}
	for _, state := range []bool{true, false} {
		for shape := range 3 {
			for way, steps := range steps {
				if !state && way != "copy" || testing.Short() && shape > 0 {
					continue
				}
				name := fmt.Sprintf("%s/%s/%v", killShapes[shape].name, way, state)
				t.Run(name, func(t *testing.T) { killEachStep(t, shape, way, state, steps) })
			}
		}
	}
}

// killEachStep moves content once for each step, at which the process kills itself. state
// says whether there is a folder for state.
func killEachStep(t *testing.T, shape int, way string, state bool, steps []string) {
	k := newMoveKill(t, shape, shape == 1, state)
	for i, step := range steps {
		from, to := k.cfg.Dir, filepath.Join(k.dir, "new-"+step)
		moved := k.run(way, step, to, time.Minute)
		if moved != (step == "") {
			t.Fatalf("it was not killed at %q", step)
		}
		dir := from
		if i%2 == shape%2 || moved && !state {
			dir = to
		}
		if _, err := os.Stat(dir); err != nil {
			dir = from // it was not made yet
		}
		k.look(dir, from, to)
		if t.Failed() {
			t.Fatalf("killed at %q, and opened %s", step, dir)
		}
	}
}

// As above, at random moments.
func TestMoveKilledAtRandom(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	kills := 2 * killsWanted(t)
	moves, cut := 0, 0
	for i, shape := range []int{0, 1, 2} {
		k := newMoveKill(t, shape, i == 1, i != 2)
		places := []string{k.cfg.Dir, filepath.Join(k.dir, "other")}
		for range kills / 3 {
			from := k.cfg.Dir
			to := places[0]
			if from == to {
				to = places[1]
			}
			way := []string{"rename", "link", "copy", "copy"}[rand.IntN(4)]
			if k.run(way, "-", to, 10*time.Millisecond+rand.N(120*time.Millisecond)) {
				moves++
			} else {
				cut++
			}
			dir := []string{from, to}[rand.IntN(2)]
			if !k.noted(from) || !k.noted(to) { // it had not begun, or had ended
				dir = k.where(from, to)
			}
			k.look(dir, from, to)
			if t.Failed() {
				t.Fatalf("%s, opened %s", way, dir)
			}
		}
	}
	t.Logf("%d moves were cut short, and %d were not", cut, moves)
	if cut == 0 {
		t.Error("no move was cut short: the test shows nothing")
	}
}

// A process that renames is killed at each step: the next run finds the content, and each
// file once.
func TestRenameKilledAtEachStep(t *testing.T) {
	for _, tt := range []struct {
		file, depth int
		way         string
		steps       []string
	}{
		{-1, 0, "rename", []string{"begun", "rename", "renamed", "switched", "removed", ""}},
		{-1, 0, "copy", []string{"begun", "chunk", "synced", "renamed", "switched", "removed", ""}},
		{1, 0, "rename", []string{"noted", "named", ""}},
		{1, 1, "rename", []string{"noted", "rename", "named", ""}},
		{1, 1, "copy", []string{"noted", "rename", "each", "named", ""}},
	} {
		for _, complete := range []bool{true, false} {
			if tt.depth > 0 && complete == (tt.way == "rename") {
				continue // one of them shows it
			}
			name := fmt.Sprintf("%d/%d/%s/%v", tt.file, tt.depth, tt.way, complete)
			t.Run(name, func(t *testing.T) {
				k := newMoveKill(t, 0, complete, true)
				for i, step := range tt.steps {
					done := k.run(tt.way, step, "", time.Minute, fileEnv+"="+strconv.Itoa(tt.file),
						nameEnv+"=name"+strconv.Itoa(i), depthEnv+"="+strconv.Itoa(tt.depth))
					if done != (step == "") {
						t.Fatalf("it was not killed at %q", step)
					}
					k.look(k.cfg.Dir, k.cfg.Dir, k.cfg.Dir)
					if t.Failed() {
						t.Fatalf("killed at %q", step)
					}
				}
				found, err := filepath.Glob(filepath.Join(k.cfg.Dir, "name*"))
				switch {
				case tt.depth > 0:
					found, err = filepath.Glob(filepath.Join(k.cfg.Dir, "*/name*"))
				case tt.file == 1:
					found, err = filepath.Glob(filepath.Join(k.cfg.Dir, "*/b/name2"))
				}
				if err != nil || len(found) != 1 {
					t.Error(found, err)
				}
			})
		}
	}
}
