package swarm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

const (
	// steerEnv, if set, is how long TestSteering lasts, as in 10m.
	steerEnv = "SWARM_STEER"
	// steerTime is how long it lasts otherwise, and steerers how many goroutines call
	// methods at the same time.
	steerTime = 3 * time.Second
	steerers  = 6
	// unfinishedMax is how many bytes of unfinished pieces one restart may lose.
	unfinishedMax = 1 << 20
)

// A steering calls methods of an engine and of its one torrent in any order. It is safe for
// concurrent use, but for its rng.
type steering struct {
	engine  *swarm.Engine
	torrent *atomic.Pointer[swarm.Torrent]
	spec    swarm.Spec
	source  string   // folder below which the seed has the content
	want    [][]byte // the files
	dirs    []string // where the content may lie
	seed    netip.AddrPort
	rng     *rand.Rand
	restart *sync.Mutex // held while the torrent is closed and added again
	// restarts counts how often it was.
	restarts *atomic.Int64
}

// with returns a steering of its own for one more goroutine.
func (s *steering) with(rng *rand.Rand) *steering {
	copied := *s
	copied.rng = rng
	return &copied
}

func (s *steering) coin() bool { return s.rng.IntN(2) == 0 }

// rate returns no limit, or a low one.
func (s *steering) rate() int64 { return s.rng.Int64N(2) * (256<<10 + s.rng.Int64N(4<<20)) }

// A steer is something that may be called at any time.
type steer struct {
	name string
	do   func(s *steering, t *swarm.Torrent) error
}

var steers = []steer{
	{"Pause", func(_ *steering, t *swarm.Torrent) error { return t.Pause() }},
	{"Resume", func(_ *steering, t *swarm.Torrent) error { return t.Resume() }},
	{"Resume", func(_ *steering, t *swarm.Torrent) error { return t.Resume() }},
	{"Recheck", func(s *steering, t *swarm.Torrent) error {
		if s.rng.IntN(8) > 0 {
			return nil
		}
		return t.Recheck()
	}},
	{"Move", (*steering).move},
	{"Rename", (*steering).rename},
	{"SetFiles", func(s *steering, t *swarm.Torrent) error {
		ranks := make([]swarm.Priority, len(s.want))
		for i := range ranks {
			ranks[i] = swarm.Priority(s.rng.IntN(8))
		}
		ranks[s.rng.IntN(len(ranks))] = swarm.Normal // at least one is wanted
		return t.SetFiles(ranks)
	}},
	{"SetSequential", func(s *steering, t *swarm.Torrent) error {
		return t.SetSequential(s.coin())
	}},
	{"SetLimits", func(s *steering, t *swarm.Torrent) error {
		return t.SetLimits(swarm.Limits{Down: s.rate(), Up: s.rate(), Peers: s.rng.IntN(4)})
	}},
	{"SetTrackers", func(s *steering, t *swarm.Torrent) error {
		return t.SetTrackers([][]string{{"http://127.0.0.1:1/announce"}}[:s.rng.IntN(2)])
	}},
	{"Reannounce", func(_ *steering, t *swarm.Torrent) error { return t.Reannounce() }},
	{"AddPeer", func(s *steering, t *swarm.Torrent) error {
		t.AddPeer(s.seed)
		return nil
	}},
	{"Reader", (*steering).read},
	{"views", (*steering).look},
	{"WriteEvents", func(s *steering, t *swarm.Torrent) error {
		if s.rng.IntN(8) > 0 {
			return nil
		}
		return t.WriteEvents(io.Discard)
	}},
	{"Engine.SetLimits", func(s *steering, _ *swarm.Torrent) error {
		s.engine.SetLimits(swarm.EngineLimits{Down: s.rate(), Up: s.rate(),
			Peers: s.rng.IntN(20), TorrentPeers: s.rng.IntN(5)})
		s.engine.SetPEX(s.coin())
		return nil
	}},
	{"Engine.Rebind", func(s *steering, _ *swarm.Torrent) error {
		if s.rng.IntN(4) > 0 {
			return nil
		}
		return s.engine.Rebind([]netip.AddrPort{loopback})
	}},
	{"Close and Add", (*steering).again},
}

// move moves the content, or gives up on the way.
func (s *steering) move(t *swarm.Torrent) error {
	ctx := context.Background()
	if s.coin() {
		short, cancel := context.WithTimeout(ctx, time.Duration(s.rng.IntN(5))*time.Millisecond)
		defer cancel()
		ctx = short
	}
	err := t.Move(ctx, s.dirs[s.rng.IntN(len(s.dirs))])
	if ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// rename gives a file or the folder at the top another name, each its own.
func (s *steering) rename(t *swarm.Torrent) error {
	file := s.rng.IntN(len(s.want)+1) - 1
	return t.Rename(file, fmt.Sprintf("name %d of %d", s.rng.IntN(3), file))
}

// read reads a part of a file, if it comes soon.
func (s *steering) read(t *swarm.Torrent) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	file := s.rng.IntN(len(s.want))
	r, err := t.Reader(ctx, file)
	if ctx.Err() != nil || errors.Is(err, swarm.ErrReaders) {
		return nil
	}
	if err != nil {
		return err
	}
	defer r.Close()
	want := s.want[file]
	at := s.rng.IntN(len(want))
	part := make([]byte, min(len(want)-at, 1+s.rng.IntN(40_000)))
	if _, err := r.ReadAt(part, int64(at)); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	if !bytes.Equal(part, want[at:at+len(part)]) {
		return fmt.Errorf("wrong bytes of file %d at %d", file, at)
	}
	return nil
}

