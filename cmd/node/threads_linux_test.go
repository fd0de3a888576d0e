package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestThreadsOf(t *testing.T) {
	status := filepath.Join(t.TempDir(), "status")
	text := "Name:\tx\nUid:\t1000\t1000\t1000\t1000\nThreads:\t7\n"
	if err := os.WriteFile(status, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for user, want := range map[int]int{1000: 7, 0: 0, 100: 0} {
		if got := threadsOf(status, user); got != want {
			t.Errorf("user %d: %d threads, want %d", user, got, want)
		}
	}
	if got := threadsOf(status+"x", 1000); got != 0 {
		t.Errorf("a process that ended: %d threads", got)
	}
	if got := threadsOf("/proc/self/status", os.Getuid()); got < 1 {
		t.Errorf("this process has %d threads", got)
	}
}
