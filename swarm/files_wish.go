package swarm

import (
	"slices"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/core"
	"swarmnode/swarm/picker"
	"swarmnode/swarm/storage"
	"swarmnode/swarm/stream"
)

// A wish is what the loop of a torrent knows of the pieces that are wanted.
type wish struct {
	late   []Priority // of files, chosen before the storage was open; nil if none were
	number int        // of that choice
	// lent are the pieces that readers need and no file wants.
	lent map[int]struct{}
	told int // verified pieces, when readers of the feed heard of the files last
}

// isNews reports whether readers of the feed have not heard yet that so many pieces are
// verified.
func (w *wish) isNews(pieces int) bool {
	news := pieces != w.told
	w.told = pieces
	return news
}

// firstWish returns the priorities with which the files start, nil if all are Normal.
func (s *Spec) firstWish(l *metainfo.Layout) ([]Priority, error) {
	if s.Priorities != nil {
		list := slices.Clone(s.Priorities(l))
		if len(list) != len(l.Files) {
			return nil, ErrPriorities
		}
		for i := range list {
			list[i] = min(list[i], Highest)
		}
		return list, nil
	}
	if s.Wanted == nil {
		return nil, nil
	}
	wanted := s.Wanted(l)
	if !slices.Contains(wanted, true) {
		return nil, ErrNothingWanted
	}
	list := make([]Priority, len(wanted))
	for i := range wanted {
		if wanted[i] {
			list[i] = Normal
		}
	}
	return list, nil
}

// wantedFiles returns which files are wanted, nil for all of them.
func wantedFiles(priorities []Priority) []bool {
	if !slices.Contains(priorities, Unwanted) {
		return nil
	}
	wanted := make([]bool, len(priorities))
	for i := range priorities {
		wanted[i] = priorities[i] != Unwanted
	}
	return wanted
}

// pieceRanks returns the priority of each piece: the highest of the files that have a part
// in it.
func pieceRanks(l *metainfo.Layout, priorities []Priority) []picker.Priority {
	ranks := make([]picker.Priority, l.Pieces())
	for i := range l.Files {
		if l.Files[i].Pad {
			continue
		}
		for p, end := l.FilePieces(i); p < end; p++ {
			ranks[p] = max(ranks[p], picker.Priority(priorities[i]))
		}
	}
	return ranks
}

// unlikeRanks is pieceRanks, but returns nil if all wanted files are Normal.
func unlikeRanks(l *metainfo.Layout, priorities []Priority) []picker.Priority {
	unlike := slices.ContainsFunc(priorities, func(p Priority) bool {
		return p != Unwanted && p != Normal
	})
	if !unlike {
		return nil
	}
	return pieceRanks(l, priorities)
}

// pieceRank returns the priority that the files give to piece p.
func pieceRank(l *metainfo.Layout, priorities []Priority, p int) (rank picker.Priority) {
	if priorities == nil {
		return picker.Normal
	}
	for x := range l.Spans(l.PieceOffset(p), l.PieceSize(p)) {
		if !l.Files[x.File].Pad {
			rank = max(rank, picker.Priority(priorities[x.File]))
		}
	}
	return rank
}

// setRanks changes the priority of each piece, and how many bytes of it are of wanted
// files. What readers need stays wanted.
func (l *loop) setRanks(now time.Time, ranks []picker.Priority, parts []int32) {
	for p := range l.wish.lent {
		if ranks[p] != picker.Skip {
			delete(l.wish.lent, p)
			continue
		}
		ranks[p] = picker.Normal
	}
	if l.t.spec.Complete { // what is not as it was is given up for good
		for p := range ranks {
			if !l.core.Has(p) {
				ranks[p] = picker.Skip
			}
		}
	}
	l.core.SetPriorities(now, ranks, parts)
	if l.hasWanted() {
		l.finish() // bytes may have moved from the partfile to files
		return
	}
	if l.reopen(now) {
		l.t.log.Info("more is wanted")
	}
}

// hasWanted reports whether all pieces are verified that files want. Readers may need more.
func (l *loop) hasWanted() bool {
	if l.core.Totals().Done || len(l.wish.lent) == 0 {
		return l.core.Totals().Done
	}
	s := l.core.Snapshot()
	missing := s.PiecesWanted - s.PiecesHave
	for p := range l.wish.lent {
		if !l.core.Has(p) {
			missing--
		}
	}
	return missing <= 0
}

// completeBesideReaders does what the core asks for when all is there, once everything is
// there but pieces that readers alone need.
func (l *loop) completeBesideReaders(now time.Time) {
	if len(l.wish.lent) > 0 && !l.t.handle.isDecided() && l.hasWanted() {
		l.complete(now)
	}
}

// reopen goes back to fetching if the content was complete, and reports whether it was.
func (l *loop) reopen(now time.Time) bool {
	if !l.t.handle.isDecided() {
		return false
	}
	l.t.handle.reopen()
	l.updateTrackers()
	l.search.again(l.t.ctx, now, false)
	l.sourceless.rest()
	l.wakeWebSeeds()
	return true
}

// doubt has the pieces hashed that storage has found, or of which it has lost a part, when
// the choice of files changed.
func (l *loop) doubt(now time.Time, r storage.Reselection) {
	for _, set := range []*bits.Set{r.Found, r.Lost} {
		if set == nil {
			continue
		}
		for p := range set.Members() {
			l.core.Step(now, core.Event{Kind: core.Doubted, Ref: block.Ref{Piece: uint32(p)}})
		}
	}
}

// chooseLate makes the choice of files that the user made while the storage was opened. If
// that cannot be, the files keep the priorities first, with which the storage was opened.
func (l *loop) chooseLate(layout *metainfo.Layout, first []Priority) {
	late, number := l.wish.late, l.wish.number
	if l.wish.late = nil; late == nil {
		return
	}
	l.wait.Go(func() {
		if l.t.files.changing.take(l.t.ctx) != nil {
			return
		}
		defer l.t.files.changing.give()
		if !l.t.files.isLast(number) {
			return
		}
		if err := l.t.choose(layout, late); err != nil && l.t.ctx.Err() == nil {
			l.t.files.rank(first)
			l.t.changed(ChangedFiles | ChangedSettings)
			l.t.log.Warn("cannot fetch the files that were chosen", "err", err)
		}
	})
}

// lend makes the pieces wanted that readers need, whether or not a file wants them, and no
// longer those that they needed before.
func (l *loop) lend(now time.Time, list []stream.Deadline) {
	_, priorities := l.t.files.get()
	if priorities == nil && len(l.wish.lent) == 0 || l.t.spec.Complete {
		return
	}
	layout := l.t.Info().Layout()
	need := make(map[int]struct{})
	for _, d := range list {
		if pieceRank(layout, priorities, d.Piece) == picker.Skip {
			need[d.Piece] = struct{}{}
		}
	}
	for p := range need {
		if _, is := l.wish.lent[p]; !is {
			l.core.Prioritize(now, p, picker.Normal)
		}
	}
	for p := range l.wish.lent {
		if _, still := need[p]; !still {
			l.core.Prioritize(now, p, pieceRank(layout, priorities, p))
		}
	}
	l.wish.lent = need
	l.wakeWebSeeds()
}
