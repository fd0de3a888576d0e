package swarm

import (
	"errors"
	"testing"

	"swarmnode/metainfo"
	"swarmnode/swarm/core"
)

// isClosed reports whether c is closed.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// lies returns a function that returns one path.
func lies(path string) func() []string { return func() []string { return []string{path} } }

// TestStates: the state of a torrent follows from that of its core and from what the
// driver alone knows, the stronger statement first.
func TestStates(t *testing.T) {
	open := status{haveInfo: true, haveStore: true}
	with := func(change func(*status)) status {
		s := open
		change(&s)
		return s
	}
	for _, c := range []struct {
		name   string
		status status
		want   Phase
	}{
		{"a link without metadata", status{core: core.NeedInfo}, Metadata},
		{"the files are being checked", status{core: core.NeedInfo, haveInfo: true}, Checking},
		{"a piece is missing", with(func(s *status) { s.core = core.Downloading }), Downloading},
		{"complete, but not yet looked at once more",
			with(func(s *status) { s.core = core.Seeding }), Downloading},
		{"complete",
			with(func(s *status) { s.core, s.outcome = core.Seeding, succeeded }), Seeding},
		{"a piece of complete content was lost",
			with(func(s *status) { s.core, s.outcome = core.Downloading, succeeded }), Seeding},
		{"paused", with(func(s *status) { s.core, s.paused = core.Downloading, true }), Paused},
		{"paused while the disk is full",
			with(func(s *status) { s.core, s.paused = core.Stalled, true }), Paused},
		{"paused before the metadata is known",
			status{core: core.NeedInfo, paused: true, checkHeld: true}, Paused},
		{"paused before the files were checked",
			status{core: core.NeedInfo, haveInfo: true, paused: true, checkHeld: true}, Paused},
		{"checked although paused",
			status{core: core.NeedInfo, haveInfo: true, paused: true}, Checking},
		{"closed while paused",
			with(func(s *status) { s.paused, s.closing = true, true }), Closed},
		{"the disk is full", with(func(s *status) { s.core = core.Stalled }), Faulty},
		{"the disk is full while closing",
			with(func(s *status) { s.core, s.closing = core.Stalled, true }), Closed},
		{"failed, therefore closing",
			with(func(s *status) { s.outcome, s.closing = failed, true }), Failed},
		{"the metadata, without the piece layers",
			status{core: core.NeedInfo, haveInfo: true, metadataOnly: true}, Metadata},
		{"all of the metadata", status{core: core.Seeding, haveInfo: true, metadataOnly: true,
			outcome: succeeded}, Seeding},
	} {
		if got := c.status.phase(); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestStateNames(t *testing.T) {
	seen := make(map[string]bool)
	for s := Metadata; s <= Closed; s++ {
		if name := s.String(); name == "" || seen[name] {
			t.Errorf("state %d is called %q", s, name)
		} else {
			seen[name] = true
		}
	}
}

// TestOutcome: Done is closed with the first outcome of a torrent, which stands, unless
// complete content cannot be used later.
func TestOutcome(t *testing.T) {
	wrong := errors.New("wrong")
	for _, c := range []struct {
		name    string
		decide  func(h *handle)
		want    outcome
		err     error
		decided bool // before the torrent has ended
	}{
		{"success", func(h *handle) { h.succeed(lies("a"), nil) }, succeeded, nil, true},
		{"failure", func(h *handle) { h.fail(wrong) }, failed, wrong, true},
		{"failure after success", func(h *handle) {
			h.succeed(lies("a"), nil)
			h.fail(wrong)
		}, failed, wrong, true},
		{"success after failure", func(h *handle) {
			h.fail(wrong)
			h.succeed(lies("a"), nil)
		}, failed, wrong, true},
		{"none", func(*handle) {}, undecided, ErrStopped, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var h handle
			h.init(status{})
			c.decide(&h)
			if isClosed(h.done) != c.decided || h.isDecided() != c.decided {
				t.Errorf("done %v, decided %v, want %v", isClosed(h.done), h.isDecided(), c.decided)
			}
			h.end(nil)
			if h.outcome != c.want || h.err != c.err || !isClosed(h.done) {
				t.Errorf("outcome %v, %v, done %v; want %v, %v", h.outcome, h.err, isClosed(h.done),
					c.want, c.err)
			}
		})
	}
}

// TestReopen: content that becomes incomplete has a new Done, and only success is taken
// back.
func TestReopen(t *testing.T) {
	var h handle
	h.init(status{})
	first := h.decided()
	h.reopen()
	if h.decided() != first {
		t.Error("an undecided torrent has another Done after reopen")
	}
	h.succeed(lies("a"), func(int) string { return "a" })
	h.reopen()
	second := h.decided()
	if !isClosed(first) || isClosed(second) || h.isDecided() {
		t.Errorf("after reopen: first Done %v, second %v, decided %v; want true, false, false",
			isClosed(first), isClosed(second), h.isDecided())
	}
	if paths, file := h.finished(); paths != nil || file != nil {
		t.Error("incomplete content has paths")
	}
	now := "b"
	h.succeed(func() []string { return []string{now} }, nil)
	now = "c" // it was moved
	if paths, _ := h.finished(); !isClosed(second) || paths == nil || paths()[0] != "c" {
		t.Errorf("complete again: Done %v, paths that are right %v", isClosed(second), paths != nil)
	}
	h.end(nil)
	h.reopen()
	if !isClosed(h.decided()) || h.failure() != nil {
		t.Error("a torrent is reopened after its end")
	}

	var wrong handle
	wrong.init(status{})
	wrong.fail(ErrNothingWanted)
	wrong.reopen()
	if !isClosed(wrong.decided()) || wrong.failure() != ErrNothingWanted {
		t.Error("a failure was taken back")
	}
}

// TestHandleShowsInfo: HaveInfo is closed when Info is known, not before.
func TestHandleShowsInfo(t *testing.T) {
	var h handle
	h.init(status{})
	if h.getInfo() != nil || isClosed(h.haveInfo) {
		t.Error("the info dictionary is known from the start")
	}
	info := new(metainfo.Info)
	h.setInfo(info)
	if h.getInfo() != info || !isClosed(h.haveInfo) {
		t.Error("the info dictionary is not shown")
	}
}
