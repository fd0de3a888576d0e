package swarm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"swarmnode/metainfo"
	"swarmnode/swarm/storage"
	"swarmnode/swarm/stream"
)

// readersMax bounds the readers of one torrent.
const readersMax = 32

var (
	// ErrReaders says that a torrent has 32 readers already.
	ErrReaders = errors.New("too many readers of one torrent")
	// ErrNoFile says that a torrent has no file of that number, or no content in it:
	// padding and symbolic links have none (BEP 47).
	ErrNoFile = errors.New("the torrent has no such file")
	// ErrNoContent says that the torrent was added with Spec.MetadataOnly.
	ErrNoContent = errors.New("only the metadata of the torrent is fetched")
	// ErrChanged says that another program has changed content that is only served.
	ErrChanged = storage.ErrChanged
	// ErrReaderClosed says that a Reader was closed.
	ErrReaderClosed = errors.New("the reader is closed")
)

// A Reader reads one file of a torrent, also while it is being fetched. It is an
// io.ReadSeekCloser and an io.ReaderAt.
//
// A read waits until the pieces that it needs are verified, and returns verified bytes
// only. What is read next is fetched before everything else (see package stream). A piece
// that is lost again, as by a Recheck or a fault of the disk, is waited for. While the
// torrent is paused, reads of what is missing wait. If the file is not wanted, the Reader
// makes just what it reads wanted.
//
// The error of a read is io.EOF at the end of the file, the cause of the context of
// Torrent.Reader once that has ended, ErrReaderClosed after Close, an error that wraps
// ErrStopped once the torrent has ended, or of content that is only served (Spec.Complete)
// one that wraps ErrChanged or says why the content cannot be read.
//
// Its methods are safe for concurrent use. Reads by Read go one after the other, those by
// ReadAt side by side.
type Reader struct {
	t     *Torrent
	store *storage.Store
	index int // of the file
	file  metainfo.File
	piece int64 // bytes of a piece
	// ctx ends with the context of Torrent.Reader, and with Close.
	ctx    context.Context
	cancel context.CancelCauseFunc

	reading sync.Mutex // held by Read and Seek
	head    *stream.Head
	// trails are the places where ReadAt reads. They, the head and closed are guarded by
	// readers.mu.
	trails stream.Trails
	closed bool
}

// Reader returns a Reader of a file of the layout. It waits until the metadata is known and
// the content on disk is checked. ctx ends that wait, and later every read. The caller
// must close the Reader. The error is the cause of ctx, or wraps ErrStopped, ErrReaders,
// ErrNoFile or ErrNoContent, or is a *storage.Error if the file is not wanted and cannot be
// written.
func (t *Torrent) Reader(ctx context.Context, file int) (*Reader, error) {
	select {
	case <-t.HaveInfo():
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-t.ctx.Done():
		return nil, t.stopped()
	}
	layout := t.Info().Layout()
	switch {
	case t.ctx.Err() != nil:
		return nil, t.stopped()
	case t.spec.MetadataOnly:
		return nil, ErrNoContent
	}
	if err := hasFile(layout, file); err != nil {
		return nil, err
	}
	store, err := t.readers.awaitStore(ctx, t)
	if err != nil {
		return nil, err
	}
	if err := t.keepFile(ctx, file); err != nil {
		return nil, err
	}
	r := &Reader{t: t, store: store, index: file, file: layout.Files[file],
		piece: int64(layout.PieceLength)}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	if err := t.readers.add(r); err != nil {
		r.cancel(err)
		return nil, err
	}
	return r, nil
}

// hasFile returns an error that wraps ErrNoFile if l has no file i with content of its own.
func hasFile(l *metainfo.Layout, i int) error {
	if i < 0 || i >= len(l.Files) || l.Files[i].Pad || l.Files[i].Link != nil {
		return fmt.Errorf("file %d: %w", i, ErrNoFile)
	}
	return nil
}

// stopped returns the error of what needs a running torrent, once it has ended.
func (t *Torrent) stopped() error {
	if err := t.Err(); err != nil && !errors.Is(err, ErrStopped) {
		return fmt.Errorf("%w: %w", ErrStopped, err)
	}
	return ErrStopped
}

// Size returns the length of the file in bytes.
func (r *Reader) Size() int64 { return r.file.Length }

// Ready returns how many bytes from off on are verified, up to the end of the file.
func (r *Reader) Ready(off int64) int64 {
	if off < 0 || off >= r.file.Length {
		return 0
	}
	at, end := r.file.Offset+off, r.file.Offset+r.file.Length
	piece := at / r.piece
	for piece*r.piece < end && r.store.Has(int(piece)) {
		piece++
	}
	return max(0, min(piece*r.piece, end)-at)
}

// WaitUp waits until some of n bytes may be sent on to somebody else under the limits for
// uploads of the torrent and of the engine, which they count for, and returns how many. The
// error is that of ctx.
func (r *Reader) WaitUp(ctx context.Context, n int) (int, error) {
	up := r.t.limits.rateUp()
	n = min(n, up.Quantum())
	return n, up.WaitN(ctx, n)
}

// Read implements io.Reader. It returns what is there of the next piece.
func (r *Reader) Read(p []byte) (int, error) {
	r.reading.Lock()
	defer r.reading.Unlock()
	r.t.readers.wake(r.head)
	n, err := r.readPiece(p, r.offset())
	r.t.readers.advance(r.head, n)
	return n, err
}

// ReadAt implements io.ReaderAt.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errNegative
	}
	if off >= r.file.Length {
		return 0, cmp.Or(r.ended(), io.EOF)
	}
	done := 0
	for done < len(p) {
		head := r.t.readers.follow(r, r.file.Offset+off+int64(done))
		n, err := r.readPiece(p[done:], off+int64(done))
		r.t.readers.advance(head, n)
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// offsetMax is the largest offset to which Seek goes. No file is that long.
const offsetMax = 1 << 60

var (
	errNegative = errors.New("the offset is negative or too large")
	errWhence   = errors.New("whence is neither of io.SeekStart, io.SeekCurrent and io.SeekEnd")
)

// Seek implements io.Seeker. What lies at the new place is fetched first from then on.
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	r.reading.Lock()
	defer r.reading.Unlock()
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += r.offset()
	case io.SeekEnd:
		offset += r.file.Length
	default:
		return 0, errWhence
	}
	if offset < 0 || offset > offsetMax {
		return 0, errNegative
	}
	if err := r.ended(); err != nil {
		return 0, err
	}
	if offset != r.offset() {
		r.t.readers.jump(r.head, r.file.Offset+offset)
		r.t.replan()
	}
	return offset, nil
}

// Close ends all reads and gives up what was fetched for them alone. It returns nil.
func (r *Reader) Close() error {
	r.cancel(ErrReaderClosed)
	if r.t.readers.remove(r) {
		r.t.replan()
	}
	return nil
}

// offset returns where Read reads next, in bytes of the file.
func (r *Reader) offset() int64 { return r.t.readers.at(r.head) - r.file.Offset }

// ended returns why nothing can be read any more, or nil.
func (r *Reader) ended() error {
	switch {
	case r.ctx.Err() != nil:
		return context.Cause(r.ctx)
	case r.t.ctx.Err() != nil:
		return r.t.stopped()
	}
	return nil
}
