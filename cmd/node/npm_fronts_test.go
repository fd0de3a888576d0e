//go:build linux

package main

import (
	"path/filepath"
	"testing"
)

// @ctrl/transmission is the library of many programs in TypeScript. Its script does what a
// front end does, and checks what the library shows of it.
func TestFrontCtrlTransmission(t *testing.T) {
	s := newStage(t, []string{"nodejs"})
	if s == nil {
		return
	}
	s.runScript(t, "ctrl.mjs")
	if left := s.torrents(t); len(left) != 0 {
		t.Errorf("the daemon still has %+v", left)
	}
	s.whole(t, filepath.Join(s.content, "films", "Movie", "one.bin"), "Film/one.bin")
	s.whole(t, filepath.Join(s.content, "films", "Movie", "two.bin"), "Film/two.bin")
	gone(t, filepath.Join(s.content, "Song.bin"))
	gone(t, filepath.Join(s.content, "Film"))
}

// Flood is a server of its own between a page and the daemon. The script asks it what its page
// does.
func TestFrontFlood(t *testing.T) {
	s := newStage(t, []string{"nodejs"})
	if s == nil {
		return
	}
	s.runScript(t, "flood.mjs", t.TempDir())
	if left := s.torrents(t); len(left) != 0 {
		t.Errorf("the daemon still has %+v", left)
	}
	for _, name := range []string{"one.bin", "two.bin", "three.bin"} {
		s.whole(t, filepath.Join(s.content, "films", "Film", name), "Film/"+name)
	}
	gone(t, filepath.Join(s.content, "Song.bin"))
	gone(t, filepath.Join(s.content, "Film"))
}
