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
	// progressSteps is how often Check reports its progress.
	progressSteps = 256
	// holesTriedMax is how many bytes of holes are hashed without finding a sound
	// piece before the rest of them counts as missing. Holes are bytes that were never
	// written, but also zeros that a copying program left out.
	holesTriedMax = 16 << 20
	// readAhead is how many bytes beyond the piece being hashed the system is
	// asked to read. It makes checking from disk a sixth faster, and costs
	// nothing when the data is in memory.
	readAhead = 4 << 20
)

// Check finds out which pieces exist and are sound; the caller owns the set.
// Pieces whose hash is not known yet are left to Late.
// Pieces that the record of an earlier run, or an earlier Check or Verify,
// knows to be sound are not hashed again when their files are as they were
// left. Files that do not exist, and holes, cost nothing. All cores take part.
//
// progress, unless nil, gets the bytes of files hashed and to be hashed now and then, by
// one goroutine at a time. Check fails with an *Error when something else lies
// where a file belongs and could be written, with ErrConflict, or with that of
// ctx. Bytes that cannot be read are missing. It must not be called while pieces
// are being written.
func (s *Store) Check(ctx context.Context, progress func(done, total int64)) (*bits.Set, error) {
	if err := s.takeTurn(ctx); err != nil {
		return nil, err
	}
	defer s.giveTurn()
	return s.check(ctx, progress, s.cfg.Hold)
}

// check is Check within an arrangement.
func (s *Store) check(ctx context.Context, progress func(done, total int64),
	hold holdFunc) (*bits.Set, error) {
	for range claimsMax {
		have, err := s.checkOnce(ctx, progress, hold)
		if !errors.Is(err, errAgain) {
			return have, err
		}
	}
	return nil, &Error{"open", s.names.path(), ErrInUse}
}

