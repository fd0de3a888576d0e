//go:build linux

package storage

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
)

const (
	// killsEnv sets how often TestKill kills; killsDefault is for every day.
	killsEnv     = "SWARM_TEST_KILLS"
	killsDefault = 20
	// childEnv makes the test binary the downloader that TestKill kills: it
	// names the folder to work in.
	childEnv = "SWARM_TEST_STORAGE_CHILD"
	// wantedEnv is the picture of the selection that it downloads; all if empty.
	wantedEnv = "SWARM_TEST_STORAGE_WANTED"

	killInterval = 20 * time.Millisecond  // between checkpoints, so that there are many
	childPace    = 300 * time.Microsecond // between pieces, so that it takes a while
	killAfterMax = 200 * time.Millisecond // after the child has begun to download
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func killConfig(t testing.TB, dir string) (Config, []byte) {
	layout, data := makeLayout(t, "x", 16<<10, tfile{"a", 7 << 20, false}, tfile{"b/c", 5_000_001, false}, tfile{"b/d", 50, false})
	return Config{Dir: filepath.Join(dir, "down"), StateDir: filepath.Join(dir, "state"), Layout: layout,
		Part: true, interval: killInterval, Hash: metainfo.Hash{5}}, data
}

// child downloads what is missing, in any order, two pieces at a time, and
// prints a line when it begins a piece and one when it is complete.
func child(dir string) error {
	cfg, data := killConfig(&testing.B{}, dir)
	if picture := os.Getenv(wantedEnv); picture != "" {
		cfg.Wanted = choose(picture)
	}
	pieces := WantedPieces(cfg.Layout, cfg.Wanted)
	cfg.Workers = NewWorkers(2)
	results := make(chan Result, 2)
	cfg.Results = func(r Result) { results <- r }
	s, err := Open(cfg)
	if err != nil {
		return err
	}
	have, err := s.Check(context.Background(), nil)
	if err != nil {
		return err
	}
	fmt.Println("checked")
	pool := block.NewPool(1 << 20)
	pace := time.NewTicker(childPace)
	defer pace.Stop()
	under := 0
	for _, p := range rand.Perm(cfg.Layout.Pieces()) {
		if have.Has(p) || !pieces.Has(p) {
			continue
		}
		<-pace.C
		fmt.Println(p)
		size := cfg.Layout.PieceSize(p)
		for at := 0; at < size; at += block.Size {
			buf, err := pool.Get(context.Background())
			if err != nil {
				return err
			}
			buf.Resize(copy(buf.Bytes()[:min(block.Size, size-at)], data[cfg.Layout.PieceOffset(p)+int64(at):]))
			s.Write(block.Ref{Piece: uint32(p), Begin: uint32(at), Length: uint32(len(buf.Bytes()))}, buf)
		}
		s.Verify(uint32(p))
		for under++; under == 2; under-- {
			if r := <-results; !r.OK {
				return fmt.Errorf("piece %d: %w", r.Piece, r.Err)
			}
		}
	}
	for ; under > 0; under-- {
		<-results
	}
	if err := s.Finish(); err != nil {
		return err
	}
	fmt.Println("complete")
	return s.Close()
}

// A downloader is killed at random moments: no piece that was recorded is
// fetched or hashed again, and whatever counts as sound is.
func TestKill(t *testing.T) {
	kills := killsDefault
	if text := os.Getenv(killsEnv); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		kills = n
	}
	if testing.Short() {
		t.Skip("takes seconds")
	}
	dir := t.TempDir()
	finished, kept := 0, 0
	for i := range kills {
		complete := killOnce(t, dir, "", rand.N(killAfterMax))
		if !complete && i%3 != 0 {
			continue // the next child finds what the kill left, and not what a look at it did
		}
		cfg, data := killConfig(t, dir)
		recorded := bits.New(cfg.Layout.Pieces())
		if doc, err := os.ReadFile(filepath.Join(cfg.StateDir, cfg.Hash.String()+".resume")); err == nil {
			was, err := ParseResume(doc)
			if err != nil {
				t.Fatalf("kill %d: the record is damaged: %v", i, err)
			}
			recorded = was.Have
		}
		afterKill(t, i, cfg, data, recorded)
		kept = max(kept, recorded.Count())
		if complete {
			finished++
			dir = t.TempDir()
		}
	}
	if kept == 0 {
		t.Error("nothing was ever recorded: the test shows nothing")
	}
	t.Logf("%d kills, %d downloads completed, at most %d pieces recorded at a kill", kills, finished, kept)
}

