package metainfo

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// bitComet is what BitComet calls the n-th padding of a torrent.
func bitComet(n int) string {
	return fmt.Sprintf("_____padding_file_%d_if you see this file, please update to BitComet "+
		"0.85 or above____", n)
}

// TestPaddingByName: BitComet marks padding by its name alone.
func TestPaddingByName(t *testing.T) {
	doc := enc(files(
		dict{"length", 20000, "path", list{"a"}},
		dict{"length", 12768, "path", list{bitComet(0)}},
		dict{"length", 5, "path", list{"d", "b"}},
		dict{"length", 16379, "path", list{"d", bitComet(1)}},
		dict{"length", 1, "path", list{"_____padding_file_is what this one is about"}},
		dict{"length", 2, "path", list{bitComet(2), "c"}},
	).with("pieces", sums(4)))
	info, err := ParseInfo([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	l := info.Layout()
	var pads []bool
	for i := range l.Files {
		pads = append(pads, l.Files[i].Pad)
	}
	if want := []bool{false, true, false, true, false, false}; !slices.Equal(pads, want) {
		t.Errorf("padding: %v, want %v", pads, want)
	}
	if l.Size() != 20008 || l.PieceSize(1) != 3616 || l.PieceSizePadded(1) != 16384 ||
		l.PieceSize(2) != 5 {
		t.Errorf("size %d, pieces of %d, %d", l.Size(), l.PieceSize(1), l.PieceSize(2))
	}
	one, err := ParseInfo([]byte(enc(single.with("name", bitComet(0)))))
	if err != nil || one.Layout().Files[0].Pad {
		t.Errorf("the only file is padding: %v", err)
	}
}

// TestBuildLeavesOutPadding: readers would take such files for padding.
func TestBuildLeavesOutPadding(t *testing.T) {
	root := writeTree(t, "content", map[string]int{"a": 20000, bitComet(0): 12768,
		"d/" + bitComet(1): 3, "d/b": 5})
	for _, kind := range []Kind{V1, V2, Hybrid} {
		var skipped []string
		torrent := mustBuild(t, BuildOptions{Path: root, Kind: kind,
			Skipped: func(path string, why error) {
				skipped = append(skipped, path+": "+why.Error())
			}})
		const why = ": has the name of padding, which is not content"
		if want := []string{bitComet(0) + why, "d/" + bitComet(1) + why}; !slices.Equal(skipped,
			want) {
			t.Errorf("%v: left out %q, want %q", kind, skipped, want)
		}
		again, err := ParseTorrent(torrent.Marshal())
		if err != nil {
			t.Fatal(err)
		}
		if got := again.Info().Layout().Size(); got != 20005 {
			t.Errorf("%v: %d bytes", kind, got)
		}
	}
}

// TestSingleFileOfTree: a v2 torrent with one file at the root of its tree is that
// file, whatever the torrent is called.
func TestSingleFileOfTree(t *testing.T) {
	for _, tt := range []struct {
		name   any
		key    string
		want   string // its name here
		plain  string // and by the portable rule
		folder string
	}{
		{"n", "n", "n", "n", ""},
		{"album", "film.mkv", "film.mkv", "film.mkv", "album"},
		{"a:b", "film.mkv", "film.mkv", "film.mkv", "a:b"},
		{"album", "What?.bin", "What?.bin", "What_.bin", "album"},
		{"a\x01", "x\x02", "x_", "x_", "a_"},
		{"", "film.mkv", "film.mkv", "film.mkv", ""},
	} {
		doc := v2(dict{tt.key, treeFile(5, root32("a"))}).with("name", tt.name)
		info, err := ParseInfo([]byte(enc(doc)))
		if err != nil {
			t.Fatal(err)
		}
		l := info.Layout()
		if l.Multi || len(l.Files[0].Path) != 0 || info.Name() != tt.want ||
			l.FilePath(0) != tt.want ||
			l.TopName(NamesPortable) != tt.plain || l.TopName(NamesRaw) != tt.key ||
			l.Folder(NamesNative) != tt.folder {
			t.Errorf("%q, %q: a folder %v, %q, %q, in %q", tt.name, tt.key, l.Multi, l.FilePath(0),
				l.TopName(NamesPortable), l.Folder(NamesNative))
		}
		renamed := info.Renamed(NamesPortable)
		if want := tt.plain != tt.key; want != (len(renamed) == 1) ||
			want && renamed[0] != (Renamed{tt.key, tt.plain}) {
			t.Errorf("%q, %q: renamed %v", tt.name, tt.key, renamed)
		}
	}
	for _, doc := range []dict{
		v2(dict{"d", dict{"a", treeFile(5, root32("a"))}}),
		v2(dict{"a", treeFile(5, root32("a")), "b", treeFile(0, "")}),
	} {
		info, err := ParseInfo([]byte(enc(doc)))
		if err != nil {
			t.Fatal(err)
		}
		if l := info.Layout(); !l.Multi || l.Name != "n" || l.Folder(NamesNative) != "" {
			t.Errorf("%+v", l)
		}
	}
	// A hybrid says in its v1 part whether there is a folder.
	root := writeTree(t, "album", map[string]int{"film.mkv": 50})
	for path, multi := range map[string]bool{root: true, filepath.Join(root, "film.mkv"): false} {
		again, err := ParseTorrent(mustBuild(t, BuildOptions{Path: path, Kind: Hybrid}).Marshal())
		if err != nil {
			t.Fatal(err)
		}
		if l := again.Info().Layout(); l.Multi != multi || l.Name != filepath.Base(path) {
			t.Errorf("hybrid of %s: %+v", path, l)
		}
	}
}

// TestBuildUnsafeNames makes torrents of what others refused.
func TestBuildUnsafeNames(t *testing.T) {
	root := writeTree(t, "content", map[string]int{`\lead`: 10, "C:/x": 20, "a b ": 5})
	for _, kind := range []Kind{V1, V2, Hybrid} {
		info := mustBuild(t, BuildOptions{Path: root, Kind: kind}).Info()
		theirs, err := ParseInfo(info.Raw())
		if err != nil {
			t.Fatal(err)
		}
		checkLayout(t, theirs.Layout(), filepath.Dir(root))
	}
	if err := os.WriteFile(filepath.Join(root, `\\host\x`), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Build(t.Context(), BuildOptions{Path: root})
	const want = `making a torrent: file 1: a path element is an absolute path: "\\\\host\\x"`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
