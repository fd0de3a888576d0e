package storage

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"math"
	"slices"

	"swarmnode/swarm/bits"
)

// adoptedAtOnce bounds the shared pieces whose parts are moved out of the partfile while
// writes are held.
const adoptedAtOnce = 16

// A Reselection says what changed with the selection besides what is wanted. Its sets are
// nil if they are empty.
type Reselection struct {
	Found *bits.Set // pieces that turned out to be there and are in Have now
	Lost  *bits.Set // pieces of which the partfile lost a part; they are no longer in Have
}

// Select changes which files are wanted, as Config.Wanted has it, while pieces are written
// and read. Check has been called before.
//
// A file that comes to be wanted gets its bytes from the partfile. If another program has put
// something in its place since the last Check, that is hashed, and Config.Hold does not hold it
// up: everything else that arranges the content would have to wait as well. A file that is no
// longer wanted stays as it is. If this Store has written to it, later bytes of its pieces
// still go there; otherwise the partfile takes those of shared pieces again. Content that has
// its final name keeps that name.
//
// When something else lies where a file belongs, or the content cannot be written to, the
// error is an *Error; it is that of ctx when ctx ends. Then the selection stays as it was.
func (s *Store) Select(ctx context.Context, wanted []bool) (Reselection, error) {
	if wanted != nil && len(wanted) != len(s.layout.Files) {
		return Reselection{}, &Error{"open", s.names.path(), ErrSelection}
	}
	return s.reselect(ctx, wanted, func(i int) bool { return wanted == nil || wanted[i] })
}

// Keep prepares to write to file i even if it is not wanted. Write does without Keep, but
// Keep says by its error what Select would say of the file.
func (s *Store) Keep(ctx context.Context, i int) (Reselection, error) {
	return s.reselect(ctx, s.wanted.files(), func(j int) bool { return j == i })
}

// reselect makes wanted the wanted files, and prepares to write to the files in which.
func (s *Store) reselect(ctx context.Context, wanted []bool,
	which func(i int) bool) (r Reselection, err error) {
	if len(s.freshFiles(which)) == 0 && s.reselectAtOnce(wanted) {
		return r, nil
	}
	ctx, end, err := s.arrange(ctx)
	if err != nil {
		return r, err
	}
	defer end()
	fresh, dormant := s.freshFiles(which), s.place.isDormant()
	if dormant && len(fresh) > 0 && !s.cfg.ReadOnly {
		return s.awake(ctx, wanted)
	}
	a := admission{s: s, files: fresh}
	if err := a.run(ctx); err != nil {
		return r, err
	}
	before := s.changeSelection(wanted)
	for _, i := range fresh {
		if !s.wanted.file(i) { // of Keep
			s.wanted.open(i)
		}
	}
	lost, err := s.adoptParts(ctx)
	if err != nil {
		s.changeSelection(before)
		return r, err
	}
	if s.place.isLooking() || !s.place.isReadOnly() {
		s.claimRoom(s.Have())
	}
	return Reselection{Found: a.found, Lost: lost}, nil
}

// freshFiles returns the files in which that are not written to yet.
func (s *Store) freshFiles(which func(i int) bool) (fresh []int) {
	dormant := s.place.isDormant()
	for i := range s.layout.Files {
		if hasPlace(s.layout, i) && which(i) && (dormant || !s.wanted.file(i)) {
			fresh = append(fresh, i)
		}
	}
	return fresh
}

// reselectAtOnce is reselect when no file comes to be written to, which need not wait for
// a move. It reports false if parts have to be moved to their files.
func (s *Store) reselectAtOnce(wanted []bool) bool {
	if s.isClosing() {
		return false
	}
	s.changeSelection(wanted)
	if len(s.parts.misplaced()) > 0 {
		return false
	}
	if s.tryTurn() {
		if s.place.isLooking() || !s.place.isReadOnly() {
			s.claimRoom(s.Have())
		}
		s.giveTurn()
	}
	if s.isClosing() { // Close does not wait for the turn, and may have released the room before
		s.workers.rooms.release(&s.room)
	}
	return true
}

// changeSelection makes wanted the wanted files, and returns those before.
func (s *Store) changeSelection(wanted []bool) (before []bool) {
	s.parts.open(wanted)
	before = s.wanted.change(wanted)
	s.parts.reselected()
	return before
}

// awake is reselect for content of which nothing was wanted so far, so that it was not
// looked for in every place: this is the Check that was left out.
func (s *Store) awake(ctx context.Context, wanted []bool) (r Reselection, err error) {
	had := s.Have()
	before := s.changeSelection(wanted)
	s.place.setDormant(false)
	var have *bits.Set
	if err = s.place.claim(); err == nil {
		have, err = s.check(ctx, nil, nil)
	}
	if err != nil {
		s.place.unlock()
		s.place.setDormant(true)
		s.changeSelection(before)
		return r, err
	}
	return Reselection{Found: without(have, had), Lost: without(had, have)}, nil
}

