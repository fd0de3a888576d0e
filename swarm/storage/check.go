package storage

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"math"
	"sync"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
)

const (
	// progressSteps is how often Check tells how far it is.
	progressSteps = 256
	// holesTriedMax is how many bytes of holes are hashed in vain before the
	// rest of them counts as missing. Holes are what was never written, but
	// also what a copying program made of zeros.
	holesTriedMax = 16 << 20
	// readAhead is how many bytes beyond the piece being hashed the system is
	// asked to read. It makes checking from disk a sixth faster here, and costs
	// nothing when the data is in memory.
	readAhead = 4 << 20
)

// Check finds out which pieces are there and sound; the caller owns the set.
// Those whose hash is not known yet are left to Late.
// Pieces that the record of an earlier run, or an earlier Check or Verify,
// knows to be sound are not hashed again when their files are as they were
// left. Files that do not exist, and holes, cost nothing. All cores take part.
//
// progress, unless nil, gets the bytes of files hashed and to be hashed now and then, by
// one goroutine at a time. Check fails with an *Error when something else lies
// where a file belongs and could be written, with ErrConflict, or with that of
// ctx. Bytes that cannot be read are missing. It is not to be called while pieces
// are being written.
func (s *Store) Check(ctx context.Context, progress func(done, total int64)) (*bits.Set, error) {
	for range claimsMax {
		have, err := s.checkName(ctx, progress)
		if !errors.Is(err, errAgain) {
			return have, err
		}
	}
	return nil, &Error{"open", s.path(), ErrInUse}
}

// checkName is Check for the name that the content has.
func (s *Store) checkName(ctx context.Context, progress func(done,
	total int64)) (*bits.Set, error) {
	s.findFiles()
	first := s.load()
	s.mu.Lock()
	exact := s.resumed && s.clean
	s.mu.Unlock()
	s.workers.files.closeAll(s, false) // a file may have been deleted or replaced
	sideSame, err := s.checkSide(first && !exact)
	if err != nil {
		return nil, err
	}
	n := s.layout.Pieces()
	c := check{s: s, data: bits.New(n), holes: bits.New(n), touched: bits.New(n),
		exact: exact, have: s.Have(), progress: progress}
	missing, err := c.survey(ctx)
	if err != nil {
		return nil, s.orAgain(err)
	}
	s.setReplaced(first && exact && !c.known)
	c.surveySide(sideSame)
	there := !c.data.None()
	c.sort(missing)
	if s.wanted.files != nil { // what shares a piece with a file that is not there says nothing
		there = !c.data.None()
	}
	late := c.putOff()
	if err := c.run(ctx, c.data, math.MaxInt64); err != nil {
		return nil, err
	}
	if err := c.run(ctx, c.holes, holesTriedMax); err != nil {
		return nil, err
	}
	if c.conflict {
		return nil, ErrConflict
	}
	if late.none() {
		if err := c.writesThroughLink(); err != nil {
			return nil, err
		}
	}
	if (there || s.hasName(partName)) && c.have.None() && late.none() && s.foreign(ctx) {
		return nil, cmp.Or(s.leaveForeign(), errAgain)
	}
	s.renounce(&c)
	if late.none() && !s.complete(c.have) {
		if err := s.toWrite(); err != nil {
			return nil, err
		}
	}
	if s.isLooking() || !s.isReadOnly() {
		s.tellRoom(c.have)
	}
	s.checked(c.have, c.trusted, late)
	return c.have, nil
}

