package metainfo

import (
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func sums(n int) string { return strings.Repeat("01234567890123456789", n) }

// single and multi are sound v1 dictionaries.
var (
	single = dict{"length", 40000, "name", "n", "piece length", 16384, "pieces", sums(3)}
	multi  = dict{"files", list{
		dict{"length", 20000, "path", list{"a"}},
		dict{"length", 0, "path", list{"d", "empty"}},
		dict{"length", 20000, "path", list{"d", "b"}},
	}, "name", "n", "piece length", 16384, "pieces", sums(3)}
)

func files(entries ...any) dict {
	return dict{"files", list(entries), "name", "n", "piece length", 16384, "pieces", sums(1)}
}

func TestParseInfoV1(t *testing.T) {
	doc := enc(multi.with("private", 1).with("source", "S"))
	info, err := ParseInfo([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	h, ok := info.HashV1()
	if !ok || h != sha1.Sum([]byte(doc)) || info.Hash() != h {
		t.Errorf("hash %v %v", h, ok)
	}
	if _, ok := info.HashV2(); ok {
		t.Error("a v1 torrent has a v2 hash")
	}
	if string(info.Raw()) != doc || !info.Private() || info.Source() != "S" || info.Name() != "n" ||
		info.Kind() != V1 {
		t.Errorf("%+v", info)
	}
	l := info.Layout()
	if l.Pieces() != 3 || l.Length != 40000 || l.PieceLength != 16384 || !l.Multi {
		t.Errorf("%+v", l)
	}
	got := ""
	for i, f := range l.Files {
		got += fmt.Sprintf("%s %d+%d; ", l.FilePath(i), f.Offset, f.Length)
	}
	if want := "n/a 0+20000; n/d/empty 20000+0; n/d/b 20000+20000; "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := fmt.Sprint(l.PieceSize(0), l.PieceSize(1),
		l.PieceSize(2)); got != "16384 16384 7232" {
		t.Errorf("sizes %s", got)
	}
	if got := fmt.Sprint(slices.Collect(l.Spans(16384,
		16384))); got != "[{0 16384 3616} {2 0 12768}]" {
		t.Errorf("spans %s", got)
	}
}

// TestParseInfoTakesRawBytes shows that the hash is over the bytes as they
// came, keys out of order included.
func TestParseInfoTakesRawBytes(t *testing.T) {
	doc := []byte(enc(dict{"pieces", sums(3), "zzz", list{dict{}}, "name", "n", "length", 40000,
		"piece length", 16384}))
	info, err := ParseInfo(doc)
	if err != nil {
		t.Fatal(err)
	}
	if info.Hash() != sha1.Sum(doc) {
		t.Error("the hash is not over the raw bytes")
	}
	doc[0] = 'x'
	if info.Raw()[0] != 'd' {
		t.Error("Raw is not a copy")
	}
}

func TestParseInfoRefuses(t *testing.T) {
	file := func(length any, path ...any) dict { return dict{"length", length, "path", list(path)} }
	deep := list{}
	for range 65 {
		deep = append(deep, "d")
	}
	long := list{}
	for range 20 {
		long = append(long, strings.Repeat("x", 250))
	}
	for _, tt := range []struct {
		name string
		doc  any
		want string
	}{
		{"nothing", raw(""), "unexpected end"},
		{"no dictionary", list{}, "expected dictionary"},
		{"truncated", raw(enc(single)[:50]), "offset"},
		{"trailing bytes", raw(enc(single) + "x"), "trailing"},
		{"key twice", single.with("x", 1).with("y", raw("i1e1:xi2e")), "twice"},
		{"no name", single.with("name", nil), "no name"},
		{"name is a number", single.with("name", 5), "expected string"},
		{"no piece length", single.with("piece length", nil), "no piece length"},
		{"piece length 0", single.with("piece length", 0), "out of range"},
		{"piece length negative", single.with("piece length", -1), "out of range"},
		{"piece length huge", single.with("piece length", int64(1<<62)), "out of range"},
		{"piece length 512 MiB + 1", single.with("piece length", 512<<20+1), "out of range"},
		{"piece length no number", single.with("piece length", "x"), "expected integer"},
		{"piece length of 70 bits", single.with("piece length", raw("i999999999999999999999e")),
			"64 bits"},
		{"piece length not canonical", single.with("piece length", raw("i016384e")), "canonical"},
		{"no pieces", single.with("pieces", nil), "no pieces"},
		{"pieces no string", single.with("pieces", list{}), "expected string"},
		{"pieces not 20n", single.with("pieces", sums(3)+"x"), "multiple"},
		{"pieces too few", single.with("pieces", sums(2)), "2 hashes"},
		{"pieces too many", single.with("pieces", sums(4)), "4 hashes"},
		{"neither length nor files", single.with("length", nil), "neither"},
		{"length and files", multi.with("length", 40000), "both"},
		{"length negative", single.with("length", -5), "out of range"},
		{"length huge", single.with("length", int64(1<<62)), "out of range"},
		{"length 0", single.with("length", 0).with("pieces", ""), "no content"},
		{"too many pieces", single.with("length", int64(1<<40)).with("piece length", 1), "pieces"},
		{"no files", files(), "no content"},
		{"files is a dictionary", single.with("length", nil).with("files", dict{}),
			"expected list"},
		{"file is a list", files(list{}), "expected dictionary"},
		{"file without length", files(dict{"path", list{"a"}}), "no length"},
		{"file without path", files(dict{"length", 5}), "no name"},
		{"path is a string", files(dict{"length", 5, "path", "a"}), "expected list"},
		{"element is a number", files(file(5, 7)), "expected string"},
		{"empty path", files(file(5)), "no name"},
		{"path of empty elements", files(file(5, "", ".")), "no name"},
		{"negative file", files(file(-5, "a")), "out of range"},
		{"files that add up to nothing", files(file(0, "a"), file(0, "b")), "no content"},
		{"sum overflows", files(file(int64(1<<60), "a"), file(int64(1<<60), "b"),
			file(int64(1<<60), "c")), "too much"},
		{"parent", files(file(5, "..", "a")), `".."`},
		{"parent within an element", files(file(5, "a/../../b")), `".."`},
		{"parent by backslash", files(file(5, `a\..\b`)), `".."`},
		{"parent as name", single.with("name", ".."), `".."`},
		{"NUL", files(file(5, "a\x00b")), "NUL"},
		{"absolute", files(file(5, "/etc/passwd")), "absolute"},
		{"absolute on Windows", files(file(5, `C:\x`)), "absolute"},
		{"absolute name", single.with("name", "/etc"), "absolute"},
		{"share", single.with("name", `\\host\x`), "absolute"},
		{"too deep", files(dict{"length", 5, "path", deep}), "deeper than 64"},
		{"too long", files(dict{"length", 5, "path", long}), "longer than"},
		{"nested", single.with("x", raw(strings.Repeat("l", 100)+strings.Repeat("e", 100))),
			"deeper"},
	} {
		_, err := ParseInfo([]byte(enc(tt.doc)))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want ...%s...", tt.name, err, tt.want)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n\x00") {
			t.Errorf("%s: the error is not one line: %q", tt.name, err)
		}
	}
	if _, err := ParseInfo(make([]byte, TorrentBytesMax+1)); err == nil {
		t.Error("too many bytes were taken")
	}
}

func TestParseInfoAccepts(t *testing.T) {
	for _, tt := range []struct {
		name string
		doc  dict
	}{
		{"small pieces", single.with("piece length", 20000).with("pieces", sums(2))},
		{"one-byte pieces", single.with("length", 5).with("piece length", 1).with("pieces",
			sums(5))},
		{"odd private", single.with("private", "1")},
		{"odd name.utf-8", single.with("name.utf-8", 7)},
		{"meta version 1", single.with("meta version", 1)},
		{"stray file tree", single.with("file tree", dict{})},
		{"odd file tree", single.with("file tree", "x")},
		{"odd meta version", single.with("meta version", "1")},
		{"odd meta version of v2", v2(dict{"n", treeFile(5, root32("a"))}).with("meta version",
			"2")},
		{"odd path.utf-8", files(dict{"length", 5, "path", list{"a"}, "path.utf-8", "a"})},
		{"odd element of path.utf-8", files(dict{"length", 5, "path", list{"a"}, "path.utf-8",
			list{"b", 7}})},
		{"odd symlink path", files(dict{"length", 5, "path", list{"a"}, "symlink path", "a"})},
		{"odd symlink path of a link", files(dict{"length", 5, "path", list{"a"}},
			dict{"attr", "l", "length", 0, "path", list{"b"}, "symlink path", dict{}})},
		{"odd attr", files(dict{"attr", 7, "length", 5, "path", list{"a"}})},
		{"odd symlink path in a tree",
			v2(dict{"n", dict{"", dict{"length", 5, "pieces root", root32("a"), "symlink path",
				7}}})},
		{"odd root of an empty file",
			v2(dict{"a", treeFile(5, root32("a")), "b",
				dict{"", dict{"length", 0, "pieces root", 7}}})},
		{"backslash at the start", files(dict{"length", 5, "path", list{`\lead`}})},
		{"folder called like a drive", files(dict{"length", 5, "path", list{"C:", "x"}})},
	} {
		if _, err := ParseInfo([]byte(enc(tt.doc))); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestUTF8NamesWin(t *testing.T) {
	doc := enc(dict{"files", list{
		dict{"length", 1, "path", list{"\xff"}, "path.utf-8", list{"é"}},
		dict{"length", 1, "path", list{"ok"}, "path.utf-8", list{"\xff"}},
	}, "name", "\xfe", "name.utf-8", "ü", "piece length", 16384, "pieces", sums(1)})
	info, err := ParseInfo([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	l := info.Layout()
	if got := l.FilePath(0) + " " + l.FilePath(1); got != "ü/é ü/ok" {
		t.Errorf("got %q", got)
	}
	if r := info.Renamed(NamesNative); len(r) != 0 {
		t.Errorf("renamed: %v", r)
	}
}

func TestPadding(t *testing.T) {
	pad := func(n int) dict {
		return dict{"attr", "p", "length", n, "path",
			list{".pad", fmt.Sprint(n)}}
	}
	doc := enc(dict{"files", list{
		dict{"attr", "x", "length", 20000, "path", list{"a"}}, pad(12768),
		dict{"attr", "h", "length", 5, "path", list{"b"}}, pad(16379),
		dict{"length", 16384, "path", list{"c"}},
		dict{"attr", "p", "length", 32768}, // nothing but padding: counts as data
		dict{"length", 3, "path", list{"d"}}, pad(16381),
	}, "name", "n", "piece length", 16384, "pieces", sums(7)})
	info, err := ParseInfo([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	l := info.Layout()
	var got []string
	for i := range l.Pieces() {
		got = append(got, fmt.Sprint(l.PieceSize(i), "/", l.PieceSizePadded(i)))
	}
	want := "16384/16384 3616/16384 5/16384 16384/16384 16384/16384 16384/16384 3/16384"
	if s := strings.ReplaceAll(strings.Join(got, " "), " / ", "/"); s != want {
		t.Errorf("sizes\n%s, want\n%s", s, want)
	}
	var content []int
	for i := range l.Pieces() {
		content = append(content, l.ContentSize(i))
	}
	if want := []int{16384, 3616, 5, 16384, 0, 0, 3}; !slices.Equal(content, want) {
		t.Errorf("content %v, want %v", content, want)
	}
	if l.Size() != 20000+5+16384+3 || l.Length != 7*16384 {
		t.Errorf("size %d, length %d", l.Size(), l.Length)
	}
	if !l.Files[0].Executable || !l.Files[2].Hidden || !l.Files[1].Pad {
		t.Errorf("attributes: %+v", l.Files)
	}
}

func TestLinks(t *testing.T) {
	link := func(target ...any) dict {
		return dict{"attr", "l", "length", 0, "path", list{"link"}, "symlink path", list(target)}
	}
	for _, tt := range []struct {
		target []any
		want   string
	}{
		{[]any{"d", "b"}, "[d b]"},
		{[]any{"..", "etc"}, "[link]"},
		{[]any{"/etc/passwd"}, "[link]"},
		{nil, "[link]"},
		{[]any{"a", ".", "c:"}, "[a c:]"},
		{[]any{7}, "[link]"},
	} {
		info, err := ParseInfo([]byte(enc(files(dict{"length", 5, "path", list{"a"}},
			link(tt.target...)))))
		if err != nil {
			t.Fatal(err)
		}
		if f := info.Layout().Files[0]; f.Link != nil {
			t.Errorf("a file is a link: %+v", f)
		}
		if f := info.Layout().Files[1]; fmt.Sprint(f.Link) != tt.want || f.Length != 0 {
			t.Errorf("%v: got %+v", tt.target, f)
		}
	}
}

// A tree of two files, in pieces of 16 KiB; "a" takes 3 of them.
func treeFile(length int64, root string) dict {
	d := dict{"length", length}
	if length > 0 {
		d = append(d, "pieces root", root)
	}
	return dict{"", d}
}

func root32(c string) string { return strings.Repeat(c, 32) }

func v2(tree any) dict {
	return dict{"file tree", tree, "meta version", 2, "name", "n", "piece length", 16384}
}

func TestParseInfoV2(t *testing.T) {
	doc := []byte(enc(v2(dict{
		"a", treeFile(40000, root32("a")),
		"d", dict{"b", treeFile(5, root32("b")), "e", treeFile(0, "")},
		"z", treeFile(20000, root32("a")+"")[:2].with("",
			dict{"length", 16384, "pieces root", root32("z")}),
	})))
	info, err := ParseInfo(doc)
	if err != nil {
		t.Fatal(err)
	}
	h, ok := info.HashV2()
	if !ok || h != sha256.Sum256(doc) || info.Hash() != Hash(h[:20]) {
		t.Errorf("hash %v %v", h, ok)
	}
	if _, ok := info.HashV1(); ok {
		t.Error("a v2 torrent has a v1 hash")
	}
	l := info.Layout()
	got := ""
	for i, f := range l.Files {
		first, end := l.FilePieces(i)
		got += fmt.Sprintf("%s %d+%d %d-%d; ", l.FilePath(i), f.Offset, f.Length, first, end)
	}
	if want := "n/a 0+40000 0-3; n/d/b 49152+5 3-4; n/d/e 49157+0 3-3; n/z " +
		"65536+16384 4-5; "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	got = ""
	for i := range l.Pieces() {
		got += fmt.Sprint(l.PieceSize(i), " ")
	}
	if want := "16384 16384 7232 5 16384 "; got != want {
		t.Errorf("sizes %s, want %s", got, want)
	}
	if got := fmt.Sprint(slices.Collect(l.Spans(2*16384,
		3*16384))); got != "[{0 32768 7232} {1 0 5} {3 0 16384}]" {
		t.Errorf("spans %s", got)
	}
}

func TestParseInfoRefusesV2(t *testing.T) {
	good := dict{"a", treeFile(40000, root32("a"))}
	deep := treeFile(5, root32("r"))
	for range 65 {
		deep = dict{"d", deep}
	}
	for _, tt := range []struct {
		name string
		doc  dict
		want string
	}{
		{"no tree", v2(good).with("file tree", nil), "without file tree"},
		{"version 3", v2(good).with("meta version", 3), "version 3"},
		{"version negative", v2(good).with("meta version", -2), "version -2"},
		{"tree is a list", v2(list{}), "expected dictionary"},
		{"empty tree", v2(dict{}), "no content"},
		{"small pieces", v2(good).with("piece length", 8192), "power of two"},
		{"odd pieces", v2(good).with("piece length", 49152), "power of two"},
		{"short root", v2(dict{"a", treeFile(5, "short")}), "5 bytes"},
		{"no root", v2(dict{"a", dict{"", dict{"length", 5}}}), "0 bytes"},
		{"no length", v2(dict{"a", dict{"", dict{"pieces root", root32("a")}}}), "no length"},
		{"negative", v2(dict{"a", treeFile(-1, "")}), "out of range"},
		{"huge", v2(dict{"a", treeFile(1<<59, root32("a"))}), "pieces"},
		{"sum overflows", v2(dict{"a", treeFile(1<<60, root32("a")), "b",
			treeFile(1<<60, root32("b"))}), "too much"},
		{"no content", v2(dict{"a", treeFile(0, "")}), "no content"},
		{"file without name", v2(treeFile(5, root32("a"))), "no name"},
		{"file and folder", v2(dict{"a", dict{"", dict{"length", 0}, "b",
			treeFile(1, root32("b"))}}), "folder too"},
		{"folder and file", v2(dict{"a", dict{"b", treeFile(1, root32("b")), "",
			dict{"length", 0}}}), "folder too"},
		{"not sorted", v2(dict{"b", treeFile(1, root32("b")), "a", treeFile(1, root32("a"))}),
			"not sorted"},
		{"twice", v2(dict{"a", treeFile(1, root32("b")), "a", treeFile(1, root32("a"))}), "twice"},
		{"parent", v2(dict{"..", good}), `".."`},
		{"too deep", v2(dict{"a", deep}), "deeper"},
		{"one root, two lengths",
			v2(dict{"a", treeFile(5, root32("a")), "b", treeFile(6, root32("a"))}), "two lengths"},
	} {
		_, err := ParseInfo([]byte(enc(tt.doc)))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want ...%s...", tt.name, err, tt.want)
		}
	}
}

func TestHybridHalves(t *testing.T) {
	file := func(length int, path ...any) dict { return dict{"length", length, "path", list(path)} }
	pad := func(n int) dict { return dict{"attr", "p", "length", n, "path", list{".pad", "x"}} }
	tree := dict{"a", treeFile(5, root32("a")), "d", dict{"b", treeFile(7, root32("b"))}}
	hybrid := func(pieces int, entries ...any) dict {
		return v2(tree).with("files", list(entries)).with("pieces", sums(pieces))
	}
	for _, tt := range []struct {
		name string
		doc  dict
		want string // "" if sound
	}{
		{"tail padding", hybrid(2, file(5, "a"), pad(16379), file(7, "d", "b"), pad(16377)), ""},
		{"no tail padding", hybrid(2, file(5, "a"), pad(16379), file(7, "d", "b")), ""},
		{"no padding", hybrid(1, file(5, "a"), file(7, "d", "b")), "start at a piece"},
		{"wrong padding", hybrid(2, file(5, "a"), pad(16378), file(7, "d", "b"), pad(16377)),
			"start at a piece"},
		{"a piece of padding", hybrid(3, file(5, "a"), pad(16379+16384), file(7, "d", "b")),
			"at which the file tree has it"},
		{"padding in front", hybrid(3, pad(16384), file(5, "a"), pad(16379), file(7, "d", "b")),
			"at which the file tree has it"},
		{"a piece of padding at the end", hybrid(3, file(5, "a"), pad(16379), file(7, "d", "b"),
			pad(16377+16384)), "longer than a piece"},
		{"padding in parts", hybrid(2, file(5, "a"), pad(379), pad(16000), file(7, "d", "b")), ""},
		{"other name", hybrid(2, file(5, "a"), pad(16379), file(7, "d", "c")), "two names"},
		{"other order", hybrid(2, file(7, "d", "b"), pad(16377), file(5, "a")), "two names"},
		{"same lengths, other order", hybrid(2, file(7, "a"), pad(16377), file(5, "d", "b")),
			"two lengths"},
		{"a file twice", hybrid(3, file(5, "a"), pad(16379), file(5, "a"), pad(16379),
			file(7, "d", "b")), "two names"},
		{"a file of padding in the tree",
			v2(dict{"a", treeFile(5, root32("a")), "p", treeFile(16379, root32("p"))}).
				with("files", list{file(5, "a"), pad(16379)}).with("pieces", sums(1)),
			"file tree has more"},
		{"one piece too few", hybrid(1, file(5, "a"), pad(16379), file(7, "d", "b")), "1 hashes"},
		{"other length", hybrid(2, file(5, "a"), pad(16379), file(8, "d", "b")), "two lengths"},
		{"file missing in files", hybrid(1, file(5, "a")), "file tree has more"},
		{"file missing in tree", hybrid(3, file(5, "a"), pad(16379), file(7, "d", "b"), pad(16377),
			file(1, "z")), "files has more"},
		{"no pieces", hybrid(2, file(5, "a"), pad(16379), file(7, "d", "b")).with("pieces", nil),
			"no pieces"},
		{"no files", v2(tree).with("pieces", sums(2)), "neither"},
		{"single, sound", v2(dict{"n", treeFile(5, root32("a"))}).with("length", 5).with("pieces",
			sums(1)), ""},
		{"single, other name", v2(dict{"m", treeFile(5, root32("a"))}).with("length",
			5).with("pieces", sums(1)), "two names"},
		{"single, other length", v2(dict{"n", treeFile(5, root32("a"))}).with("length",
			6).with("pieces", sums(1)), "two lengths"},
	} {
		info, err := ParseInfo([]byte(enc(tt.doc)))
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.want == "" && info.Kind() != Hybrid:
			t.Errorf("%s: kind %v", tt.name, info.Kind())
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: got %v, want ...%s...", tt.name, err, tt.want)
		}
	}
}

func TestFilesMax(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a document of 30 MB")
	}
	var b strings.Builder
	b.WriteString("d5:filesl")
	for range FilesMax + 1 {
		b.WriteString("d6:lengthi0e4:pathl1:aee")
	}
	b.WriteString("e4:name1:n12:piece lengthi16384e6:pieces0:e")
	if _, err := ParseInfo([]byte(b.String())); err == nil ||
		!strings.Contains(err.Error(), "files") {
		t.Errorf("got %v", err)
	}
}
