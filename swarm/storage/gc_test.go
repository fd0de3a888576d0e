package storage

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
)

func TestTidy(t *testing.T) {
	dir, content := t.TempDir(), t.TempDir()
	there, part, gone := filepath.Join(content, "there"), filepath.Join(content, "part"),
		filepath.Join(content, "gone")
	if err := errors.Join(os.WriteFile(there, nil, 0o600),
		os.WriteFile(part+PartSuffix, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	put := func(name string, doc []byte, age time.Duration) {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, doc, 0o600),
			os.Chtimes(path, time.Time{}, now.Add(-age))); err != nil {
			t.Fatal(err)
		}
	}
	record := func(n byte, path string) []byte {
		return (&Resume{Hash: metainfo.Hash{n}, Path: path, Have: bits.New(3)}).Append(nil)
	}
	name := func(n byte, suffix string) string { return metainfo.Hash{n}.String() + suffix }
	const old = TidyAge + time.Hour
	put(name(1, ".resume"), record(1, gone), old)
	put(name(1, ".parts"), nil, old)
	put(name(2, ".resume"), record(2, gone), TidyAge-time.Hour)
	put(name(3, ".resume"), record(3, there), old)
	put(name(4, ".resume"), record(4, part), old)
	put(name(5, ".resume"), record(5, gone), old)
	put(name(5, ".parts"), nil, 0) // in use lately
	put(name(6, ".parts"), nil, old)
	put(name(7, ".resume.new"), nil, old)
	put(name(8, ".resume"), []byte("no record"), old)
	put(name(9, ".resume"), []byte("swarmnode resume 99\n"), old)
	put(name(10, ".resume"), record(10, gone), old)
	put(name(10, ".parts"), nil, old)
	put("notes.resume", record(11, gone), old)
	put(name(12, ".unknown"), nil, old)
	put(name(1, ".other"), nil, old)
	put(name(13, ".other"), nil, old)
	put(name(14, ".resume"), record(14, gone), old)
	put(name(14, ".other"), nil, 0)
	f, err := os.Open(filepath.Join(dir, name(10, ".parts")))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := lockFile(f, lockWrite); err != nil {
		t.Fatal(err)
	}
	if n, err := Tidy(dir, now, ".other"); n != 5 || err != nil {
		t.Errorf("%d forgotten, %v", n, err)
	}
	want := map[string]string{"notes.resume": "", name(12, ".unknown"): "", name(14, ".other"): ""}
	for _, n := range []byte{2, 3, 4, 5, 9, 10, 14} {
		want[name(n, ".resume")] = ""
	}
	want[name(5, ".parts")], want[name(10, ".parts")] = "", ""
	got := filesBelow(t, dir)
	for name := range got {
		got[name] = ""
	}
	sameFiles(t, got, want)
	if n, err := Tidy(filepath.Join(dir, "none"), now); n != 0 || err != nil {
		t.Error("a folder that does not exist:", n, err)
	}
}
