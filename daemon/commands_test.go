//go:build unix

package daemon

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"swarmnode/metainfo"
)

// note is a command that writes a line with variables to a file.
func note(path, format string) []string {
	return []string{"sh", "-c", `echo "` + format + `" >>"$0"`, path}
}

// noted are the lines that commands have written.
func noted(path string) []string {
	text, _ := os.ReadFile(path)
	if len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func wantNoted(t *testing.T, path string, wants ...string) {
	t.Helper()
	eventually(t, strings.Join(wants, ", "), func() bool {
		return slices.Equal(noted(path), wants)
	})
}

// A command runs when a torrent is added and when its content lies where it should, once, and
// not again after a restart.
func TestCommandsRunOnce(t *testing.T) {
	from, torrent := makeTorrent(t, "content", 200_000, metainfo.V1)
	seeds := seeder(t, from, torrent)
	p, path := newPlaces(t), filepath.Join(t.TempDir(), "notes")
	cfg := p.config(nil)
	const format = "$SWARM_EVENT $TR_TORRENT_ID $TR_TORRENT_NAME $TR_TORRENT_DIR $TR_TORRENT_LABELS"
	cfg.Settings.OnAdded, cfg.Settings.OnComplete = note(path, format), note(path, format)
	d := startDaemon(t, cfg)
	got := add(t, d, AddSpec{Torrent: torrent, Options: Options{Labels: []string{"a", "b"}}})
	added := "added 1 content " + p.incomplete + " a,b"
	wantNoted(t, path, added)
	if err := got.AddPeer(t.Context(), hostOf(seeds)); err != nil {
		t.Fatal(err)
	}
	wants := []string{added, "complete 1 content " + p.dir + " a,b"}
	wantNoted(t, path, wants...)
	closeDaemon(t, d)
	d = startDaemon(t, cfg)
	awaitStatus(t, d.ByID(1), Seeding)
	if err := d.ByID(1).Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitStatus(t, d.ByID(1), Seeding)
	closeDaemon(t, d)
	wantNoted(t, path, wants...)
}

// A command that could not begin before the process ended begins in the next one.
func TestCommandsAreOwed(t *testing.T) {
	from, torrent := makeTorrent(t, "content", 100_000, metainfo.V1)
	state, path := t.TempDir(), filepath.Join(t.TempDir(), "notes")
	cfg := testConfig(state, from, nil)
	cfg.Settings.OnComplete = note(path, "$SWARM_EVENT")
	d := startDaemon(t, cfg)
	d.folders.commands.runner.Close() // as if its queue had been too long until the end
	got := add(t, d, AddSpec{Torrent: torrent})
	awaitStatus(t, got, Seeding)
	eventually(t, "the command is owed", func() bool {
		got.mu.Lock()
		defer got.mu.Unlock()
		return slices.Contains(got.rec.Due, dueComplete)
	})
	closeDaemon(t, d)
	if got := noted(path); got != nil {
		t.Fatalf("noted %q", got)
	}
	d = startDaemon(t, cfg)
	wantNoted(t, path, "complete")
	eventually(t, "nothing is owed", func() bool {
		got := d.ByID(1)
		got.mu.Lock()
		defer got.mu.Unlock()
		return len(got.rec.Due) == 0
	})
}

// Content that is found to be complete after it was added counts as completed; content that was
// just hashed does not.
func TestAddedComplete(t *testing.T) {
	for complete, want := range map[bool][]string{true: nil, false: {"complete"}} {
		from, torrent := makeTorrent(t, "content", 100_000, metainfo.V1)
		path := filepath.Join(t.TempDir(), "notes")
		cfg := testConfig(t.TempDir(), from, nil)
		cfg.Settings.OnComplete = note(path, "$SWARM_EVENT")
		d := startDaemon(t, cfg)
		got := add(t, d, AddSpec{Torrent: torrent, Complete: complete})
		awaitStatus(t, got, Seeding)
		wantNoted(t, path, want...)
		closeDaemon(t, d)
		wantNoted(t, path, want...)
	}
}

// An error runs a command, the same one not again within an hour.
func TestCommandForErrors(t *testing.T) {
	from, torrent := makeTorrent(t, "content", 100_000, metainfo.V1)
	path := filepath.Join(t.TempDir(), "notes")
	cfg := testConfig(t.TempDir(), from, nil)
	cfg.Settings.OnError = note(path, "$SWARM_EVENT $SWARM_TORRENT_ERROR")
	d := startDaemon(t, cfg)
	got := add(t, d, AddSpec{Torrent: torrent})
	awaitStatus(t, got, Seeding)
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		eventually(t, "it can be moved", func() bool {
			return got.Move(t.Context(), blocked) == nil
		})
		eventually(t, "the move ends", func() bool {
			got.mu.Lock()
			defer got.mu.Unlock()
			return !got.drive.moving
		})
		if got.State().Error == "" {
			t.Fatal("no error is shown")
		}
		got.forgive()
	}
	eventually(t, "a command runs", func() bool { return len(noted(path)) > 0 })
	closeDaemon(t, d)
	if lines := noted(path); len(lines) != 1 || !strings.Contains(lines[0], blocked) {
		t.Errorf("noted %q", lines)
	}
}

