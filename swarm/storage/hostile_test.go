//go:build linux

package storage

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
)

const (
	// hostileEnv makes the test binary the process that does anything with content, in any
	// order, until it is killed: it names the folder to work in.
	hostileEnv = "SWARM_TEST_STORAGE_HOSTILE"
	// seedEnv is where its random numbers begin.
	seedEnv = "SWARM_TEST_STORAGE_SEED"
	// dirEnv is the index of the folder that it opens; roundsEnv the rounds of the test.
	dirEnv    = "SWARM_TEST_STORAGE_DIR"
	roundsEnv = "SWARM_TEST_STORAGE_ROUNDS"

	hostileSteps = 14 // of one process at most
)

// hostileLayout returns a torrent and its content.
func hostileLayout(kind int) (*metainfo.Layout, []byte, error) {
	dir, err := os.MkdirTemp("", "hostile")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir)
	files := map[string]int{"x/a": 300_000, "x/b/c": 70_001, "x/b/d": 0, "x/e": 5, "x/f": 150_000,
		"x/g/h/i": 1}
	if kind%2 == 1 {
		files = map[string]int{"x": 600_001}
	}
	for name, size := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700),
			os.WriteFile(path, content(uint64(len(name)*7+size), size), 0o600)); err != nil {
			return nil, nil, err
		}
	}
	torrent, err := metainfo.Build(context.Background(), metainfo.BuildOptions{
		Path: filepath.Join(dir, "x"), PieceLength: 16 << 10,
		Kind: []metainfo.Kind{metainfo.V1, metainfo.V2, metainfo.Hybrid}[kind/2%3]})
	if err != nil {
		return nil, nil, err
	}
	layout := torrent.Info().Layout()
	data := make([]byte, layout.Length)
	for i := range layout.Files {
		if f := &layout.Files[i]; !f.Pad {
			part, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(layout.FilePath(i))))
			if err != nil {
				return nil, nil, err
			}
			copy(data[f.Offset:], part)
		}
	}
	return layout, data, nil
}

// A hostile is a process that is about to be killed.
type hostile struct {
	rnd     *rand.Rand
	cfg     Config
	data    []byte
	dirs    []string
	store   *Store
	pool    *block.Pool
	results chan Result
	renames bool
}

// hostileChild does anything with content until it is killed, or has done enough. It prints
// what it does, and the pieces that it has.
func hostileChild(dir string) error {
	seed, _ := strconv.ParseUint(os.Getenv(seedEnv), 10, 64)
	kind, _ := strconv.Atoi(os.Getenv(shapeEnv))
	at, _ := strconv.Atoi(os.Getenv(dirEnv))
	layout, data, err := hostileLayout(kind)
	if err != nil {
		return err
	}
	h := &hostile{rnd: rand.New(rand.NewPCG(seed, 1)), data: data,
		dirs: hostileDirs(dir), pool: block.NewPool(8 << 20), results: make(chan Result, 1000)}
	deadly, moving := h.rnd.IntN(60), rand.New(rand.NewPCG(seed, 3))
	h.cfg = Config{Dir: h.dirs[at], Layout: layout, Part: true, interval: 3 * time.Millisecond,
		Hash: metainfo.Hash{byte(kind)}, Workers: NewWorkers(2)}
	if kind%5 != 4 {
		h.cfg.StateDir, h.renames = filepath.Join(dir, "state"), true
	}
	h.cfg.Results = func(r Result) { h.results <- r }
	h.cfg.moving = func(step string) error {
		if deadly--; deadly == 0 {
			fmt.Println("# dies at", step)
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		if way := moving.IntN(4); step == "rename" && way > 0 || step == "link" && way > 1 {
			return syscall.EXDEV
		}
		if moving.IntN(40) == 0 && step != "switched" {
			return syscall.ENOSPC
		}
		return nil
	}
	if h.rnd.IntN(3) == 0 {
		time.AfterFunc(time.Duration(h.rnd.IntN(120))*time.Millisecond, func() {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
		})
	}
	if err := h.open(); err != nil {
		return err
	}
	for range h.rnd.IntN(hostileSteps) {
		if err := h.step(); err != nil {
			return err
		}
	}
	if h.rnd.IntN(2) == 0 {
		return h.store.Close()
	}
	return nil
}

func (h *hostile) open() (err error) {
	if h.cfg.Wanted = nil; h.rnd.IntN(2) == 0 {
		h.cfg.Wanted = h.wanted()
	}
	if h.store, err = Open(h.cfg); err != nil {
		return fmt.Errorf("open: %w", err)
	}
	have, err := h.store.Check(context.Background(), nil)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	h.tell(have)
	return nil
}

func (h *hostile) tell(have *bits.Set) {
	for p := range have.Members() {
		fmt.Println("p", p)
	}
}

func (h *hostile) wanted() []bool {
	wanted := make([]bool, len(h.cfg.Layout.Files))
	for i := range wanted {
		wanted[i] = h.rnd.IntN(3) > 0
	}
	return wanted
}

// step does one thing.
func (h *hostile) step() error {
	s, ctx := h.store, context.Background()
	var err error
	what := h.rnd.IntN(14)
	switch what {
	case 0, 1, 2:
		return h.pieces()
	case 3, 4, 5, 6:
		to := h.dirs[h.rnd.IntN(len(h.dirs))]
		fmt.Println("# move", to)
		old := s.Dir()
		done := make(chan error, 1)
		go func() { done <- s.Move(ctx, to, nil) }()
		if h.rnd.IntN(2) == 0 {
			if err := h.pieces(); err != nil {
				return err
			}
		}
		err = <-done
		fmt.Println("# moved", err)
		left, _ := filepath.Glob(filepath.Join(old, "x*"))
		if err == nil && old != s.Dir() && len(left) > 0 {
			fmt.Println("! left", left)
		}
	case 7:
		if h.renames {
			name := string(rune('x' + h.rnd.IntN(3)))
			fmt.Println("# rename top", name)
			err = s.Rename(-1, name)
		}
	case 8:
		if h.renames {
			i, name := h.rnd.IntN(len(h.cfg.Layout.Files)), "r"+string(rune('a'+h.rnd.IntN(4)))
			fmt.Println("# rename", i, name)
			err = s.Rename(i, name)
		}
	case 9, 10:
		wanted := h.wanted()
		fmt.Println("# select", wanted)
		_, err = s.Select(ctx, wanted)
	case 11:
		fmt.Println("# recheck")
		return s.Recheck(ctx, func(_, _ int64) {}, func(odd *bits.Set) {
			fmt.Println("! recheck doubts", members(odd))
		})
	case 12:
		if s.wanted.within(s.Have()) {
			fmt.Println("# finish")
			err = s.Finish()
		}
	case 13:
		fmt.Println("# close")
		if err := s.Close(); err != nil {
			return err
		}
		if h.cfg.StateDir == "" {
			h.cfg.Dir = s.Dir()
		}
		return h.open()
	}
	if err != nil && !errors.Is(err, ErrExists) && !errors.Is(err, syscall.ENOSPC) &&
		!errors.Is(err, ErrInside) && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%d: %w", what, err)
	}
	return nil
}

