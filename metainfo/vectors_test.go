package metainfo

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The torrents below are made a second time, as BEP 3 and BEP 52 word it and with
// nothing of the code under test but the encoding: plain, slow, whole files in
// memory.

// plainTree returns the root over the blocks of data and the layer of pieces: the
// leaves are the hashes of blocks of 16 KiB, with zeros up to a power of two.
func plainTree(data []byte, pieceLength int) (root string, layer string) {
	width := 1
	for width*BlockLength < len(data) {
		width *= 2
	}
	row := make([]Hash256, width)
	for i := 0; i*BlockLength < len(data); i++ {
		row[i] = sha256.Sum256(data[i*BlockLength : min(len(data), (i+1)*BlockLength)])
	}
	for span := BlockLength; ; span *= 2 {
		if span == pieceLength {
			for i := 0; i*pieceLength < len(data); i++ {
				layer += string(row[i][:])
			}
		}
		if len(row) == 1 {
			return string(row[0][:]), layer
		}
		next := make([]Hash256, len(row)/2)
		for i := range next {
			next[i] = sha256.Sum256(append(row[2*i][:], row[2*i+1][:]...))
		}
		row = next
	}
}

// plainTorrent returns the info dictionary and the piece layers of a folder of
// files, by path.
func plainTorrent(name string, files map[string][]byte, pieceLength int, kind Kind,
	tail bool) (info, layers string) {
	paths := slices.SortedFunc(maps.Keys(files), func(a, b string) int {
		return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/"))
	})
	var content []byte
	var list1 list
	pad := func() {
		if n := -len(content) & (pieceLength - 1); kind == Hybrid && n > 0 {
			content = append(content, make([]byte, n)...)
			list1 = append(list1, dict{"attr", "p", "length", n, "path",
				list{".pad", fmt.Sprint(n)}})
		}
	}
	tree := make(map[string]any)
	byRoot := make(map[string]string)
	for _, p := range paths {
		data := files[p]
		elements := strings.Split(p, "/")
		if len(data) > 0 {
			pad() // unless there is some behind each file
		}
		content = append(content, data...)
		path := list{}
		folder := tree
		for d, e := range elements {
			path = append(path, e)
			if d == len(elements)-1 {
				break
			}
			if folder[e] == nil {
				folder[e] = make(map[string]any)
			}
			folder = folder[e].(map[string]any)
		}
		list1 = append(list1, dict{"length", len(data), "path", path})
		if tail && len(paths) > 1 {
			pad()
		}
		leaf := dict{"length", len(data)}
		if len(data) > 0 {
			root, layer := plainTree(data, pieceLength)
			leaf = append(leaf, "pieces root", root)
			if len(data) > pieceLength {
				byRoot[root] = layer
			}
		}
		folder[elements[len(elements)-1]] = dict{"", leaf}
	}
	var pieces []byte
	for p := range slices.Chunk(content, pieceLength) {
		sum := sha1.Sum(p)
		pieces = append(pieces, sum[:]...)
	}
	var d dict
	if kind.HasV2() {
		d = append(d, "file tree", raw(encMap(tree)))
	}
	if kind.HasV1() {
		d = append(d, "files", list1)
	}
	if kind.HasV2() {
		d = append(d, "meta version", 2)
	}
	d = append(d, "name", name, "piece length", pieceLength)
	if kind.HasV1() {
		d = append(d, "pieces", string(pieces))
	}
	for _, root := range slices.Sorted(maps.Keys(byRoot)) {
		layers += enc(root) + enc(byRoot[root])
	}
	return enc(d), "d" + layers + "e"
}

// encMap encodes folders of folders and dicts.
func encMap(m map[string]any) string {
	s := "d"
	for _, key := range slices.Sorted(maps.Keys(m)) {
		s += enc(key)
		if sub, ok := m[key].(map[string]any); ok {
			s += encMap(sub)
		} else {
			s += enc(m[key])
		}
	}
	return s + "e"
}

// readTree returns the files below root by path.
func readTree(t testing.TB, root string, sizes map[string]int) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	for p := range sizes {
		b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(p)))
		if err != nil {
			t.Fatal(err)
		}
		files[p] = b
	}
	return files
}

