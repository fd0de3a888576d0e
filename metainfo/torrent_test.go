package metainfo

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// torrentDoc is a .torrent file with some keys beside the info dictionary, sorted.
func torrentDoc(extra ...any) dict {
	all := append(dict{"info", single}, extra...)
	pairs := slices.Collect(slices.Chunk(all, 2))
	slices.SortFunc(pairs, func(a, b dict) int {
		return strings.Compare(a[0].(string), b[0].(string))
	})
	return slices.Concat(pairs...)
}

func TestParseTorrent(t *testing.T) {
	doc := enc(dict{
		"announce", "http://one/",
		"announce-list", list{list{"http://a/", "http://b/"}, list{}, list{"udp://c:1", 5},
			"http://stray/"},
		"azureus_properties", dict{"x", 1},
		"comment", "a comment",
		"created by", "someone",
		"creation date", 1700000000,
		"encoding", "UTF-8",
		"httpseeds", list{"http://h/"},
		"info", single,
		"nodes", list{list{"127.0.0.1", 6881}, list{"::1", 6882}, list{"router.example", 0},
			list{"x"}, 7, list{"a b", 5}},
		"url-list", "http://seed/",
	}) + "garbage behind"
	torrent, err := ParseTorrent([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintln(torrent.Trackers, torrent.WebSeeds, torrent.Nodes, torrent.Comment,
		torrent.Creator, torrent.Created.Unix())
	want := "[[http://a/ http://b/] [udp://c:1] [http://stray/]] [http://seed/] [127.0.0.1:6881 " +
		"[::1]:6882] a comment someone 1700000000\n"
	if got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
	if out, want := string(torrent.Marshal()), strings.TrimSuffix(doc,
		"garbage behind"); out != want {
		t.Errorf("written\n%q, want\n%q", out, want)
	}
	torrent.Trackers[0][0], torrent.Nodes, torrent.WebSeeds = "http://z/", torrent.Nodes[:1],
		append(torrent.WebSeeds, "http://t/")
	torrent.Created = torrent.Created.Add(time.Second)
	out := string(torrent.Marshal())
	want = enc(dict{
		"announce", "http://z/",
		"announce-list", list{list{"http://z/", "http://b/"}, list{"udp://c:1"},
			list{"http://stray/"}},
		"azureus_properties", dict{"x", 1},
		"comment", "a comment",
		"created by", "someone",
		"creation date", 1700000001,
		"encoding", "UTF-8",
		"httpseeds", list{"http://h/"},
		"info", single,
		"nodes", list{list{"127.0.0.1", 6881}},
		"url-list", list{"http://seed/", "http://t/"},
	})
	if out != want {
		t.Errorf("written\n%q, want\n%q", out, want)
	}
	m := torrent.Magnet()
	if m.Hash() != torrent.Info().Hash() || m.Name != "n" || len(m.Trackers) != 4 ||
		len(m.WebSeeds) != 2 {
		t.Errorf("magnet %v", m)
	}
}

func TestTorrentWithoutExtras(t *testing.T) {
	doc := enc(torrentDoc())
	torrent, err := ParseTorrent([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	if out := string(torrent.Marshal()); out != doc {
		t.Errorf("written %q", out)
	}
	if out := string(NewTorrent(torrent.Info()).Append([]byte("x"))); out != "x"+doc {
		t.Errorf("appended %q", out)
	}
	// Changing what is around the info dictionary keeps its hash.
	torrent.Trackers, torrent.Created = [][]string{{"http://t/"}}, time.Unix(5, 0)
	again, err := ParseTorrent(torrent.Marshal())
	if err != nil || again.Info().Hash() != torrent.Info().Hash() ||
		!slices.Equal(again.Trackers[0], torrent.Trackers[0]) {
		t.Errorf("edited: %+v, %v", again, err)
	}
}

// Texts have two keys in files of some programs, of which readers take the one in
// UTF-8 first: nothing of the old text must be left there when it is changed.
func TestTorrentTexts(t *testing.T) {
	for _, tt := range []struct {
		extra                  dict
		comment, creator, name string
	}{
		{dict{"comment", "c", "created by", "p", "name", "d"}, "c", "p", "d"},
		{dict{"comment", "c", "comment.utf-8", "\u00e9", "name", "d", "name.utf-8", "\u00fc"},
			"\u00e9", "", "\u00fc"},
		{dict{"created by.utf-8", "p", "name.utf-8", "\xff"}, "", "p", ""},
		{dict{"comment", "c", "comment.utf-8", "\xff", "name", "d", "name.utf-8", ""}, "c", "",
			"d"},
		{dict{"comment", 5, "created by", list{}, "name", dict{}, "name.utf-8", 7}, "", "", ""},
	} {
		torrent, err := ParseTorrent([]byte(enc(torrentDoc(tt.extra...))))
		if err != nil {
			t.Errorf("%v: %v", tt.extra, err)
			continue
		}
		if torrent.Comment != tt.comment || torrent.Creator != tt.creator ||
			torrent.DisplayName != tt.name {
			t.Errorf("%v: comment %q, creator %q, name %q", tt.extra, torrent.Comment,
				torrent.Creator, torrent.DisplayName)
		}
		if got := torrent.Magnet().Name; got != "n" {
			t.Errorf("%v: the link has the name %q", tt.extra, got)
		}
		torrent.Comment, torrent.Creator, torrent.DisplayName = "new", "newer", "newest"
		want := enc(dict{"comment", "new", "created by", "newer", "info", single, "name", "newest"})
		if got := string(torrent.Marshal()); got != want {
			t.Errorf("%v: written\n%q, want\n%q", tt.extra, got, want)
		}
		torrent.Comment, torrent.Creator, torrent.DisplayName = "", "", ""
		for _, key := range []string{"comment", "created by", "name"} {
			torrent.Forget(key) // also what could not be read
		}
		if got, want := string(torrent.Marshal()), enc(dict{"info", single}); got != want {
			t.Errorf("%v: without texts %q, want %q", tt.extra, got, want)
		}
	}
}

func TestParseTorrentIgnores(t *testing.T) {
	for _, extra := range []dict{
		{"announce", 5},
		{"announce", "not a url"},
		{"announce", "http://a\nb/"},
		{"announce-list", "http://x/"},
		{"announce-list", dict{}},
		{"nodes", "x"},
		{"url-list", dict{}},
		{"url-list", ""},
		{"comment", list{}},
		{"created by", 5},
		{"creation date", "now"},
		{"creation date", -5},
		{"creation date", int64(1 << 62)},
	} {
		torrent, err := ParseTorrent([]byte(enc(torrentDoc(extra...))))
		if err != nil {
			t.Errorf("%v: %v", extra, err)
			continue
		}
		if len(torrent.Trackers)+len(torrent.Nodes)+len(torrent.WebSeeds)+
			len(torrent.Comment) > 0 || !torrent.Created.IsZero() {
			t.Errorf("%v: %+v", extra, torrent)
		}
	}
	flood := list{}
	for i := range 5000 {
		flood = append(flood, list{fmt.Sprintf("http://t%d/", i)})
	}
	torrent, err := ParseTorrent([]byte(enc(torrentDoc("announce-list", flood))))
	if err != nil || len(torrent.Trackers) != TrackersMax {
		t.Errorf("%d trackers, %v", len(torrent.Trackers), err)
	}
}

func TestParseTorrentRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, doc, want string
	}{
		{"nothing", "", "unexpected end"},
		{"a page", "<html>", "expected dictionary"},
		{"a list", "le", "expected dictionary"},
		{"truncated", enc(torrentDoc())[:60], "offset"},
		{"no info", enc(dict{"comment", "x"}), "no info"},
		{"info is a string", enc(dict{"info", "x"}), "expected dictionary"},
		{"bad info", enc(dict{"info", dict{}}), "info dictionary: no piece length"},
		{"info twice", "d4:info" + enc(single) + "4:info" + enc(single) + "e", "twice"},
		{"deep", enc(torrentDoc("x", raw(strings.Repeat("l", 1000)+strings.Repeat("e", 1000)))),
			"deeper"},
		{"long string", "d1:x99999999999:", "longer than the input"},
	} {
		_, err := ParseTorrent([]byte(tt.doc))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want ...%s...", tt.name, err, tt.want)
		}
	}
	if _, err := ParseTorrent(make([]byte, TorrentBytesMax+1)); err == nil {
		t.Error("too many bytes were taken")
	}
}

func TestPieceLayers(t *testing.T) {
	root := writeTree(t, "n", map[string]int{"a": 100_000, "b": 10, "c": 40_000})
	torrent := mustBuild(t, BuildOptions{Path: root, Kind: V2, PieceLength: 16 << 10})
	l := torrent.Info().Layout()
	info := raw(torrent.Info().Raw())
	a, c := string(l.Files[0].Root[:]), string(l.Files[2].Root[:])
	layerA, layerC := string(l.trees[0].layer()), string(l.trees[2].layer())
	pairs := func(kv ...string) raw {
		b := "d"
		for _, s := range kv {
			b += enc(s)
		}
		return raw(b + "e")
	}
	flip := func(s string) string { return string([]byte{s[0] ^ 1}) + s[1:] }
	for _, tt := range []struct {
		name   string
		layers any
		want   string
	}{
		{"all", pairs(a, layerA, c, layerC), ""},
		{"none", pairs(), ""},
		{"one", pairs(c, layerC), ""},
		{"small file too", pairs(a, layerA, string(l.Files[1].Root[:]), string(l.Files[1].Root[:])),
			""},
		{"no dictionary", list{}, "expected dictionary"},
		{"layer is a number", raw("d32:" + a + "i5ee"), "expected string"},
		{"wrong hash", pairs(a, flip(layerA)), "file 0: does not lead"},
		{"of another file", pairs(a, layerC), "96 bytes instead of"},
		{"too long", pairs(a, layerA+root32("x")), "bytes instead of"},
		{"too short", pairs(a, layerA[32:]), "bytes instead of"},
		{"empty", pairs(a, ""), "bytes instead of"},
		{"unknown root", pairs(flip(a), layerA), "no file"},
		{"short root", pairs("x", layerA), "no file"},
	} {
		doc := enc(dict{"info", info, "piece layers", tt.layers})
		got, err := ParseTorrent([]byte(doc))
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: got %v, want ...%s...", tt.name, err, tt.want)
		case tt.want == "" && string(got.Marshal()) != doc:
			t.Errorf("%s: written differently", tt.name)
		}
	}
	if again, err := ParseTorrent(torrent.Marshal()); err != nil ||
		!bytes.Equal(again.Marshal(), torrent.Marshal()) {
		t.Errorf("written differently, %v", err)
	} else if again.file.value(keyLayers) != nil {
		t.Error("layers are kept twice")
	}
	// Layers that become known later are written, in the place of those that were read.
	some, err := ParseTorrent([]byte(enc(dict{"info", info, "piece layers", pairs(c, layerC)})))
	if err != nil {
		t.Fatal(err)
	}
	if err := some.Info().layout.readLayers([]byte(pairs(a, layerA))); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(some.Marshal(), torrent.Marshal()) {
		t.Error("layers that became known are not written")
	}
}