// An admission sees whether files can be written to that come to be wanted, and looks for
// data of theirs that has come since the last Check.
type admission struct {
	s     *Store
	files []int

	links []int     // of files, those that a symbolic link leads to
	found *bits.Set // pieces that another program has put there; nil if there are none
}

// run returns an error if a file that lacks something cannot be written to.
func (a *admission) run(ctx context.Context) error {
	s := a.s
	c := check{s: s, data: bits.New(s.layout.Pieces()), have: s.Have()}
	for _, i := range a.files {
		if err := cmp.Or(ctx.Err(), a.look(&c, i)); err != nil {
			return err
		}
	}
	had := c.have.Clone()
	if late := s.Late(); late != nil {
		remove(c.data, late)
	}
	remove(c.data, had)
	if err := c.run(ctx, c.data, math.MaxInt64); err != nil {
		return err
	}
	if c.conflict {
		return ErrConflict
	}
	if err := a.openWriting(c.have); err != nil {
		return err
	}
	if a.found = without(c.have, had); a.found != nil {
		a.keepFound()
	}
	return nil
}

// look looks at file i. Its error says what is in the way of the file. A worker may open the
// file meanwhile, for a piece that was wanted before. Then the file is ours already, and what
// was seen of it does not count.
func (a *admission) look(c *check, i int) error {
	s := a.s
	if s.wanted.isOpened(i) {
		return nil
	}
	st, err := s.files.stat(i)
	if errors.Is(err, fs.ErrNotExist) {
		st, err = fileStat{}, nil
	}
	same := s.known.asLeft(i, st, true)
	if s.wanted.isOpened(i) {
		return nil
	}
	if err == nil && st.size > 0 {
		err = kindError(st.mode, false)
	}
	if err == nil && st.size > s.layout.Files[i].Length {
		err = ErrLonger
	}
	if err != nil {
		return wrap("open", s.files.path(i), err)
	}
	if st.link {
		a.links = append(a.links, i)
	}
	if st.size > 0 && !same {
		err = c.findData(i, st.size, st.sparse)
	}
	s.known.doubtUnless(i, st, s.wanted.isOpened)
	return err
}

// openWriting sees by its error whether the files can be written to, as far as have lacks
// pieces of them. Content that was only read is written to again.
func (a *admission) openWriting(have *bits.Set) error {
	s := a.s
	lacks := func(i int) bool {
		first, end := s.layout.FilePieces(i)
		p := have.NextMissing(first)
		return p >= 0 && p < end
	}
	if i := slices.IndexFunc(a.links, lacks); i >= 0 {
		return &Error{"open", s.files.path(a.links[i]), ErrLink}
	}
	switch {
	case !slices.ContainsFunc(a.files, lacks):
		return nil
	case s.cfg.ReadOnly:
		return &Error{"open", s.names.path(), ErrReadOnly}
	case s.names.link() != "":
		return &Error{"open", s.names.link(), ErrLink}
	}
	wasReading := s.place.isReadOnly()
	err := s.place.writable()
	if err == nil && wasReading {
		err = s.place.tryWriting(s.names.topName())
	}
	return err
}

// keepFound records the pieces that were found.
func (a *admission) keepFound() {
	s := a.s
	s.known.mu.Lock()
	for p := range a.found.Members() {
		s.known.have.Add(p)
		s.known.soilPiece(p)
	}
	s.known.mu.Unlock()
	if s.journal.record != nil {
		s.journal.beginWriting() // so that a checkpoint comes
	}
}

// adoptParts moves the parts of files that are written to out of the partfile into their
// files. Writes are held meanwhile, for a few pieces at a time. It returns the pieces of
// which the partfile lost a part, or nil.
func (s *Store) adoptParts(ctx context.Context) (lost *bits.Set, err error) {
	for pieces := s.parts.misplaced(); len(pieces) > 0 && err == nil; {
		n := min(len(pieces), adoptedAtOnce)
		if err = ctx.Err(); err == nil {
			lost, err = s.adoptPieces(pieces[:n], lost)
		}
		pieces = pieces[n:]
	}
	return lost, err
}

func (s *Store) adoptPieces(pieces []int, lost *bits.Set) (*bits.Set, error) {
	s.holdWrites()
	defer s.releaseWrites()
	for _, p := range pieces {
		whole, err := s.parts.moveOut(p)
		if err != nil {
			return lost, err
		}
		if !whole {
			if lost == nil {
				lost = bits.New(s.layout.Pieces())
			}
			lost.Add(p)
		}
	}
	return lost, nil
}
