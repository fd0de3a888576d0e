package swarm_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// A reading is a torrent that one seed sends at a limited rate.
type reading struct {
	torrent *metainfo.Torrent
	seed    *swarm.Engine
	leech   *swarm.Torrent
	content [2][]byte // of the files of the layout
	out     string
}

// newReading starts to fetch size bytes in two files, at up bytes a second; 0 means no
// limit, and a negative limit means no peer. The metadata comes from the seed, unless there
// is no peer or the torrent starts paused.
func newReading(t *testing.T, size int, up int64, spec swarm.Spec) *reading {
	t.Helper()
	dir, torrent := makeContent(t, size)
	r := &reading{torrent: torrent, seed: newEngine(t), out: t.TempDir()}
	for i, name := range []string{"content/a", "content/sub/b"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		r.content[i] = data
	}
	add(t, r.seed, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true, Up: max(up, 0)})
	spec.Magnet, spec.Dir = torrent.Magnet(), r.out
	if up >= 0 {
		spec.Peers = []string{r.seed.Addr().String()}
	}
	if up < 0 || spec.Paused {
		spec.Torrent = torrent
	}
	r.leech = add(t, newEngine(t), spec)
	return r
}

// open opens a reader that the test closes.
func (r *reading) open(t *testing.T, file int) *swarm.Reader {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	reader, err := r.leech.Reader(ctx, file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := reader.Close(); err != nil {
			t.Error(err)
		}
	})
	return reader
}

// All of a file is read from a magnet link before the torrent is complete: the reader
// waits for the metadata, and the file comes before the other one, which is twice as long.
func TestReaderWhileFetching(t *testing.T) {
	r := newReading(t, 6<<20, 640<<10, swarm.Spec{})
	reader := r.open(t, 0)
	got, err := io.ReadAll(reader)
	if err != nil || !bytes.Equal(got, r.content[0]) {
		t.Fatalf("read %d bytes, error %v, want %d bytes", len(got), err, len(r.content[0]))
	}
	if s := r.leech.State(); s.Have == s.Length {
		t.Error("the torrent was complete before the file was read")
	}
	if n := int64(len(r.content[0])); reader.Size() != n {
		t.Errorf("a size of %d, want %d", reader.Size(), n)
	}
	mustDo(t, r.seed.Torrent(r.leech.Hash()).SetLimits(swarm.Limits{}))
	waitDone(t, r.leech)
}

// A read far away is served before what lies between.
func TestReaderSeeks(t *testing.T) {
	r := newReading(t, 12<<20, 512<<10, swarm.Spec{})
	reader, want := r.open(t, 1), r.content[1]
	buf := make([]byte, 1000)
	for _, at := range []int64{0, int64(len(want)) - 1000, int64(len(want)) / 2} {
		if _, err := reader.Seek(at, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(reader, buf); err != nil || !bytes.Equal(buf, want[at:at+1000]) {
			t.Fatalf("wrong content at byte %d, or error %v", at, err)
		}
	}
	if s := r.leech.State(); s.Have > s.Length*2/3 {
		t.Errorf("%d of %d bytes were fetched before three places were read", s.Have, s.Length)
	}
}

// Reads, seeks and reads at places do what the interfaces of io demand.
func TestReaderIsAReader(t *testing.T) {
	r := newReading(t, 100_777, 0, swarm.Spec{})
	for file := range r.content {
		if err := iotest.TestReader(r.open(t, file), r.content[file]); err != nil {
			t.Error(err)
		}
	}
	reader := r.open(t, 0)
	if _, err := reader.Seek(-1, io.SeekStart); err == nil {
		t.Error("a seek to before the start is no error")
	}
	if _, err := reader.Seek(0, 7); err == nil {
		t.Error("an unknown whence is no error")
	}
	if _, err := reader.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("a read before the start is no error")
	}
	if at, err := reader.Seek(1<<40, io.SeekStart); at != 1<<40 || err != nil {
		t.Errorf("a seek beyond the end: %d, %v", at, err)
	}
	if n, err := reader.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("a read beyond the end: %d, %v", n, err)
	}
	for off, want := range map[int64]int64{-1: 0, 0: reader.Size(), 77: reader.Size() - 77,
		reader.Size(): 0, math.MaxInt64: 0} {
		if got := reader.Ready(off); got != want {
			t.Errorf("%d bytes are ready from %d on, want %d", got, off, want)
		}
	}
	if _, err := reader.Seek(math.MaxInt64, io.SeekCurrent); err == nil {
		t.Error("a seek farther than numbers go is no error")
	}
	for _, off := range []int64{reader.Size(), math.MaxInt64} {
		if n, err := reader.ReadAt(make([]byte, 1), off); n != 0 || err != io.EOF {
			t.Errorf("a read at %d: %d, %v", off, n, err)
		}
	}
}

