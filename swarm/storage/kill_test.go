//go:build linux

package storage

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
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
	// killsEnv sets how often TestKill kills; killsDefault is for every day,
	// killsSoak for SWARM_SOAK=1. Each kill is independent of those before the
	// last completed download, so a soak can be given up and begun again.
	killsEnv     = "SWARM_TEST_KILLS"
	killsDefault = 24
	killsSoak    = 1000
	// childEnv makes the test binary the downloader that TestKill kills: it
	// names the folder to work in.
	childEnv = "SWARM_TEST_STORAGE_CHILD"
	// shapeEnv is the index in killShapes of what it downloads.
	shapeEnv = "SWARM_TEST_STORAGE_SHAPE"
	// wantedEnv is the picture of the selection that it downloads; all if empty.
	wantedEnv = "SWARM_TEST_STORAGE_WANTED"

	killInterval = 20 * time.Millisecond  // between checkpoints, so that there are many
	childPace    = 300 * time.Microsecond // between pieces, so that it takes a while
	killAfterMax = 200 * time.Millisecond // after the child has begun to download
)

func TestMain(m *testing.M) {
	children := map[string]func(dir string) error{childEnv: child, moverEnv: movingChild,
		hostileEnv: hostileChild}
	for env, run := range children {
		dir := os.Getenv(env)
		if dir == "" {
			continue
		}
		if err := run(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// killShapes are the torrents that a downloader is killed with.
var killShapes = []struct {
	name   string
	kind   metainfo.Kind
	single bool
	wanted string // picture of the selection; all if empty
}{
	{"v1, many files", metainfo.V1, false, ""},
	{"v1, one file", metainfo.V1, true, ""},
	{"v1, some of the files", metainfo.V1, false, "x.x"},
	{"v2, many files", metainfo.V2, false, ""},
	{"v2, one file", metainfo.V2, true, ""},
	{"v2, some of the files", metainfo.V2, false, ".xx"},
	{"hybrid, many files", metainfo.Hybrid, false, ""},
	{"hybrid, one file", metainfo.Hybrid, true, ""},
}

// killConfig returns the download of a shape below dir, and the content. The
// torrent and what it is made of are written there first if need be.
func killConfig(dir string, shape int) (Config, []byte, error) {
	x := killShapes[shape]
	source, name := filepath.Join(dir, "source"), filepath.Join(dir, "torrent")
	paths := []string{"x/a", "x/b/c", "x/b/d"}
	sizes := []int{7 << 20, 5_000_001, 50}
	if x.single {
		paths, sizes = []string{"x"}, []int{12_000_001}
	}
	doc, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		for i, path := range paths {
			path = filepath.Join(source, path)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700),
				os.WriteFile(path, content(uint64(i), sizes[i]), 0o600)); err != nil {
				return Config{}, nil, err
			}
		}
		torrent, err := metainfo.Build(context.Background(), metainfo.BuildOptions{
			Path: filepath.Join(source, "x"), Kind: x.kind, PieceLength: 16 << 10})
		if err != nil {
			return Config{}, nil, err
		}
		doc = torrent.Marshal()
		if err := os.WriteFile(name, doc, 0o600); err != nil {
			return Config{}, nil, err
		}
	} else if err != nil {
		return Config{}, nil, err
	}
	torrent, err := metainfo.ParseTorrent(doc)
	if err != nil {
		return Config{}, nil, err
	}
	layout := torrent.Info().Layout()
	data := make([]byte, layout.Length)
	for i := range layout.Files {
		f := &layout.Files[i]
		if f.Pad {
			continue
		}
		part, err := os.ReadFile(filepath.Join(source, filepath.FromSlash(layout.FilePath(i))))
		if err != nil {
			return Config{}, nil, err
		}
		copy(data[f.Offset:], part)
	}
	return Config{Dir: filepath.Join(dir, "down"), StateDir: filepath.Join(dir, "state"),
		Layout: layout,
		Part:   true, interval: killInterval, Hash: metainfo.Hash{5}}, data, nil
}

