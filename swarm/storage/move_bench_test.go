//go:build linux

package storage

import (
	"crypto/sha1"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"swarmnode/metainfo"
	"swarmnode/metainfo/bencode"
)

// moveMiBEnv says how many MiB BenchmarkMove moves; moveMiB is for every day.
const (
	moveMiBEnv = "SWARM_BENCH_MOVE_MIB"
	moveMiB    = 256
)

// A file is moved from memory to the folder for temporary files: by Move, which reads back
// what it has written, and by cp, after which the file is synced.
func BenchmarkMove(b *testing.B) {
	size := int64(moveMiB) << 20
	if text := os.Getenv(moveMiBEnv); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			b.Fatal(err)
		}
		size = int64(n) << 20
	}
	b.Run("Move", func(b *testing.B) {
		benchmarkMove(b, size, func(b *testing.B, from, to string, layout *metainfo.Layout) {
			w := NewWorkers(0)
			defer w.Close()
			s, err := Open(Config{Dir: from, Layout: layout, Workers: w, ReadOnly: true})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			if err := s.Trust(b.Context()); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			if err := s.Move(b.Context(), to, nil); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
		})
	})
	b.Run("cp", func(b *testing.B) {
		benchmarkMove(b, size, func(b *testing.B, from, to string, _ *metainfo.Layout) {
			b.StartTimer()
			if out, err := exec.Command("cp", filepath.Join(from, "x"), to).
				CombinedOutput(); err != nil {
				b.Fatal(err, string(out))
			}
			f, err := os.OpenFile(filepath.Join(to, "x"), os.O_RDWR, 0)
			if err != nil {
				b.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
			f.Close()
			b.StopTimer()
		})
	})
}

// benchmarkMove calls move with content of size bytes in memory.
func benchmarkMove(b *testing.B, size int64,
	move func(b *testing.B, from, to string, layout *metainfo.Layout)) {
	const pieceLength = 4 << 20
	raw := bencode.AppendDict(nil, func(b []byte) []byte {
		b = bencode.AppendInt(bencode.AppendString(b, "length"), size)
		b = bencode.AppendString(bencode.AppendString(b, "name"), "x")
		b = bencode.AppendInt(bencode.AppendString(b, "piece length"), pieceLength)
		return bencode.AppendString(bencode.AppendString(b, "pieces"),
			make([]byte, size/pieceLength*sha1.Size)) // nobody compares them
	})
	info, err := metainfo.ParseInfo(raw)
	if err != nil {
		b.Fatal(err)
	}
	part := content(1, 64<<20)
	b.SetBytes(size)
	b.StopTimer()
	for range b.N {
		from, err := os.MkdirTemp("/dev/shm", "swarmnode-bench-")
		if err != nil {
			b.Skip(err)
		}
		to := b.TempDir()
		f, err := os.Create(filepath.Join(from, "x"))
		if err != nil {
			b.Fatal(err)
		}
		for left := size; left > 0; left -= int64(len(part)) {
			if _, err := f.Write(part[:min(int64(len(part)), left)]); err != nil {
				b.Fatal(err)
			}
		}
		f.Close()
		move(b, from, to, info.Layout())
		os.RemoveAll(from)
		os.RemoveAll(to)
	}
}
