//go:build linux

package nodeproc

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fake writes a shell script that stands in for the command.
func fake(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "node")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func start(t *testing.T, script string) *Node {
	t.Helper()
	n, err := Start(fake(t, script), t.TempDir(), "seed")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	return n
}

func TestEvents(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n := start(t, `
		[ "$1 $2 $3" = "seed --json --state-dir" ] || exit 9
		echo '{"event":"start","listen":["127.0.0.1:7"]}'
		echo '{"event":"seeding","magnet":"magnet:?x"}'
		echo words >&2
		echo '{"event":"exit","code":4}'
		exit 4`)
	if e, err := n.WaitEvent(ctx, "seeding"); err != nil || e.Magnet != "magnet:?x" {
		t.Errorf("seeding: got %+v, %v", e, err)
	}
	// An event that has passed is found as well.
	if a, err := n.Addr(ctx); err != nil || a.String() != "127.0.0.1:7" {
		t.Errorf("Addr: got %v, %v", a, err)
	}
	if e, err := n.WaitEvent(ctx, "exit"); err != nil || e.Code != 4 {
		t.Errorf("exit: got %+v, %v", e, err)
	}
	if _, err := n.WaitEvent(ctx, "complete"); err == nil {
		t.Error("complete: got nil, want an error: the command has ended")
	}
	_ = n.Wait()
	if got := n.ExitCode(); got != 4 {
		t.Errorf("exit code: got %d, want 4", got)
	}
	if got := n.Log(); !strings.Contains(got, "words\n") || !strings.Contains(got, `"code":4`) {
		t.Errorf("log: got %q", got)
	}
}

func TestWaitIsBounded(t *testing.T) {
	n := start(t, `echo '{"event":"start"}'; exec sleep 600`)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := n.WaitEvent(ctx, "complete"); err == nil {
		t.Error("got nil, want an error")
	}
	if _, err := n.Addr(t.Context()); err == nil {
		t.Error("no address: got nil, want an error")
	}
}

func TestNotJSON(t *testing.T) {
	n := start(t, `echo hello; exec sleep 600`)
	if _, err := n.WaitEvent(t.Context(), "start"); err == nil ||
		!strings.Contains(err.Error(), "hello") {
		t.Errorf("got %v, want an error that shows the line", err)
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var b tail
	for range 3 {
		b.Write([]byte(strings.Repeat("a", logBytesMax/2)))
	}
	b.Write([]byte("end"))
	if got := b.String(); len(got) != logBytesMax || !strings.HasSuffix(got, "aend") {
		t.Errorf("got %d bytes", len(got))
	}
}