// Trust stands for Check of content that is known to be whole, as just after it
// was hashed to make a torrent of it: every piece counts as sound, and a file
// that is not as it is now will be noticed when it is next read from. It is for
// content that is only read. It fails when something else lies where a file
// belongs.
func (s *Store) Trust(ctx context.Context) error {
	for i := range s.layout.Files {
		f := &s.layout.Files[i]
		if f.Pad || len(f.Link) > 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, _, err := s.look(i); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.have, s.durable = bits.Full(s.layout.Pieces()), bits.Full(s.layout.Pieces())
	return nil
}

// checked takes over what a check found, of which trusted was not hashed.
func (s *Store) checked(have, trusted *bits.Set, late lateSets) {
	s.mu.Lock()
	s.have, s.putOff = have.Clone(), late
	s.resumed, s.writtenUntil = false, 0
	keep(s.durable, s.accounted())
	if s.unproven != nil {
		keep(s.unproven, trusted)
	}
	if s.readOnly {
		s.durable = have.Clone() // it was there before us
	}
	fresh := s.record != nil && !equal(s.durable, s.accounted())
	if fresh {
		for i := range len(s.layout.Files) + 1 {
			if i != s.sideIndex() && s.layout.Files[i].Pad {
				continue
			}
			for p := range s.piecesOf(i) {
				if have.Has(p) && !s.durable.Has(p) {
					s.dirty[i] = struct{}{}
					break
				}
			}
		}
	}
	record := s.readOnly && s.record != nil && (s.recorded == nil || !s.clean ||
		!equal(s.recorded, have))
	s.mu.Unlock()
	if fresh {
		s.beginWriting() // so that a beat comes
	}
	if record {
		s.renew()
	}
}

// keep removes from a what is not in b.
func keep(a, b *bits.Set) {
	for i := range a.Members() {
		if !b.Has(i) {
			a.Remove(i)
		}
	}
}

// A check is one run of Check.
type check struct {
	s        *Store
	data     *bits.Set // pieces to hash: there, and not nothing but holes
	holes    *bits.Set // pieces to hash that are there as holes
	touched  *bits.Set // pieces in files that are not as they were left
	trusted  *bits.Set // pieces that need no hashing
	exact    bool      // what is known to be there is all that is there
	known    bool      // a file is as it was left
	progress func(done, total int64)

	mu       sync.Mutex
	have     *bits.Set
	todo     *bits.Set // of the current run: data or holes; it does not change
	next     int       // first piece that nobody has taken
	left     int       // pieces of todo that nobody has taken
	done     int64     // bytes hashed
	told     int64     // done, when progress was called last
	total    int64     // bytes to be hashed
	conflict bool      // a piece agrees with one of its two hashes alone
	spare    int64     // bytes that may still be hashed in vain
	asked    int64     // up to which byte of content the system was asked to read

	links []int // files that a symbolic link leads to
}

// survey looks at every file, notes how it is found, and finds the pieces that
// can be there. It returns those of which a byte is not there.
func (c *check) survey(ctx context.Context) (missing *bits.Set, err error) {
	layout := c.s.layout
	missing = bits.New(layout.Pieces())
	for i := range layout.Files {
		f := &layout.Files[i]
		if f.Pad || len(f.Link) > 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		st, same, err := c.s.look(i)
		if err != nil && c.s.cfg.ReadOnly { // nothing is to be written there, so it is only missing
			st, same, err = fileStat{}, c.s.found(i, fileStat{}), nil
		}
		if err != nil {
			return nil, err
		}
		if st.link {
			c.links = append(c.links, i)
		}
		c.known = c.known || same && st.size > 0
		there := min(st.size, f.Length)
		first, end := layout.FilePieces(i)
		for p := first; p < end && !same; p++ {
			c.touched.Add(p)
		}
		for p := end - 1; p >= first && partEnd(layout, f, p) > there; p-- {
			if !c.s.isAside(c.s.aside.Load(), i, p) {
				missing.Add(p)
			}
		}
		if there > 0 {
			if err := c.findData(i, there, st.sparse); err != nil {
				return nil, err
			}
		}
	}
	return missing, nil
}

// sort decides which pieces are hashed. Those that were known to be sound are
// not, nor, if a clean record says what there is, those that it lacks; but
// what is said to be in a hole is looked at.
func (c *check) sort(missing *bits.Set) {
	for p := range c.s.layout.Pieces() {
		data, had := c.data.Has(p), c.have.Has(p)
		switch {
		case missing.Has(p):
			c.data.Remove(p)
			c.have.Remove(p)
		case c.touched.Has(p):
			c.have.Remove(p)
			if !data {
				c.holes.Add(p)
			}
		case had && data, !had && c.exact:
			c.data.Remove(p)
		case !data:
			c.have.Remove(p)
			c.holes.Add(p)
		}
	}
	c.trusted = c.have.Clone()
}

// surveySide is survey for the side file; same tells that it is as it was left.
func (c *check) surveySide(same bool) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for _, x := range c.s.asideParts() {
		c.data.Add(x.piece)
		if !same {
			c.touched.Add(x.piece)
		}
	}
}

// partEnd returns where in file f the part of it that is in piece p ends.
func partEnd(l *metainfo.Layout, f *metainfo.File, p int) int64 {
	return min(f.Length, l.PieceOffset(p)+int64(l.PieceSize(p))-f.Offset)
}

// look notes how file i is found, and reports whether it is as it was left. A
// file that is not there has size 0.
func (s *Store) look(i int) (st fileStat, same bool, err error) {
	name := s.fileName(i)
	st, err = s.disk.stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return fileStat{}, s.found(i, fileStat{}), nil
	}
	if err == nil {
		err = kindError(st.mode, false)
	}
	wanted := s.wanted.file(i)
	if err == nil && st.size > s.layout.Files[i].Length && !s.cfg.ReadOnly && wanted {
		err = ErrLonger
	}
	if err != nil && !wanted { // no data, and not in the way
		return fileStat{}, s.found(i, fileStat{}), nil
	}
	if err != nil {
		return fileStat{}, false, wrap("open", s.disk.path(name), err)
	}
	return st, s.found(i, st), nil
}

// findData adds the pieces to data of which a byte of file i, there bytes
// long, is not in a hole.
func (c *check) findData(i int, there int64, sparse bool) error {
	layout := c.s.layout
	f := &layout.Files[i]
	first, end := layout.FilePieces(i)
	var h *handle
	if sparse {
		var err error
		h, err = c.s.workers.files.pin(c.s, i, false)
		if err != nil && !c.s.cfg.ReadOnly {
			return wrap("open", c.s.filePath(i), err)
		}
		if h != nil {
			defer c.s.workers.files.unpin(h)
		}
	}
	for p, at := first, int64(0); p < end && at < there; p++ {
		if h != nil {
			if at = h.file.nextData(at, there); at >= there {
				break
			}
			p = int((f.Offset + at) / int64(layout.PieceLength))
		}
		c.data.Add(p)
		at = layout.PieceOffset(p+1) - f.Offset
	}
	return nil
}

