//go:build unix

package storage

import (
	"crypto/sha1"
	"crypto/sha256"
	"hash"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/block"
)

const benchLength = 256 << 20

var benchLayouts = map[int]struct {
	layout *metainfo.Layout
	data   []byte
}{}

func benchLayout(b *testing.B, pieceLength int) (*metainfo.Layout, []byte) {
	x, ok := benchLayouts[pieceLength]
	if !ok {
		x.layout, x.data = makeLayout(b, "bench", pieceLength, tfile{"", benchLength, false})
		benchLayouts[pieceLength] = x
	}
	return x.layout, x.data
}

// The whole way of blocks through a Store: written, hashed, told. Two pieces
// are under way at once, as when several peers send.
func benchmarkReceive(b *testing.B, pieceLength, together int) {
	receive(b, pieceLength, together, Config{})
}

func receive(b *testing.B, pieceLength, together int, cfg Config) {
	layout, data := benchLayout(b, pieceLength)
	dir := b.TempDir()
	pool := block.NewPool(8 << 20)
	w := NewWorkers(0)
	defer w.Close()
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		var wait sync.WaitGroup
		cfg.Dir, cfg.Layout, cfg.Workers = dir, layout, w
		cfg.Results = func(r Result) {
			if !r.OK {
				b.Error(r)
			}
			wait.Done()
		}
		s, err := Open(cfg)
		if err != nil {
			b.Fatal(err)
		}
		wait.Add(layout.Pieces())
		for first := 0; first < layout.Pieces(); first += together {
			last := min(first+together, layout.Pieces())
			for at := 0; at < pieceLength; at += block.Size {
				for p := first; p < last; p++ {
					buf, _ := pool.Get(b.Context())
					copy(buf.Bytes(), data[p*pieceLength+at:])
					s.Write(block.Ref{Piece: uint32(p), Begin: uint32(at), Length: block.Size}, buf)
				}
			}
			for p := first; p < last; p++ {
				s.Verify(uint32(p))
			}
		}
		wait.Wait()
		s.Close()
	}
}

func BenchmarkReceive1MiB(b *testing.B)     { benchmarkReceive(b, 1<<20, 1) }
func BenchmarkReceive1MiBBy8(b *testing.B)  { benchmarkReceive(b, 1<<20, 8) }
func BenchmarkReceive256KiB(b *testing.B)   { benchmarkReceive(b, 256<<10, 1) }
func BenchmarkReceive16MiBBy2(b *testing.B) { benchmarkReceive(b, 16<<20, 2) }

// With a record: what it costs that a crash loses little.
func BenchmarkReceive1MiBRecorded(b *testing.B) {
	receive(b, 1<<20, 8, Config{StateDir: b.TempDir()})
}

// The limit: one goroutine copies, hashes and writes into a file that is
// there, and another one next to it.
func BenchmarkReceiveLimit(b *testing.B) {
	_, data := benchLayout(b, 1<<20)
	path := filepath.Join(b.TempDir(), "x")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		var next atomic.Int64
		var wait sync.WaitGroup
		for range runtime.GOMAXPROCS(0) {
			wait.Go(func() {
				piece := make([]byte, 1<<20)
				for {
					at := next.Add(1<<20) - 1<<20
					if at >= benchLength {
						return
					}
					h := sha1.New()
					for k := 0; k < len(piece); k += 16 * block.Size {
						part := piece[k : k+16*block.Size]
						copy(part, data[at+int64(k):])
						f.WriteAt(part, at+int64(k))
						h.Write(part)
					}
					h.Sum(nil)
				}
			})
		}
		wait.Wait()
	}
}

func benchmarkCheck(b *testing.B, pieceLength int) {
	layout, data := benchLayout(b, pieceLength)
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bench"), data, 0o600); err != nil {
		b.Fatal(err)
	}
	checkFolder(b, dir, layout)
}

