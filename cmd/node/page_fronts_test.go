//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"swarmnode/internal/realclient"
)

const (
	// pageTime bounds all stories of one browser.
	pageTime = 12 * time.Minute
	// slowUp is the upload limit of the seed of the clip, so that it is watched while it comes.
	slowUp = 150_000
	// hostileAgent is how the slow seed calls itself to peers.
	hostileAgent = `<img src=x onerror=window.ran=1>` + "\u202e\u0007"
)

// A pageStage is what the stories of the page are told on: content that a real libtorrent seeds.
// The scripts get it as JSON.
type pageStage struct {
	Program  string `json:"program"`  // the node
	Chromium string `json:"chromium"` // the browser
	Work     string `json:"work"`     // folder for what the stories need
	Pictures string `json:"pictures"` // folder for pictures, or empty
	Source   string `json:"source"`   // folder of the seed's content
	Film     string `json:"film"`     // .torrent of a folder, with a page and a drawing in it
	FilmLink string `json:"filmLink"` // its magnet link, with the address of the seed
	Clip     string `json:"clip"`     // .torrent of a video, which comes slowly
	ClipLink string `json:"clipLink"`
	Song     string `json:"song"` // .torrent of one file of 1 MiB
	SongLink string `json:"songLink"`
	Wild     string `json:"wild"` // .torrent whose names are hostile
}

// The stories of people who use the page, from an empty node to a finished download.
func TestFrontPage(t *testing.T) { runPage(t, "stories.mjs") }

// The page is whole and readable at each size, in both schemes, and for screen readers.
func TestFrontPageLooks(t *testing.T) { runPage(t, "looks.mjs") }

// Names of strangers stay text, wherever they show.
func TestFrontPageHostile(t *testing.T) { runPage(t, "hostile.mjs") }

// runPage runs a script of testdata/page beside a stage, in a network namespace.
func runPage(t *testing.T, script string) {
	s := newPageStage(t)
	if s == nil {
		return
	}
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), pageTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "nodejs", "--test-reporter=spec",
		filepath.Join("testdata", "page", script))
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "SWARM_PAGE="+string(raw))
	cmd.WaitDelay = frontWait
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	t.Logf("%s", out)
}

// newPageStage prepares a stage. It skips the test unless front ends are wanted, and returns nil
// outside of the namespace, where the test must return.
func newPageStage(t *testing.T) *pageStage {
	t.Helper()
	if os.Getenv(frontsFolder) == "" {
		t.Skip(frontsFolder + " is not set: see make test-fronts")
	}
	for _, program := range []string{"nodejs", "ffmpeg"} {
		realclient.RequireProgram(t, program)
	}
	chromium := realclient.RequireProgram(t, "chromium")
	realclient.Require(t, realclient.Libtorrent)
	if !realclient.InNamespace(t) {
		return nil
	}
	program, err := exec.LookPath("node")
	if err != nil {
		t.Fatal(err)
	}
	// Folders of sockets have short paths.
	work, err := os.MkdirTemp("", "page")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(work) })
	s := &pageStage{Program: program, Chromium: chromium, Work: work,
		Pictures: os.Getenv(frontPictures), Source: filepath.Join(work, "source")}
	s.makeContent(t)
	fast, slow := netip.MustParseAddr("11.0.0.2"), netip.MustParseAddr("11.0.0.5")
	fastSeed := realclient.Start(t, realclient.Libtorrent, realclient.Options{IP: fast})
	slowSeed := realclient.Start(t, realclient.Libtorrent, realclient.Options{IP: slow, Up: slowUp,
		Settings: map[string]any{"user_agent": hostileAgent}})
	s.Film, s.FilmLink = s.seeded(t, fastSeed, "Film", "11.0.0.3")
	s.Song, s.SongLink = s.seeded(t, fastSeed, "Song.bin", "11.0.0.4")
	s.Clip, s.ClipLink = s.seeded(t, slowSeed, "Clip.webm", "11.0.0.6")
	s.Wild = filepath.Join(work, "wild.torrent")
	if err := os.WriteFile(s.Wild, wildTorrent(), 0o666); err != nil {
		t.Fatal(err)
	}
	return s
}

