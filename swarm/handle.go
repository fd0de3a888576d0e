package swarm

import (
	"swarmnode/metainfo"
)

// The methods here change what a handle shows. They are for the torrent's own
// goroutines; each takes effect once.

func (t *Torrent) setInfo(info *metainfo.Info) {
	t.learnNames(info)
	t.mu.Lock()
	t.info = info
	t.mu.Unlock()
	close(t.haveInfo)
}

func (t *Torrent) setChecked(done, total int64) {
	t.mu.Lock()
	t.checked, t.checking = done, total
	t.mu.Unlock()
}

// succeed says that the content is complete, at paths, and where each file is.
func (t *Torrent) succeed(paths []string, file func(i int) string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.outcome == undecided {
		t.paths, t.file = paths, file
		t.outcome = succeeded
		close(t.done)
	}
}

// isDone reports whether the torrent is complete or has failed.
func (t *Torrent) isDone() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.outcome != undecided
}

// fail says that the torrent cannot be completed, and ends it.
func (t *Torrent) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.outcome == undecided {
		t.err = err
		t.outcome = failed
		close(t.done)
	}
	t.cancel()
}

// close says that the torrent has ended, and what it had done.
func (t *Torrent) close(err error, final Stats) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.final = final
	if t.outcome == undecided {
		t.err = ErrStopped
		close(t.done)
	}
	t.closeErr = err
}

// stats puts together what the core, the loop and the handle know. It is for
// the loop.
func (l *loop) stats() Stats {
	s := Stats{Snapshot: l.core.Snapshot(), Fault: l.fault}
	if l.tracker != nil {
		s.Trackers = l.tracker.Report()
	}
	l.t.mu.Lock()
	defer l.t.mu.Unlock()
	s.Checked, s.CheckTotal = l.t.checked, l.t.checking
	switch {
	case l.t.outcome == failed:
		s.State = Failed
	case l.t.ctx.Err() != nil:
		s.State = Closed
	case l.fault != nil:
		s.State = Faulty
	case l.t.info == nil, l.t.spec.MetadataOnly && l.t.outcome == undecided:
		s.State = Metadata
	case l.store == nil && !l.t.spec.MetadataOnly:
		s.State = Checking
	case l.t.outcome == succeeded:
		s.State = Seeding
	default:
		s.State = Downloading
	}
	return s
}
