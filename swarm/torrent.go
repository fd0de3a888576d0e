package swarm

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/book"
	"swarmnode/swarm/core"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/feed"
)

// A Spec describes a torrent to add: what it is, where its content lies, and where to find
// peers.
type Spec struct {
	// Torrent is the torrent to exchange. If it is nil, Magnet names the torrent, and the
	// metadata is fetched from peers (BEP 9).
	Torrent *metainfo.Torrent
	Magnet  metainfo.Magnet
	// Hash is the info-hash by which the torrent goes, if that is not the first one that
	// Torrent or Magnet has: a hybrid that an earlier run knew by its v2 hash alone keeps its
	// name, and the records under that name. It must be one of the torrent's.
	Hash metainfo.Hash
	// MetadataOnly fetches what a .torrent file holds, the info dictionary and the piece
	// layers (BEP 52), and no content. Nothing is written anywhere, and the fields about
	// content are not used. Info is known before the piece layers are; the torrent is
	// complete when both are known.
	MetadataOnly bool
	// Dir is the folder below which the content lies or will lie. It is made if it does not
	// exist, unless Complete is set.
	Dir string
	// Place chooses another folder than Dir by the layout of the torrent, unless it is nil: it
	// returns the folder, or "" for Dir. It is called once, when the layout is known, from a
	// goroutine of the torrent.
	Place func(*metainfo.Layout) string
	// Name replaces the torrent's own name as the name of the content in Dir.
	Name string
	// Names is the rule for the names of files that are made.
	Names metainfo.NameRule
	// Complete says that the content in Dir is known to be whole, as just after it was
	// hashed. It is opened for reading only, and not checked. Recorded leaves a record of
	// that in Config.StateDir, so that a later run that does not set Complete need not hash
	// the content.
	Complete, Recorded bool
	// Peers are known peers as HOST:PORT, besides those that Magnet names.
	Peers []string
	// DHT and LSD find peers, unless the torrent turns out to be private (BEP 27). They
	// may be nil. Trackers that Torrent or Magnet name find peers too, unless NoTrackers
	// is set.
	DHT, LSD   Discovery
	NoTrackers bool
	// Trackers are tiers of trackers (BEP 12) that the user wrote, besides those that
	// Torrent and Magnet name. They are asked even with NoTrackers, and wherever they are:
	// on this machine, under any path. The trackers of a torrent or a link were written by
	// a stranger. They are asked on this machine only in a form that can do no harm (see
	// package guard).
	Trackers [][]string
	// PeersOnly limits the search to Peers: no DHT, LSD, trackers or web seeds, no peers
	// of an earlier run or of Magnet, and none that peers tell of. Peers that connect to
	// us are welcome.
	PeersOnly bool
	// WebSeeds are HTTP servers of the content (BEP 19), besides those that
	// Torrent and Magnet name.
	WebSeeds []string
	// Wanted chooses files: it returns whether each file of the layout is wanted. A nil
	// Wanted means all files; if no file is wanted, the torrent ends with
	// ErrNothingWanted. It is called once, when the layout is known, from a goroutine of
	// the torrent.
	Wanted func(*metainfo.Layout) []bool
	// Priorities chooses files in place of Wanted, and which of them to fetch first: it
	// returns one priority for each file of the layout, as for Torrent.SetFiles. All of
	// them may be Unwanted. It is called once, when the layout is known, from a goroutine
	// of the torrent.
	Priorities func(*metainfo.Layout) []Priority
	// Paused adds the torrent as Torrent.Pause leaves one: without traffic until Resume.
	// Content that a record does not know is not hashed before Resume or Recheck.
	Paused bool
	// Sequential fetches pieces in order, which is worse for the swarm.
	Sequential bool
	// SuperSeed shows each peer only few pieces at a time while the torrent is the only
	// seed (BEP 16).
	SuperSeed bool
	// Down and Up limit the payload of this torrent, in bytes per second. Zero means no
	// limit but that of the engine.
	Down, Up int64
	// Group, Alone and Rank say which rates the torrent shares with others; see Limits.
	Group string
	Alone bool
	Rank  int
	// PeersMax bounds the connections of this torrent. Zero means Config.TorrentPeersMax.
	PeersMax int
}

// limits returns the limits with which the torrent starts.
func (s *Spec) limits() Limits {
	return Limits{Down: s.Down, Up: s.Up, Peers: s.PeersMax, Group: s.Group, Alone: s.Alone,
		Rank: s.Rank}.sane()
}

// ErrStopped says that a torrent was closed: before it was complete, or before a method was
// called that needs it to run.
var ErrStopped = errors.New("torrent was closed")

// ErrNothingWanted says that Spec.Wanted chose no file.
var ErrNothingWanted = errors.New("no file is wanted")

// A Torrent is the handle of one torrent of an Engine. Its methods are safe
// for concurrent use.
type Torrent struct {
	engine *Engine
	spec   Spec
	hash   metainfo.Hash
	peerID [20]byte
	limits ownLimits
	log    *slog.Logger
	loop   *loop // for functions that the loop runs

	ctx    context.Context // done once the torrent is to end
	cancel context.CancelFunc
	mail   mailbox
	joins  chan *link
	asks   chan func(now time.Time) // run by the loop
	ended  chan struct{}            // closed when the loop and its children have ended

	traffic gate // shut while the torrent is paused
	checks  gate // shut while the check of the content on disk is held up

	handle   handle // what the methods show
	trackers trackers
	webSeeds webSeeds
	heard    atomic.Int64        // addresses that discovery has found
	fed      feed.Entry[Torrent] // in the feed of the engine

	names   sharedNames
	readers readers
	files   fileTable
	place   atomic.Pointer[string] // of Spec.Place; nil without one

	departure departure
}