// makeContent writes what is seeded.
func (s *pageStage) makeContent(t *testing.T) {
	t.Helper()
	const active = `<script>window.ran=1;document.title="ran"</script>`
	files := map[string][]byte{
		"Film/page.html": []byte("<!doctype html><title>still</title><p>A page</p>" + active),
		"Film/drawing.svg": []byte(`<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">` +
			active + `<rect width="9" height="9"/></svg>`),
		"Film/notes.txt": []byte("Notes\n"),
	}
	for i, name := range []string{"Film/one.bin", "Film/two.bin", "Film/extras/three.bin",
		"Film/extras/four.bin", "Song.bin"} {
		files[name] = make([]byte, 512<<10)
		rand.NewChaCha8([32]byte{byte(i)}).Read(files[name])
	}
	for name, content := range files {
		path := filepath.Join(s.Source, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777),
			os.WriteFile(path, content, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), frontWait)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-f", "lavfi", "-i",
		"testsrc2=size=320x180:rate=10", "-t", "40", "-c:v", "libvpx", "-b:v", "500k", "-g", "10",
		"-deadline", "realtime", "-cpu-used", "8", filepath.Join(s.Source, "Clip.webm")).
		CombinedOutput()
	if err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, out)
	}
}

// seeded makes a torrent of a part of the content, with a tracker of its own at an address that
// knows the seed, and seeds it.
func (s *pageStage) seeded(t *testing.T, seed *realclient.Client, name, at string) (file,
	link string) {
	t.Helper()
	tracker, err := realclient.NewTracker(netip.MustParseAddr(at), seed.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tracker.Close)
	file = filepath.Join(s.Work, strings.ToLower(name)+".torrent")
	out, err := exec.CommandContext(t.Context(), "node", "create", "--json", "--v1", "--tracker",
		tracker.URL, "--piece-length", "32K", "-o", file, filepath.Join(s.Source, name)).Output()
	if err != nil {
		t.Fatalf("node create: %v: %s", err, out)
	}
	for line := range bytes.Lines(out) {
		var made struct{ Magnet string }
		if json.Unmarshal(line, &made) == nil && made.Magnet != "" {
			link = fmt.Sprintf("%s&x.pe=%s", made.Magnet, seed.Addr)
		}
	}
	if err := seed.Seed(t.Context(), file, s.Source); err != nil {
		t.Fatal(err)
	}
	return file, link
}

// wildTorrent returns a .torrent file that nobody seeds. Its names would run if they were
// markup, turn their surroundings around, or break the layout.
func wildTorrent() []byte {
	var b bytes.Buffer
	text := func(s string) { fmt.Fprintf(&b, "%d:%s", len(s), s) }
	names := []string{
		`<img src=x onerror=window.ran=1>`, `<script>window.ran=1`, "\u202egnp.exe",
		"a\u0007b\tc\u009b31m",
		strings.Repeat("W", 251) + ".mp4", strings.Repeat("\u00e4", 120), "\u2066\u2067isolates",
		`"onfocus="window.ran=1`, `javascript:window.ran=1`, "{n} ${name} %s", "..\u2024hidden",
		strings.Repeat("\u0300", 100) + ".txt",
	}
	b.WriteString("d7:comment")
	text(names[0] + names[2])
	b.WriteString("4:infod5:filesl")
	for i, name := range names {
		fmt.Fprintf(&b, "d6:lengthi%de4:pathl", 16<<10+i)
		text("folder " + names[i%3])
		text(name)
		b.WriteString("ee")
	}
	b.WriteString("e4:name")
	text(names[0] + names[2] + names[3] + strings.Repeat("M", 180))
	total := 0
	for i := range names {
		total += 16<<10 + i
	}
	pieces := (total + 32<<10 - 1) / (32 << 10)
	b.WriteString("12:piece lengthi32768e6:pieces")
	text(strings.Repeat("x", 20*pieces))
	b.WriteString("ee")
	return b.Bytes()
}