// shapes are folders with what the test torrents of BEP 52 have: one file, many,
// empty ones, of one byte, of a block or a piece and one byte less or more, with
// few and many pieces; and as many random ones.
func shapes() []map[string]int {
	const b, p = BlockLength, 4 * BlockLength // the length of pieces below
	list := []map[string]int{
		{"a": 1},
		{"a": b}, {"a": b - 1}, {"a": b + 1},
		{"a": p}, {"a": p - 1}, {"a": p + 1},
		{"a": 2 * p}, {"a": 2*p + 1}, {"a": 3*p - 1}, {"a": 5*p + b}, {"a": 17*p + 3},
		{"a": 0, "b": 1, "c": 0},
		{"a": p, "b": p, "c": p},
		{"a": p + 1, "b": 0, "c": b, "d/e/f": 2 * p, "d/g": 7},
		{"same": 3 * p, "z/same": 3 * p},
	}
	many := make(map[string]int)
	for i := range 120 {
		many[fmt.Sprintf("d%d/f%03d", i%7, i)] = i * 331
	}
	list = append(list, many)
	r := rand.New(rand.NewPCG(3, 4))
	for range 6 {
		list = append(list, randomSizes(r, p))
	}
	return list
}

const shapePieceLength = 4 * BlockLength

// variants are the kinds of torrent and the habits of padding, with the flags by
// which libtorrent makes them.
var variants = []struct {
	kind Kind
	bare bool
	flag string
}{{V1, false, "v1_only"}, {V2, false, "v2_only"}, {Hybrid, false, "canonical_files"},
	{Hybrid, true, "canonical_files_no_tail_padding"}}

func TestBuildAgainstPlainTorrent(t *testing.T) {
	for i, sizes := range shapes() {
		root := writeTree(t, "n", sizes)
		if i == 15 { // of equal content, too
			if err := os.WriteFile(filepath.Join(root, "z", "same"),
				readTree(t, root, map[string]int{"same": 0})["same"], 0o644); err != nil {
				t.Fatal(err)
			}
		}
		content := readTree(t, root, sizes)
		for _, v := range variants {
			wantInfo, wantLayers := plainTorrent("n", content, shapePieceLength, v.kind, !v.bare)
			got := mustBuild(t, BuildOptions{Path: root, Kind: v.kind,
				PieceLength: shapePieceLength, NoTailPadding: v.bare})
			if string(got.Info().Raw()) != wantInfo {
				t.Fatalf("shape %d, %v:\ngot  %q\nwant %q", i, v, cut(got.Info().Raw()),
					cut([]byte(wantInfo)))
			}
			if layers := got.Info().Layout().appendLayers(nil); v.kind.HasV2() &&
				string(layers) != wantLayers {
				t.Fatalf("shape %d, %v: the layers differ", i, v)
			}
		}
	}
}

// manyScript makes many torrents: arguments are the piece length, then a folder,
// a flag and an output for each.
const manyScript = `
import sys, os, libtorrent as lt
piece, args = int(sys.argv[1]), sys.argv[2:]
for path, flag, out in zip(args[0::3], args[1::3], args[2::3]):
    fs = lt.file_storage()
    found = []
    for d, _, names in os.walk(path):
        found += [os.path.join(d, n) for n in names]
    rel = lambda p: os.path.relpath(p, os.path.dirname(path))
    for p in sorted(found, key=lambda p: rel(p).encode().split(b'/')):
        fs.add_file(rel(p), os.path.getsize(p))
    t = lt.create_torrent(fs, piece, getattr(lt.create_torrent, flag) | lt.create_torrent.no_attributes)
    lt.set_piece_hashes(t, os.path.dirname(path))
    with open(out, 'wb') as f:
        f.write(lt.bencode(t.generate()))
`

// TestShapesAgainstLibtorrent compares all shapes with what libtorrent makes of
// them: info dictionaries, so info-hashes and roots, and piece layers.
func TestShapesAgainstLibtorrent(t *testing.T) {
	needLibtorrent(t)
	args := []string{"-c", manyScript, fmt.Sprint(shapePieceLength)}
	var roots []string
	for i, sizes := range shapes() {
		root := writeTree(t, fmt.Sprint("shape", i), sizes)
		roots = append(roots, root)
		for _, v := range variants {
			args = append(args, root, v.flag, root+v.flag)
		}
	}
	if out, err := exec.Command(python, args...).CombinedOutput(); err != nil {
		t.Fatalf("libtorrent: %v\n%s", err, out)
	}
	for _, root := range roots {
		for _, v := range variants {
			theirs := readTorrent(t, root+v.flag)
			ours := mustBuild(t, BuildOptions{Path: root, Kind: v.kind,
				PieceLength: shapePieceLength, NoTailPadding: v.bare})
			if !bytes.Equal(theirs.Info().Raw(), ours.Info().Raw()) {
				t.Errorf("%s, %v:\ntheirs %q\nours   %q", filepath.Base(root),
					v, cut(theirs.Info().Raw()), cut(ours.Info().Raw()))
			}
			if !bytes.Equal(theirs.Info().Layout().appendLayers(nil),
				ours.Info().Layout().appendLayers(nil)) {
				t.Errorf("%s, %v: the layers differ", filepath.Base(root), v)
			}
		}
	}
}
