//go:build linux

package storage

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// fewEnv is set in the process that may open only few files; its value is
	// how many files the torrent has.
	fewEnv = "SWARM_TEST_FEW_DESCRIPTORS"
	// fewLimit is what ulimit -n is there.
	fewLimit = 64
	// manyFiles is for every day, manyFilesSoak for SWARM_SOAK=1.
	manyFiles     = 300
	manyFilesSoak = 100_000
	// manyFilesHeapMax bounds the memory of a Store of manyFilesSoak files, in
	// bytes for each: what is known of it, its record, and its handle if any.
	manyFilesHeapMax = 600
)

// A torrent of many more files than the process may open is fetched, closed,
// opened again without hashing, checked without its record, and read.
func TestManyFilesLowLimit(t *testing.T) {
	if text := os.Getenv(fewEnv); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		withFewDescriptors(t, n)
		return
	}
	n := manyFiles
	if os.Getenv("SWARM_SOAK") != "" {
		n = manyFilesSoak
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestManyFilesLowLimit$", "-test.v",
		"-test.timeout=20m")
	cmd.Env = append(os.Environ(), fewEnv+"="+strconv.Itoa(n))
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

func withFewDescriptors(t *testing.T, n int) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = fewLimit
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	var files []tfile
	for i := range n {
		files = append(files, tfile{fmt.Sprintf("d%d/f%d", i/1000, i), 1000 + i%3000, false})
	}
	layout, data := makeLayout(t, "x", 64<<10, files...)
	cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout, Part: true}
	before := heapBytes()
	start := time.Now()
	r := newRig(t, cfg, data)
	if have, err := r.store.Check(t.Context(), nil); err != nil || !have.None() {
		t.Fatal(have.Count(), err)
	}
	r.all()
	if open := openDescriptors(t); open > fewLimit*3/4 {
		t.Errorf("%d descriptors are open, the limit is %d", open, fewLimit)
	}
	if err := r.store.Finish(); err != nil {
		t.Fatal(err)
	}
	if each := (heapBytes() - before) / int64(n); each > manyFilesHeapMax {
		t.Errorf("%d bytes of memory for each file", each)
	}
	r.back()
	t.Logf("%d files, %d pieces: fetched in %v", n, layout.Pieces(), time.Since(start))

	start = time.Now()
	if have, hashed, warned := recheck(t, cfg, data); !have.All() || hashed != 0 || warned != nil {
		t.Errorf("with the record: %d pieces, %d bytes hashed, warnings %q", have.Count(), hashed,
			warned)
	}
	st, err := os.Stat(recordPath(cfg))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("opened in %v with a record of %d bytes", time.Since(start), st.Size())
	start = time.Now()
	cfg.StateDir = ""
	if have, hashed, _ := recheck(t, cfg, data); !have.All() || hashed != layout.Length {
		t.Errorf("without: %d pieces, %d bytes hashed", have.Count(), hashed)
	}
	t.Logf("checked without it in %v", time.Since(start))
}

// heapBytes returns the memory in use.
func heapBytes() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