func FuzzParseInfo(f *testing.F) {
	for _, d := range []dict{
		single, multi, v2(dict{"a", treeFile(40000, root32("a")),
			"d", dict{"b", treeFile(5, root32("b"))}}),
		files(dict{"attr", "p", "length", 5, "path", list{".pad", "5"}},
			dict{"length", 5, "path", list{"A"}}, dict{"length", 5, "path", list{"a"}}),
		v2(dict{"n", treeFile(5, root32("a"))}).with("length", 5).with("pieces", sums(1)),
	} {
		f.Add([]byte(enc(d)))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		info, err := ParseInfo(doc)
		if err != nil {
			return
		}
		checkInvariants(t, info)
	})
}

// checkInvariants checks what the doc comment of Layout promises, and that the
// pieces cover the content.
func checkInvariants(t *testing.T, info *Info) {
	t.Helper()
	l := info.Layout()
	if l.Length <= 0 || l.PieceLength <= 0 || l.PieceLength > PieceLengthMax || l.Pieces() <= 0 ||
		l.Pieces() > PiecesMax {
		t.Fatalf("%+v", l)
	}
	checkNames(t, l, NamesNative)
	end := int64(0)
	for i, f := range l.Files {
		if f.Length < 0 || f.Offset < end || l.kind.HasV1() && f.Offset != end ||
			f.Offset+f.Length > l.Length {
			t.Fatalf("file %d: %+v behind %d", i, f, end)
		}
		end = f.Offset + f.Length
	}
	if end != l.Length {
		t.Fatalf("files end at %d of %d", end, l.Length)
	}
	for i := range min(l.Pieces(), 1000) {
		n := l.PieceSize(i)
		if n <= 0 || n > l.PieceSizePadded(i) || l.PieceSizePadded(i) > l.PieceLength {
			t.Fatalf("piece %d: %d of %d bytes", i, n, l.PieceSizePadded(i))
		}
		for s := range l.Spans(l.PieceOffset(i), n) {
			n -= s.Length
		}
		if n != 0 {
			t.Fatalf("piece %d: %d bytes in no file", i, n)
		}
	}
	if l.PieceLength <= 1<<20 && l.VerifyPiece(0, make([]byte, l.PieceSize(0))) && l.kind != V1 {
		t.Log("zeros verified") // possible, if the fuzzer knows SHA-256
	}
}

