package core

import "errors"

// State is where a torrent stands.
type State uint8

// The states.
const (
	// NeedInfo: the metadata is not known yet.
	NeedInfo State = iota
	// Opening: the metadata is known, and its storage is being opened.
	Opening
	// Downloading: some wanted piece is missing.
	Downloading
	// Seeding: every wanted piece is there.
	Seeding
	// Stalled: storage failed; nothing is asked for until it works again.
	Stalled
	// Unusable: the metadata cannot be used.
	Unusable
	stateCount
)

var stateNames = [stateCount]string{"metadata", "opening", "downloading", "seeding", "stalled",
	"unusable"}

func (s State) String() string {
	if s < stateCount {
		return stateNames[s]
	}
	return "unknown"
}

var errStorage = errors.New("storage failed")

// standing is what storage and metadata have said of themselves. The State follows
// from it and from the pieces.
type standing struct {
	opening  bool  // UseInfo was given, InfoReady is awaited
	complete bool  // Complete was given, and is still true
	whole    bool  // Complete was given, and nothing has turned out to be missing since
	unusable error // of InfoFailed
	stalled  error // of StorageFailed
	paused   bool  // by the user
}

// open records that the metadata is known and its storage is being opened.
func (s *standing) open() { s.opening = true }

// ready records that the storage is open.
func (s *standing) ready() { s.opening, s.unusable = false, nil }

// refuse records that the metadata cannot be used.
func (s *standing) refuse(err error) { s.opening, s.unusable = false, err }

// isUnusable reports whether the metadata cannot be used.
func (s *standing) isUnusable() bool { return s.unusable != nil }

// stall records that storage has failed.
func (s *standing) stall(err error) {
	if err == nil {
		err = errStorage
	}
	s.stalled = err
}

// isStalled reports whether storage has failed.
func (s *standing) isStalled() bool { return s.stalled != nil }

// resume records that storage works, and reports whether it had failed.
func (s *standing) resume() bool {
	failed := s.stalled != nil
	s.stalled = nil
	return failed
}

// pause records that the user wants no traffic. It reports whether that is news.
func (s *standing) pause() bool {
	news := !s.paused
	s.paused = true
	return news
}

// proceed ends a pause, and reports whether there was one.
func (s *standing) proceed() bool {
	was := s.paused
	s.paused = false
	return was
}

// isPaused reports whether the user wants no traffic.
func (s *standing) isPaused() bool { return s.paused }

// finish records whether everything that is wanted is there. It reports whether
// that has just become true.
func (s *standing) finish(done bool) bool {
	fresh := done && !s.complete
	s.complete, s.whole = done, s.whole || done
	return fresh
}

// lack records that a piece is missing that was verified before. It reports whether that is
// the first since everything was there.
func (s *standing) lack() bool {
	was := s.whole
	s.whole = false
	return was
}

// unfinish records that something may be missing again, or not. It reports whether
// everything was there until now.
func (s *standing) unfinish(done bool) (reopened bool) {
	reopened = s.complete && !done
	s.complete = s.complete && done
	return reopened
}

// err returns why the torrent is Stalled or Unusable.
func (s *standing) err() error {
	if s.stalled != nil {
		return s.stalled
	}
	return s.unusable
}

// state returns the State of the torrent. known says that its pieces are known, done that
// all wanted pieces are here. MetadataOnly torrents want none.
func (s *standing) state(known, done, metadataOnly bool) State {
	switch {
	case s.unusable != nil:
		return Unusable
	case s.stalled != nil:
		return Stalled
	case s.opening:
		return Opening
	case !known, metadataOnly && !s.complete:
		return NeedInfo
	case done:
		return Seeding
	}
	return Downloading
}
