//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// manyFiles returns a .torrent file whose list is longer than a pipe holds.
func manyFiles() []byte {
	const files = 5000
	var list strings.Builder
	for i := range files {
		name := fmt.Sprintf("a file with a long enough name %d", i)
		fmt.Fprintf(&list, "d6:lengthi1e4:pathl%d:%see", len(name), name)
	}
	return fmt.Appendf(nil, "d4:infod5:filesl%se4:name1:x12:piece "+
		"lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee", list.String())
}

// A signal ends the process in time even if nobody reads its output.
func TestSignalWhileBlocked(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "many.torrent")
	if err := os.WriteFile(path, manyFiles(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, signals := range []int{1, 2} {
		cmd := exec.Command("node", "ls", "--json", path)
		cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// The first byte is there, so signals are being watched; the rest does
		// not fit the pipe.
		if _, err := out.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for range signals {
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil &&
				!errors.Is(err, os.ErrProcessDone) {
				t.Fatal(err)
			}
		}
		state, err := cmd.Process.Wait()
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); state.ExitCode() != exitInterrupted || took > 20*stopTimeout {
			t.Errorf("%d signals: exit code %d after %v", signals, state.ExitCode(), took)
		}
		out.Close()
	}
}

// A reader that goes away ends the command, with one line about it.
func TestReaderGoesAway(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "many.torrent")
	if err := os.WriteFile(path, manyFiles(), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "ls", path)
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	out.Close()
	cmd.Wait()
	want := "node: ls: writing to standard output: broken pipe\n"
	if code := cmd.ProcessState.ExitCode(); code != exitOther || stderr.String() != want {
		t.Errorf("exit code %d, stderr %q, want %d, %q", code, stderr.String(), exitOther, want)
	}
}
