package swarm

import (
	"sync"
	"time"

	"swarmnode/metainfo"
)

// A handle holds what the methods of a Torrent show. The torrent's own goroutines change
// it. It is safe for concurrent use.
type handle struct {
	haveInfo chan struct{} // closed when info is set

	mu        sync.Mutex
	done      chan struct{} // closed when the outcome is decided; see reopen
	info      *metainfo.Info
	outcome   outcome
	ended     bool
	err       error              // why the torrent failed
	closeErr  error              // what Close returns
	paths     func() []string    // returns where complete content lies now
	file      func(i int) string // returns the path of a file of the layout
	checked   int64              // bytes hashed so far while Checking
	toCheck   int64              // bytes to hash while Checking
	heldUp    int                // goroutines that wait to hash, since a pause holds them up
	published published
	place     relocation
	// trackers are what the loop announces to; nil before it has published.
	trackers *trackers
}

// An outcome says whether a torrent has reached its aim.
type outcome uint8

const (
	undecided outcome = iota
	succeeded
	failed
)

// init makes h the handle of a torrent whose loop has not published anything.
func (h *handle) init(first status) {
	h.published.begin(first)
	h.haveInfo = make(chan struct{})
	h.done = make(chan struct{})
}

// setInfo shows the info dictionary. It is called once.
func (h *handle) setInfo(info *metainfo.Info) {
	h.mu.Lock()
	h.info = info
	h.mu.Unlock()
	close(h.haveInfo)
}

// getInfo returns the info dictionary, or nil before it is known.
func (h *handle) getInfo() *metainfo.Info {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.info
}

// setChecked shows how far the check of the content on disk has come, in bytes.
func (h *handle) setChecked(done, total int64) {
	h.mu.Lock()
	h.checked, h.toCheck = done, total
	h.mu.Unlock()
}

// holdUp counts goroutines that have begun or ceased to wait to hash, and reports whether
// some wait where none did, or the other way round.
func (h *handle) holdUp(more int) (news bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.heldUp
	h.heldUp += more
	return (before > 0) != (h.heldUp > 0)
}

// succeed decides that the content is complete. paths returns where it lies, and file the
// path of each file. It does nothing once the outcome is decided.
func (h *handle) succeed(paths func() []string, file func(i int) string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.outcome == undecided {
		h.paths, h.file = paths, file
		h.decide(succeeded, nil)
	}
}

// fail decides that the content cannot be completed, or no longer be used after it was
// complete. It does nothing once that is decided.
func (h *handle) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.ended:
	case h.outcome == undecided:
		h.decide(failed, err)
	case h.outcome == succeeded:
		h.outcome, h.err = failed, err
	}
}

// reopen takes back that the content is complete, because some of it is missing again or
// more of it is wanted: Done is a channel of its own until the outcome is decided again. It
// does nothing unless the torrent had succeeded.
func (h *handle) reopen() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.outcome == succeeded && !h.ended {
		h.outcome, h.done = undecided, make(chan struct{})
		h.paths, h.file = nil, nil
	}
}

// end shows what the torrent had done when it ended. A torrent without an outcome was
// stopped, which is neither success nor failure.
func (h *handle) end(closeErr error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closeErr, h.ended = closeErr, true
	if h.outcome == undecided {
		h.decide(undecided, ErrStopped)
	}
}

// decide sets the outcome, which stands unless reopen takes a success back. h.mu is held.
func (h *handle) decide(o outcome, err error) {
	h.outcome, h.err = o, err
	close(h.done)
}

// known returns a channel that is closed once the info dictionary is known.
func (h *handle) known() <-chan struct{} { return h.haveInfo }

// decided returns a channel that is closed once the outcome is decided. After reopen it
// is another one.
func (h *handle) decided() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.done
}

// failure returns why the torrent failed or was stopped, or nil.
func (h *handle) failure() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// ending returns what Close returns once the torrent has ended.
func (h *handle) ending() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closeErr
}

// finished returns functions that return where the complete content lies, or nil before it is
// complete.
func (h *handle) finished() (paths func() []string, file func(i int) string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.paths, h.file
}

// relocated shows where the content lies, and that no move is under way.
func (h *handle) relocated(dir string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.place = at(dir)
}

// setMoved shows how far a move has come, in bytes.
func (h *handle) setMoved(done, total int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.place.progress(done, total)
}

// dir returns the folder that the content lies in; "" before the storage is open.
func (h *handle) dir() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.place.folder()
}

// isDecided reports whether the torrent is complete or has failed.
func (h *handle) isDecided() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.outcome != undecided
}

// start sets the totals of earlier runs.
func (h *handle) start(now time.Time, all Totals) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.published.start(now, all)
}

// publish shows s, and what its phase follows from. It reports whether s differs from what
// was shown before.
func (h *handle) publish(now time.Time, s *State, from status) (differs, counted bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.published.set(now, s, from.with(h.outcome, h.info != nil))
}

// announces sets the trackers whose report is shown.
func (h *handle) announces(to *trackers) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trackers = to
}

// show puts the state of the torrent into s, which is empty. closing says that the torrent
// is ending.
func (h *handle) show(s *State, closing bool) {
	h.mu.Lock()
	h.published.get(s, closing, h.outcome, h.info != nil)
	s.Checked, s.CheckTotal, s.CheckHeld = h.checked, h.toCheck, h.heldUp > 0
	h.place.show(s)
	to := h.trackers
	h.mu.Unlock()
	if to != nil {
		s.Trackers = to.report()
	}
}
