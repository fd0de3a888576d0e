//go:build linux

package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// limited runs a command of node under a limit of the shell.
func limited(t *testing.T, dir, limit string, uid uint32,
	args ...string) (output string, code int) {
	t.Helper()
	shell, err := exec.LookPath("bash") // others name the limits otherwise
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(shell, append([]string{"-c", "ulimit " + limit + ` && exec "$@"`, "sh"},
		args...)...)
	cmd.Dir = dir
	if uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// buildAsReleased builds the program as make does: without cgo, whose loader needs files
// itself, and without the race detector, which takes all address space.
func buildAsReleased(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "node")
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// When the system denies the process a resource, the command prints one line and exits
// with code 1, or does without; it never shows a trace of the runtime.
func TestLimitsOfTheSystem(t *testing.T) {
	binary, dir := buildAsReleased(t), t.TempDir()
	openUp(t, filepath.Dir(binary))
	openUp(t, dir)
	content := filepath.Join(dir, "content")
	if err := os.Mkdir(content, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		if err := os.WriteFile(fmt.Sprintf("%s/%d", content, i), make([]byte, 70_000+i),
			0o644); err != nil {
			t.Fatal(err)
		}
	}
	torrent := filepath.Join(dir, "x.torrent")
	if out, err := exec.Command(binary, "create", "--piece-length", "16K", "-o", torrent,
		content).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	commands := [][]string{
		{binary, "create", "--piece-length", "16K", "--force", "-o", "-", content},
		{binary, "verify", torrent, dir},
		{binary, "add", "--no-dht", "--no-lsd", "--ephemeral", "--listen", "127.0.0.1:0", "--dir",
			dir, torrent},
	}
	told := func(limit, word string, uid uint32) (refused bool) {
		for _, args := range commands {
			out, code := limited(t, dir, limit, uid, args...)
			refused = code == 1 && strings.Count(out, "\n") == 1 &&
				strings.HasPrefix(out, "node: "+args[1]+": only ") &&
				strings.Contains(out, word) && strings.Contains(out, "(try: ")
			if !refused && code != 0 {
				t.Errorf("ulimit %s: %s: exit code %d\n%s", limit, args[1], code, out)
			}
		}
		return refused
	}
	for n := 3; n <= 48; n++ {
		refused := told(fmt.Sprint("-n ", n), "files and sockets", 0)
		if n <= 16 && !refused || n >= 44 && refused {
			t.Errorf("%d files: refused %v", n, refused)
		}
	}
	told("-n 64", "", 0)
	if os.Geteuid() == 0 { // whom no limit of threads binds
		const nobodyElse = 54321
		for n := 8; n < 40; n += 4 {
			if refused := told(fmt.Sprint("-u ", n), "threads", nobodyElse); n <= 12 && !refused {
				t.Errorf("%d threads: refused %v", n, refused)
			}
		}
	}
	told("-f 0", "", 0)
}

// The same for memory. Go's runtime itself does not start below some 700 MiB of address
// space, nor at some values above, and prints a trace that is not ours.
func TestLimitsOfMemory(t *testing.T) {
	binary, dir := buildAsReleased(t), t.TempDir()
	content := filepath.Join(dir, "film.bin")
	if err := os.WriteFile(content, make([]byte, 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(binary, "create", "-o", dir+"/x.torrent",
		content).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	seen := make(map[string]int)
	for kib := 650_000; kib <= 2_500_000; kib += 50_000 {
		out, code := limited(t, dir, fmt.Sprint("-v ", kib), 0, binary, "add", "--no-dht",
			"--no-lsd", "--ephemeral",
			"--listen", "127.0.0.1:0", "--dir", dir, dir+"/x.torrent")
		switch {
		case code == 0 && strings.Contains(out, "(ulimit -v): --memory is"):
			seen["less"]++
		case code == 0:
			seen["all"]++
		case code == 1 && strings.Count(out, "\n") == 1 &&
			strings.HasPrefix(out, "node: add: only "):
			seen["refused"]++
		case code == 2 && !strings.Contains(out, "main."):
			seen["runtime"]++
		default:
			t.Errorf("%d KiB: exit code %d\n%s", kib, code, out)
		}
	}
	if seen["less"] == 0 || seen["all"] == 0 || seen["refused"] == 0 {
		t.Error(seen)
	}
	t.Log(seen)
}