// checkOnce checks the content under the name that it has. The error is errAgain if it
// has got another name meanwhile.
func (s *Store) checkOnce(ctx context.Context, progress func(done, total int64),
	hold holdFunc) (*bits.Set, error) {
	s.names.findFiles(s.place.couldExist())
	first := s.journal.load()
	exact := s.journal.isExact()
	s.files.closeAll() // a file may have been deleted or replaced
	parts, err := s.checkPartfile(first && !exact)
	if err != nil {
		return nil, err
	}
	n := s.layout.Pieces()
	c := check{s: s, data: bits.New(n), holes: bits.New(n), touched: bits.New(n),
		exact: exact, have: s.Have(), progress: progress, hold: hold}
	missing, err := c.survey(ctx)
	if err != nil {
		return nil, s.place.passForeign(err, s.journal.hasRecord())
	}
	s.place.setReplaced(first && exact && !c.known)
	c.surveyPartfile(parts)
	there := !c.data.None()
	c.sort(missing)
	if s.wanted.partial() { // a piece that a missing file shares says nothing
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
	if err := c.prepareToWrite(ctx, there, late); err != nil {
		return nil, err
	}
	if s.place.isLooking() || !s.place.isReadOnly() {
		s.claimRoom(c.have)
	}
	s.journal.checked(&c, late)
	return c.have, nil
}

// prepareToWrite decides by the findings whether the content may be written to, and
// prepares for it if something is missing. there says that there is data.
func (c *check) prepareToWrite(ctx context.Context, there bool, late lateSets) error {
	s := c.s
	if late.none() {
		if err := c.writesThroughLink(); err != nil {
			return err
		}
	}
	if (there || s.names.hasName(partName)) && c.have.None() && late.none() && s.foreign(ctx) {
		return cmp.Or(s.place.leaveForeign(), errAgain)
	}
	if renounced := s.names.renounce(c); len(renounced) > 0 {
		s.known.forgetStamps(renounced)
		s.files.closeAll()
	}
	if late.none() && !s.place.complete(c) {
		return s.place.beginWriting()
	}
	return nil
}

// foreign reports whether the data that lies there is something else, given that none
// of it is right.
func (s *Store) foreign(ctx context.Context) bool {
	return s.place.foreign(ctx, s.journal.hasRecord())
}

// checkPartfile checks the partfile before the files. Parts of files that are wanted by
// now are moved to those. unsure says that no record knows exactly what is there.
func (s *Store) checkPartfile(unsure bool) (found partfileFinding, err error) {
	found, err = s.parts.look(unsure)
	if err != nil || s.place.isReadOnly() {
		return found, err
	}
	moved, err := s.parts.adopt(found, s.pieces.hashOne)
	if err != nil {
		return found, err
	}
	if len(moved) > 0 {
		files := make(map[int]struct{})
		for _, x := range moved {
			files[x.file] = struct{}{}
		}
		if err := s.journal.secure(files); err != nil {
			return found, err
		}
		s.parts.removeParts(moved)
		if err := s.journal.renew(); err != nil {
			return found, err
		}
	}
	return found, s.parts.tidy(found)
}

// Trust stands for Check of content that is known to be whole, as just after it
// was hashed to make a torrent of it: every piece counts as sound, and a file
// that is not as it is now will be noticed when it is next read from. It is for
// content that is only read. It fails when something else lies where a file
// belongs.
func (s *Store) Trust(ctx context.Context) error {
	for i := range s.layout.Files {
		if !hasPlace(s.layout, i) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, _, err := s.look(i); err != nil {
			return err
		}
	}
	s.known.allSound()
	return nil
}

// A check is one run of Check.
type check struct {
	s        *Store
	data     *bits.Set // pieces to hash: they exist, and not as holes alone
	holes    *bits.Set // pieces to hash that exist as holes
	touched  *bits.Set // pieces in files that are not as they were left
	trusted  *bits.Set // pieces that need no hashing
	exact    bool      // no piece exists that the record lacks
	known    bool      // a file is as it was left
	progress func(done, total int64)
	hold     holdFunc

	mu       sync.Mutex
	have     *bits.Set
	todo     *bits.Set // of the current run: data or holes; it does not change
	next     int       // first piece that nobody has taken
	left     int       // pieces of todo that nobody has taken
	done     int64     // bytes hashed
	told     int64     // done, when progress was last called
	total    int64     // bytes to be hashed
	conflict bool      // a piece agrees with one of its two hashes alone
	spare    int64     // bytes that may still be hashed without finding a sound piece
	asked    int64     // up to which byte of content the system was asked to read

	links []int // files that a symbolic link leads to
}

// survey looks at every file, records how it is found, and finds the pieces that
// can exist. It returns the pieces of which a byte is missing.
func (c *check) survey(ctx context.Context) (missing *bits.Set, err error) {
	layout := c.s.layout
	missing = bits.New(layout.Pieces())
	for i := range layout.Files {
		f := &layout.Files[i]
		if !hasPlace(layout, i) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		st, same, err := c.s.look(i)
		if err != nil && c.s.cfg.ReadOnly { // nothing is written there, so the file is only missing
			st, same, err = fileStat{}, c.s.known.found(i, fileStat{}), nil
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
			if !c.s.parts.holds(i, p) {
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

// sort decides which pieces are hashed. Pieces that were known to be sound are
// not, nor, if a clean record says what exists, the pieces that it lacks; but
// a piece that is said to be in a hole is hashed.
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

// surveyPartfile adds the pieces with bytes in the partfile.
func (c *check) surveyPartfile(found partfileFinding) {
	c.s.known.mu.Lock()
	defer c.s.known.mu.Unlock()
	for p := range c.s.parts.pieces {
		c.data.Add(p)
		if !found.same {
			c.touched.Add(p)
		}
	}
}

// partEnd returns where in file f the part of it that is in piece p ends.
func partEnd(l *metainfo.Layout, f *metainfo.File, p int) int64 {
	return min(f.Length, l.PieceOffset(p)+int64(l.PieceSize(p))-f.Offset)
}

// look records how file i is found, and reports whether it is as it was left. A
// missing file has size 0.
func (s *Store) look(i int) (st fileStat, same bool, err error) {
	st, err = s.files.stat(i)
	if errors.Is(err, fs.ErrNotExist) {
		return fileStat{}, s.known.found(i, fileStat{}), nil
	}
	if err == nil {
		err = kindError(st.mode, false)
	}
	kept := s.wanted.file(i)
	if err == nil && st.size > s.layout.Files[i].Length && !s.cfg.ReadOnly && kept {
		err = ErrLonger
	}
	if err != nil && !kept { // it has no data, and is not in the way
		return fileStat{}, s.known.found(i, fileStat{}), nil
	}
	if err != nil {
		return fileStat{}, false, wrap("open", s.files.path(i), err)
	}
	return st, s.known.found(i, st), nil
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
		h, err = c.s.files.pin(i, toRead)
		if err != nil && !c.s.cfg.ReadOnly {
			return wrap("open", c.s.files.path(i), err)
		}
		if h != nil {
			defer c.s.files.unpin(h)
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

// run hashes the pieces of todo on all cores, until more than wrongMax bytes have been
// hashed that were not sound.
func (c *check) run(ctx context.Context, todo *bits.Set, wrongMax int64) error {
	c.todo, c.next, c.spare, c.done, c.told, c.total, c.asked = todo, 0, wrongMax, 0, 0, 0, 0
	if c.left = todo.Count(); c.left == 0 {
		return nil
	}
	for p := range todo.Members() {
		c.total += int64(c.s.layout.ContentSize(p))
	}
	c.advance(0)
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
		if c.mayHash(ctx) != nil {
			return
		}
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
				c.s.pieces.willRead(c.s.layout.PieceOffset(t.end), readAhead)
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
	if c.s.pieces.read(data, start) != nil { // one of them; see which
		c.hashSingly(ctx, first, end, chunk, verifier)
		return
	}
	for p := first; p < end; p++ {
		verifier.Reset(layout, p)
		verifier.Write(data[layout.PieceOffset(p)-start:][:layout.PieceSize(p)])
		c.result(p, verifier.OK(), verifier.Conflict())
	}
}

// hashSingly checks the pieces from first up to end one after the other. A piece that
// cannot be read is missing.
func (c *check) hashSingly(ctx context.Context, first, end int, chunk []byte,
	verifier *metainfo.Verifier) {
	for p := first; p < end && ctx.Err() == nil; p++ {
		ok, err := c.s.pieces.hash(p, chunk, verifier)
		c.result(p, err == nil && ok, err == nil && verifier.Conflict())
	}
}

// result records whether a piece is sound.
func (c *check) result(p int, ok, conflict bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conflict = c.conflict || conflict
	if ok {
		c.have.Add(p)
	} else {
		c.spare -= int64(c.s.layout.PieceSize(p))
	}
	c.advance(int64(c.s.layout.ContentSize(p)))
}

// advance counts n more bytes, and reports the progress when many have been added.
func (c *check) advance(n int64) {
	c.done += n
	if c.progress != nil && (n == 0 || c.done == c.total ||
		c.done-c.told >= c.total/progressSteps) {
		c.told = c.done
		c.progress(c.done, c.total)
	}
}