// Many goroutines read in several places at once.
func TestReadersSideBySide(t *testing.T) {
	r := newReading(t, 4<<20, 4<<20, swarm.Spec{})
	a, b := r.open(t, 1), r.open(t, 1)
	want := r.content[1]
	var wait sync.WaitGroup
	for i := range 16 {
		reader := [2]*swarm.Reader{a, b}[i%2]
		wait.Go(func() {
			at := len(want) / 16 * i
			buf := make([]byte, len(want)/16)
			if n, err := reader.ReadAt(buf, int64(at)); err != nil ||
				!bytes.Equal(buf, want[at:at+len(buf)]) {
				t.Errorf("read %d bytes at %d: %v", n, at, err)
			}
		})
	}
	wait.Go(func() {
		if got, err := io.ReadAll(a); err != nil || !bytes.Equal(got, want) {
			t.Errorf("read %d bytes: %v", len(got), err)
		}
	})
	wait.Wait()
}

// waits starts a read that nothing answers, and returns what it ends with.
func waits(t *testing.T, read func([]byte) (int, error)) <-chan error {
	t.Helper()
	ended := make(chan error, 1)
	go func() {
		_, err := read(make([]byte, 1))
		ended <- err
	}()
	return ended
}

// expectErr waits for an error.
func expectErr(t *testing.T, ended <-chan error, want error, what string) {
	t.Helper()
	select {
	case err := <-ended:
		if !errors.Is(err, want) {
			t.Errorf("%s: error %v, want %v", what, err, want)
		}
	case <-time.After(patience):
		t.Fatalf("%s: the read goes on", what)
	}
}

func TestReaderEnds(t *testing.T) {
	r := newReading(t, 1<<20, -1, swarm.Spec{})
	ctx, cancel := context.WithCancelCause(context.Background())
	first, err := r.leech.Reader(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	second, third := r.open(t, 0), r.open(t, 1)
	at := func(p []byte) (int, error) { return first.ReadAt(p, 99) }
	firstEnds, atEnds := waits(t, first.Read), waits(t, at)
	secondEnds, thirdEnds := waits(t, second.Read), waits(t, third.Read)
	reason := errors.New("the reason")
	cancel(reason)
	expectErr(t, firstEnds, reason, "the context has ended")
	expectErr(t, atEnds, reason, "the context has ended")
	for range 2 {
		if err := second.Close(); err != nil {
			t.Error(err)
		}
	}
	expectErr(t, secondEnds, swarm.ErrReaderClosed, "the reader was closed")
	r.leech.Close()
	expectErr(t, thirdEnds, swarm.ErrStopped, "the torrent was closed")
	for _, reader := range []*swarm.Reader{first, second, third} {
		if n, err := reader.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("a read after the end: %d, %v", n, err)
		}
		if _, err := reader.Seek(0, io.SeekStart); err == nil {
			t.Error("a seek after the end is no error")
		}
	}
	first.Close()
	if _, err := r.leech.Reader(t.Context(), 99); !errors.Is(err, swarm.ErrStopped) {
		t.Errorf("a reader of no file after the end: %v", err)
	}
	if _, err := r.leech.Reader(t.Context(), 0); !errors.Is(err, swarm.ErrStopped) {
		t.Errorf("a reader of a torrent that was closed: %v", err)
	}
}

func TestReaderErrors(t *testing.T) {
	r := newReading(t, 1<<20, -1, swarm.Spec{})
	for _, file := range []int{-1, 2, math.MaxInt} {
		if _, err := r.leech.Reader(t.Context(), file); !errors.Is(err, swarm.ErrNoFile) {
			t.Errorf("file %d: %v", file, err)
		}
	}
	var last *swarm.Reader
	for range 32 {
		last = r.open(t, 0)
	}
	if _, err := r.leech.Reader(t.Context(), 0); !errors.Is(err, swarm.ErrReaders) {
		t.Errorf("reader 33: %v", err)
	}
	last.Close()
	r.open(t, 0)

	only := add(t, newEngine(t), swarm.Spec{Torrent: r.torrent, MetadataOnly: true})
	if _, err := only.Reader(t.Context(), 0); !errors.Is(err, swarm.ErrNoContent) {
		t.Errorf("a reader without content: %v", err)
	}
	bare := add(t, newEngine(t), swarm.Spec{Magnet: r.torrent.Magnet(), Dir: t.TempDir()})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := bare.Reader(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("a reader before the metadata: %v", err)
	}
}