// look checks what the torrent says of itself.
func (s *steering) look(t *swarm.Torrent) error {
	t.Trackers()
	t.Paths()
	t.FilePath(0)
	t.Peers()
	t.Pieces()
	t.WebSeeds()
	for _, f := range t.Files() {
		if f.Have > f.Size || f.Have < 0 {
			return fmt.Errorf("of %s there are %d bytes of %d", f.Path, f.Have, f.Size)
		}
	}
	if dir := t.Dir(); !slices.Contains(s.dirs, dir) {
		return fmt.Errorf("the content lies in %s", dir)
	}
	return soundState(t.State())
}

// again closes the torrent, and adds it once more: often one that is paused.
func (s *steering) again(t *swarm.Torrent) error {
	if s.rng.IntN(30) > 0 || !s.restart.TryLock() {
		return nil
	}
	defer s.restart.Unlock()
	if err := s.torrent.Load().Close(); err != nil {
		return err
	}
	spec := s.spec
	spec.Paused = s.coin()
	next, err := s.engine.Add(spec)
	if err == nil {
		s.torrent.Store(next)
		s.restarts.Add(1)
	}
	return err
}

// soundState returns what is wrong with a state.
func soundState(s swarm.State) error {
	switch {
	case s.Phase == swarm.Failed, s.Phase == swarm.Faulty:
		return fmt.Errorf("the torrent is %v: %v", s.Phase, s.Fault)
	case s.Got > s.Wanted, s.Wanted > s.Length, s.Have > s.Length, s.Checked > s.CheckTotal,
		s.PiecesHave > s.Pieces, s.Moved > s.MoveTotal, s.Have < 0, s.Left < 0:
		return fmt.Errorf("the numbers of the state contradict each other: %+v", s)
	case s.Paused && s.PeersHere > 0:
		return fmt.Errorf("a paused torrent has %d peers", s.PeersHere)
	case s.Totals.Down < s.Down, s.Totals.Up < s.Up, s.Totals.Seeding > s.Totals.Active:
		return fmt.Errorf("the totals contradict the state: %+v", s)
	}
	return nil
}

// call calls a random method, and returns what must not happen.
func (s *steering) call() error {
	step := steers[s.rng.IntN(len(steers))]
	t := s.torrent.Load()
	err := step.do(s, t)
	switch {
	case err == nil, errors.Is(err, swarm.ErrNoInfo), // just after Add
		errors.Is(err, swarm.ErrStopped) && s.torrent.Load() != t: // closed meanwhile
		return nil
	}
	if errors.Is(err, swarm.ErrStopped) && !s.restart.TryLock() {
		return nil // it is being closed
	} else if errors.Is(err, swarm.ErrStopped) {
		s.restart.Unlock()
		if s.torrent.Load() != t {
			return nil
		}
	}
	return fmt.Errorf("%s: %w", step.name, err)
}

// settle ends all steering, and waits until the content is complete.
func (s *steering) settle(t *testing.T) {
	t.Helper()
	torrent := s.torrent.Load()
	s.engine.SetLimits(swarm.EngineLimits{})
	all := slices.Repeat([]swarm.Priority{swarm.Normal}, len(s.want))
	eventually(t, "the metadata", func() bool { return torrent.SetFiles(all) == nil })
	for _, err := range []error{torrent.SetLimits(swarm.Limits{}), torrent.SetTrackers(nil),
		torrent.Resume()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	torrent.AddPeer(s.seed)
	waitDone(t, torrent)
	eventually(t, "the torrent seeds", func() bool {
		s := torrent.State()
		return s.Phase == swarm.Seeding && s.Have == s.Length
	})
}

// eventually waits until ok returns true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("%s: not within %v", what, patience)
		case <-time.After(time.Millisecond):
		}
	}
}

// checkDisk checks that the content is whole, and that nothing else is left of it.
func (s *steering) checkDisk(t *testing.T) {
	t.Helper()
	torrent := s.torrent.Load()
	var sum int64
	for _, f := range torrent.Files() {
		sum += f.Have
	}
	if have := torrent.State().Have; sum != have {
		t.Errorf("the files have %d bytes, the torrent %d", sum, have)
	}
	expected := map[string]bool{}
	for i, want := range s.want {
		path := torrent.FilePath(i)
		expected[path] = true
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("file %d at %s has %d right bytes of %d, %v", i, path, commonStart(got, want),
				len(want), err)
		}
	}
	for _, dir := range s.dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !expected[path] {
				t.Errorf("%s is left behind", path)
			}
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	}
}