func mustKillConfig(t *testing.T, dir string, shape int) (Config, []byte) {
	t.Helper()
	cfg, data, err := killConfig(dir, shape)
	if err != nil {
		t.Fatal(err)
	}
	return cfg, data
}

// child downloads what is missing, in any order, two pieces at a time, and
// prints a line when it begins a piece and one when it is complete.
func child(dir string) error {
	shape, err := strconv.Atoi(os.Getenv(shapeEnv))
	if err != nil {
		return err
	}
	cfg, data, err := killConfig(dir, shape)
	if err != nil {
		return err
	}
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
			buf.Resize(copy(buf.Bytes()[:min(block.Size, size-at)],
				data[cfg.Layout.PieceOffset(p)+int64(at):]))
			s.Write(block.Ref{Piece: uint32(p), Begin: uint32(at),
				Length: uint32(len(buf.Bytes()))}, buf)
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

// killsWanted is how often to kill.
func killsWanted(t *testing.T) int {
	if text := os.Getenv(killsEnv); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if os.Getenv("SWARM_SOAK") != "" {
		return killsSoak
	}
	return killsDefault
}

// A downloader is killed at random moments: no piece that was recorded is
// fetched or hashed again, and whatever counts as sound is.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	kills, kept := killsWanted(t), 0
	for shape, x := range killShapes {
		t.Run(x.name, func(t *testing.T) {
			dir, finished, most := t.TempDir(), 0, 0
			some := kills*(shape+1)/len(killShapes) - kills*shape/len(killShapes)
			for i := range some {
				complete := killOnce(t, dir, shape, x.wanted, rand.N(killAfterMax))
				if !complete && i%3 == 0 && i < some-1 {
					// the next child finds what the kill left, and not what a look
					// at it did
					continue
				}
				cfg, data := mustKillConfig(t, dir, shape)
				if x.wanted != "" {
					cfg.Wanted = choose(x.wanted)
				}
				recorded := recordedAt(t, cfg)
				afterKill(t, i, cfg, data, recorded)
				most = max(most, recorded.Count())
				if complete {
					finished++
					dir = t.TempDir()
				}
			}
			kept = max(kept, most)
			t.Logf("%d kills, %d downloads completed, at most %d pieces recorded at a kill", some,
				finished, most)
		})
	}
	if kept == 0 {
		t.Error("nothing was ever recorded: the test shows nothing")
	}
}

// recordedAt returns the pieces of the record that a kill has left, which is
// never damaged.
func recordedAt(t *testing.T, cfg Config) *bits.Set {
	t.Helper()
	doc, err := os.ReadFile(recordPath(cfg))
	if errors.Is(err, fs.ErrNotExist) {
		return bits.New(cfg.Layout.Pieces())
	}
	if err != nil {
		t.Fatal(err)
	}
	was, err := ParseResume(doc)
	if err != nil {
		t.Fatal("the record is damaged:", err)
	}
	return was.Have
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
		killOnce(t, dir, 0, wanted, rand.N(killAfterMax))
		if i%2 == 0 {
			continue
		}
		cfg, data := mustKillConfig(t, dir, 0)
		cfg.Wanted = choose([]string{"x..", ".xx", "xxx"}[rand.IntN(3)])
		was := recordedAt(t, cfg)
		r := newRig(t, cfg, data)
		have, err := r.store.Check(t.Context(), nil)
		if err != nil || was.AnyNotIn(have) {
			t.Errorf("kill %d: %d pieces were recorded, and not all are among the %d now (%v)",
				i, was.Count(), have.Count(), err)
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

// killOnce runs the child and kills it after a while; it reports whether it had
// completed the download before.
func killOnce(t *testing.T, dir string, shape int, wanted string,
	after time.Duration) (complete bool) {
	cfg, _ := mustKillConfig(t, dir, shape)
	recorded := recordedAt(t, cfg)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir, wantedEnv+"="+wanted,
		shapeEnv+"="+strconv.Itoa(shape))
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
		t.Errorf("kill %d: %d pieces were recorded, and not all are among the %d now", i,
			recorded.Count(), have.Count())
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
