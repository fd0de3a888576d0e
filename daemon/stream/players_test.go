//go:build linux

package stream

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"swarmnode/daemon/control"
	"swarmnode/internal/proc"
	"swarmnode/internal/realclient"
	"swarmnode/metainfo"
)

const (
	// filmSeconds is how long the films of these tests are, and filmRate how fast the seed sends
	// them: about twice as fast as they play.
	filmSeconds = 20
	filmRate    = 256 << 10
)

// A cinema is a rig with a film that a libtorrent seeds, slowly.
type cinema struct {
	*rig
	dir  string
	film string // its name
	url  string // of the film, which nobody has added
}

// openCinema has ffmpeg make a film, and a libtorrent seed it. The test runs in a namespace.
func openCinema(t *testing.T, name string, args ...string) *cinema {
	t.Helper()
	ffmpeg := realclient.RequireProgram(t, "ffmpeg")
	realclient.Require(t, realclient.Libtorrent)
	dir, err := os.MkdirTemp("", "film") // the path of a socket may not be long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c := &cinema{dir: dir, film: name}
	path := filepath.Join(dir, name)
	args = append([]string{"-v", "error", "-f", "lavfi", "-i",
		fmt.Sprintf("testsrc2=s=320x180:r=25:d=%d", filmSeconds), "-f", "lavfi", "-i",
		fmt.Sprintf("sine=d=%d", filmSeconds), "-vf", "noise=alls=20:allf=t", "-c:v", "libx264",
		"-preset", "ultrafast", "-g", "25", "-b:v", "1M", "-maxrate", "1M", "-bufsize", "1M",
		"-c:a", "aac"}, args...)
	if out, err := exec.CommandContext(t.Context(), ffmpeg,
		append(args, path)...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, out)
	}
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{Path: path,
		PieceLength: 32 << 10})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "film.torrent")
	if err := os.WriteFile(file, torrent.Marshal(), 0o644); err != nil {
		t.Fatal(err)
	}
	seed := realclient.Start(t, realclient.Libtorrent, realclient.Options{
		IP: netip.MustParseAddr("11.0.78.1"), Up: filmRate})
	if err := seed.Seed(t.Context(), file, dir); err != nil {
		t.Fatal(err)
	}
	if err := seed.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.rig = rigOf(t, daemonAt(t, dir, netip.MustParseAddrPort("11.0.78.2:0")),
		control.GateConfig{})
	m := torrent.Magnet()
	m.Peers = []string{seed.Addr.String()}
	c.url = c.rig.url + VisitPath + "?magnet=" + url.QueryEscape(m.String())
	return c
}

// start starts a player, which is ended with the test.
func (c *cinema) start(t *testing.T, program string, args ...string) {
	t.Helper()
	var log lockedBuffer
	player, err := proc.Start(proc.Config{Path: program, Args: args, Dir: c.dir,
		Env: []string{"HOME=" + c.dir, "XDG_RUNTIME_DIR=" + c.dir}, Stdout: &log, Stderr: &log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		player.Stop()
		if t.Failed() {
			t.Logf("%s says: %s", program, log.String())
		}
	})
}

// dial connects to the socket of a player once it listens.
func (c *cinema) dial(t *testing.T, name string) net.Conn {
	t.Helper()
	var conn net.Conn
	eventually(t, "the player listens", func() bool {
		var err error
		conn, err = net.Dial("unix", filepath.Join(c.dir, name))
		return err == nil
	})
	t.Cleanup(func() { conn.Close() })
	return conn
}

// watch is what a player must do: play from the start, go far ahead, and back again. at returns
// the second that plays, and seek goes to one.
func watch(t *testing.T, at func() float64, seek func(second int)) {
	t.Helper()
	plays := func(from int) {
		t.Helper()
		eventually(t, fmt.Sprintf("second %d plays", from), func() bool {
			now := at()
			return now > float64(from) && now < float64(from)+5
		})
	}
	plays(0)
	for _, second := range []int{16, 8} {
		seek(second)
		plays(second)
	}
}