// As TestKill, but each child wants other files than the one before: what was
// recorded is never fetched again, and what counts as sound is.
func TestKillSelection(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	dir := t.TempDir()
	kept := 0
	for i := range killsDefault / 2 {
		wanted := []string{"x..", ".x.", "..x", "xx.", "x.x", ""}[rand.IntN(6)]
		killOnce(t, dir, wanted, rand.N(killAfterMax))
		if i%2 == 0 {
			continue
		}
		cfg, data := killConfig(t, dir)
		cfg.Wanted = choose([]string{"x..", ".xx", "xxx"}[rand.IntN(3)])
		doc, err := os.ReadFile(filepath.Join(cfg.StateDir, cfg.Hash.String()+".resume"))
		if err != nil {
			continue
		}
		was, err := ParseResume(doc)
		if err != nil {
			t.Fatalf("kill %d: the record is damaged: %v", i, err)
		}
		r := newRig(t, cfg, data)
		have, err := r.store.Check(t.Context(), nil)
		if err != nil || was.Have.AnyNotIn(have) {
			t.Errorf("kill %d: %d pieces were recorded, and not all are among the %d now (%v)", i, was.Have.Count(), have.Count(), err)
		}
		for p := range have.Members() {
			r.mustBeSound(p)
		}
		r.back()
		kept = max(kept, have.Count())
	}
	if kept == 0 {
		t.Error("nothing was ever there: the test shows nothing")
	}
}

// killOnce runs the child and kills it after a while; it tells whether it had
// completed the download before.
func killOnce(t *testing.T, dir, wanted string, after time.Duration) (complete bool) {
	cfg, _ := killConfig(t, dir)
	recorded := bits.New(cfg.Layout.Pieces())
	if doc, err := os.ReadFile(filepath.Join(cfg.StateDir, cfg.Hash.String()+".resume")); err == nil {
		if was, err := ParseResume(doc); err == nil {
			recorded = was.Have
		}
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir, wantedEnv+"="+wanted)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var timer *time.Timer
	for lines := bufio.NewScanner(out); lines.Scan(); {
		switch line := lines.Text(); line {
		case "checked":
			timer = time.AfterFunc(after, func() { cmd.Process.Kill() })
		case "complete":
			complete = true
		default:
			if p, err := strconv.Atoi(line); err == nil && recorded.Has(p) {
				t.Errorf("piece %d was recorded and is fetched again", p)
			}
		}
	}
	err = cmd.Wait()
	if timer == nil || err != nil && cmd.ProcessState.Exited() {
		t.Fatal("the child failed by itself:", err)
	}
	timer.Stop()
	return complete
}

// afterKill opens the content as the next start would, and looks at what that
// finds.
func afterKill(t *testing.T, i int, cfg Config, data []byte, recorded *bits.Set) {
	var hashed, others int64
	r := newRig(t, cfg, data)
	have, err := r.store.Check(t.Context(), func(done, _ int64) { hashed = max(hashed, done) })
	if err != nil {
		t.Fatal(err)
	}
	if recorded.AnyNotIn(have) {
		t.Errorf("kill %d: %d pieces were recorded, and not all are among the %d now", i, recorded.Count(), have.Count())
	}
	for p := range cfg.Layout.Pieces() {
		if !recorded.Has(p) {
			others += int64(cfg.Layout.PieceSize(p))
		}
		if have.Has(p) {
			r.mustBeSound(p)
		}
	}
	if hashed > others {
		t.Errorf("kill %d: %d bytes were hashed, and only %d were not recorded", i, hashed, others)
	}
	r.back()
}
