package storage

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/metainfo/bencode"
	"swarmnode/swarm/block"
)

// A tfile is a file of a test torrent: a path and a length; pad marks padding.
type tfile struct {
	path   string
	length int
	pad    bool
}

// content returns n bytes that depend on seed alone.
func content(seed uint64, n int) []byte {
	src := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), 1})
	data := make([]byte, n)
	src.Read(data)
	return data
}

// makeLayout returns a v1 torrent called name and its content; a single file
// when the only path is empty.
func makeLayout(t testing.TB, name string, pieceLength int,
	files ...tfile) (*metainfo.Layout, []byte) {
	t.Helper()
	var data []byte
	for i, f := range files {
		part := content(uint64(i)+7, f.length)
		if f.pad {
			clear(part)
		}
		data = append(data, part...)
	}
	return layoutOf(t, name, pieceLength, data, files...), data
}

func layoutOf(t testing.TB, name string, pieceLength int, data []byte,
	files ...tfile) *metainfo.Layout {
	t.Helper()
	var hashes []byte
	for at := 0; at < len(data); at += pieceLength {
		sum := sha1.Sum(data[at:min(at+pieceLength, len(data))])
		hashes = append(hashes, sum[:]...)
	}
	raw := bencode.AppendDict(nil, func(b []byte) []byte {
		if files[0].path == "" {
			b = bencode.AppendInt(bencode.AppendString(b, "length"), int64(files[0].length))
		} else {
			b = bencode.AppendString(b, "files")
			b = bencode.AppendList(b, func(b []byte) []byte {
				for _, f := range files {
					b = appendFile(b, f)
				}
				return b
			})
		}
		b = bencode.AppendString(bencode.AppendString(b, "name"), name)
		b = bencode.AppendInt(bencode.AppendString(b, "piece length"), int64(pieceLength))
		return bencode.AppendString(bencode.AppendString(b, "pieces"), hashes)
	})
	info, err := metainfo.ParseInfo(raw)
	if err != nil {
		t.Fatal(err)
	}
	return info.Layout()
}

func appendFile(b []byte, f tfile) []byte {
	return bencode.AppendDict(b, func(b []byte) []byte {
		if f.pad {
			b = bencode.AppendString(bencode.AppendString(b, "attr"), "p")
		}
		b = bencode.AppendInt(bencode.AppendString(b, "length"), int64(f.length))
		b = bencode.AppendString(b, "path")
		return bencode.AppendList(b, func(b []byte) []byte {
			for e := range strings.SplitSeq(f.path, "/") {
				b = bencode.AppendString(b, e)
			}
			return b
		})
	})
}

// A rig is a Store under test with everything around it.
type rig struct {
	t       testing.TB
	store   *Store
	layout  *metainfo.Layout
	data    []byte // of the whole torrent
	pool    *block.Pool
	results chan Result
}

