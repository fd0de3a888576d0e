//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"swarmnode/internal/nodeproc"
	"swarmnode/internal/realclient"
)

// frontsFolder names the folder in which .ci/fronts has put the front ends that no package of
// Debian has. The tests of front ends run if it is set.
const frontsFolder = "SWARM_FRONTS"

const (
	// frontWait bounds each wait for something that a front end or the daemon must do.
	frontWait = time.Minute
	frontPoll = 100 * time.Millisecond
	// seedAddr is where the seed of a stage accepts peers, in a namespace of its own.
	seedAddr = "127.0.0.2:7001"
)

// A stage is what a front end is tried on: a daemon, and a seed that has the content of two
// torrents: three files, for a test to add as a .torrent file, and a song, for a test to add by
// its link.
type stage struct {
	*runningDaemon
	rpc     string // URL of the RPC
	source  string // folder of the seed's content
	content string // folder of the daemon's content
	film    string // .torrent file of three files of 512 KiB
	magnet  string // link to a song of 1 MiB, with the address of the seed
}

// newStage skips a test of front ends unless they are wanted, and prepares a stage in a
// network namespace. It returns nil outside of the namespace, where the test must return.
func newStage(t *testing.T, programs []string, args ...string) *stage {
	t.Helper()
	if os.Getenv(frontsFolder) == "" {
		t.Skip(frontsFolder + " is not set: see make test-fronts")
	}
	for _, program := range programs {
		realclient.RequireProgram(t, program)
	}
	realclient.Beside(t)
	if !realclient.InNamespace(t) {
		return nil
	}
	dir := t.TempDir()
	tracker, err := realclient.NewTracker(netip.MustParseAddr("127.0.0.3"),
		netip.MustParseAddrPort(seedAddr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tracker.Close)
	for i, name := range []string{"Film/one.bin", "Film/two.bin", "Film/three.bin", "Song.bin"} {
		content := make([]byte, 512<<10)
		rand.NewChaCha8([32]byte{byte(i)}).Read(content)
		if name == "Song.bin" {
			content = append(content, content...)
		}
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777),
			os.WriteFile(path, content, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	s := &stage{source: dir, film: filepath.Join(dir, "film.torrent")}
	out, err := exec.CommandContext(t.Context(), "node", "create", "--v1", "--tracker", tracker.URL,
		"--piece-length", "32K", "-o", s.film, filepath.Join(dir, "Film")).CombinedOutput()
	if err != nil {
		t.Fatalf("node create: %v: %s", err, out)
	}
	s.startSeed(t, tracker.URL)
	s.runningDaemon = startDaemon(t, append([]string{"--rpc", ":0"}, args...)...)
	s.rpc = "http://" + s.start.RPC[0] + "/transmission/rpc"
	s.content = filepath.Join(s.dir, "content")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the daemon says: %s", s.err.String())
		}
	})
	return s
}

// startSeed seeds the content of both torrents until the test ends.
func (s *stage) startSeed(t *testing.T, tracker string) {
	t.Helper()
	n, err := nodeproc.Start("node", t.TempDir(), "seed", "--piece-length", "32K", "--bootstrap",
		"none", "--listen", seedAddr, "--tracker", tracker, filepath.Join(s.source, "Film"),
		filepath.Join(s.source, "Song.bin"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the seed says: %s", n.Log())
		}
		n.Stop()
	})
	ctx, cancel := context.WithTimeout(t.Context(), frontWait)
	defer cancel()
	for _, name := range []string{"Film", "Song.bin"} {
		e, err := n.WaitFor(ctx, "the seed of "+name, func(e nodeproc.Event) bool {
			return e.Event == "seeding" && e.Name == name
		})
		if err != nil {
			t.Fatal(err)
		}
		s.magnet = e.Magnet + "&x.pe=" + seedAddr
	}
}

// A shownTorrent is what the API of the daemon says of a torrent.
type shownTorrent struct {
	Name   string
	Hash   string
	Dir    string
	Status string
	Size   int64
	Got    int64
	Labels []string
	Down   int64
	Up     int64
}

