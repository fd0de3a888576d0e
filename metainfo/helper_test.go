package metainfo

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"swarmnode/metainfo/bencode"
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

// raw is a value that is encoded already.
type raw string

// enc encodes a value: int, int64, string, raw, list or dict.
func enc(v any) string {
	switch v := v.(type) {
	case int:
		return string(bencode.AppendInt(nil, int64(v)))
	case int64:
		return string(bencode.AppendInt(nil, v))
	case string:
		return string(bencode.AppendString(nil, v))
	case raw:
		return string(v)
	case list:
		s := "l"
		for _, item := range v {
			s += enc(item)
		}
		return s + "e"
	case dict:
		s := "d"
		for _, item := range v {
			s += enc(item)
		}
		return s + "e"
	}
	panic("no such kind")
}

type list []any

// dict holds keys and values in turn, in the order in which they are encoded.
type dict []any

// with returns d with key set to value, or without it if value is nil.
func (d dict) with(key string, value any) dict {
	var out dict
	done := false
	for i := 0; i < len(d); i += 2 {
		if d[i] == key {
			done = true
			if value != nil {
				out = append(out, key, value)
			}
			continue
		}
		out = append(out, d[i], d[i+1])
	}
	if !done && value != nil {
		out = append(out, key, value)
	}
	return out
}
