package storage

import (
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
)

// A Store writes only as long as enough space stays free, and goes on when there is more.
func TestReserve(t *testing.T) {
	const piece, least = 64 << 10, 512 << 10
	layout, data := makeLayout(t, "x", piece, tfile{"", 1 << 20, false})
	workers := NewWorkers(1)
	t.Cleanup(workers.Close)
	workers.SetReserve(least)
	var free, unknown atomic.Int64
	free.Store(least + 8*piece)
	r := newRig(t, Config{Layout: layout, Workers: workers, spaceOf: func(string) (
		fileSystem, int64, bool) {
		return fileSystem{1}, free.Load(), unknown.Load() == 0
	}}, data)
	writes := func(p int) error {
		var got Result
		for range 3 { // the failed write may have had a result besides that of its Verify
			if got = r.piece(p); got.OK {
				return nil
			}
		}
		return got.Err
	}
	p := 0
	for ; p < layout.Pieces(); p++ {
		got := r.piece(p)
		if !got.OK {
			refused, ok := errors.AsType[*ReserveError](got.Err)
			if !ok || refused.Least != least || !errors.Is(got.Err, syscall.ENOSPC) {
				t.Errorf("piece %d: %v", p, got.Err)
			}
			break
		}
		free.Add(-piece)
	}
	if p != 8 {
		t.Fatalf("%d pieces were written, want 8", p)
	}
	if err := r.store.Probe(); err == nil {
		t.Error("a probe wrote to a full disk")
	}
	free.Add(piece * 2)
	if err := r.store.Probe(); err != nil {
		t.Error("a probe with room:", err)
	}
	if err := writes(p); err != nil {
		t.Errorf("a piece with room: %v", err)
	}
	unknown.Store(1) // a system that does not say what is free
	free.Store(0)
	workers.SetReserve(least + 1)
	if err := writes(p + 1); err != nil {
		t.Errorf("a piece where the free space is not known: %v", err)
	}
	unknown.Store(0)
	workers.SetReserve(-1)
	if err := writes(p + 2); err != nil {
		t.Errorf("a piece without a reserve: %v", err)
	}
	r.back()
}

func TestDiskSpace(t *testing.T) {
	dir := t.TempDir()
	free, total, err := DiskSpace(filepath.Join(dir, "not", "there", "yet"))
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this system does not say what is free")
	}
	if err != nil || free < 0 || free > total || total == 0 {
		t.Errorf("%d of %d bytes are free, %v", free, total, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := DiskSpace(filepath.Join(dir, "file", "below")); err == nil {
		t.Error("there is space below a file")
	}
}