// torrents are what the daemon has, by their names. The API says so, which shares nothing with
// the RPC.
func (s *stage) torrents(t *testing.T) map[string]shownTorrent {
	t.Helper()
	code, body := answerOf(t, s.local(), "GET", "http://daemon/api/v1/torrents", "")
	var list struct{ Torrents []shownTorrent }
	if err := json.Unmarshal([]byte(body), &list); err != nil || code != http.StatusOK {
		t.Fatalf("the API answers %d, %v: %s", code, err, body)
	}
	all := map[string]shownTorrent{}
	for _, one := range list.Torrents {
		all[one.Name] = one
	}
	return all
}

// await waits until the daemon's torrents are as wanted.
func (s *stage) await(t *testing.T, what string, good func(map[string]shownTorrent) bool) {
	t.Helper()
	var last map[string]shownTorrent
	awaitFront(t, func() error {
		if last = s.torrents(t); good(last) {
			return nil
		}
		return fmt.Errorf("%s: the torrents are %+v", what, last)
	})
}

// awaitFront calls probe until it succeeds.
func awaitFront(t *testing.T, probe func() error) {
	t.Helper()
	tick := time.NewTicker(frontPoll)
	defer tick.Stop()
	var err error
	for end := time.Now().Add(frontWait); time.Now().Before(end); <-tick.C {
		if err = probe(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

// has reports whether the daemon has a torrent of this name and status.
func has(name, status string) func(map[string]shownTorrent) bool {
	return func(all map[string]shownTorrent) bool { return all[name].Status == status }
}

// options returns what the API says of the options of a torrent.
func (s *stage) options(t *testing.T, name string) (options struct {
	Dir  string
	Down int64
}) {
	t.Helper()
	code, body := answerOf(t, s.local(), "GET",
		"http://daemon/api/v1/torrents/"+s.torrents(t)[name].Hash, "")
	answer := struct{ Options any }{&options}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || code != http.StatusOK {
		t.Fatalf("the API answers %d, %v: %s", code, err, body)
	}
	return options
}

// skipped returns the names of a torrent's files that are not wanted.
func (s *stage) skipped(t *testing.T, name string) (names []string) {
	t.Helper()
	code, body := answerOf(t, s.local(), "GET", "http://daemon/api/v1/torrents/"+
		s.torrents(t)[name].Hash+"/files?path="+name, "")
	var list struct {
		Entries []struct {
			Name   string
			Wanted int64
		}
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil || code != http.StatusOK {
		t.Fatalf("the API answers %d, %v: %s", code, err, body)
	}
	for _, one := range list.Entries {
		if one.Wanted == 0 {
			names = append(names, one.Name)
		}
	}
	return names
}

// whole fails the test unless a file of the content is what the seed has.
func (s *stage) whole(t *testing.T, path, source string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
		return
	}
	want, err := os.ReadFile(filepath.Join(s.source, source))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s differs from the content of the seed: %v", path, err)
	}
}

// gone fails the test if there is something at a path.
func gone(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v, want it gone", path, err)
	}
}

// runScript runs a script of testdata/fronts in Node.js with the stage as its arguments: the URL
// of the RPC, the .torrent file, the link, and the folder of the content.
func (s *stage) runScript(t *testing.T, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*frontWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, "nodejs", append([]string{
		filepath.Join("testdata", "fronts", name), s.rpc, s.film, s.magnet, s.content}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	t.Logf("%s", out)
}

// setting returns the number that a setting of the daemon is.
func (s *stage) setting(t *testing.T, name string) (value int64) {
	t.Helper()
	code, body := answerOf(t, s.local(), "GET", "http://daemon/api/v1/settings", "")
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &all); err != nil || code != http.StatusOK {
		t.Fatalf("the API answers %d, %v: %s", code, err, body)
	}
	if err := json.Unmarshal(all[name], &value); err != nil {
		t.Fatalf("the setting %s is %q: %v", name, all[name], err)
	}
	return value
}