// newRig opens a Store with cfg, filling in what cfg leaves out.
func newRig(t testing.TB, cfg Config, data []byte) *rig {
	t.Helper()
	r, err := tryRig(t, cfg, data)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func tryRig(t testing.TB, cfg Config, data []byte) (*rig, error) {
	r := &rig{t: t, layout: cfg.Layout, data: data, pool: block.NewPool(4 << 20),
		results: make(chan Result, cfg.Layout.Pieces()+16)}
	if cfg.Workers == nil {
		cfg.Workers = NewWorkers(2)
		t.Cleanup(cfg.Workers.Close)
	}
	cfg.Results = func(x Result) { r.results <- x }
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	var err error
	if cfg.record == nil {
		cfg.closeMax = time.Minute // a busy disk is slow to sync
	}
	r.store, err = Open(cfg)
	if err == nil {
		t.Cleanup(func() { r.store.Close() })
	}
	return r, err
}

// refs returns the blocks of a piece.
func (r *rig) refs(piece int) []block.Ref {
	var refs []block.Ref
	size := r.layout.PieceSize(piece)
	for at := 0; at < size; at += block.Size {
		refs = append(refs, block.Ref{Piece: uint32(piece), Begin: uint32(at),
			Length: uint32(min(block.Size, size-at))})
	}
	return refs
}

// write hands over one block of the right content.
func (r *rig) write(ref block.Ref) {
	at := r.layout.PieceOffset(int(ref.Piece)) + int64(ref.Begin)
	r.writeData(ref, r.data[at:at+int64(ref.Length)])
}

func (r *rig) writeData(ref block.Ref, data []byte) {
	buf, err := r.pool.Get(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	buf.Resize(copy(buf.Bytes(), data))
	r.store.Write(ref, buf)
}

// piece downloads a whole piece and returns the Result.
func (r *rig) piece(p int) Result {
	for _, ref := range r.refs(p) {
		r.write(ref)
	}
	r.store.Verify(uint32(p))
	return <-r.results
}

// all downloads everything.
func (r *rig) all() {
	r.t.Helper()
	for p := range r.layout.Pieces() {
		if got := r.piece(p); !got.OK || got.Piece != uint32(p) {
			r.t.Fatalf("piece %d: got %+v", p, got)
		}
	}
}

// onDisk reports whether the files hold the content.
func (r *rig) onDisk(dir, top string) {
	r.t.Helper()
	for i := range r.layout.Files {
		f := &r.layout.Files[i]
		path := filepath.Join(append([]string{dir, top}, f.Path...)...)
		got, err := os.ReadFile(path)
		if f.Pad {
			if err == nil {
				r.t.Errorf("%s: padding was written", path)
			}
			continue
		}
		if err != nil || !bytes.Equal(got, r.data[f.Offset:f.Offset+f.Length]) {
			r.t.Errorf("%s: differs (%v)", path, err)
		}
	}
}

// putContent puts the content of a layout into dir, as it is when complete.
func putContent(t *testing.T, dir, top string, layout *metainfo.Layout, data []byte) {
	t.Helper()
	for i := range layout.Files {
		f := &layout.Files[i]
		if f.Pad {
			continue
		}
		path := filepath.Join(append([]string{dir, top}, f.Path...)...)
		err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700),
			os.WriteFile(path, data[f.Offset:f.Offset+f.Length], 0o600))
		if err != nil {
			t.Fatal(err)
		}
	}
}

// back tells that all buffers are in the pool again.
func (r *rig) back() {
	r.t.Helper()
	r.store.Close()
	if got := r.pool.Available(); got != r.pool.Cap() {
		r.t.Errorf("%d of %d buffers came back", got, r.pool.Cap())
	}
}

var shapes = map[string][]tfile{
	"single": {{"", 300_001, false}},
	"one":    {{"", 1, false}},
	"folder": {{"a", 100_000, false}, {"b/c", 0, false}, {"b/d/e", 70_000, false}, {"z", 1, false},
		{"y", 40_000, false}},
	"padding": {{"a", 100_000, false}, {".pad/1", 31_072, true}, {"b", 50_000, false},
		{".pad/2", 15_536, true}, {"c", 10, false}},
	"tiny": {{"a", 1, false}, {"b", 2, false}, {"c", 3, false}, {"d", 65_536, false},
		{"e", 4, false}},
}

func TestDownload(t *testing.T) {
	for name, files := range shapes {
		t.Run(name, func(t *testing.T) {
			layout, data := makeLayout(t, name, 64<<10, files...)
			dir := t.TempDir()
			r := newRig(t, Config{Dir: dir, Layout: layout, Reserve: name == "tiny"}, data)
			have, err := r.store.Check(t.Context(), nil)
			if err != nil || !have.None() {
				t.Fatal("an empty folder was not found empty:", have.Count(), err)
			}
			r.all()
			if err := r.store.Finish(); err != nil {
				t.Fatal(err)
			}
			r.onDisk(dir, name)
			if got := r.store.Paths(); len(got) != 1 || got[0] != filepath.Join(dir, name) {
				t.Error("Paths:", got)
			}
			for p := range layout.Pieces() {
				got := make([]byte, layout.PieceSizePadded(p))
				if err := r.store.ReadAt(got, uint32(p), 0); err != nil ||
					!bytes.Equal(got, data[layout.PieceOffset(p):][:len(got)]) {
					t.Errorf("piece %d reads otherwise (%v)", p, err)
				}
			}
			if have, err := r.store.Check(t.Context(), nil); err != nil || !have.All() {
				t.Error("the finished content is not found:", err)
			}
			r.back()
		})
	}
}