func checkFolder(b *testing.B, dir string, layout *metainfo.Layout) {
	w := NewWorkers(0)
	defer w.Close()
	s, err := Open(Config{Dir: dir, Layout: layout, Workers: w, ReadOnly: true})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	b.SetBytes(layout.Length)
	b.ReportAllocs()
	defer reportCPU(b, cpuTime())
	for b.Loop() {
		s.known.have.Clear() // what is known to be sound is not hashed again
		if have, err := s.Check(b.Context(), nil); err != nil || !have.All() {
			b.Fatal(have.Count(), err)
		}
	}
}

func BenchmarkCheck1MiB(b *testing.B)  { benchmarkCheck(b, 1<<20) }
func BenchmarkCheck16KiB(b *testing.B) { benchmarkCheck(b, 16<<10) }

// A v2 torrent is hashed with SHA-256, a hybrid with both.
func BenchmarkCheckV2(b *testing.B)     { benchmarkCheckKind(b, metainfo.V2) }
func BenchmarkCheckHybrid(b *testing.B) { benchmarkCheckKind(b, metainfo.Hybrid) }

func benchmarkCheckKind(b *testing.B, kind metainfo.Kind) {
	_, data := benchLayout(b, 1<<20)
	dir := b.TempDir()
	path := filepath.Join(dir, "bench")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		b.Fatal(err)
	}
	torrent, err := metainfo.Build(b.Context(), metainfo.BuildOptions{Path: path, Kind: kind,
		PieceLength: 1 << 20})
	if err != nil {
		b.Fatal(err)
	}
	checkFolder(b, dir, torrent.Info().Layout())
}

// cpuTime returns the processor time that this process has used. On a machine
// with other work it tells more than the time by the clock.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// reportCPU reports the processor time since the benchmark began, for
// benchLength bytes a turn.
func reportCPU(b *testing.B, since time.Duration) {
	b.ReportMetric((cpuTime()-since).Seconds()/(float64(b.N)*benchLength/(1<<30)), "cpu-s/GiB")
}

// The limits of Check: pread and hashing on all cores, and nothing else.
func BenchmarkCheckLimit(b *testing.B)       { checkLimit(b, sha1.New) }
func BenchmarkCheckLimitSHA256(b *testing.B) { checkLimit(b, sha256.New) }
func BenchmarkCheckLimitBoth(b *testing.B)   { checkLimit(b, sha1.New, sha256.New) }

func checkLimit(b *testing.B, hashes ...func() hash.Hash) {
	_, data := benchLayout(b, 1<<20)
	path := filepath.Join(b.TempDir(), "x")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		b.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	b.SetBytes(int64(len(data)))
	defer reportCPU(b, cpuTime())
	for b.Loop() {
		var next atomic.Int64
		var wait sync.WaitGroup
		for range runtime.GOMAXPROCS(0) {
			wait.Go(func() {
				part := make([]byte, 256<<10)
				for {
					at := next.Add(1<<20) - 1<<20
					if at >= benchLength {
						return
					}
					var all []hash.Hash
					for _, make := range hashes {
						all = append(all, make())
					}
					for k := 0; k < 1<<20; k += len(part) {
						f.ReadAt(part, at+int64(k))
						for _, h := range all {
							h.Write(part)
						}
					}
					for _, h := range all {
						h.Sum(nil)
					}
				}
			})
		}
		wait.Wait()
	}
}

// What serving costs beyond the read itself.
func BenchmarkReadAt16Blocks(b *testing.B) {
	layout, data := benchLayout(b, 1<<20)
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bench"), data, 0o600); err != nil {
		b.Fatal(err)
	}
	w := NewWorkers(1)
	defer w.Close()
	s, err := Open(Config{Dir: dir, Layout: layout, Workers: w, ReadOnly: true})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	p := make([]byte, 16*block.Size)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := s.ReadAt(p, uint32(i%layout.Pieces()), uint32(i%4*len(p))); err != nil {
			b.Fatal(err)
		}
	}
}