// newTorrent returns the torrent of spec, without a loop.
func newTorrent(e *Engine, spec Spec, hash metainfo.Hash) *Torrent {
	t := &Torrent{
		engine: e,
		spec:   spec,
		hash:   hash,
		peerID: e.newPeerID(),
		log:    slog.New(&torrentLog{e.log.Handler(), hash}),
		joins:  make(chan *link),
		asks:   make(chan func(time.Time)),
		ended:  make(chan struct{}),
	}
	t.limits.init(e, spec.limits())
	t.names.set(namesOf(&t.spec))
	t.handle.init(t.firstStatus())
	t.mail.init()
	if spec.Paused {
		t.shutGates()
	}
	t.ctx, t.cancel = context.WithCancel(e.ctx)
	return t
}

// start starts the loop of the torrent. info is nil if it is unknown.
func (t *Torrent) start(info *metainfo.Info) {
	t.loop = newLoop(t, info)
	t.handle.announces(&t.trackers)
	t.loop.publish(time.Now())
	t.engine.wait.Go(t.loop.run)
}

// Hash returns the info-hash that names the swarm on the wire and in the DHT.
func (t *Torrent) Hash() metainfo.Hash { return t.hash }

// Info returns the info dictionary, or nil before it is known.
func (t *Torrent) Info() *metainfo.Info { return t.handle.getInfo() }

// HaveInfo returns a channel that is closed once Info is known.
func (t *Torrent) HaveInfo() <-chan struct{} { return t.handle.known() }

// Done returns a channel that is closed once the content is complete and verified (or the
// metadata, if nothing else is wanted), or once the torrent has ended without that. Err
// says which. When complete content becomes incomplete, because more files are wanted or a
// check finds a fault, Done returns another channel, which is closed in the same way.
func (t *Torrent) Done() <-chan struct{} { return t.handle.decided() }

// Err returns why the torrent ended. It is nil if the torrent is complete, or if Done is
// not closed yet; ErrStopped after Close; a *storage.Error if the files could not be used,
// which may also end a torrent that was complete.
func (t *Torrent) Err() error { return t.handle.failure() }

// Paths returns where the finished content lies, once it is complete.
func (t *Torrent) Paths() []string {
	if paths, _ := t.handle.finished(); paths != nil {
		return paths()
	}
	return nil
}

// FilePath returns where file i of the layout lies, once the content is complete.
func (t *Torrent) FilePath(i int) string {
	if _, file := t.handle.finished(); file != nil {
		return file(i)
	}
	return ""
}

// SetSequential makes pieces be fetched in order, or the rarest first again. The error is
// ErrStopped after the end of the torrent.
func (t *Torrent) SetSequential(on bool) error {
	err := t.command(func(time.Time) error {
		t.loop.setSequential(on)
		return nil
	})
	if err == nil {
		t.changed(ChangedSettings)
	}
	return err
}

// AddPeer tells the torrent the address of a peer, which it connects to soon. A paused
// torrent remembers it for later. An address at which nobody can be is ignored, and so is
// every address after the end of the torrent.
func (t *Torrent) AddPeer(addr netip.AddrPort) {
	t.post(core.Event{Kind: core.Found, Endpoint: endpoint.IP(addr), Source: book.SourceUser})
}

// Close ends the torrent: it closes the connections, syncs the files, and waits for all of
// that. Complete content stays.
func (t *Torrent) Close() error {
	t.cancel()
	t.changed(ChangedState)
	<-t.ended
	return t.handle.ending()
}

// fail decides that the torrent cannot be completed, and ends it.
func (t *Torrent) fail(err error) {
	t.handle.fail(err)
	t.cancel()
	t.changed(ChangedState)
}

// post hands an event to the loop, and waits while the loop is busy. After the end of the
// torrent it drops the event and releases its buffer.
func (t *Torrent) post(e core.Event) {
	if !t.mail.put(&e, t.ctx.Done()) {
		e.Buf.Release()
	}
}

// ask makes the loop call f. It reports false if the torrent has ended.
func (t *Torrent) ask(f func(now time.Time)) bool {
	select {
	case t.asks <- f:
		return true
	case <-t.ctx.Done():
		return false
	}
}

// command makes the loop call f, and returns the error of f. The next State shows what f
// changed. It returns ErrStopped if the torrent has ended. The loop must not call it.
func (t *Torrent) command(f func(now time.Time) error) error {
	reply := make(chan error, 1)
	if !t.ask(func(now time.Time) {
		err := f(now)
		t.loop.publish(now)
		reply <- err
	}) {
		return ErrStopped
	}
	return <-reply
}

// join hands a connection to the loop after the handshake.
func (t *Torrent) join(l *link) {
	select {
	case t.joins <- l:
	case <-t.ctx.Done():
		l.conn.Close()
	}
}
