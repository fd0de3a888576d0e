package swarm

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/core"
	"swarmnode/swarm/webseed"
)

// sourcelessAfter is the wait before the files that a web seed failed to give are looked
// at, and sourcelessMax the bound up to which it doubles. By then other peers may have
// the files, or the web seed may offer them again.
const (
	sourcelessAfter = 7 * time.Second
	sourcelessMax   = time.Minute
)

// errOtherData is the failure of a file whose data on a web seed differs from that of
// the torrent.
var errOtherData = errors.New("other data than the torrent's")

// sourceless records which files web seeds failed to give, until the user is told of
// those that nobody else has either. It belongs to the loop of a torrent. The zero value
// is empty.
type sourceless struct {
	failed map[int]error // why, by file; nil once the user was told
	doubts []doubt       // the oldest first
	looks  bool          // a goroutine looks at the files from time to time
}

// A doubt is a piece of several files that a web seed sent with a wrong hash. It is not
// known which file differs on the web seed.
type doubt struct {
	piece int
	err   error
}

// rest records that nobody looks at the files any more, since all of them were there.
func (s *sourceless) rest() { s.looks = false }

// add records why a web seed cannot give a file, unless the user was told of the file.
func (s *sourceless) add(file int, err error) {
	if why, ok := s.failed[file]; ok && why == nil {
		return
	}
	if s.failed == nil {
		s.failed = make(map[int]error)
	}
	s.failed[file] = err
}

// addWrong records that a web seed sent n pieces from first on with wrong hashes. They
// are the only file of the pieces, or all pieces of one file, or else a doubt.
func (s *sourceless) addWrong(l *metainfo.Layout, first, n int, err error) {
	files := filesOf(l, first)
	for _, file := range files {
		if from, end := l.FilePieces(file); len(files) == 1 ||
			from == first && end == first+n && n > 1 {
			s.add(file, err)
			return
		}
	}
	s.doubts = append(s.doubts, doubt{first, err})
}

// endDoubts blames each doubt on those of its files that failed by themselves, or on all
// of its files if none did.
func (s *sourceless) endDoubts(l *metainfo.Layout) {
	for _, d := range s.doubts {
		files := filesOf(l, d.piece)
		known := slices.ContainsFunc(files, func(file int) bool {
			_, ok := s.failed[file]
			return ok
		})
		if known {
			continue
		}
		for _, file := range files {
			s.add(file, d.err)
		}
	}
	s.doubts = nil
}

// take returns the files that nobody has, in order, and why the first one failed. Of a
// file that was taken the user counts as told. lacking reports whether no peer has some
// of the pieces from first to end.
func (s *sourceless) take(l *metainfo.Layout,
	lacking func(first, end int) bool) (files []int, err error) {
	s.endDoubts(l)
	for _, file := range slices.Sorted(maps.Keys(s.failed)) {
		if first, end := l.FilePieces(file); s.failed[file] != nil && lacking(first, end) {
			files = append(files, file)
		}
	}
	if len(files) > 0 {
		err = s.failed[files[0]]
	}
	for _, file := range files {
		s.failed[file] = nil
	}
	return files, err
}

// filesOf returns the files that have a part in a piece, padding left out.
func filesOf(l *metainfo.Layout, piece int) (files []int) {
	for span := range l.Spans(l.PieceOffset(piece), l.PieceSize(piece)) {
		if !l.Files[span.File].Pad {
			files = append(files, span.File)
		}
	}
	return files
}

// distrust tells a web seed that some of its data is wrong, and records the file.
func (l *loop) distrust(a *core.Action) {
	link := l.links[a.Peer]
	if link == nil {
		return
	}
	seed, ok := link.stream.(*webseed.Conn)
	if !ok {
		return
	}
	first, n := int(a.Ref.Piece), int(a.Ref.Length)
	seed.Distrust(first, n)
	l.sourceless.addWrong(l.t.Info().Layout(), first, n, fmt.Errorf("%v: %w", seed, errOtherData))
	l.lookForSourceless()
}

// fileFailed records that a web seed cannot give a file. The user is told later, if nobody
// else has the file either.
func (l *loop) fileFailed(file int, err error) {
	l.sourceless.add(file, err)
	l.lookForSourceless()
}

// lookForSourceless starts to look for files that nobody has, until the torrent is
// complete or ends. It does so once.
func (l *loop) lookForSourceless() {
	if l.sourceless.looks {
		return
	}
	l.sourceless.looks = true
	l.wait.Go(func() {
		for wait := sourcelessAfter; ; wait = min(2*wait, sourcelessMax) {
			select {
			case <-time.After(wait):
			case <-l.t.Done():
				return
			case <-l.t.ctx.Done():
				return
			}
			if !l.t.ask(func(time.Time) { l.tellSourceless() }) {
				return
			}
		}
	})
}

// tellSourceless tells the user of the files that a web seed failed to give and that
// nobody else has, of each file once.
func (l *loop) tellSourceless() {
	if !l.sourceless.looks {
		return // no web seed has failed
	}
	layout := l.t.Info().Layout()
	files, err := l.sourceless.take(layout, l.core.Sourceless)
	if len(files) == 0 {
		return
	}
	args := []any{"file", layout.FilePath(files[0]), "err", err}
	if more := len(files) - 1; more > 0 {
		args = append(args, "more", more)
	}
	l.t.log.Warn("no connected peer has a file", args...)
}