// Blocks in any order, twice, from several goroutines.
func TestAnyOrder(t *testing.T) {
	layout, data := makeLayout(t, "x", 256<<10, shapes["folder"]...)
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		r := newRig(t, Config{Layout: layout}, data)
		for p := range layout.Pieces() {
			refs := r.refs(p)
			for range rnd.IntN(4) {
				refs = append(refs, refs[rnd.IntN(len(refs))])
			}
			rnd.Shuffle(len(refs), func(i, j int) { refs[i], refs[j] = refs[j], refs[i] })
			var wait sync.WaitGroup
			for i := range 2 {
				wait.Go(func() {
					for k := i; k < len(refs); k += 2 {
						r.write(refs[k])
					}
				})
			}
			wait.Wait()
			r.store.Verify(uint32(p))
			if got := <-r.results; !got.OK {
				t.Fatalf("seed %d, piece %d: %+v", seed, p, got)
			}
		}
		if err := r.store.Finish(); err != nil {
			t.Fatal(err)
		}
		r.back()
	}
}

func TestWrongDataFailsAndIsReplaced(t *testing.T) {
	layout, data := makeLayout(t, "x", 64<<10, tfile{"", 200_000, false})
	r := newRig(t, Config{Layout: layout}, data)
	refs := r.refs(1)
	for i, ref := range refs {
		if i == 2 {
			r.writeData(ref, make([]byte, ref.Length))
			continue
		}
		r.write(ref)
	}
	r.store.Verify(1)
	if got := <-r.results; got.OK || got.Err != nil || got.Piece != 1 {
		t.Fatalf("a wrong block: got %+v", got)
	}
	r.write(refs[2]) // only the wrong one again; the others are read back
	r.store.Verify(1)
	if got := <-r.results; !got.OK {
		t.Fatalf("the right block: got %+v", got)
	}
	// a block that was hashed comes again, and is wrong
	r.writeData(refs[0], make([]byte, refs[0].Length))
	r.store.Verify(1)
	if got := <-r.results; got.OK {
		t.Fatalf("a wrong block over a right one: got %+v", got)
	}
	r.back()
}

// A Verify that comes while the Result of the one before is being told reads the
// disk again.
func TestVerifyAgainAtOnce(t *testing.T) {
	layout, data := makeLayout(t, "x", 64<<10, tfile{"", 200_000, false})
	cfg := Config{Dir: t.TempDir(), Layout: layout}
	r := newRig(t, cfg, data)
	told := r.store.cfg.Results
	changed := false
	r.store.cfg.Results = func(x Result) {
		if !changed {
			changed = true
			if err := overwrite(filepath.Join(cfg.Dir, "x"), 70_000); err != nil {
				t.Error(err)
			}
			r.store.Verify(1)
		}
		told(x)
	}
	if got := r.piece(1); !got.OK {
		t.Errorf("at first: %+v", got)
	}
	if got := <-r.results; got.OK || got.Err != nil {
		t.Errorf("after the change: %+v", got)
	}
	r.back()
}

func TestBlockOutsidePieceIsRefused(t *testing.T) {
	layout, data := makeLayout(t, "x", 64<<10, tfile{"", 200_000, false})
	dir := t.TempDir()
	r := newRig(t, Config{Dir: dir, Layout: layout}, data)
	for _, ref := range []block.Ref{
		{Piece: 4, Begin: 0, Length: 1},
		{Piece: 1<<32 - 1, Begin: 0, Length: 1},
		{Piece: 0, Begin: 64 << 10, Length: 1},
		{Piece: 0, Begin: 64<<10 - 1, Length: 2},
		{Piece: 3, Begin: 0, Length: 16 << 10},
		{Piece: 0, Begin: 1<<32 - 1, Length: 16 << 10},
		{Piece: 0, Begin: 0, Length: 0},
	} {
		r.writeData(ref, make([]byte, ref.Length))
		if got := <-r.results; !errors.Is(got.Err, ErrRange) {
			t.Errorf("write %v: got %+v", ref, got)
		}
		if err := r.store.ReadAt(make([]byte, max(ref.Length, 1)), ref.Piece,
			ref.Begin); err == nil {
			t.Errorf("read %v: no error", ref)
		}
	}
	r.store.Verify(4)
	if got := <-r.results; !errors.Is(got.Err, ErrRange) {
		t.Errorf("verify: got %+v", got)
	}
	r.back()
	if st, err := os.Stat(filepath.Join(dir, "x")); err != nil || st.Size() != 0 {
		t.Error("something was written:", st, err)
	}
}

