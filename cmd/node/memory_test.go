package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestMemoryValue(t *testing.T) {
	for _, tt := range []struct {
		text         string
		want, blocks int64 // 0: refused
	}{
		{"32M", 32 << 20, 4 << 20},
		{"1.5G", 3 << 29, 3 << 26},
		{"9T", 9 << 40, blocksMax},
		{"31M", 0, 0}, {"0", 0, 0}, {"-1G", 0, 0}, {"9E", 0, 0}, {"much", 0, 0}, {"", 0, 0},
	} {
		var v memoryValue
		err := v.Set(tt.text)
		if (err == nil) != (tt.want != 0) || int64(v) != tt.want || v.blocks() != tt.blocks {
			t.Errorf("%q: %d with %d of blocks, %v; want %d with %d", tt.text, v, v.blocks(), err,
				tt.want, tt.blocks)
		}
	}
}

// TestAddWithoutMemory: a torrent that does not fit under the ceiling is refused in
// one line before anything else is done.
func TestAddWithoutMemory(t *testing.T) {
	files := []byte("l")
	for i := range 100_000 {
		files = append(files, enc(fileOf(1, strconv.Itoa(i)))...)
	}
	doc := torrentOf(soundV1.with("length", nil).with("files",
		raw(append(files, 'e'))).with("pieces", sums(7)))
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "many.torrent"), []byte(doc), 0o644); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := runNode(t, dir, "add", "--memory", "32M", "--dir", "out",
		"many.torrent")
	if code != exitOther || stdout != "" || strings.Count(stderr, "\n") != 1 ||
		!strings.Contains(stderr, "memory") || !strings.Contains(stderr, "(try: --memory") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	if _, err := os.Stat(filepath.Join(dir, "out")); err == nil {
		t.Error("the folder was made")
	}
	if code, _, stderr := runNode(t, dir, "info", "many.torrent"); code != exitDone {
		t.Errorf("info, which has no ceiling: exit code %d, %s", code, stderr)
	}
}
