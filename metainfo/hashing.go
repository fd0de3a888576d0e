package metainfo

import (
	"cmp"
	"context"
	"crypto/sha1"
	"fmt"
	"hash"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"swarmnode/metainfo/lanes"
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
	// workersPerCPU is above 1, so that some workers hash while others wait for the disk.
	workersPerCPU = 2
	// descriptorsEach and laneDescriptors are how many descriptors a worker keeps open,
	// without lanes and with them: a file and its folder for each lane.
	// descriptorsSpare are left to the rest of the process.
	descriptorsEach  = 2
	laneDescriptors  = 2*lanes.Count + descriptorsEach
	descriptorsSpare = 16
	// descriptorsUnknown is more than any number of workers needs.
	descriptorsUnknown = 1 << 20
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
	lanes   bool      // pieces are hashed in lanes
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
	if h.lanes = worthLanes(l) && workersFor(laneDescriptors) > 0; h.lanes {
		h.run1 = (h.run1 + lanes.Count - 1) / lanes.Count * lanes.Count
	}
	return h
}

// workersFor returns how many workers there can be that each keep that many
// descriptors open.
func workersFor(each int) int { return (descriptorsMax() - descriptorsSpare) / each }

// run hashes everything. It returns when all its goroutines have ended.
func (h *hasher) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	workers := h.opt.Workers
	if workers <= 0 {
		workers = workersPerCPU * runtime.GOMAXPROCS(0)
	}
	if h.lanes {
		workers = min(workers, laneWorkersMax, workersFor(laneDescriptors))
	}
	workers = min(workers, max(workersFor(descriptorsEach), 1), workersMax,
		(h.layout.pieces-1)/h.run1+1)
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

// A worker hashes one piece at a time, or several in lanes.
type worker struct {
	hasher *hasher
	sha1   hash.Hash
	leaves leafHasher
	buf    []byte
	reader reader
	batch  *batch // nil without lanes
}

func (h *hasher) work(ctx context.Context) (err error) {
	w := worker{hasher: h, sha1: sha1.New(), buf: make([]byte, readBytes),
		reader: reader{src: h.src}}
	if h.lanes {
		w.batch = newBatch(h)
	}
	defer func() {
		err = cmp.Or(err, w.reader.close(err == nil))
		if w.batch != nil {
			err = cmp.Or(err, w.batch.close(err == nil))
		}
	}()
	for {
		end := int(h.next.Add(int64(h.run1)))
		p := end - h.run1
		for end = min(end, h.layout.pieces); p < end; {
			if ctx.Err() != nil {
				return nil // run returns the cause
			}
			if w.batch != nil && w.batch.takes(p, end) {
				err = w.batch.hash(ctx, p)
				p += lanes.Count
			} else {
				err = w.piece(ctx, p)
				p++
			}
			if err != nil {
				return err
			}
		}
		if end == h.layout.pieces {
			return nil
		}
	}
}

func (w *worker) piece(ctx context.Context, p int) error {
	h, l := w.hasher, w.hasher.layout
	w.sha1.Reset()
	w.leaves.reset()
	at, end := l.PieceOffset(p), l.PieceOffset(p)+int64(l.PieceSize(p))
	for at < end {
		if ctx.Err() != nil {
			return nil
		}
		buf := w.buf[:min(end-at, int64(len(w.buf)))]
		if err := h.read(&w.reader, buf, at); err != nil {
			return err
		}
		if h.v1 != nil {
			w.sha1.Write(buf)
		}
		if h.v2 != nil {
			w.leaves.write(buf)
		}
		at += int64(len(buf))
	}
	if h.v1 != nil {
		for n := l.PieceSizePadded(p) - l.PieceSize(p); n > 0; n -= len(zeros) {
			w.sha1.Write(zeros[:min(n, len(zeros))])
		}
		w.sha1.Sum(h.v1[p*sha1.Size : p*sha1.Size : (p+1)*sha1.Size])
	}
	if h.v2 != nil {
		h.v2[p] = w.leaves.root(l.pieceWidth(p))
	}
	return nil
}

// read fills buf with content from at on. None of it is padding: in torrents that Build
// makes, padding is at the ends of pieces.
func (h *hasher) read(r *reader, buf []byte, at int64) (err error) {
	n := 0
	h.layout.walkSpans(at, len(buf), func(s Span) bool {
		err = r.read(buf[n:n+s.Length], int(h.sources[s.File]), s.Offset)
		n += s.Length
		return err == nil
	})
	h.done.Add(int64(n))
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
	raw := appendInfo(make([]byte, 0, infoBytes(h.opt, l)), h.opt, l, h.v1)
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

// setRoots computes the roots of the files from the roots of their pieces.
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
