//go:build linux

package main_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A readOnlyDisk is a way to keep the node from writing to folders.
type readOnlyDisk struct {
	name string
	// command makes node args run so that nothing can be written to dirs.
	command func(t *testing.T, dirs, args []string) *exec.Cmd
}

// readOnlyDisks are a mount, like that of a DVD, that not even root can write to, and
// permissions, which do not bind root.
var readOnlyDisks = []readOnlyDisk{
	{"mount", func(t *testing.T, dirs, args []string) *exec.Cmd {
		private := "-m"
		if os.Geteuid() != 0 {
			private = "-rm"
		}
		script := ""
		for _, dir := range dirs {
			script += "mount --bind '" + dir + "' '" + dir + "' && mount -o remount,ro,bind '" +
				dir + "' && "
		}
		if out, err := exec.Command("unshare", private, "sh", "-c",
			script+"true").CombinedOutput(); err != nil {
			t.Skipf("no mounts of our own: %v: %s", err, out)
		}
		return exec.Command("unshare", append([]string{private, "sh", "-c", script + `exec "$@"`,
			"sh"}, args...)...)
	}},
	{"permissions", func(t *testing.T, dirs, args []string) *exec.Cmd {
		for _, dir := range dirs {
			if err := os.Chmod(dir, 0o555); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.Chmod(dir, 0o755) })
		}
		cmd := exec.Command(args[0], args[1:]...)
		if os.Geteuid() == 0 {
			const nobody = 65534
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody,
				Gid: nobody}}
		}
		return cmd
	}},
}

// Complete content is seeded from read-only folders, with a record in the state folder
// or, if that is read-only as well, with one warning. Incomplete content there ends with
// one line and exit code 7.
func TestReadOnlyContent(t *testing.T) {
	binary := buildNode(t)
	openUp(t, filepath.Dir(binary))
	for _, disk := range readOnlyDisks {
		for _, tt := range []struct {
			name        string
			stateLocked bool
			change      func(x string) error // of complete content
			code        int
		}{
			{"complete", false, nil, 0},
			{"complete, and the state, too", true, nil, 0},
			{"a file is damaged", false, func(x string) error {
				return os.WriteFile(x+"/sub/b", []byte("other"), 0o644)
			}, 7},
			{"a file is missing", false, func(x string) error { return os.Remove(x + "/sub/b") },
				7},
			{"an empty file is missing", false, func(x string) error {
				return os.Remove(x + "/empty")
			}, 7},
			{"all is missing", false, os.RemoveAll, 7},
		} {
			t.Run(disk.name+" "+tt.name, func(t *testing.T) {
				base := t.TempDir()
				openUp(t, base)
				content, state := filepath.Join(base, "content"), filepath.Join(base, "state")
				x := filepath.Join(content, "x")
				err := errors.Join(os.MkdirAll(x+"/sub", 0o755), os.MkdirAll(state, 0o755),
					os.Chmod(state, 0o777),
					os.WriteFile(x+"/a", make([]byte, 70_000), 0o444),
					os.WriteFile(x+"/empty", nil, 0o444),
					os.WriteFile(x+"/sub/b", []byte("bytes"), 0o644),
					os.WriteFile(content+"/other", nil, 0o444))
				if err != nil {
					t.Fatal(err)
				}
				torrent := filepath.Join(base, "x.torrent")
				if out, err := exec.Command(binary, "create", "-o", torrent,
					x).CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				if tt.change != nil {
					if err := tt.change(x); err != nil {
						t.Fatal(err)
					}
				}
				locked := []string{content}
				if _, err := os.Stat(x + "/sub"); err == nil {
					locked = append(locked, x, x+"/sub")
				}
				if tt.stateLocked {
					locked = append(locked, state)
				}
				before := listing(t, content)
				var stdout, stderr strings.Builder
				cmd := disk.command(t, locked, []string{binary, "add", "--no-dht", "--no-lsd",
					"--listen", "127.0.0.1:0",
					"--timeout", "1m", "--state-dir", state, "--dir", content, torrent})
				cmd.Stdout, cmd.Stderr, cmd.Dir = &stdout, &stderr, base
				err = cmd.Run()
				if code := cmd.ProcessState.ExitCode(); code != tt.code {
					t.Errorf("%v\n%s", err, stderr.String())
				}
				if after := listing(t, content); after != before {
					t.Errorf("changed:\n%s\nwas\n%s", after, before)
				}
				records, _ := filepath.Glob(state + "/resume/*.resume")
				warnings := strings.Count(stderr.String(), "warning: ")
				if tt.code != 0 {
					if !strings.Contains(stderr.String(), "node: add: ") {
						t.Error(stderr.String())
					}
					return
				}
				shared := strings.Count(stderr.String(), "other users can write")
				if (len(records) == 0) != tt.stateLocked || warnings-shared > 1 ||
					(warnings-shared == 1) != tt.stateLocked {
					t.Errorf("records %q\n%s", records, stderr.String())
				}
				if stdout.String() != x+"\n" {
					t.Errorf("printed %q", stdout.String())
				}
			})
		}
	}
}

// openUp lets processes of every user into a temporary folder of the test.
func openUp(t *testing.T, dir string) {
	t.Helper()
	for _, folder := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// listing lists everything below dir.
func listing(t *testing.T, dir string) string {
	t.Helper()
	out, err := exec.Command("find", dir, "-printf", "%p %y %s %T@\n").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// A disk that is too small is reported before anything is fetched; nothing is reported
// where there is enough room.
func TestNotEnoughRoom(t *testing.T) {
	binary, dir, small := buildNode(t), t.TempDir(), t.TempDir()
	film, torrent := filepath.Join(dir, "film.bin"), filepath.Join(dir, "film.torrent")
	if err := errors.Join(os.WriteFile(film, nil, 0o600), os.Truncate(film, 50<<20)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(binary, "create", "-o", torrent,
		film).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	private := "-m"
	if os.Geteuid() != 0 {
		private = "-rm"
	}
	for size, want := range map[string]bool{"6m": true, "60m": false} {
		mount := `mount -t tmpfs -o size=` + size + ` none "$1" && shift && `
		if out, err := exec.Command("unshare", private, "sh", "-c", mount+"true", "sh",
			small).CombinedOutput(); err != nil {
			t.Skipf("no mounts of our own: %v: %s", err, out)
		}
		out, _ := exec.Command("unshare", private, "sh", "-c", mount+`exec "$@"`, "sh", small,
			binary, "add", "--ephemeral",
			"--no-dht", "--no-lsd", "--listen", "127.0.0.1:0", "--timeout", "1s", "--dir", small,
			torrent).CombinedOutput()
		told := strings.Contains(string(out), "film.bin.part needs 50.0 MiB, 6.00 MiB free")
		if told != want || strings.Contains(string(out), "needs") != want {
			t.Errorf("%s: %s", size, out)
		}
	}
}
