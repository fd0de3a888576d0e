package metainfo

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// readBytes is how much of a file is read and hashed at a time: small
	// enough to stay in a core's cache between the two, and between the two
	// hashes of a hybrid.
	readBytes = 64 << 10
	// runBytes is how much content a worker takes at a time, if a piece is not
	// larger: much more than the cost of taking it, little enough that all
	// workers end together.
	runBytes = 4 << 20
	// workersMax bounds the buffers: 64 x 64 KiB = 4 MiB.
	workersMax = 64
	// workersPerCPU lets some workers hash while others wait for the disk.
	workersPerCPU = 2
	// progressInterval is how often Progress is called.
	progressInterval = 100 * time.Millisecond
)

// A hasher computes the hashes of all pieces of a layout from its files. Its
// workers take runs of pieces from a common counter and write each to its own
// place in the results.
type hasher struct {
	opt     *BuildOptions
	src     *sources
	layout  *Layout
	sources []int32   // index of the source of each file of the layout
	v1      []byte    // SHA-1 of each piece
	v2      []Hash256 // root of each piece
	run1    int       // pieces in a run
	next    atomic.Int64
	done    atomic.Int64 // bytes hashed
}

func newHasher(opt *BuildOptions, src *sources, l *Layout) *hasher {
	h := &hasher{opt: opt, src: src, layout: l, sources: make([]int32, len(l.Files))}
	n := int32(0)
	for i := range l.Files {
		if h.sources[i] = n; !l.Files[i].Pad {
			n++
		}
	}
	if l.kind.HasV1() {
		h.v1 = make([]byte, l.pieces*sha1.Size)
	}
	if l.kind.HasV2() {
		h.v2 = make([]Hash256, l.pieces)
	}
	h.run1 = max(1, runBytes/l.PieceLength)
	return h
}

// run hashes everything. It returns when all its goroutines have ended.
func (h *hasher) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	workers := h.opt.Workers
	if workers <= 0 {
		workers = workersPerCPU * runtime.GOMAXPROCS(0)
	}
	workers = min(workers, workersMax, (h.layout.pieces-1)/h.run1+1)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			if err := h.work(ctx); err != nil {
				cancel(err)
			}
		})
	}
	ended := make(chan struct{})
	go func() {
		wg.Wait()
		close(ended)
	}()
	h.report(ended)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// report calls Progress until the workers have ended.
func (h *hasher) report(ended <-chan struct{}) {
	if h.opt.Progress == nil {
		<-ended
		return
	}
	ticker := time.NewTicker(progressInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			h.opt.Progress(h.done.Load(), h.src.total)
		case <-ended:
			h.opt.Progress(h.done.Load(), h.src.total)
			return
		}
	}
}

// A worker hashes one piece at a time.
type worker struct {
	*hasher
	sha1   hash.Hash
	leaves leafHasher
	buf    []byte
	file   *os.File // open file, or nil
	source int      // its index
	folder *os.Root // folder of the last file, or nil: most have the next one too
	dir    string   // its path
}

func (h *hasher) work(ctx context.Context) (err error) {
	w := worker{hasher: h, sha1: sha1.New(), buf: make([]byte, readBytes)}
	defer func() {
		err = errors.Join(err, w.closeFile(err == nil))
		if w.folder != nil {
			w.folder.Close()
		}
	}()
	for {
		end := int(h.next.Add(int64(h.run1)))
		for p := end - h.run1; p < end; p++ {
			if p >= h.layout.pieces || ctx.Err() != nil {
				return nil
			}
			if err := w.piece(ctx, p); err != nil {
				return err
			}
		}
	}
}

func (w *worker) piece(ctx context.Context, p int) error {
	l := w.layout
	w.sha1.Reset()
	w.leaves.reset()
	for span := range l.Spans(l.PieceOffset(p), l.PieceSize(p)) {
		if err := w.span(ctx, span); err != nil {
			return err
		}
	}
	if w.v1 != nil {
		for n := l.PieceSizePadded(p) - l.PieceSize(p); n > 0; n -= len(zeros) {
			w.sha1.Write(zeros[:min(n, len(zeros))])
		}
		w.sha1.Sum(w.v1[p*sha1.Size : p*sha1.Size : (p+1)*sha1.Size])
	}
	if w.v2 != nil {
		w.v2[p] = w.leaves.root(l.pieceWidth(p))
	}
	return nil
}

