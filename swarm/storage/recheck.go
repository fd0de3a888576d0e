package storage

import (
	"context"
	"errors"
	"io/fs"
	"math"

	"swarmnode/swarm/bits"
)

const (
	// recheckPieces and recheckBytes are how much Recheck hashes at least before it tells
	// what it found.
	recheckPieces = 256
	recheckBytes  = 256 << 20
)

// Recheck hashes all content that lies on disk, whatever the record says of it, while the
// Store is used as ever. It tells which pieces are in Have and wrong, or not in Have and
// right; Verify, which the caller asks for, settles each of them. It changes nothing but
// this: a file of which pieces are in Have, and that is gone or too short, gets its length
// back, so that hashing shows what is missing.
//
// progress gets the bytes of files hashed and to be hashed, and doubt the pieces; neither
// is called by two goroutines at a time, and doubt may block. Recheck fails with that of
// ctx, with ErrClosed, or with an *Error when a file cannot get its length.
func (s *Store) Recheck(ctx context.Context, progress func(done, total int64),
	doubt func(pieces *bits.Set)) error {
	v, err := s.surveyAgain(ctx)
	if err != nil {
		return err
	}
	todo, sound := v.todo, bits.New(s.layout.Pieces())
	var done, total int64
	for p := range todo.Members() {
		total += int64(s.layout.ContentSize(p))
	}
	progress(0, total)
	for from := 0; from < s.layout.Pieces(); {
		var part *bits.Set
		part, from = s.nextPart(todo, from)
		c := check{s: s, have: bits.New(s.layout.Pieces()), hold: s.cfg.Hold,
			progress: func(n, _ int64) { progress(done+n, total) }}
		if err := c.run(ctx, part, math.MaxInt64); err != nil {
			return err
		}
		done += c.total
		for p := range c.have.Members() {
			sound.Add(p)
		}
		if odd := s.odd(part, c.have, v.had); !odd.None() {
			doubt(odd)
		}
	}
	s.settle(v, sound)
	return nil
}

// A resurvey is what Recheck knew when it began to hash.
type resurvey struct {
	had, todo *bits.Set // Have, and the pieces to hash
	// by index; of size -1 if the file is missing, or not as long as it should be
	files  []fileStat
	doubts int // of the ledger
}

// settle records that the files which are still as they were at the survey hold the pieces
// that were sound, whatever was known of them before.
func (s *Store) settle(v *resurvey, sound *bits.Set) {
	for i := range v.files {
		was := &v.files[i]
		if was.size < 0 {
			continue
		}
		st, err := s.files.stat(i)
		if err != nil || st.size != was.size || st.mtime != was.mtime || st.ctime != was.ctime {
			was.size = -1
		}
	}
	s.known.rechecked(v, sound)
}

// nextPart returns the first pieces of todo from a piece on, and the piece after them.
func (s *Store) nextPart(todo *bits.Set, from int) (part *bits.Set, next int) {
	part = bits.New(s.layout.Pieces())
	least := max(recheckPieces, recheckBytes/s.layout.PieceLength)
	p := todo.Next(from)
	for n := 0; p >= 0 && n < least; n++ {
		part.Add(p)
		p = todo.Next(p + 1)
	}
	if p < 0 {
		return part, s.layout.Pieces()
	}
	return part, p
}

// odd returns the pieces of part whose state on disk is another than we think: those that
// are not sound although they were in had, and those that are sound and not in Have.
func (s *Store) odd(part, sound, had *bits.Set) *bits.Set {
	odd, have := bits.New(s.layout.Pieces()), s.Have()
	for p := range part.Members() {
		if sound.Has(p) && !have.Has(p) || !sound.Has(p) && had.Has(p) {
			odd.Add(p)
		}
	}
	return odd
}

// surveyAgain looks at the files, and gives those their length back that have lost pieces of
// Have.
func (s *Store) surveyAgain(ctx context.Context) (*resurvey, error) {
	ctx, end, err := s.arrange(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	v := &resurvey{had: s.Have(), files: make([]fileStat, len(s.layout.Files)),
		doubts: s.known.doubtsSoFar()}
	s.files.closeAll() // a file may have been deleted or replaced
	c := check{s: s, data: v.had.Clone()}
	for i := range s.layout.Files {
		v.files[i].size = -1
		if !hasPlace(s.layout, i) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := c.lookAgain(i, v); err != nil {
			return nil, err
		}
	}
	s.known.mu.Lock()
	for p := range s.parts.pieces {
		c.data.Add(p)
	}
	s.known.mu.Unlock()
	for p := range s.layout.Pieces() {
		if !s.layout.CanVerify(p) {
			c.data.Remove(p)
		}
	}
	v.todo = c.data
	return v, nil
}

// lookAgain adds the pieces of file i that exist to the data of the check. If pieces that
// the Store had are gone with the end of the file, the file gets its length back. What
// cannot be read shows when it is hashed.
func (c *check) lookAgain(i int, v *resurvey) error {
	s, length := c.s, c.s.layout.Files[i].Length
	st, err := s.files.stat(i)
	if err == nil {
		err = kindError(st.mode, false)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		st = fileStat{}
	case err != nil:
		return nil
	}
	if there := min(st.size, length); there > 0 {
		if err := c.findData(i, there, st.sparse); err != nil {
			return err
		}
	}
	first, end := s.layout.FilePieces(i)
	if p := v.had.Next(first); st.size < length && p >= 0 && p < end && s.wanted.file(i) &&
		!s.cfg.ReadOnly {
		if err := s.restart(i); err != nil {
			return err
		}
		st, err = s.files.stat(i)
	}
	if err == nil && st.size == length {
		v.files[i] = st
	}
	return nil
}
