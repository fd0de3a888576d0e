package metainfo

import (
	"fmt"
	"math/rand/v2"
	"path"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"
)

// wrong are values that no key expects.
var wrong = []any{
	0, -1, 1, 7, int64(1 << 31), int64(1 << 32), int64(1<<62 - 1), int64(-(1 << 62)),
	raw("i0e"), raw("i-0e"), raw("i9e"),
	raw("i9223372036854775807e"), raw("i-9223372036854775808e"), raw("i99999999999999999999e"),
	"", "x", "..", "\x00", "\xff\xfe", strings.Repeat("y", 5000), sums(1), sums(1000),
	"../" + strings.Repeat("y", 5000),
	list{}, list{""}, list{".."}, list{list{list{}}}, list{1, 2, 3},
	dict{}, dict{"", dict{}}, dict{"", 1}, dict{"length", 1},
	dict{"a", dict{"", dict{"length", 1}}},
}

// soundDocs are info dictionaries of each kind.
func soundDocs() map[string]dict {
	tree := dict{"a", treeFile(5, root32("a")), "d", dict{"b", treeFile(70000, root32("b"))}}
	return map[string]dict{
		"v1":        single,
		"v1, files": multi,
		"v2":        v2(tree),
		"hybrid": v2(tree).with("files", list{
			dict{"length", 5, "path", list{"a"}},
			dict{"attr", "p", "length", 16379, "path", list{".pad", "16379"}},
			dict{"length", 70000, "path", list{"d", "b"}},
		}).with("pieces", sums(6)),
	}
}

// mutants yields documents with one value of d, at any depth, replaced by v.
func mutants(d any, v any, yield func(any)) {
	switch d := d.(type) {
	case dict:
		for i := 1; i < len(d); i += 2 {
			change := func(x any) {
				c := append(dict(nil), d...)
				c[i] = x
				yield(c)
			}
			change(v)
			mutants(d[i], v, change)
		}
	case list:
		for i := range d {
			change := func(x any) {
				c := append(list(nil), d...)
				c[i] = x
				yield(c)
			}
			change(v)
			mutants(d[i], v, change)
		}
	}
}

// invariants returns the first promise of a Layout that l breaks.
func invariants(l *Layout) error {
	switch {
	case l.Length <= 0 || l.Length > LengthMax:
		return fmt.Errorf("length %d", l.Length)
	case l.PieceLength <= 0 || l.PieceLength > PieceLengthMax:
		return fmt.Errorf("piece length %d", l.PieceLength)
	case l.Pieces() <= 0 || l.Pieces() > PiecesMax || len(l.Files) > FilesMax:
		return fmt.Errorf("%d pieces, %d files", l.Pieces(), len(l.Files))
	case l.Name == "" || strings.ContainsAny(l.Name, "/\x00") || l.Name == ".." ||
		!utf8.ValidString(l.Name):
		return fmt.Errorf("name %q", l.Name)
	}
	end := int64(0)
	for i := range l.Files {
		f := &l.Files[i]
		if f.Offset < end || f.Length < 0 || f.Offset+f.Length > l.Length {
			return fmt.Errorf("file %d at %d+%d after %d", i, f.Offset, f.Length, end)
		}
		end = f.Offset + f.Length
		below := strings.Join(f.Path, "/")
		if len(f.Path) > PathDepthMax || below != "" && path.Clean("/"+below) != "/"+below ||
			strings.Contains(below, "\x00") {
			return fmt.Errorf("file %d has the path %q", i, f.Path)
		}
		first, last := l.FilePieces(i)
		if first < 0 || last < first || last > l.Pieces() {
			return fmt.Errorf("file %d is in the pieces %d to %d", i, first, last)
		}
	}
	var sum int64
	for p := range l.Pieces() {
		n, padded := l.PieceSize(p), l.PieceSizePadded(p)
		if n <= 0 || n > padded || padded > l.PieceLength || l.ContentSize(p) > n {
			return fmt.Errorf("piece %d has %d of %d bytes", p, n, padded)
		}
		sum += int64(l.ContentSize(p))
	}
	if sum != l.Size() {
		return fmt.Errorf("pieces hold %d bytes, files %d", sum, l.Size())
	}
	return nil
}

// A document with one wrong value is refused with an error of one line, or is a sound
// torrent of other content. It never ends the process, and never breaks a promise of
// Layout.
func TestOneWrongValue(t *testing.T) {
	for name, doc := range soundDocs() {
		accepted, refused := 0, 0
		for _, v := range wrong {
			mutants(doc, v, func(mutant any) {
				text := enc(mutant)
				info, err := ParseInfo([]byte(text))
				if err != nil {
					refused++
					msg := err.Error()
					if strings.ContainsAny(msg, "\n\r\x00\x1b") || len(msg) > 500 {
						t.Errorf("%s: %.80q: the error is %q", name, text, msg)
					}
					return
				}
				accepted++
				if err := invariants(info.Layout()); err != nil {
					t.Errorf("%s: %.300q: %v", name, text, err)
				}
			})
		}
		if accepted == 0 || refused < accepted {
			t.Errorf("%s: %d accepted, %d refused", name, accepted, refused)
		}
	}
}