// run hashes the pieces of todo on all cores, until vain bytes have been
// hashed that were not sound.
func (c *check) run(ctx context.Context, todo *bits.Set, vain int64) error {
	c.todo, c.next, c.spare, c.done, c.told, c.total, c.asked = todo, 0, vain, 0, 0, 0, 0
	if c.left = todo.Count(); c.left == 0 {
		return nil
	}
	for p := range todo.Members() {
		c.total += int64(c.s.layout.ContentSize(p))
	}
	c.tell(0)
	var wait sync.WaitGroup
	for range min(cap(c.s.workers.chunks), c.left) {
		wait.Go(func() { c.work(ctx) })
	}
	wait.Wait()
	return ctx.Err()
}

// work hashes pieces until none is left. A chunk of the Workers is held for
// one group of pieces at a time, so that all checks advance side by side.
func (c *check) work(ctx context.Context) {
	var verifier metainfo.Verifier
	var batch metainfo.BatchVerifier
	for {
		var chunk []byte
		select {
		case chunk = <-c.s.workers.chunks:
		case <-ctx.Done():
			return
		}
		if chunk == nil {
			chunk = make([]byte, checkChunk)
		}
		t := c.take()
		switch {
		case t.batch:
			chunk = batchChunk(chunk)
			c.hashBatch(ctx, t, chunk, &batch, &verifier)
		case t.first < t.end:
			if t.ahead {
				c.s.willRead(c.s.layout.PieceOffset(t.end), readAhead)
			}
			c.hash(ctx, t.first, t.end, chunk[:checkChunk], &verifier)
		}
		c.s.workers.chunks <- chunk
		if t.first == t.end {
			return
		}
	}
}

// A turn is what a worker of a check hashes at a time: the pieces from first up
// to end; none when they are equal.
type turn struct {
	first, end int
	batch      bool // they are hashed side by side
	ahead      bool // it is time to ask for those that follow
	unasked    bool // nobody has asked for a batch's own
}

// take returns the next pieces to hash: one, as many as fit into a chunk, or a
// batch.
func (c *check) take() turn {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := c.todo.Next(c.next)
	if first < 0 || c.spare < 0 {
		return turn{}
	}
	layout := c.s.layout
	t := turn{first: first, end: first + 1, batch: c.batches(first)}
	if t.batch {
		t.end = first + metainfo.BatchPieces
		t.unasked = layout.PieceOffset(t.end) > c.asked
		c.asked = layout.PieceOffset(t.end + metainfo.BatchPieces)
	} else {
		for c.todo.Has(t.end) &&
			layout.PieceOffset(t.end)+int64(layout.PieceSize(t.end))-layout.PieceOffset(
				first) <= checkChunk {
			t.end++
		}
		if t.ahead = layout.PieceOffset(t.end)+readAhead/2 > c.asked; t.ahead {
			c.asked = layout.PieceOffset(t.end) + readAhead
		}
	}
	c.next = t.end
	c.left -= t.end - first
	return t
}

// hash checks the pieces from first up to end.
func (c *check) hash(ctx context.Context, first, end int, chunk []byte,
	verifier *metainfo.Verifier) {
	layout := c.s.layout
	if end == first+1 {
		c.hashSingly(ctx, first, end, chunk, verifier)
		return
	}
	start := layout.PieceOffset(first)
	data := chunk[:layout.PieceOffset(end-1)+int64(layout.PieceSize(end-1))-start]
	if c.s.readContent(data, start) != nil { // one of them; see which
		c.hashSingly(ctx, first, end, chunk, verifier)
		return
	}
	for p := first; p < end; p++ {
		verifier.Reset(layout, p)
		verifier.Write(data[layout.PieceOffset(p)-start:][:layout.PieceSize(p)])
		c.result(p, verifier.OK(), verifier.Conflict())
	}
}

// hashSingly checks the pieces from first up to end one after the other. What
// cannot be read is missing.
func (c *check) hashSingly(ctx context.Context, first, end int, chunk []byte,
	verifier *metainfo.Verifier) {
	for p := first; p < end && ctx.Err() == nil; p++ {
		ok, err := c.s.hashPiece(p, chunk, verifier)
		c.result(p, err == nil && ok, err == nil && verifier.Conflict())
	}
}

// result notes what came of a piece.
func (c *check) result(p int, ok, conflict bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conflict = c.conflict || conflict
	if ok {
		c.have.Add(p)
	} else {
		c.spare -= int64(c.s.layout.PieceSize(p))
	}
	c.tell(int64(c.s.layout.ContentSize(p)))
}

// tell counts n more bytes and reports them when they have become many.
func (c *check) tell(n int64) {
	c.done += n
	if c.progress != nil && (n == 0 || c.done == c.total ||
		c.done-c.told >= c.total/progressSteps) {
		c.told = c.done
		c.progress(c.done, c.total)
	}
}