// pieces writes some pieces, of which something is wanted.
func (h *hostile) pieces() error {
	s, under, asked := h.store, 0, make(map[int]bool)
	for range h.rnd.IntN(12) {
		p := h.rnd.IntN(h.cfg.Layout.Pieces())
		if asked[p] || s.Has(p) || !s.wanted.piece(p) {
			continue
		}
		size := h.cfg.Layout.PieceSize(p)
		for at := 0; at < size; at += block.Size {
			buf, err := h.pool.Get(context.Background())
			if err != nil {
				return err
			}
			buf.Resize(copy(buf.Bytes()[:min(block.Size, size-at)],
				h.data[h.cfg.Layout.PieceOffset(p)+int64(at):]))
			s.Write(block.Ref{Piece: uint32(p), Begin: uint32(at),
				Length: uint32(len(buf.Bytes()))}, buf)
		}
		s.Verify(uint32(p))
		asked[p] = true
		under++
	}
	for ; under > 0; under-- {
		r := <-h.results
		if errors.Is(r.Err, ErrExists) {
			continue
		}
		if !r.OK {
			return fmt.Errorf("piece %d: %w", r.Piece, r.Err)
		}
		if s.wanted.piece(int(r.Piece)) {
			h.wrote(int(r.Piece))
		}
	}
	return nil
}

// wrote tells of a piece that was just fetched. A part of it that lies in the partfile is
// found after a crash only if a checkpoint has come since.
func (h *hostile) wrote(p int) {
	if layoutShares(h.cfg.Layout, p) {
		fmt.Println("# fetched", p)
		return
	}
	fmt.Println("p", p)
}

// hostileDirs returns the folders that content is moved between.
func hostileDirs(dir string) []string {
	dirs := []string{filepath.Join(dir, "A"), filepath.Join(dir, "B"), filepath.Join(dir, "B", "C")}
	if other, err := os.Readlink(filepath.Join(dir, "other")); err == nil {
		dirs = append(dirs, other)
	}
	return dirs
}

// Processes do anything with content in any order, and are killed: no piece that was had is
// lost, no file of others changes, and nothing of a move is left.
func TestHostile(t *testing.T) {
	rounds, err := strconv.Atoi(os.Getenv(roundsEnv))
	if err != nil {
		t.Skip("set " + roundsEnv + " to a number of rounds")
	}
	seed := rand.Uint64()
	if s, err := strconv.ParseUint(os.Getenv(seedEnv), 10, 64); err == nil {
		seed = s
	}
	for n := range rounds {
		seed := seed + uint64(n)
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) { hostileRound(t, seed) })
		if t.Failed() {
			return
		}
	}
}

