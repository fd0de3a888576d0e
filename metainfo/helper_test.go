package metainfo

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// content is a function of seed and length only.
func content(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	r.Read(b)
	return b
}

// writeTree makes files of the given sizes below a new folder and returns it.
func writeTree(t testing.TB, name string, sizes map[string]int) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), name)
	if err := os.MkdirAll(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, size := range sizes {
		full := filepath.Join(root, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		seed := uint64(size)
		for _, c := range path {
			seed = seed*31 + uint64(c)
		}
		if err := os.WriteFile(full, content(seed, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func mustBuild(t testing.TB, opt BuildOptions) *Torrent {
	t.Helper()
	torrent, err := Build(context.Background(), opt)
	if err != nil {
		t.Fatal(err)
	}
	return torrent
}

// readPiece reads the data of piece i from the files below dir.
func readPiece(t testing.TB, l *Layout, dir string, i int) []byte {
	t.Helper()
	var data []byte
	for s := range l.Spans(l.PieceOffset(i), l.PieceSize(i)) {
		part := make([]byte, s.Length)
		if !l.Files[s.File].Pad {
			f, err := os.Open(filepath.Join(dir, filepath.FromSlash(l.FilePath(s.File))))
			if err != nil {
				t.Fatal(err)
			}
			_, err = f.ReadAt(part, s.Offset)
			f.Close()
			if err != nil {
				t.Fatal(err)
			}
		}
		data = append(data, part...)
	}
	return data
}
