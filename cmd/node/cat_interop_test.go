//go:build linux

package main_test

import (
	"bytes"
	"context"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"swarmnode/internal/realclient"
)

// TestCatOfAFilm: what "node cat" writes is a film for file(1), and for ffprobe where it is
// installed, before 2 % of the film are fetched from libtorrent.
func TestCatOfAFilm(t *testing.T) {
	t.Parallel()
	const size, headBytes = 200 << 20, 64 << 10
	binary, inside := nodeInNamespace(t, realclient.Libtorrent)
	if !inside {
		return
	}
	dir, out := t.TempDir(), t.TempDir()
	path := filepath.Join(dir, "film.webm")
	writeContent(t, path, size)
	writeWebM(t, path)
	torrent, err := realclient.MakeTorrent(path, 512<<10, "")
	if err != nil {
		t.Fatal(err)
	}
	seed := realclient.Start(t, realclient.Libtorrent, realclient.Options{
		IP: netip.MustParseAddr("11.0.78.1"), Up: 1 << 20}) // no limit on a local address
	if err := seed.Seed(t.Context(), torrent.File, dir); err != nil {
		t.Fatal(err)
	}
	if err := seed.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), privateTimeout)
	defer cancel()
	cat := exec.CommandContext(ctx, binary, "cat", "--dir", out, "--ephemeral", "--no-dht",
		"--listen", "11.0.78.2:0", "--peer", seed.Addr.String(), torrent.File)
	cat.Stderr = new(bytes.Buffer)
	film, err := cat.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cat.Start(); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, headBytes)
	if _, err := io.ReadFull(film, head); err != nil {
		t.Fatalf("%v\n%s", err, cat.Stderr)
	}
	if got := onDisk(t, out); got > size/50 {
		t.Errorf("%d bytes were there when the header was read, want %d at most", got, size/50)
	}
	film.Close()
	if err := cat.Wait(); cat.ProcessState.ExitCode() != 141 {
		t.Errorf("after its reader has ended: %v\n%s", err, cat.Stderr)
	}
	whole, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	want := make([]byte, headBytes)
	if _, err := io.ReadFull(whole, want); err != nil || !bytes.Equal(head, want) {
		t.Errorf("the header is not that of the film: %v", err)
	}
	for _, look := range [][]string{
		{"file", "--brief", "-"}, {"ffprobe", "-show_entries", "format=format_name", "-"},
	} {
		if _, err := exec.LookPath(look[0]); err != nil {
			t.Logf("%s is not installed", look[0])
			continue
		}
		cmd := exec.CommandContext(ctx, look[0], look[1:]...)
		cmd.Stdin = bytes.NewReader(head)
		text, err := cmd.Output()
		if err != nil || !strings.Contains(strings.ToLower(string(text)), "webm") {
			t.Errorf("%s says %q: %v", look[0], text, err)
		}
	}
}

// onDisk returns how many bytes the files of a folder take up.
func onDisk(t *testing.T, dir string) (sum int64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		sum += info.Sys().(*syscall.Stat_t).Blocks * 512
	}
	return sum
}

// writeWebM makes a file begin like a film in a WebM container (RFC 8794): a header, and a
// segment with a cluster of unknown length.
func writeWebM(t *testing.T, path string) {
	t.Helper()
	element := func(id string, body ...string) string {
		all := strings.Join(body, "")
		return id + string([]byte{0x40 | byte(len(all)>>8), byte(len(all))}) + all
	}
	const unknown = "\x01\xff\xff\xff\xff\xff\xff\xff"
	head := element("\x1a\x45\xdf\xa3", // EBML
		element("\x42\x86", "\x01"), element("\x42\xf7", "\x01"), // versions
		element("\x42\xf2", "\x04"), element("\x42\xf3", "\x08"), // longest id and length
		element("\x42\x82", "webm"), element("\x42\x87", "\x04"), element("\x42\x85", "\x02"))
	head += "\x18\x53\x80\x67" + unknown + // Segment
		element("\x15\x49\xa9\x66", // Info
			element("\x2a\xd7\xb1", "\x0f\x42\x40"), // units of a millisecond
			element("\x4d\x80", "test"), element("\x57\x41", "test")) +
		element("\x16\x54\xae\x6b", // Tracks
			element("\xae", element("\xd7", "\x01"), element("\x73\xc5", "\x01"),
				element("\x83", "\x01"), element("\x86", "V_VP8"),
				element("\xe0", element("\xb0", "\x01\x40"), element("\xba", "\x00\xf0")))) +
		"\x1f\x43\xb6\x75" + unknown + element("\xe7", "\x00") // Cluster
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(head); err != nil {
		t.Fatal(err)
	}
}