// TestMPV: mpv plays a film that nobody has added, and seeks in it, while it is fetched from a
// libtorrent. The index of the one is at its end, that of the other at its start.
func TestMPV(t *testing.T) {
	if !realclient.InNamespace(t) {
		return
	}
	mpv := realclient.RequireProgram(t, "mpv")
	c := openCinema(t, "film.mp4")
	c.start(t, mpv, "--no-config", "--vo=null", "--ao=null", "--no-ytdl", "--no-terminal",
		"--keep-open=yes", "--input-ipc-server="+filepath.Join(c.dir, "mpv"), c.url)
	conn := c.dial(t, "mpv")
	lines := bufio.NewScanner(conn)
	number := 0
	ask := func(command ...any) (data any) {
		number++
		raw, err := json.Marshal(map[string]any{"command": command, "request_id": number})
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.SetDeadline(time.Now().Add(within)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(append(raw, '\n')); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() {
			var answer struct {
				ID   int `json:"request_id"`
				Data any
			}
			if json.Unmarshal(lines.Bytes(), &answer) == nil && answer.ID == number {
				return answer.Data
			}
		}
		t.Fatal("mpv has gone: ", lines.Err())
		return nil
	}
	watch(t, func() float64 {
		now, _ := ask("get_property", "playback-time").(float64)
		return now
	}, func(second int) { ask("seek", second, "absolute") })
}

// TestVLC: so does VLC.
func TestVLC(t *testing.T) {
	if !realclient.InNamespace(t) {
		return
	}
	vlc := realclient.RequireProgram(t, "cvlc")
	c := openCinema(t, "film.mkv")
	// VLC does not run as root.
	c.start(t, "unshare", "--user", "--map-user=1000", "--map-group=1000", vlc, "-I", "oldrc",
		"--rc-unix="+filepath.Join(c.dir, "vlc"), "--rc-fake-tty", "--vout", "vdummy", "--aout",
		"adummy", "--no-video-title-show", c.url)
	conn := c.dial(t, "vlc")
	lines := bufio.NewReader(conn)
	ask := func(command string) {
		if err := conn.SetDeadline(time.Now().Add(within)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(command + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	watch(t, func() float64 {
		ask("get_time")
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatal("vlc has gone: ", err)
			}
			// Whole seconds, of which 0 is that of the start, too.
			if n, err := strconv.Atoi(strings.Trim(line, "> \r\n")); err == nil {
				return float64(n) + 0.5*float64(min(n, 1))
			}
			if strings.TrimSpace(strings.Trim(line, "> \r\n")) == "" {
				return -1 // nothing plays yet
			}
		}
	}, func(second int) { ask(fmt.Sprint("seek ", second)) })
}

// TestCurl: curl fetches ranges, goes on with a download, and is not given another file.
func TestCurl(t *testing.T) {
	curl := realclient.RequireProgram(t, "curl")
	r, c, base := wholeRig(t, control.GateConfig{})
	path := r.url + base + fmt.Sprint(c.index(t, "e 2.mkv"))
	want := c.files["e 2.mkv"]
	run := func(args ...string) string {
		t.Helper()
		args = append([]string{"--silent", "--show-error", "--max-time", "60"}, args...)
		out, err := exec.CommandContext(t.Context(), curl, args...).CombinedOutput()
		if err != nil {
			t.Errorf("curl %q: %v: %s", args, err, out)
		}
		return string(out)
	}
	if got := run("--range", "100-199", path); got != string(want[100:200]) {
		t.Errorf("a range has %d bytes", len(got))
	}
	if got := run("--range", "-7", path); got != string(want[len(want)-7:]) {
		t.Errorf("the end has %d bytes", len(got))
	}
	file := filepath.Join(t.TempDir(), "half")
	if err := os.WriteFile(file, want[:123_456], 0o644); err != nil {
		t.Fatal(err)
	}
	run("--continue-at", "-", "--output", file, path)
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the download has %d bytes: %v", len(got), err)
	}
	head := run("--head", path)
	tag := ""
	for line := range strings.Lines(head) {
		if value, ok := strings.CutPrefix(line, "Etag: "); ok {
			tag = strings.TrimSpace(value)
		}
	}
	got := run("--header", "If-None-Match: "+tag, "--write-out", "%{http_code}", path)
	if tag == "" || got != fmt.Sprint(http.StatusNotModified) {
		t.Errorf("with the tag %s: %.100s", tag, got)
	}
}

// A lockedBuffer keeps what a program says.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
