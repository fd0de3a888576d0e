package swarm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
	"swarmnode/swarm/storage"
)

// fileSizes are the files of a torrent whose pieces several files share.
var fileSizes = []int{70_000, 9_000, 200_000, 5, 300_000, 40_000, 1_000_000}

// files is a torrent of several files, one engine that has them, and one that fetches them.
type files struct {
	torrent *metainfo.Torrent
	seed    *swarm.Engine
	engine  *swarm.Engine
	leech   *swarm.Torrent
	content [][]byte
	out     string
}

// newFiles starts to fetch the files of fileSizes, at up bytes a second; 0 means no limit.
func newFiles(t *testing.T, up int64, spec swarm.Spec) *files {
	t.Helper()
	f := &files{seed: newEngine(t), engine: newEngine(t), out: t.TempDir()}
	dir := t.TempDir()
	rng := rand.NewChaCha8([32]byte{7})
	if err := os.Mkdir(filepath.Join(dir, "files"), 0o777); err != nil {
		t.Fatal(err)
	}
	for i, size := range fileSizes {
		data := make([]byte, size)
		rng.Read(data)
		f.content = append(f.content, data)
		if err := os.WriteFile(filepath.Join(dir, "files", fmt.Sprint(i)), data,
			0o666); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	f.torrent, err = metainfo.Build(t.Context(), metainfo.BuildOptions{
		Path: filepath.Join(dir, "files"), PieceLength: 32 << 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	add(t, f.seed, swarm.Spec{Torrent: f.torrent, Dir: dir, Complete: true, Up: up})
	if spec.Dir != "" {
		f.out = spec.Dir
	}
	spec.Magnet, spec.Dir = f.torrent.Magnet(), f.out
	spec.Peers = []string{f.seed.Addr().String()}
	f.leech = add(t, f.engine, spec)
	return f
}

// ranks turns a picture, a digit for each file, into priorities.
func ranks(picture string) []swarm.Priority {
	list := make([]swarm.Priority, len(picture))
	for i := range picture {
		list[i] = swarm.Priority(picture[i] - '0')
	}
	return list
}

// chosen returns a Spec that chooses files by a picture.
func chosen(picture string) swarm.Spec {
	return swarm.Spec{Priorities: func(*metainfo.Layout) []swarm.Priority {
		return ranks(picture)
	}}
}

// wait waits until the torrent is complete without an error.
func (f *files) wait(t *testing.T) {
	t.Helper()
	waitDone(t, f.leech)
	if err := f.leech.Err(); err != nil {
		t.Fatal(err)
	}
}

// onDisk checks that the files of the picture that are not 0 are whole on disk, and that
// those marked as absent by "-" are not there.
func (f *files) onDisk(t *testing.T, picture string) {
	t.Helper()
	for i, is := range picture {
		got, err := os.ReadFile(filepath.Join(f.out, "files", fmt.Sprint(i)))
		switch {
		case is == '-' && err == nil:
			t.Errorf("file %d is there", i)
		case is > '0' && !bytes.Equal(got, f.content[i]):
			t.Errorf("file %d is not whole: %d bytes, %v", i, len(got), err)
		}
	}
}

// states checks that Files agrees with a picture of priorities, and that what is wanted is
// complete.
func (f *files) states(t *testing.T, picture string) {
	t.Helper()
	list := f.leech.Files()
	if len(list) != len(picture) {
		t.Fatalf("%d files, want %d", len(list), len(picture))
	}
	var wanted int64
	for i, got := range list {
		want := ranks(picture)[i]
		if got.Priority != want || got.Size != int64(len(f.content[i])) || got.Have > got.Size ||
			want != swarm.Unwanted && !got.Complete() {
			t.Errorf("file %d: %+v, want priority %d", i, got, want)
		}
		if want != swarm.Unwanted {
			wanted += got.Size
		}
		if path := filepath.Join(f.out, "files", fmt.Sprint(i)); got.Path != path {
			t.Errorf("file %d lies at %s, want %s", i, got.Path, path)
		}
	}
	if s := f.leech.State(); s.Wanted != wanted || s.Got != wanted || s.Left != 0 {
		t.Errorf("%d of %d bytes, %d left, want all of %d", s.Got, s.Wanted, s.Left, wanted)
	}
}

// choose chooses files by a picture.
func (f *files) choose(t *testing.T, picture string) {
	t.Helper()
	if err := f.leech.SetFiles(ranks(picture)); err != nil {
		t.Fatal(err)
	}
}

// TestSetFiles: more and other files come to be wanted after the first ones are there.
func TestSetFiles(t *testing.T) {
	f := newFiles(t, 0, chosen("0040000"))
	f.wait(t)
	f.onDisk(t, "--4----")
	f.states(t, "0040000")
	first := f.leech.Done()
	f.choose(t, "0140700")
	if f.leech.Done() == first {
		t.Error("Done is the same although more is wanted")
	}
	if s := f.leech.State(); s.Left == 0 || s.Wanted != 509_000 {
		t.Errorf("right after the choice %d of %d bytes are left", s.Left, s.Wanted)
	}
	f.wait(t)
	f.onDisk(t, "-14-7--")
	f.states(t, "0140700")
	second := f.leech.Done()
	f.choose(t, "0000000")
	f.choose(t, "0000700")
	if f.leech.Done() != second || f.leech.State().Phase != swarm.Seeding {
		t.Error("a torrent that wants less than it has is not complete")
	}
	f.choose(t, "4444444")
	f.wait(t)
	f.onDisk(t, "4444444")
	f.states(t, "4444444")
	if paths := f.leech.Paths(); len(paths) != 1 || paths[0] != filepath.Join(f.out, "files") {
		t.Errorf("paths %v", paths)
	}
}

// TestNoFileWanted: a torrent may want nothing, at first or later.
func TestNoFileWanted(t *testing.T) {
	f := newFiles(t, 0, chosen("0000000"))
	f.wait(t)
	entries, err := os.ReadDir(f.out)
	if err != nil || len(entries) > 0 {
		t.Errorf("the folder has %v, %v", entries, err)
	}
	f.choose(t, "0400000")
	f.wait(t)
	f.onDisk(t, "-4-----")
	f.choose(t, "0000000")
	f.wait(t)
	if s := f.leech.State(); s.Phase != swarm.Seeding || s.Wanted != 0 {
		t.Errorf("it is %v and wants %d bytes", s.Phase, s.Wanted)
	}
}

// TestSetFilesAllTheTime: several users choose files at random while they are fetched, and
// in the end all of them.
func TestSetFilesAllTheTime(t *testing.T) {
	f := newFiles(t, 2<<20, swarm.Spec{})
	<-f.leech.HaveInfo()
	var wait sync.WaitGroup
	for user := range uint64(3) {
		wait.Go(func() {
			rnd := rand.New(rand.NewPCG(user, 1))
			for range 100 {
				list := make([]swarm.Priority, len(fileSizes))
				for i := range list {
					list[i] = swarm.Priority(max(rnd.IntN(12)-4, 0))
				}
				if err := f.leech.SetFiles(list); err != nil {
					t.Error(err)
				}
				for _, file := range f.leech.Files() {
					if file.Have > file.Size {
						t.Errorf("%+v", file)
					}
				}
			}
		})
	}
	wait.Wait()
	f.choose(t, "4444444")
	f.wait(t)
	f.onDisk(t, "4444444")
	f.states(t, "4444444")
	// What comes of a file that is no longer wanted is wasted, and each byte is counted once.
	if s := f.leech.State(); s.Down != s.Length+s.Wasted() {
		t.Errorf("%d bytes came for %d: %v", s.Down, s.Length, s.Waste)
	}
}

// TestPriorityFirst: the file with the highest priority is there first.
func TestPriorityFirst(t *testing.T) {
	f := newFiles(t, 1<<20, chosen("1111711"))
	for {
		files := f.leech.Files()
		if files != nil && files[4].Complete() {
			if files[6].Have > files[6].Size/2 {
				t.Errorf("another file has %d of %d bytes by then", files[6].Have, files[6].Size)
			}
			break
		}
		select {
		case <-f.leech.Done():
			return // too quick for us to see
		default:
		}
	}
	f.wait(t)
}

// TestSetFilesRefused: what cannot be is refused with an error of its own.
func TestSetFilesRefused(t *testing.T) {
	f := newFiles(t, 0, chosen("0040000"))
	f.wait(t)
	if err := f.leech.SetFiles(ranks("44")); !errors.Is(err, swarm.ErrPriorities) {
		t.Error("too few priorities:", err)
	}
	if err := os.MkdirAll(filepath.Join(f.out, "files", "6"), 0o777); err != nil {
		t.Fatal(err)
	}
	var fault *storage.Error
	if err := f.leech.SetFiles(ranks("4444444")); !errors.As(err, &fault) ||
		!errors.Is(err, storage.ErrFolder) {
		t.Error("a folder in the place of a file:", err)
	}
	f.states(t, "0040000")
	f.leech.Close()
	if err := f.leech.SetFiles(nil); !errors.Is(err, swarm.ErrStopped) {
		t.Errorf("no priorities after the end: %v", err)
	}
	if err := f.leech.SetFiles(ranks("4444444")); !errors.Is(err, swarm.ErrStopped) {
		t.Error("after the end:", err)
	}
	f.states(t, "0040000") // the last state stays

	link := add(t, newEngine(t), swarm.Spec{Magnet: f.torrent.Magnet(), Dir: t.TempDir()})
	if err := link.SetFiles(ranks("4444444")); !errors.Is(err, swarm.ErrNoInfo) {
		t.Error("without metadata:", err)
	}
	if link.Files() != nil {
		t.Error("files are known without metadata")
	}
	meta := add(t, newEngine(t), swarm.Spec{Torrent: f.torrent, MetadataOnly: true})
	if err := meta.SetFiles(ranks("4444444")); !errors.Is(err, swarm.ErrNoContent) {
		t.Error("metadata alone:", err)
	}
	if got := meta.Files(); len(got) != len(fileSizes) || got[2].Size != 200_000 {
		t.Errorf("files of metadata alone: %+v", got)
	}
}

// TestSetFilesWhileChecked: a choice that is made before the content was checked counts
// after the check.
func TestSetFilesWhileChecked(t *testing.T) {
	f := newFiles(t, 0, swarm.Spec{})
	f.wait(t)
	f.leech.Close()
	out := t.TempDir()
	if err := os.CopyFS(out, os.DirFS(f.out)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(out, "files", "6"), make([]byte, 1_000_000),
		0o666); err != nil {
		t.Fatal(err)
	}
	late := add(t, newEngine(t), swarm.Spec{Torrent: f.torrent, Dir: out, Paused: true,
		Peers: []string{f.seed.Addr().String()}})
	if err := late.SetFiles(ranks("4444440")); err != nil {
		t.Fatal(err)
	}
	if err := late.Resume(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; {
		s := late.State()
		if s.Phase == swarm.Seeding && s.Left == 0 && s.Wanted == 619_005 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v", s)
		}
		select {
		case <-late.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// TestChosenFilesAreFound: a later run that chooses the same files finds them without
// hashing, and one that chooses more fetches the rest.
func TestChosenFilesAreFound(t *testing.T) {
	state, out := t.TempDir(), t.TempDir()
	spec := chosen("0040000")
	spec.Dir = out
	f := newFiles(t, 0, spec)
	f.wait(t)
	f.leech.Close()
	e := listen(t, swarm.Config{StateDir: state})
	for _, picture := range []string{"0140000", "4140007"} {
		again := chosen(picture)
		again.Torrent, again.Dir, again.Peers = f.torrent, out, []string{f.seed.Addr().String()}
		f.leech = add(t, e, again)
		f.wait(t)
		f.states(t, picture)
		f.leech.Close()
	}
	f.onDisk(t, "414---7")
}

// TestReaderOfUnwantedFile: reading a file that is not wanted fetches what is read and not
// much else, and the torrent stays complete.
func TestReaderOfUnwantedFile(t *testing.T) {
	f := newFiles(t, 0, chosen("0040000"))
	f.wait(t)
	before := f.leech.Done()
	ctx := t.Context()
	reader, err := f.leech.Reader(ctx, 4)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(reader)
	if err != nil || !bytes.Equal(got, f.content[4]) {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
	reader.Close()
	list := f.leech.Files()
	if !list[4].Complete() || list[6].Have > 100_000 || list[4].Priority != swarm.Unwanted {
		t.Errorf("afterwards: %+v", list)
	}
	if f.leech.Done() != before {
		t.Error("the torrent was reopened for a reader")
	}
	f.onDisk(t, "--4-0--")
	f.choose(t, "4444444")
	f.wait(t)
	f.onDisk(t, "4444444")
}

// TestFilesInFeed: a reader of the feed hears that files have changed.
func TestFilesInFeed(t *testing.T) {
	f := newFiles(t, 0, chosen("0040000"))
	f.wait(t)
	changes := f.engine.Subscribe(0)
	hear := func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		for kinds := swarm.Kind(0); kinds&swarm.ChangedFiles == 0; {
			got, err := changes.Next(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range got.Torrents {
				kinds |= c.Kinds
			}
		}
	}
	hear() // everything is new
	f.choose(t, "0140000")
	for hear(); !f.leech.Files()[1].Complete(); {
		hear()
	}
}

// TestMoreFromWebSeed: a web seed that had nothing more to give is used again when more is
// wanted.
func TestMoreFromWebSeed(t *testing.T) {
	dir, torrent := webFolder(t, metainfo.V1)
	spec := chosen("04000000")
	spec.Torrent, spec.Dir = torrent, t.TempDir()
	spec.WebSeeds = []string{webServer(t, dir, nil)}
	leech := add(t, newEngine(t), spec)
	waitDone(t, leech)
	start := time.Now()
	if err := leech.SetFiles(ranks("44444444")); err != nil {
		t.Fatal(err)
	}
	waitDone(t, leech)
	if err := leech.Err(); err != nil {
		t.Fatal(err)
	}
	same(t, dir, spec.Dir)
	if took := time.Since(start); took > 25*time.Second {
		t.Errorf("it took %v", took)
	}
}

// BenchmarkFiles asks for and changes the files of a large torrent.
func BenchmarkFiles(b *testing.B) {
	const files, pieces = 100_000, 1_000_000
	info := manyFiles(b, files, pieces)
	e, err := swarm.Listen(swarm.Config{Listen: []netip.AddrPort{loopback}})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	torrent, err := e.Add(swarm.Spec{Torrent: info, Dir: b.TempDir(), PeersOnly: true})
	if err != nil {
		b.Fatal(err)
	}
	for torrent.State().Phase != swarm.Downloading {
		select {
		case <-torrent.Done():
			b.Fatal(torrent.Err())
		case <-time.After(time.Millisecond):
		}
	}
	lists := make([][]swarm.Priority, 2)
	for i := range lists {
		lists[i] = make([]swarm.Priority, files)
		for k := range lists[i] {
			lists[i][k] = swarm.Priority((k + 3*i) % 8)
		}
	}
	b.Run("Files", func(b *testing.B) {
		for b.Loop() {
			torrent.Files()
		}
	})
	b.Run("SetFiles", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if err := torrent.SetFiles(lists[i%2]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// manyFiles returns a torrent of so many files and pieces, whose content is nowhere.
func manyFiles(b *testing.B, files, pieces int) *metainfo.Torrent {
	b.Helper()
	const pieceLength = 16 << 10
	doc := []byte("d4:infod5:filesl")
	length := int64(pieces) * pieceLength / int64(files)
	for i := range files {
		doc = fmt.Appendf(doc, "d6:lengthi%de4:pathl3:dir8:%08dee", length, i)
	}
	doc = fmt.Appendf(doc, "e4:name4:many12:piece lengthi%de6:pieces%d:", pieceLength, 20*pieces)
	doc = append(append(doc, bytes.Repeat([]byte("0123456789abcdefghij"), pieces)...), "ee"...)
	torrent, err := metainfo.ParseTorrent(doc)
	if err != nil {
		b.Fatal(err)
	}
	return torrent
}

// TestLateChoiceThatCannotBe: a choice that was made before the content was checked and that
// turns out to be impossible leaves everything as it was.
func TestLateChoiceThatCannotBe(t *testing.T) {
	f := newFiles(t, 0, swarm.Spec{})
	f.leech.Close()
	out := t.TempDir()
	if err := os.MkdirAll(filepath.Join(out, "files", "0"), 0o777); err != nil { // in the way
		t.Fatal(err)
	}
	path := filepath.Join(out, "files", "2")
	if err := os.WriteFile(path, f.content[2], 0o666); err != nil {
		t.Fatal(err)
	}
	spec := chosen("0040000")
	spec.Torrent, spec.Dir, spec.Paused = f.torrent, out, true
	late := add(t, newEngine(t), spec)
	mustDo(t, late.SetFiles(ranks("4444444")))
	mustDo(t, late.Resume())
	await(t, "the choice is taken back", func() bool {
		list := late.Files()
		return list[0].Priority == swarm.Unwanted && list[2].Priority == swarm.Normal
	})
	if err := late.Err(); err != nil {
		t.Error(err)
	}
}