// A program that is not there is named at the start.
func TestMissingProgram(t *testing.T) {
	var log logbook
	cfg := testConfig(t.TempDir(), t.TempDir(), &log)
	missing := filepath.Join(t.TempDir(), "missing")
	cfg.Settings.OnComplete, cfg.Settings.OnAdded = []string{missing, "x"}, []string{"sh"}
	d := startDaemon(t, cfg)
	if lines := log.lines("cannot be found"); len(lines) != 1 ||
		!strings.Contains(lines[0], missing) || !strings.Contains(lines[0], "on-complete") {
		t.Errorf("warnings %q", lines)
	}
	closeDaemon(t, d)
}

// The names of links cannot lead a script out of a folder.
func TestNamesForScripts(t *testing.T) {
	for name, want := range map[string]string{
		"../../etc/passwd": ".._.._etc_passwd", "..": "_", ".": "_", "": "_", "a": "a",
		`a\b/c`: "a_b_c", "..a": "..a",
	} {
		if got := pathElement(name); got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
	d := startDaemon(t, testConfig(t.TempDir(), t.TempDir(), nil))
	link, err := metainfo.ParseMagnet("magnet:?xt=urn:btih:" + strings.Repeat("ab", 20) +
		"&dn=..%2F..%2Fx%00y&tr=http%3A%2F%2Ftracker.invalid%2Fa")
	if err != nil {
		t.Fatal(err)
	}
	got := add(t, d, AddSpec{Magnet: link, Options: Options{Stopped: true, Rank: -1}})
	env := got.environment(dueAdded)
	for _, want := range []string{"TR_TORRENT_HASH=" + strings.Repeat("ab", 20),
		"TR_TORRENT_ID=1", "TR_TORRENT_PRIORITY=-1", "TR_TORRENT_BYTES_DOWNLOADED=0",
		"TR_TORRENT_LABELS=", "TR_APP_VERSION=4.1.0", "SWARM_EVENT=added",
		"TR_TORRENT_TRACKERS=http://tracker.invalid/a"} {
		if !slices.Contains(env, want) {
			t.Errorf("the environment lacks %s: %q", want, env)
		}
	}
	for _, variable := range env {
		name, value, _ := strings.Cut(variable, "=")
		if strings.ContainsRune(value, 0) || name == "TR_TORRENT_NAME" &&
			strings.ContainsAny(value, `/\`) {
			t.Errorf("%q", variable)
		}
		if name == "TR_TIME_LOCALTIME" {
			if _, err := time.Parse("Mon Jan 02 15:04:05 2006", value); err != nil {
				t.Error(err)
			}
		}
	}
}
