package storage

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// What is not in memory comes from the disk, sixteen pieces side by side where
// that is how they are hashed. The limit is one reader from start to end. They say
// nothing where the folder for temporary files is kept in memory.
func BenchmarkCheckCold1MiB(b *testing.B) { benchmarkCheckCold(b, 1<<20) }
func BenchmarkCheckCold8MiB(b *testing.B) { benchmarkCheckCold(b, 8<<20) }

func benchmarkCheckCold(b *testing.B, pieceLength int) {
	layout, data := benchLayout(b, pieceLength)
	dir := b.TempDir()
	f := coldFile(b, filepath.Join(dir, "bench"), data)
	w := NewWorkers(0)
	defer w.Close()
	s, err := Open(Config{Dir: dir, Layout: layout, Workers: w, ReadOnly: true})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	b.SetBytes(layout.Length)
	for b.Loop() {
		forget(b, f)
		s.known.have.Clear()
		if have, err := s.Check(b.Context(), nil); err != nil || !have.All() {
			b.Fatal(have.Count(), err)
		}
	}
}

func BenchmarkCheckColdLimit(b *testing.B) {
	_, data := benchLayout(b, 1<<20)
	f := coldFile(b, filepath.Join(b.TempDir(), "x"), data)
	part := make([]byte, 1<<20)
	b.SetBytes(benchLength)
	for b.Loop() {
		forget(b, f)
		for at := int64(0); at < benchLength; at += int64(len(part)) {
			if _, err := f.ReadAt(part, at); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// coldFile writes data to disk.
func coldFile(b *testing.B, path string, data []byte) *os.File {
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	if _, err := f.Write(data); err != nil {
		b.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	return f
}

// forget has the system drop what it keeps of f in memory.
func forget(b *testing.B, f *os.File) {
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		b.Fatal(err)
	}
}
