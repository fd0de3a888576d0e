//go:build linux

package main

import (
	"os"
	"path/filepath"
	"testing"
)

// The web client of Transmission 3.00 does in a browser what its users do with it.
func TestFrontWeb3(t *testing.T) {
	const folder = "/usr/share/transmission/web"
	webFront(t, "3.00", folder, "Film")
}

// The web client of Transmission 4.1 speaks JSON-RPC.
func TestFrontWeb4(t *testing.T) {
	webFront(t, "4.1", filepath.Join(os.Getenv(frontsFolder), "web4"), "Movie")
}

// webFront tries a web client that lies in a folder. name is what it calls the film at last.
func webFront(t *testing.T, version, folder, name string) {
	if _, err := os.Stat(filepath.Join(folder, "index.html")); err != nil {
		t.Skipf("the web client of Transmission %s is not installed: %v", version, err)
	}
	s := newStage(t, []string{"nodejs", "chromium"}, "--rpc-web", folder)
	if s == nil {
		return
	}
	s.runScript(t, "web.mjs", version, t.TempDir())
	s.await(t, "the film, moved", func(all map[string]shownTorrent) bool {
		film := all[name]
		return len(all) == 1 && film.Dir == filepath.Join(s.content, "films") &&
			film.Status == "seeding"
	})
	s.whole(t, filepath.Join(s.content, "films", name, "one.bin"), "Film/one.bin")
	gone(t, filepath.Join(s.content, "films", name, "two.bin"))
	gone(t, filepath.Join(s.content, "Film"))
	if got := s.setting(t, "down"); got != 4_321_000 {
		t.Errorf("the download limit is %d", got)
	}
}
