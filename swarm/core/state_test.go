package core

import (
	"errors"
	"testing"
)

func TestStandingStates(t *testing.T) {
	disk, odd := errors.New("disk full"), errors.New("odd metadata")
	type facts struct{ known, done, metadataOnly bool }
	for _, c := range []struct {
		name string
		s    standing
		f    facts
		want State
		err  error
	}{
		{"nothing is known", standing{}, facts{}, NeedInfo, nil},
		{"storage is being opened", standing{opening: true}, facts{}, Opening, nil},
		{"a piece is missing", standing{}, facts{known: true}, Downloading, nil},
		{"all is there", standing{complete: true}, facts{known: true, done: true}, Seeding, nil},
		{"the disk is full", standing{stalled: disk}, facts{known: true}, Stalled, disk},
		{"the metadata is odd", standing{unusable: odd}, facts{}, Unusable, odd},
		{"the layers are awaited", standing{}, facts{true, true, true}, NeedInfo, nil},
		{"the layers are there", standing{complete: true}, facts{true, true, true}, Seeding, nil},
	} {
		if got := c.s.state(c.f.known, c.f.done, c.f.metadataOnly); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if got := c.s.err(); got != c.err {
			t.Errorf("%s: error %v, want %v", c.name, got, c.err)
		}
	}
}

func TestStandingLife(t *testing.T) {
	var s standing
	if s.isUnusable() || s.isStalled() || s.err() != nil {
		t.Error("something is wrong with a new torrent")
	}
	if s.open(); s.state(false, false, false) != Opening {
		t.Error("the storage of metadata that has come is not being opened")
	}
	if s.refuse(errors.New("no room")); !s.isUnusable() || s.opening {
		t.Error("metadata that cannot be used counts as usable")
	}
	if s.ready(); s.isUnusable() || s.state(true, false, false) != Downloading {
		t.Error("InfoReady after InfoFailed does not begin the download")
	}
	if s.stall(nil); !s.isStalled() || s.err() != errStorage {
		t.Error("a failure without an error is none")
	}
	if !s.resume() || s.resume() || s.isStalled() {
		t.Error("storage works once after a failure")
	}
}

// Complete is said once each time that everything is there.
func TestStandingCompletes(t *testing.T) {
	var s standing
	for i, step := range []struct{ done, said bool }{
		{false, false}, {true, true}, {true, false}, {false, false}, {true, true},
	} {
		if got := s.finish(step.done); got != step.said {
			t.Errorf("step %d: complete %v, want %v", i, got, step.said)
		}
	}
	if s.unfinish(true); s.finish(true) {
		t.Error("a loss of what is not wanted made the torrent complete again")
	}
	if s.unfinish(false); !s.finish(true) {
		t.Error("a torrent that was incomplete did not become complete again")
	}
}

func TestStateNames(t *testing.T) {
	for s := range stateCount {
		if s.String() == "" {
			t.Errorf("state %d has no name", s)
		}
	}
	if got := stateCount.String(); got != "unknown" {
		t.Errorf("a state that there is not is called %q", got)
	}
}
