package metainfo

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// piecesPerFile is how many pieces each of manyFiles has.
const piecesPerFile = 5

// manyFiles is an info dictionary of 20,000 files and 100,000 pieces.
func manyFiles(kind Kind) []byte {
	const count, pieceLength = 20_000, BlockLength
	l := &Layout{Name: "content", Multi: true, PieceLength: pieceLength, kind: kind}
	for i := range count {
		f := File{
			Path: []string{fmt.Sprintf("folder %05d", i/100), "some sub folder",
				fmt.Sprintf("file number %05d.bin", i)},
			Offset: l.Length, Length: piecesPerFile * pieceLength,
		}
		var r rootHasher
		for _, h := range layerOf(&f) {
			r.add(h)
		}
		f.Root = r.root(levels(piecesPerFile), 0)
		l.Length += f.Length
		l.Files = append(l.Files, f)
	}
	l.setPieces()
	return appendInfo(nil, &BuildOptions{}, l, make([]byte, l.pieces*sha1.Size))
}

// layerOf makes up the hashes of the pieces of one of manyFiles.
func layerOf(f *File) []Hash256 {
	row := make([]Hash256, piecesPerFile)
	for i := range row {
		row[i] = sha256.Sum256([]byte(f.Path[2] + string(rune(i))))
	}
	return row
}

// manyFilesTorrent is a .torrent file of manyFiles, with its piece layers.
func manyFilesTorrent(t testing.TB, kind Kind) []byte {
	t.Helper()
	info, err := ParseInfo(manyFiles(kind))
	if err != nil {
		t.Fatal(err)
	}
	l := info.Layout()
	for _, f := range l.roots {
		if err := l.trees[f].setRow(layerOf(&l.Files[f])); err != nil {
			t.Fatal(err)
		}
	}
	return NewTorrent(info).Marshal()
}

func BenchmarkParseTorrent(b *testing.B) {
	for _, kind := range []Kind{V1, V2, Hybrid} {
		b.Run(kind.String(), func(b *testing.B) {
			benchmarkParse(b, manyFilesTorrent(b, kind), ParseTorrent)
		})
	}
}

func BenchmarkParseInfo(b *testing.B) {
	for _, kind := range []Kind{V1, V2, Hybrid} {
		b.Run(kind.String(), func(b *testing.B) {
			benchmarkParse(b, manyFiles(kind), ParseInfo)
		})
	}
}

func benchmarkParse[T any](b *testing.B, doc []byte, parse func([]byte) (T, error)) {
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parse(doc); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(garbageOf(b, doc, parse)), "garbage-B/op")
}

// garbageOf returns the bytes that reading doc allocates and does not keep.
func garbageOf[T any](t testing.TB, doc []byte, parse func([]byte) (T, error)) int64 {
	t.Helper()
	var before, read, kept runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	parsed, err := parse(doc)
	runtime.ReadMemStats(&read)
	runtime.GC()
	runtime.ReadMemStats(&kept)
	if err != nil {
		t.Fatal(err)
	}
	runtime.KeepAlive(parsed)
	runtime.KeepAlive(doc)
	return int64(read.TotalAlloc-before.TotalAlloc) - int64(kept.HeapAlloc-before.HeapAlloc)
}

// TestParseLeavesLittleGarbage bounds what reading the largest torrents that are
// common costs beside what is kept of them.
func TestParseLeavesLittleGarbage(t *testing.T) {
	for kind, most := range map[Kind]int64{V1: 1 << 19, V2: 3 << 19, Hybrid: 3 << 19} {
		if got := garbageOf(t, manyFiles(kind), ParseInfo); got > most {
			t.Errorf("%v: %d bytes of an info dictionary are thrown away, want at most %d", kind,
				got, most)
		}
		if got := garbageOf(t, manyFilesTorrent(t, kind), ParseTorrent); got > most {
			t.Errorf("%v: %d bytes of a .torrent file are thrown away, want at most %d", kind, got,
				most)
		}
	}
}

func BenchmarkParseMagnet(b *testing.B) {
	link := "magnet:?xt=urn:btih:" + hex40 + "&dn=a+name&tr=http%3A%2F%2Ft%2Fa&x.pe=1.2.3.4:5"
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseMagnet(link); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerify checks one piece of 1 MiB as storage does, on one core.
func BenchmarkVerify(b *testing.B) {
	root := writeTree(b, "content", map[string]int{"a": 4 << 20})
	for _, kind := range []Kind{V1, V2, Hybrid} {
		b.Run(kind.String(), func(b *testing.B) {
			info := mustBuild(b, BuildOptions{Path: root, Kind: kind, PieceLength: 1 << 20}).Info()
			l := info.Layout()
			data := readPiece(b, l, filepath.Dir(root), 1)
			var v Verifier
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				v.Reset(l, 1)
				for at := 0; at < len(data); at += BlockLength {
					v.Write(data[at : at+BlockLength])
				}
				if !v.OK() {
					b.Fatal("not verified")
				}
			}
		})
	}
}

func BenchmarkSpans(b *testing.B) {
	info, err := ParseInfo(manyFiles(V1))
	if err != nil {
		b.Fatal(err)
	}
	l := info.Layout()
	b.ReportAllocs()
	n, i := 0, 0
	for b.Loop() {
		for s := range l.Spans(l.PieceOffset(i%l.Pieces()), BlockLength) {
			n += s.Length
		}
		i += 7919
	}
}

// BenchmarkBuild makes a torrent of one file that is in the page cache.
func BenchmarkBuild(b *testing.B) {
	const size = 256 << 20
	file := filepath.Join(b.TempDir(), "large.bin")
	if err := os.WriteFile(file, content(1, size), 0o644); err != nil {
		b.Fatal(err)
	}
	for _, kind := range []Kind{V1, V2, Hybrid} {
		b.Run(kind.String(), func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Build(context.Background(),
					BuildOptions{Path: file, Kind: kind}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBuildManyFiles makes a torrent of 20,000 files of 10 KiB.
func BenchmarkBuildManyFiles(b *testing.B) {
	sizes := make(map[string]int)
	for i := range 20_000 {
		sizes[fmt.Sprintf("d%d/f%d", i/200, i)] = 10 << 10
	}
	root := writeTree(b, "content", sizes)
	for _, kind := range []Kind{V1, V2, Hybrid} {
		b.Run(kind.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Build(context.Background(),
					BuildOptions{Path: root, Kind: kind}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkHashLimit is what all cores reach without reading anything: the
// limit for BenchmarkBuild.
func BenchmarkHashLimit(b *testing.B) {
	data := content(1, 1<<20)
	for name, newHash := range map[string]func() hash.Hash{
		"SHA-1": sha1.New, "SHA-256": sha256.New} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.RunParallel(func(pb *testing.PB) {
				h := newHash()
				for pb.Next() {
					h.Reset()
					h.Write(data)
				}
			})
		})
	}
}