// checkNames checks that names are clean by rule, and that no two files have one.
func checkNames(t *testing.T, l *Layout, rule NameRule) {
	t.Helper()
	seen := make(map[string]bool)
	for i, f := range l.Files {
		key := l.FilePath(i)
		if rule.folds() {
			key = fold(key)
		}
		if !f.Pad && seen[key] {
			t.Fatalf("file %d: second %q", i, l.FilePath(i))
		}
		seen[key] = seen[key] || !f.Pad
		for _, e := range f.Path {
			if clean, err := cleanElement(e, rule); err != nil || clean != e || e == "" {
				t.Fatalf("file %d: element %q", i, e)
			}
		}
		if clean, err := cleanElement(l.Name, rule); l.Name != "" && (err != nil ||
			clean != l.Name) {
			t.Fatalf("name %q", l.Name)
		}
	}
}

// FuzzParseTorrent checks that what is read, written and read again is the
// same.
func FuzzParseTorrent(f *testing.F) {
	f.Add([]byte(enc(torrentDoc("nodes", list{list{"h", 1}}, "url-list", "http://x/"))))
	f.Add([]byte(enc(dict{"announce-list", list{list{"http://a/"}}, "info", multi, "x", list{}})))
	f.Add([]byte(enc(dict{"info", v2(dict{"a", treeFile(40000, root32("a"))}), "piece layers",
		dict{root32("a"), sums(1)}})))
	f.Fuzz(func(t *testing.T, doc []byte) {
		torrent, err := ParseTorrent(doc)
		if err != nil {
			return
		}
		checkInvariants(t, torrent.Info())
		out := torrent.Marshal()
		again, err := ParseTorrent(out)
		if err != nil {
			t.Fatalf("written as %q: %v", out, err)
		}
		if !bytes.Equal(again.Marshal(), out) || again.Info().Hash() != torrent.Info().Hash() {
			t.Errorf("written as %q, then as %q", out, again.Marshal())
		}
		again.EditTrackers([]string{"http://a/"}, [][]string{{"http://new/"}})
		edited, err := ParseTorrent(again.Marshal())
		if err != nil || edited.Info().Hash() != torrent.Info().Hash() ||
			!slices.EqualFunc(edited.Trackers, again.Trackers, slices.Equal) {
			t.Errorf("edited: %v, %v, want %v", edited.Trackers, err, again.Trackers)
		}
		if m, err := ParseMagnet(torrent.Magnet().String()); err != nil ||
			m.Hash() != torrent.Info().Hash() {
			t.Errorf("magnet %s: %v", torrent.Magnet(), err)
		}
	})
}

// FuzzParseBuildParse makes a folder of the given sizes into a torrent of
// each kind and reads it back.
func FuzzParseBuildParse(f *testing.F) {
	f.Add(uint16(1), uint16(0), uint16(40000), uint8(0), false)
	f.Add(uint16(16384), uint16(16385), uint16(5), uint8(1), true)
	f.Fuzz(func(t *testing.T, a, b, c uint16, shift uint8, bare bool) {
		if int(a)+int(b)+int(c) == 0 {
			return
		}
		root := writeTree(t, "n", map[string]int{"a": int(a), "b/b": int(b), "c": int(c)})
		for _, kind := range []Kind{V1, V2, Hybrid} {
			torrent := mustBuild(t, BuildOptions{Path: root, Kind: kind,
				PieceLength: BlockLength << (shift % 4), NoTailPadding: bare})
			again, err := ParseTorrent(torrent.Marshal())
			if err != nil {
				t.Fatal(err)
			}
			checkInvariants(t, again.Info())
			if !bytes.Equal(again.Marshal(), torrent.Marshal()) {
				t.Errorf("%v: written differently", kind)
			}
			checkLayout(t, again.Info().Layout(), strings.TrimSuffix(root, "/n"))
		}
	})
}