func TestManyFilesFewDescriptors(t *testing.T) {
	var files []tfile
	for i := range 300 {
		files = append(files, tfile{"d" + string(rune('a'+i%20)) + "/" + strings.Repeat("f",
			1+i/20) + string(rune('a'+i%20)), 700, false})
	}
	layout, data := makeLayout(t, "many", 16<<10, files...)
	w := NewWorkers(2)
	defer w.Close()
	w.files.max = handlesMin
	r := newRig(t, Config{Layout: layout, Workers: w}, data)
	r.all()
	if w.files.open > handlesMin {
		t.Errorf("%d files are open, want at most %d", w.files.open, handlesMin)
	}
	if err := r.store.Finish(); err != nil {
		t.Fatal(err)
	}
	if have, err := r.store.Check(t.Context(), nil); err != nil || !have.All() {
		t.Fatal("not all found:", err)
	}
	if err := r.store.ReadAt(make([]byte, 10_000), 2, 100); err != nil {
		t.Fatal(err)
	}
	r.back()
	if w.files.open != 0 {
		t.Errorf("%d files are open after Close", w.files.open)
	}
	if len(w.disks.disks) != 0 {
		t.Error("a folder is open after Close")
	}
}

func TestCloseInFullSwing(t *testing.T) {
	layout, data := makeLayout(t, "x", 64<<10, tfile{"", 2_000_000, false})
	r := newRig(t, Config{Layout: layout}, data)
	var wait sync.WaitGroup
	for p := range layout.Pieces() {
		wait.Go(func() {
			for _, ref := range r.refs(p) {
				r.write(ref)
			}
			r.store.Verify(uint32(p))
			r.store.ReadAt(make([]byte, 100), uint32(p), 0)
		})
	}
	r.store.Close()
	wait.Wait()
	r.back()
	if err := r.store.ReadAt(make([]byte, 1), 0, 0); !errors.Is(err, ErrClosed) {
		t.Error("reading after Close:", err)
	}
}

func TestPart(t *testing.T) {
	for _, name := range []string{"single", "folder"} {
		layout, data := makeLayout(t, name, 64<<10, shapes[name]...)
		dir := t.TempDir()
		cfg := Config{Dir: dir, Layout: layout, Part: true}
		r := newRig(t, cfg, data)
		if got := r.piece(0); !got.OK {
			t.Fatal(got)
		}
		part, final := filepath.Join(dir, name+PartSuffix), filepath.Join(dir, name)
		if got := r.store.Paths()[0]; got != part {
			t.Error("Paths:", got)
		}
		if _, err := os.Lstat(final); err == nil {
			t.Error("unfinished content has its name already")
		}
		r.back()

		r = newRig(t, cfg, data) // goes on where it was
		have, err := r.store.Check(t.Context(), nil)
		if err != nil || !have.Has(0) || have.Count() != 1 {
			t.Fatal("the piece was not found again:", have.Count(), err)
		}
		r.all()
		if err := r.store.Finish(); err != nil {
			t.Fatal(err)
		}
		if err := r.store.ReadAt(make([]byte, 1000), 1, 0); err != nil {
			t.Error("reading after Finish:", err)
		}
		r.onDisk(dir, name)
		if _, err := os.Lstat(part); err == nil {
			t.Error("the unfinished name is still there")
		}
		r.back()

		r = newRig(t, cfg, data) // complete content stays where it is
		if have, err := r.store.Check(t.Context(), nil); err != nil || !have.All() {
			t.Error("the finished content was not found:", err)
		}
		if err := r.store.Finish(); err != nil {
			t.Error(err)
		}
		r.back()
	}
}