// A piece that is lost again is waited for, also while the torrent is paused.
func TestReaderOfLostPiece(t *testing.T) {
	r := newReading(t, 1<<20, 0, swarm.Spec{})
	waitDone(t, r.leech)
	reader := r.open(t, 1)
	spoil(t, filepath.Join(r.out, "content/sub/b"))
	mustDo(t, r.leech.Pause(), r.leech.Recheck())
	await(t, "the damage is found", func() bool {
		s := r.leech.State()
		return s.Left > 0 && s.Checked == s.CheckTotal
	})
	var got []byte
	ended := make(chan error, 1)
	go func() {
		var err error
		got, err = io.ReadAll(reader)
		ended <- err
	}()
	end := make([]byte, 1000)
	at := int64(len(r.content[1]) - len(end))
	if _, err := reader.ReadAt(end, at); err != nil || !bytes.Equal(end, r.content[1][at:]) {
		t.Errorf("what is there cannot be read: %v", err)
	}
	select {
	case err := <-ended:
		t.Fatalf("a read ended while the torrent was paused: %d bytes, %v", len(got), err)
	default:
	}
	mustDo(t, r.leech.Resume())
	expectErr(t, ended, nil, "the torrent goes on")
	if !bytes.Equal(got, r.content[1]) {
		t.Error("the content is wrong")
	}
}

// Content that is only served, and that another program has changed, is an error: nobody
// fetches it again.
func TestReaderOfChangedContent(t *testing.T) {
	dir, torrent := makeContent(t, 1<<20)
	seed := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	waitDone(t, seed)
	reader, err := seed.Reader(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	restore := spoil(t, filepath.Join(dir, "content/sub/b"))
	for range 2 {
		if _, err := io.ReadAll(reader); !errors.Is(err, swarm.ErrChanged) {
			t.Errorf("error %v, want that the content was changed", err)
		}
	}
	restore()
	mustDo(t, seed.Recheck())
	await(t, "the content is found to be right", func() bool { return seed.State().Left == 0 })
}

// TestReadsThatShareAHead: a read of a file that nobody wants gets its piece although
// another one, a little farther on, has begun after it.
func TestReadsThatShareAHead(t *testing.T) {
	const size = 39 << 17 // the second file has 104 pieces
	r := newReading(t, size, 256<<10, swarm.Spec{Paused: true,
		Priorities: func(l *metainfo.Layout) []swarm.Priority {
			return make([]swarm.Priority, len(l.Files))
		}})
	reader := r.open(t, 1)
	at := func(off int64) <-chan error {
		return waits(t, func(p []byte) (int, error) { return reader.ReadAt(p, off) })
	}
	wanted := func() int { return r.leech.State().PiecesWanted }
	near := at(64 * 32 << 10)
	await(t, "the first read has a plan", func() bool { return wanted() > 0 })
	before := wanted()
	if before != 32 {
		t.Errorf("%d pieces are wanted, want the megabyte that is read", before)
	}
	far := at(84 * 32 << 10)
	await(t, "the second read has one", func() bool { return wanted() != before })
	mustDo(t, r.leech.Resume())
	expectErr(t, far, nil, "the second read")
	expectErr(t, near, nil, "the first read")
}

// TestDoneBesideReaders: a torrent is complete when the wanted files are there, whatever a
// reader of another file still waits for.
func TestDoneBesideReaders(t *testing.T) {
	dir, torrent := makeContent(t, 6<<17) // pieces belong to one file each
	if err := os.Remove(filepath.Join(dir, "content/sub/b")); err != nil {
		t.Fatal(err)
	}
	first := func(*metainfo.Layout) []swarm.Priority {
		return []swarm.Priority{swarm.Normal, swarm.Unwanted}
	}
	seed := newEngine(t)
	waitDone(t, add(t, seed, swarm.Spec{Torrent: torrent, Dir: dir, Priorities: first}))
	leech := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: t.TempDir(),
		Priorities: first, Paused: true, Peers: []string{seed.Addr().String()}})
	reader, err := leech.Reader(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	ended := waits(t, reader.Read)
	await(t, "the reader asks for pieces", func() bool { return leech.State().PiecesWanted > 8 })
	mustDo(t, leech.Resume())
	waitDone(t, leech)
	if err := leech.Err(); err != nil || len(leech.Paths()) != 1 {
		t.Errorf("complete at %q, error %v", leech.Paths(), err)
	}
	reader.Close()
	expectErr(t, ended, swarm.ErrReaderClosed, "the reader was closed")
}
