package metainfo

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"swarmnode/metainfo/bencode"
)

// Each test shows that the package obeys one sentence of a BEP.

func mustInfo(t *testing.T, d dict) *Info {
	t.Helper()
	info, err := ParseInfo([]byte(enc(d)))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// BEP 3: "The 20 byte sha1 hash of the bencoded form of the info value from the metainfo
// file. [...] Note that this is a substring of the metainfo file."
func TestBEP3InfoHashIsOverTheSubstring(t *testing.T) {
	unsorted := dict{"pieces", sums(3), "name", "n", "length", 40000, "piece length", 16384,
		"of no meaning", list{dict{"z", 1, "a", 2}}}
	doc := enc(dict{"zzz", 1, "info", unsorted, "announce", "http://a/"})
	at := strings.Index(doc, enc(unsorted))
	torrent := mustParse(t, doc)
	want := sha1.Sum([]byte(doc[at : at+len(enc(unsorted))]))
	if got := torrent.Info().Hash(); got != want {
		t.Errorf("info-hash %v, want %x", got, want)
	}
}

// BEP 3: the name is "purely advisory". So a name that a file system does not take is
// changed, and one that means nothing is replaced by the info-hash.
func TestBEP3NameIsAdvisory(t *testing.T) {
	for name, want := range map[string]string{"a/b": "a_b", "x\x1b[2J": "x_[2J", "plain": "plain"} {
		if got := mustInfo(t, single.with("name", name)).Name(); got != want {
			t.Errorf("%q became %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"", "."} {
		info := mustInfo(t, single.with("name", name))
		if got := info.Name(); got != info.Hash().String() {
			t.Errorf("%q became %q, want the info-hash", name, got)
		}
	}
}

// BEP 3: "Files are split into fixed-size pieces which are all the same length except for
// possibly the last one which may be truncated."
func TestBEP3LastPieceIsTruncated(t *testing.T) {
	for _, tt := range []struct{ length, pieces, last int }{
		{1, 1, 1}, {16383, 1, 16383}, {16384, 1, 16384}, {16385, 2, 1}, {49152, 3, 16384},
	} {
		l := mustInfo(t, single.with("length", tt.length).with("pieces", sums(tt.pieces))).Layout()
		for p := range tt.pieces - 1 {
			if got := l.PieceSize(p); got != 16384 {
				t.Errorf("%d bytes: piece %d has %d", tt.length, p, got)
			}
		}
		if l.Pieces() != tt.pieces || l.PieceSize(tt.pieces-1) != tt.last {
			t.Errorf("%d bytes: %d pieces, the last of %d; want %d, %d", tt.length, l.Pieces(),
				l.PieceSize(l.Pieces()-1), tt.pieces, tt.last)
		}
	}
}

// BEP 3: "Pieces maps to a string whose length is a multiple of 20. It is to be subdivided
// into strings of length 20, each of which is the SHA1 hash of the piece at the
// corresponding index."
func TestBEP3PiecesAreHashesInOrder(t *testing.T) {
	data := content(1, 40000)
	var hashes []byte
	for part := range slices.Chunk(data, 16384) {
		sum := sha1.Sum(part)
		hashes = append(hashes, sum[:]...)
	}
	l := mustInfo(t, single.with("pieces", string(hashes))).Layout()
	for p := range l.Pieces() {
		for other := range l.Pieces() {
			at := l.PieceOffset(other)
			ok := l.VerifyPiece(p, data[at:at+int64(l.PieceSize(other))])
			if ok != (p == other) {
				t.Errorf("piece %d has the hash of piece %d: %v", other, p, ok)
			}
		}
	}
}

// BEP 3: "For the purposes of the other keys, the multi-file case is treated as only having
// a single file by concatenating the files in the order they appear in the files list."
func TestBEP3FilesAreConcatenated(t *testing.T) {
	data := content(2, 40000)
	var hashes []byte
	for part := range slices.Chunk(data, 16384) {
		sum := sha1.Sum(part)
		hashes = append(hashes, sum[:]...)
	}
	files := list{
		dict{"length", 100, "path", list{"z"}}, dict{"length", 0, "path", list{"empty"}},
		dict{"length", 39000, "path", list{"a"}}, dict{"length", 900, "path", list{"m", "n"}},
	}
	l := mustInfo(t, multi.with("files", files).with("pieces", string(hashes))).Layout()
	end := int64(0)
	for i, want := range []string{"z", "empty", "a", "m/n"} {
		f := &l.Files[i]
		if strings.Join(f.Path, "/") != want || f.Offset != end {
			t.Errorf("file %d is %v at %d, want %s at %d", i, f.Path, f.Offset, want, end)
		}
		end += f.Length
	}
	for p := range l.Pieces() {
		at := l.PieceOffset(p)
		if !l.VerifyPiece(p, data[at:at+int64(l.PieceSize(p))]) {
			t.Errorf("piece %d of the concatenation is not right", p)
		}
	}
}

// BEP 12: "[...] a list of lists of URLs, and will contain a list of tiers of announces. If
// the client is compatible with the multitracker specification, and if the announce-list
// key is present, the client will ignore the announce key and only use the URLs in
// announce-list."
func TestBEP12ListReplacesAnnounce(t *testing.T) {
	torrent := mustParse(t, enc(torrentDoc("announce", "http://one/", "announce-list",
		list{list{"http://a/", "http://b/"}, list{"http://c/"}})))
	if got := fmt.Sprint(torrent.Trackers); got != "[[http://a/ http://b/] [http://c/]]" {
		t.Errorf("trackers %s", got)
	}
}

// BEP 27: a torrent is private "by including the key-value pair private=1 in the info
// dict"; any other torrent is not.
func TestBEP27Private(t *testing.T) {
	for _, tt := range []struct {
		value any
		want  bool
	}{{1, true}, {0, false}, {nil, false}, {"1", false}, {list{}, false}} {
		if got := mustInfo(t, single.with("private", tt.value)).Private(); got != tt.want {
			t.Errorf("private %v: %v", tt.value, got)
		}
	}
}

// BEP 47, "padding files": they are neither written to disk nor requested, so their bytes
// are counted nowhere.
func TestBEP47PaddingIsNoContent(t *testing.T) {
	pad := dict{"attr", "p", "length", 6384, "path", list{".pad", "6384"}}
	l := mustInfo(t, multi.with("files", list{dict{"length", 10000, "path", list{"a"}}, pad,
		dict{"length", 10, "path", list{"b"}}}).with("pieces", sums(2))).Layout()
	if l.Size() != 10010 || l.PieceSize(0) != 10000 || l.PieceSizePadded(0) != 16384 {
		t.Errorf("size %d, first piece %d of %d", l.Size(), l.PieceSize(0), l.PieceSizePadded(0))
	}
	if got := l.Parts(nil); !slices.Equal(got, []int32{10000, 10}) {
		t.Errorf("parts %v", got)
	}
	if got := l.Parts([]bool{true, true, false}); !slices.Equal(got, []int32{10000, 0}) {
		t.Errorf("parts of the first file %v", got)
	}
}

// BEP 52, "pieces root": "constructed from 16KiB blocks of the file. The last block may be
// shorter than 16KiB. The remaining leaf hashes beyond the end of the file required to
// construct upper layers of the merkle tree are set to zero."
func TestBEP52Root(t *testing.T) {
	for _, size := range []int{1, 16384, 16385, 3 * 16384, 5*16384 + 7, 8 * 16384} {
		data := content(3, size)
		root := writeTree(t, "x", nil)
		if err := os.WriteFile(filepath.Join(root, "f"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		built := mustBuild(t, BuildOptions{Path: root, Kind: V2, PieceLength: 32 << 10})
		var row [][32]byte
		for block := range slices.Chunk(data, 16384) {
			row = append(row, sha256.Sum256(block))
		}
		for len(row)&(len(row)-1) != 0 {
			row = append(row, [32]byte{})
		}
		for len(row) > 1 {
			var up [][32]byte
			for pair := range slices.Chunk(row, 2) {
				up = append(up, sha256.Sum256(append(pair[0][:], pair[1][:]...)))
			}
			row = up
		}
		if got := built.Info().Layout().Files[0].Root; got != row[0] {
			t.Errorf("%d bytes: root %v, want %x", size, got, row[0])
		}
	}
}

// BEP 52, "file tree": "Note that identical files always result in the same root hash."
func TestBEP52IdenticalFilesHaveOneRoot(t *testing.T) {
	root := writeTree(t, "x", nil)
	for _, name := range []string{"a", "b", "c"} {
		data := content(uint64(len(name)), 50000)
		if name == "c" {
			data[49999]++
		}
		if err := os.WriteFile(filepath.Join(root, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := mustBuild(t, BuildOptions{Path: root, Kind: V2, PieceLength: 16 << 10}).Info().Layout()
	if l.Files[0].Root != l.Files[1].Root || l.Files[0].Root == l.Files[2].Root {
		t.Errorf("roots %v, %v, %v", l.Files[0].Root, l.Files[1].Root, l.Files[2].Root)
	}
}

// BEP 52, "piece layers": "For each file in the file tree that is larger than the piece size
// it contains one string value. [...] Layer hashes which exclusively cover data beyond the
// end of file, i.e. are only needed to balance the tree, are omitted."
func TestBEP52LayersOfLargeFilesOnly(t *testing.T) {
	sizes := map[string]int{"a": 1, "b": 32 << 10, "c": 32<<10 + 1, "d": 5 * 32 << 10, "e": 0}
	torrent := mustBuild(t, BuildOptions{Path: writeTree(t, "x", sizes), Kind: V2,
		PieceLength: 32 << 10})
	layers := make(map[Hash256]int)
	r := bencode.NewReader(torrent.Marshal(), documentLimits)
	for key := range r.Dict() {
		if string(key) == keyLayers {
			for root := range r.Dict() {
				layers[Hash256(root)] = len(r.Bytes())
			}
		}
	}
	l := torrent.Info().Layout()
	want := map[Hash256]int{l.Files[2].Root: 2 * 32, l.Files[3].Root: 5 * 32}
	if r.Err() != nil || fmt.Sprint(layers) != fmt.Sprint(want) {
		t.Errorf("layers %v, want %v (%v)", layers, want, r.Err())
	}
}

// BEP 52, "piece length": "Files are mapped into this piece address space so that each
// non-empty file is aligned to a piece boundary"; so a piece has bytes of one file only.
func TestBEP52PiecesDoNotSpanFiles(t *testing.T) {
	sizes := map[string]int{"a": 5, "b/c": 40000, "b/d": 16384, "e": 1}
	for _, kind := range []Kind{V2, Hybrid} {
		l := mustBuild(t, BuildOptions{Path: writeTree(t, "x", sizes), Kind: kind,
			PieceLength: 16 << 10}).Info().Layout()
		for p := range l.Pieces() {
			files := 0
			for s := range l.Spans(l.PieceOffset(p), l.PieceLength) {
				if !l.Files[s.File].Pad {
					files++
				}
			}
			if files != 1 {
				t.Errorf("%v: piece %d has bytes of %d files", kind, p, files)
			}
		}
	}
}

// BEP 52, "infohash": where a protocol has room for 20 bytes, the v2 hash is cut to them.
func TestBEP52TruncatedHash(t *testing.T) {
	info := mustInfo(t, v2(dict{"a", treeFile(5, root32("a"))}))
	full := sha256.Sum256(info.Raw())
	if got := info.Hash(); !bytes.Equal(got[:], full[:20]) {
		t.Errorf("got %v, want the start of %x", got, full)
	}
}

// BEP 9, "magnet URI format": "For compatability with existing links in the wild, clients
// should also support the 32 character base32 encoded info-hash." "xt is the only
// mandatory parameter."
func TestBEP9Links(t *testing.T) {
	plain, err := ParseMagnet("magnet:?xt=urn:btih:" + hex40)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ParseMagnet("magnet:?xt=urn:btih:" + base32ed)
	if err != nil || other.Hash() != plain.Hash() {
		t.Errorf("base32 is %v, %v; want %v", other.Hash(), err, plain.Hash())
	}
	if s := plain.String(); s != "magnet:?xt=urn:btih:"+hex40 {
		t.Errorf("written as %s", s)
	}
}

// BEP 53: so lists indices of files and ranges, separated by commas, as in so=0,2,4,6-8.
func TestBEP53Select(t *testing.T) {
	for so, want := range map[string]string{
		"0":         "[0]",
		"1,3":       "[1 3]",
		"0,2,4,6-8": "[0 2 4 6 7 8]",
		"8-6":       "[]",
		"3-3,3":     "[3]",
		"2-,1":      "[1]",
		"5-100":     "[5 6 7 8 9]",
	} {
		m, err := ParseMagnet("magnet:?xt=urn:btih:" + hex40 + "&so=" + so)
		if err != nil {
			t.Fatal(err)
		}
		got := slices.Collect(m.Selected(10))
		if got == nil {
			got = []int{}
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s selects %v, want %s", so, got, want)
		}
	}
}
