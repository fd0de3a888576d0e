package swarm

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"slices"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/core"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/webseed"
	"swarmnode/swarm/wire"
)

const (
	// webSeedsMax bounds the web seeds of a torrent that are used.
	webSeedsMax = 16
	// webSeedWait and webSeedWaitMax are the pause before a web seed that was
	// given up is tried again, which doubles each time, and its bound.
	webSeedWait    = 30 * time.Second
	webSeedWaitMax = 30 * time.Minute
)

// A webSeed is the URL of a web seed, its number in the torrent, and whether the user did
// not write it.
type webSeed struct {
	key      endpoint.Key
	url      string
	stranger bool
}

// startWebSeeds starts a goroutine for each web seed, unless there is nothing
// to fetch.
func (l *loop) startWebSeeds(info *metainfo.Info) {
	if l.t.spec.Complete || l.t.spec.PeersOnly {
		return
	}
	var seeds []webSeed
	for _, url := range l.t.spec.WebSeeds {
		seeds = append(seeds, webSeed{url: url})
	}
	named := l.t.spec.Magnet.WebSeeds
	if l.t.spec.Torrent != nil {
		named = l.t.spec.Torrent.WebSeeds
	}
	for _, url := range named {
		if !slices.Contains(l.t.spec.WebSeeds, url) {
			seeds = append(seeds, webSeed{url: url, stranger: true})
		}
	}
	for i, seed := range seeds[:min(len(seeds), webSeedsMax)] {
		seed.key = endpoint.Key(i + 1)
		l.wait.Go(func() { l.useWebSeed(l.t.ctx, info, seed) })
	}
}

// useWebSeed joins a web seed to the torrent as a peer, and again after a
// pause whenever it was given up, until the torrent is complete.
func (l *loop) useWebSeed(ctx context.Context, info *metainfo.Info, seed webSeed) {
	id := sha1.Sum([]byte(seed.url))
	hello := wire.Hello{
		InfoHash: l.t.hash, PeerID: id, Reserved: wire.Reserved{}.With(wire.FeatureFast),
	}
	faults := new(webseed.Faults)
	for wait := webSeedWait; ; wait = min(2*wait, webSeedWaitMax) {
		link := &link{torrent: l.t, endpoint: endpoint.WebSeed(seed.key), hello: hello,
			outgoing: true,
			closed:   make(chan struct{})}
		conn, err := webseed.New(webseed.Config{
			Handler: link, Pool: l.t.engine.blocks, Down: l.t.down, Info: info,
			HTTP: l.t.engine.web, URL: seed.url, Stranger: seed.stranger,
			Logger: l.t.log, Faults: faults,
			Failed: func(file int, err error) {
				l.t.ask(func(now time.Time) { l.fileFailed(file, err) })
			},
		})
		if err != nil {
			l.t.log.Warn("a web seed is left out", "err", leftOut(seed.url, err))
			return
		}
		link.stream = conn
		select {
		case l.t.joins <- link:
		case <-ctx.Done():
			return
		}
		select {
		case <-link.closed:
			if errors.As(link.err, new(banned)) || errors.Is(link.err, webseed.ErrWrong) {
				l.t.log.Warn("a web seed is left alone, its data is wrong", "peer", conn)
				return
			}
			l.t.log.Debug("web seed", "peer", conn, "err", link.err)
		case <-l.t.done:
			return // it has nothing that we want any more
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// sourcelessAfter and sourcelessMax bound the time after which files that a web seed
// has failed to give are looked at, which doubles: by then others may have them, and
// what was taken back for a moment is offered again.
const (
	sourcelessAfter = 7 * time.Second
	sourcelessMax   = time.Minute
)

// errOtherData is the failure of a file whose data on a web seed is not that of the
// torrent.
var errOtherData = errors.New("other data than the torrent's")

// distrust tells a web seed that some of its data is wrong.
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
	err := fmt.Errorf("%v: %w", seed, errOtherData)
	files := l.filesOf(first)
	for _, file := range files {
		if from, end := l.t.Info().Layout().FilePieces(file); len(files) == 1 ||
			from == first && end == first+n && n > 1 {
			l.fileFailed(file, err)
			return
		}
	}
	l.doubts = append(l.doubts, doubt{first, err})
	l.lookForSourceless()
}

// A doubt is a piece of several files that a web seed has sent with a wrong hash: it is
// not known which of them is to blame.
type doubt struct {
	piece int
	err   error
}

// filesOf returns the files that have a part in a piece.
func (l *loop) filesOf(piece int) (files []int) {
	layout := l.t.Info().Layout()
	for span := range layout.Spans(layout.PieceOffset(piece), layout.PieceSize(piece)) {
		if !layout.Files[span.File].Pad {
			files = append(files, span.File)
		}
	}
	return files
}

// resolve settles the doubts: a file that failed by itself is to blame, or else all of
// the piece's are named.
func (l *loop) resolve() {
	for _, d := range l.doubts {
		files := l.filesOf(d.piece)
		known := slices.ContainsFunc(files, func(file int) bool {
			_, ok := l.failed[file]
			return ok
		})
		for _, file := range files {
			if !known {
				l.fileFailed(file, d.err)
			}
		}
	}
	l.doubts = nil
}

// fileFailed notes that a web seed cannot give a file. When nobody else can either,
// after a while, the user is told.
func (l *loop) fileFailed(file int, err error) {
	if _, told := l.failed[file]; told && l.failed[file] == nil {
		return
	}
	if l.failed == nil {
		l.failed = make(map[int]error)
	}
	l.failed[file] = err
	l.lookForSourceless()
}

// lookForSourceless begins to look for files that nobody has, unless it has begun.
func (l *loop) lookForSourceless() {
	if l.failedLook {
		return
	}
	l.failedLook = true
	l.wait.Go(func() {
		for wait := sourcelessAfter; ; wait = min(2*wait, sourcelessMax) {
			select {
			case <-time.After(wait):
			case <-l.t.done:
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

// tellSourceless tells the user once of each file that is wanted, that a web seed has
// failed to give, and that nobody else has.
func (l *loop) tellSourceless() {
	l.resolve()
	if len(l.failed) == 0 {
		return
	}
	layout := l.t.Info().Layout()
	var lost []int
	for file, err := range l.failed {
		if first, end := layout.FilePieces(file); err != nil && l.core.Sourceless(first, end) {
			lost = append(lost, file)
		}
	}
	if len(lost) == 0 {
		return
	}
	slices.Sort(lost)
	args := []any{"file", layout.FilePath(lost[0]), "err", l.failed[lost[0]]}
	if more := len(lost) - 1; more > 0 {
		args = append(args, "more", more)
	}
	l.t.log.Warn("nobody who is connected has a file", args...)
	for _, file := range lost {
		l.failed[file] = nil
	}
}