// span reads and hashes a part of a file. No span is of padding: in what Build
// makes, all of it is at the ends of pieces.
func (w *worker) span(ctx context.Context, s Span) error {
	if err := w.openFile(int(w.sources[s.File])); err != nil {
		return err
	}
	for s.Length > 0 {
		if ctx.Err() != nil {
			return nil // run returns the cause
		}
		buf := w.buf[:min(s.Length, len(w.buf))]
		if _, err := w.file.ReadAt(buf, s.Offset); err != nil {
			if errors.Is(err, io.EOF) {
				return &changedError{w.src.display(w.source)}
			}
			return err
		}
		if w.v1 != nil {
			w.sha1.Write(buf)
		}
		if w.v2 != nil {
			w.leaves.write(buf)
		}
		s.Offset += int64(len(buf))
		s.Length -= len(buf)
		w.done.Add(int64(len(buf)))
	}
	return nil
}

func (w *worker) openFile(source int) error {
	if w.file != nil && w.source == source {
		return nil
	}
	if err := w.closeFile(true); err != nil {
		return err
	}
	f, err := w.open(&w.src.files[source])
	if err != nil {
		return err
	}
	w.file, w.source = f, source
	return nil
}

func (w *worker) open(s *source) (*os.File, error) {
	switch {
	case w.src.root == nil:
		return os.Open(w.src.base)
	case s.link: // its target may be anywhere in the content
		return w.src.root.Open(filepath.FromSlash(s.path))
	}
	dir, name := path.Split(s.path)
	if w.folder == nil || w.dir != dir {
		folder, err := w.src.root.OpenRoot(filepath.FromSlash(path.Clean(dir)))
		if err != nil {
			return nil, err
		}
		if w.folder != nil {
			w.folder.Close()
		}
		w.folder, w.dir = folder, dir
	}
	return w.folder.Open(name)
}

// closeFile closes the open file, if any, after a look whether it changed.
func (w *worker) closeFile(check bool) error {
	if w.file == nil {
		return nil
	}
	var err error
	if check {
		err = w.src.check(w.file, w.source)
	}
	w.file.Close()
	w.file = nil
	return err
}

// pieceWidth returns the number of leaves of the hash tree over piece p of a
// v2 torrent.
func (l *Layout) pieceWidth(p int) int {
	f := &l.Files[l.FileAt(l.PieceOffset(p))]
	return 1 << levels(blocks(min(f.Length, int64(l.PieceLength))))
}

// torrent puts the hashes into an info dictionary and reads it back.
func (h *hasher) torrent() (*Torrent, error) {
	l := h.layout
	if l.kind.HasV2() {
		h.setRoots()
	}
	raw := appendInfo(nil, h.opt, l, h.v1)
	if len(raw) > InfoBytesMax {
		return nil, fmt.Errorf("the info dictionary would have %d bytes, more than the %d that peers take (try: larger pieces)",
			len(raw), InfoBytesMax)
	}
	info, err := newInfo(raw)
	if err != nil {
		return nil, err
	}
	got := info.layout
	got.Name, got.Multi = l.Name, l.Multi
	for i := range got.Files {
		got.Files[i].Path = l.Files[i].Path
	}
	if err := h.giveLayers(got); err != nil {
		return nil, err
	}
	return &Torrent{
		Trackers: h.opt.Trackers, WebSeeds: h.opt.WebSeeds, Nodes: h.opt.Nodes,
		Comment: h.opt.Comment, Creator: h.opt.Creator, Created: h.opt.Created,
		info: info,
	}, nil
}

// setRoots computes the roots of the files from those of their pieces.
func (h *hasher) setRoots() {
	for i := range h.layout.Files {
		f := &h.layout.Files[i]
		if f.Pad || f.Length == 0 {
			continue
		}
		first, end := h.layout.FilePieces(i)
		var r rootHasher
		for _, root := range h.v2[first:end] {
			r.add(root)
		}
		f.Root = r.root(levels(end-first), levels(h.layout.pieceWidth(first)))
	}
}

// giveLayers hands the hashes of pieces to the trees of the parsed layout.
func (h *hasher) giveLayers(l *Layout) error {
	for i, t := range l.trees {
		if t == nil || t.height == 0 || t.complete() {
			continue
		}
		first, end := l.FilePieces(i)
		if err := t.setRow(h.v2[first:end:end]); err != nil {
			return fmt.Errorf("file %d: %w", i, err)
		}
	}
	return nil
}