// A document that ends early is refused wherever it ends.
func TestTruncatedAnywhere(t *testing.T) {
	for name, doc := range soundDocs() {
		text := enc(doc)
		for n := range len(text) {
			if _, err := ParseInfo([]byte(text[:n])); err == nil {
				t.Errorf("%s: the first %d of %d bytes were taken", name, n, len(text))
			}
			if _, err := ParseTorrent([]byte("d4:info" + text[:n])); err == nil {
				t.Errorf("%s: a file that ends after %d bytes was taken", name, n)
			}
		}
	}
}

// A changed byte is refused, or gives a sound torrent with another info-hash.
func TestOneChangedByte(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, doc := range soundDocs() {
		text := []byte(enc(doc))
		sound, err := ParseInfo(text)
		if err != nil {
			t.Fatal(name, err)
		}
		for at := range text {
			was := text[at]
			for _, c := range []byte{was ^ 1, was + 1, 'e', 'd', '0', byte(rng.Uint32())} {
				if c == was {
					continue
				}
				text[at] = c
				info, err := ParseInfo(text)
				if err == nil {
					err = invariants(info.Layout())
					if info.Hash() == sound.Hash() || err != nil {
						t.Errorf("%s: byte %d is %q: hash %v, %v", name, at, c, info.Hash(), err)
					}
				}
			}
			text[at] = was
		}
	}
}

// A claim that costs its sender nothing costs little memory: the pieces of a short document
// are bounded.
func TestClaimsCostLittle(t *testing.T) {
	huge := func(length int64) dict { return dict{"a", treeFile(length, root32("a"))} }
	for _, tt := range []struct {
		name string
		doc  dict
		max  uint64 // bytes
	}{
		{"v1, no hashes", single.with("length", int64(1<<50)).with("pieces", ""), 64 << 10},
		{"v1, hashes of little", single.with("length", int64(1<<50)).with("pieces", sums(10)),
			64 << 10},
		{"v2, beyond the pieces", v2(huge(1 << 55)), 64 << 10},
		{"v2, as many as may be", v2(huge(PiecesMax * 16384)), 32 << 20},
		{"v2, in the largest pieces", v2(huge(1<<40)).with("piece length", PieceLengthMax),
			64 << 10},
		{"many equal files", v2(huge(5)).with("x", raw("l"+strings.Repeat("d1:ai1ee", 5000)+"e")),
			512 << 10},
	} {
		doc := []byte(enc(tt.doc))
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		info, err := ParseInfo(doc)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > tt.max+4*uint64(len(doc)) {
			t.Errorf("%s: %d bytes took %d bytes of memory, want at most %d (%v)", tt.name,
				len(doc), used, tt.max, err)
		}
		runtime.KeepAlive(info)
	}
}

// Names that lead out of the folder are refused in every spelling, in a .torrent file and
// in an info dictionary alike.
func TestNoNameLeavesTheFolder(t *testing.T) {
	for _, element := range []string{"..", "../x", "x/..", `..\x`, "/abs", `C:\x`, `\\host\share`,
		"a\x00b", "x/../../y"} {
		docs := map[string]dict{
			"name":      single.with("name", element),
			"path":      files(dict{"length", 5, "path", list{"d", element}}),
			"file tree": v2(dict{"d", dict{element, treeFile(5, root32("a"))}}),
		}
		for where, doc := range docs {
			if info, err := ParseInfo([]byte(enc(doc))); err == nil {
				t.Errorf("%s %q was taken, as %q", where, element, info.Layout().FilePath(0))
			}
			if _, err := ParseTorrent([]byte(enc(dict{"info", doc}))); err == nil {
				t.Errorf("%s %q was taken in a file", where, element)
			}
		}
	}
	// Odd names are cleaned, and stay inside.
	for _, element := range []string{"...", " ", "~", "-rf", "con", "a\u202eb", "\xff", "%2e%2e"} {
		info, err := ParseInfo([]byte(enc(files(dict{"length", 5, "path", list{element}}))))
		if err != nil {
			t.Errorf("%q: %v", element, err)
			continue
		}
		for _, rule := range []NameRule{NamesNative, NamesUncased, NamesPortable} {
			got := info.Layout().Names(rule).Path(0)
			if len(got) != 1 || got[0] == ".." || strings.Contains(got[0], "/") ||
				!utf8.ValidString(got[0]) {
				t.Errorf("%q became %q", element, got)
			}
		}
	}
}