// remove removes the torrent with its data. Nothing stays in the folders.
func (s *steering) remove(t *testing.T) {
	t.Helper()
	if err := s.torrent.Load().Remove(t.Context(), true); err != nil {
		t.Error(err)
	}
	for _, dir := range s.dirs {
		left, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) || len(left) > 0 {
			t.Errorf("after Remove there is %v in %s, %v", left, dir, err)
		}
	}
}

// commonStart returns how many bytes two slices have in common at the start.
func commonStart(a, b []byte) (n int) {
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// steeredContent writes a folder of files of very different sizes below dir, and returns
// their contents and the torrent.
func steeredContent(t *testing.T, dir string) (files [][]byte, torrent *metainfo.Torrent) {
	t.Helper()
	rng := rand.NewChaCha8([32]byte{7})
	for i, size := range []int{700_000, 33, 300_000, 16 << 10, 1_500_000} {
		data := make([]byte, size)
		rng.Read(data)
		path := filepath.Join(dir, "content", []string{"", "sub", "sub/deep"}[i%3],
			fmt.Sprintf("file %d", i))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{
		Path: filepath.Join(dir, "content"), PieceLength: 32 << 10})
	if err != nil {
		t.Fatal(err)
	}
	return readFiles(t, dir, torrent), torrent
}

// readFiles returns the contents of the files of a torrent below dir, in its order.
func readFiles(t *testing.T, dir string, torrent *metainfo.Torrent) (files [][]byte) {
	t.Helper()
	for _, f := range torrent.Info().Layout().Files {
		data, err := os.ReadFile(filepath.Join(append([]string{dir, "content"}, f.Path...)...))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, data)
	}
	return files
}

// newSteering starts a seed that uploads up bytes a second at most, and returns a steering
// of what fetches from it, without an engine.
func newSteering(t *testing.T, seed uint64, up int64) *steering {
	t.Helper()
	source := t.TempDir()
	files, torrent := steeredContent(t, source)
	seeder := listen(t, swarm.Config{Up: up})
	add(t, seeder, swarm.Spec{Torrent: torrent, Dir: source, Complete: true})
	base := t.TempDir()
	s := &steering{source: source, want: files, seed: seeder.Addr(),
		rng:     rand.New(rand.NewPCG(seed, 0)),
		torrent: new(atomic.Pointer[swarm.Torrent]), restart: new(sync.Mutex),
		restarts: new(atomic.Int64)}
	for i := range 3 {
		s.dirs = append(s.dirs, filepath.Join(base, fmt.Sprintf("dir %d", i)))
	}
	if err := os.Mkdir(s.dirs[0], 0o755); err != nil {
		t.Fatal(err)
	}
	s.spec = swarm.Spec{Torrent: torrent, Dir: s.dirs[0], Peers: []string{s.seed.String()}}
	return s
}

// Methods may be called in any order and by many goroutines at once: the torrent never
// contradicts itself, loses nothing, and is complete in the end.
func TestSteering(t *testing.T) {
	seed, lasts := rand.Uint64(), steerTime
	if v := os.Getenv(steerEnv); v != "" {
		var err error
		if lasts, err = time.ParseDuration(v); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d", seed)
	s := newSteering(t, seed, 0)
	s.engine = listen(t, swarm.Config{StateDir: t.TempDir()})
	s.torrent.Store(add(t, s.engine, s.spec))
	ctx, cancel := context.WithTimeout(t.Context(), lasts)
	defer cancel()
	var wait sync.WaitGroup
	var calls atomic.Int64
	for i := range steerers {
		one := s.with(rand.New(rand.NewPCG(seed, uint64(i)+1)))
		wait.Go(func() {
			for ctx.Err() == nil {
				if err := one.call(); err != nil {
					t.Error(err)
					cancel()
				}
				calls.Add(1)
			}
		})
	}
	wait.Go(func() { followFeed(ctx, t, s.engine) })
	wait.Wait()
	if t.Failed() {
		return
	}
	s.settle(t)
	s.checkDisk(t)
	end := s.torrent.Load().State()
	for _, n := range end.Totals.Waste {
		end.Totals.Down -= n
	}
	// A restart may lose the pieces that are begun.
	if most := end.Length + s.restarts.Load()*unfinishedMax; end.Totals.Down > most {
		t.Errorf("%d bytes were fetched in %d runs, content of %d: something was lost",
			end.Totals.Down, s.restarts.Load()+1, end.Length)
	}
	s.remove(t)
	t.Logf("%d calls; %d bytes were fetched of %d, waste %v", calls.Load(), end.Totals.Down,
		end.Length, end.Totals.Waste)
}

// followFeed reads the feed until ctx ends, and looks at the states.
func followFeed(ctx context.Context, t *testing.T, e *swarm.Engine) {
	feed := e.Subscribe(0)
	for {
		c, err := feed.Next(ctx)
		if err != nil {
			return
		}
		for _, change := range c.Torrents {
			if err := soundState(change.Torrent.State()); err != nil {
				t.Error(err)
			}
		}
	}
}