// A hostileRun is content that processes work with until they are killed.
type hostileRun struct {
	t      *testing.T
	rnd    *rand.Rand
	kind   int
	dir    string
	dirs   []string
	layout *metainfo.Layout
	data   []byte
	others map[string][]byte // files of others, by path
	have   *bits.Set
	at     int // index of the folder that the content lies in
	log    []string
}

func hostileRound(t *testing.T, seed uint64) {
	x := &hostileRun{t: t, rnd: rand.New(rand.NewPCG(seed, 2)), dir: t.TempDir(),
		others: make(map[string][]byte)}
	x.kind = x.rnd.IntN(30)
	var err error
	if x.layout, x.data, err = hostileLayout(x.kind); err != nil {
		t.Fatal(err)
	}
	x.have = bits.New(x.layout.Pieces())
	if shm, err := os.MkdirTemp("/dev/shm", "hostile"); err == nil {
		t.Cleanup(func() { os.RemoveAll(shm) })
		if err := os.Symlink(shm, filepath.Join(x.dir, "other")); err != nil {
			t.Fatal(err)
		}
	}
	x.dirs = hostileDirs(x.dir)
	for i, d := range x.dirs {
		for _, name := range []string{"other", "y/foreign", "z/b/c"} {
			path := filepath.Join(d, name)
			if x.rnd.IntN(3) == 0 {
				x.others[path] = content(uint64(i+900), 70_001)
			}
			err := os.MkdirAll(filepath.Dir(path), 0o700)
			if data, is := x.others[path]; is && err == nil {
				err = os.WriteFile(path, data, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 8 {
		x.process()
		x.look()
		if t.Failed() {
			t.Fatal(strings.Join(x.log, "\n"))
		}
	}
}

// process runs one process until its end, and learns which pieces it had.
func (x *hostileRun) process() {
	ctx, cancel := context.WithTimeout(x.t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGQUIT) }
	cmd.Env = append(os.Environ(), hostileEnv+"="+x.dir, shapeEnv+"="+strconv.Itoa(x.kind),
		seedEnv+"="+strconv.FormatUint(x.rnd.Uint64(), 10), dirEnv+"="+strconv.Itoa(x.at))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		line := lines.Text()
		p, err := strconv.Atoi(strings.TrimPrefix(line, "p "))
		if err == nil && p < x.layout.Pieces() {
			x.have.Add(p)
			continue
		}
		if x.log = append(x.log, line); strings.HasPrefix(line, "!") {
			x.t.Error(line)
		}
	}
	x.log = append(x.log, fmt.Sprint("-- ", err, " ", stderr.String()))
	if err != nil && !strings.Contains(err.Error(), "killed") {
		x.t.Error(err, stderr.String())
	}
}

// look opens the content, and sees what has become of it and of the files of others.
func (x *hostileRun) look() {
	t := x.t
	cfg := Config{Layout: x.layout, Part: true, Hash: metainfo.Hash{byte(x.kind)}}
	if x.kind%5 != 4 {
		cfg.StateDir = filepath.Join(x.dir, "state")
	} else { // only the two folders of a move that was cut short lead to the content
		for i, d := range x.dirs {
			if existsAt(d, "x") || existsAt(d, "x.part") ||
				existsAt(d, contentNames("x", cfg.Hash)[ownName]) {
				x.at = i
			}
		}
	}
	cfg.Dir = x.dirs[x.at]
	r, err := tryRig(t, cfg, x.data)
	if err != nil {
		t.Fatalf("open: %v\n%s", err, strings.Join(x.log, "\n"))
	}
	got, err := r.store.Check(t.Context(), nil)
	if err != nil {
		t.Fatalf("check: %v\n%s", err, strings.Join(x.log, "\n"))
	}
	for p := range x.have.Members() {
		if !got.Has(p) && (cfg.StateDir != "" || !layoutShares(x.layout, p)) {
			t.Errorf("piece %d is lost", p)
		}
	}
	for p := range got.Members() {
		r.mustBeSound(p)
	}
	x.have = got
	for path, want := range x.others {
		if is, err := os.ReadFile(path); err != nil || !bytes.Equal(is, want) {
			t.Errorf("%s of others: %v", path, err)
		}
	}
	for _, d := range x.dirs {
		if left, _ := filepath.Glob(filepath.Join(d, "*"+stagingSuffix)); len(left) > 0 {
			t.Errorf("left: %q", left)
		}
	}
	x.log = append(x.log, fmt.Sprint("== ", r.store.Paths(), " ", got.Count()))
	if x.at = slices.Index(x.dirs, r.store.Dir()); x.at < 0 {
		t.Errorf("it lies in %s", r.store.Dir())
	}
	r.back()
}

// layoutShares reports whether several files have a part in piece p.
func layoutShares(l *metainfo.Layout, p int) bool {
	n := 0
	for i := range l.Files {
		first, end := l.FilePieces(i)
		if !l.Files[i].Pad && first <= p && p < end && l.Files[i].Length > 0 {
			n++
		}
	}
	return n > 1
}
