package api

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"swarmnode/daemon"
	"swarmnode/swarm"
	"swarmnode/swarm/bits"
)

// names returns what a tree shows.
func names(tree *FileTree) string {
	var b strings.Builder
	for _, e := range tree.Entries {
		if e.Index == nil {
			fmt.Fprintf(&b, "%s/ %d:%d ", e.Name, e.Files, e.Size)
		} else {
			fmt.Fprintf(&b, "%s %d ", e.Name, e.Size)
		}
	}
	return strings.TrimSpace(b.String())
}

// Files are shown as a tree, a folder at a time, and are chosen by it.
func TestFileTree(t *testing.T) {
	r := newRig(t, nil)
	doc, _ := torrentOf(t, "top", map[string]int{"b.txt": 1, "A/x": 10, "A/y": 20, "A/deep/z": 30,
		"a.txt": 2, "B/x": 40})
	r.want(r.do("POST", "/torrents", Add{Metainfo: doc, Stopped: new(true)}), 201, nil)
	show := func(query string) *FileTree {
		t.Helper()
		tree := new(FileTree)
		r.want(r.do("GET", "/torrents/1/files?"+query, nil), 200, tree)
		return tree
	}
	for query, want := range map[string]string{
		"":                              "top/ 6:103",
		"path=top":                      "A/ 3:60 B/ 1:40 a.txt 2 b.txt 1",
		"path=/top/A/":                  "deep/ 1:30 x 10 y 20",
		"path=top/A/y":                  "y 20",
		"path=top&offset=1&limit=2":     "B/ 1:40 a.txt 2",
		"path=top/A&flat=true":          "z 30 x 10 y 20",
		"path=top/A&flat=true&offset=2": "y 20",
	} {
		tree := show(query)
		got := names(tree)
		if query == "path=top/A&flat=true" { // by index: the order of the torrent
			if tree.Total != 3 || !slices.IsSortedFunc(tree.Entries, func(a, b FileEntry) int {
				return *a.Index - *b.Index
			}) {
				t.Errorf("%q: %s", query, got)
			}
			continue
		}
		if strings.HasSuffix(query, "offset=2") {
			if len(tree.Entries) != 1 || tree.Total != 3 {
				t.Errorf("%q: %s", query, got)
			}
			continue
		}
		if got != want {
			t.Errorf("%q: %s, want %s", query, got, want)
		}
	}
	if a := r.do("GET", "/torrents/1/files?path=top/C", nil); a.status != 404 {
		t.Errorf("a folder that there is not: %d", a.status)
	}
	y := *show("path=top/A/y").Entries[0].Index
	r.want(r.do("PATCH", "/torrents/1/files", FilePriorities{[]FilePriority{
		{Path: new(""), Priority: 0}, {Path: new("top/A"), Priority: 7},
		{Files: []int{y}, Priority: 1}}}), 204, nil)
	tree := show("path=top")
	if a, b := tree.Entries[0], tree.Entries[1]; a.Wanted != 60 || a.Priority != nil ||
		b.Wanted != 0 || b.Priority == nil || *b.Priority != 0 {
		t.Errorf("after a choice: %+v", tree.Entries)
	}
	if deep := show("path=top/A").Entries[0]; deep.Priority == nil || *deep.Priority != 7 {
		t.Errorf("of the subfolder: %+v", deep)
	}
	for _, set := range []FilePriority{{Priority: 1}, {Path: new("x"), Priority: 1},
		{Files: []int{99}}, {Files: []int{-1}}, {Files: []int{0}, Priority: 8},
		{Files: []int{0}, Path: new(""), Priority: 1}, {Files: []int{0}, Priority: -1}} {
		if a := r.do("PATCH", "/torrents/1/files", FilePriorities{[]FilePriority{set}}); a.status !=
			422 {
			t.Errorf("%+v: %d %s", set, a.status, a.body)
		}
	}
	r.want(r.do("POST", "/torrents/1/rename", Rename{"top/A/y", "new"}), 204, nil)
	r.want(r.do("POST", "/torrents/1/rename", Rename{"", "other"}), 204, nil)
	if got := names(show("path=other/A")); got != "deep/ 1:30 new 20 x 10" {
		t.Errorf("with new names: %s", got)
	}
	r.want(r.do("POST", "/torrents/1/rename", Rename{"other/A/new", "newer"}), 204, nil)
	if got := names(show("path=other/A")); got != "deep/ 1:30 newer 20 x 10" {
		t.Errorf("with a name after a new name: %s", got)
	}
	r.want(r.do("POST", "/torrents/1/rename", Rename{"other/A", "Q"}), 204, nil)
	if got := names(show("path=other/Q")); got != "deep/ 1:30 newer 20 x 10" {
		t.Errorf("with a new name of a folder: %s", got)
	}
	if a := r.do("POST", "/torrents/1/rename", Rename{"other/Q", "B"}); a.status != 409 {
		t.Errorf("the name of another folder: %d %s", a.status, a.body)
	}
	if a := r.do("POST", "/torrents/1/rename", Rename{"other/A/gone", "x"}); a.status != 422 {
		t.Errorf("what there is not: %d %s", a.status, a.body)
	}
}

// A tree of 40,000 files shows each of its folders whole.
func TestLargeTree(t *testing.T) {
	var files []file
	for i := range 40_000 {
		files = append(files, file{i, fmt.Sprintf("t/d%d/e%d/f%d", i%7, i%100, i),
			swarm.FileState{Size: 1}})
	}
	slices.SortFunc(files, func(a, b file) int { return comparePaths(a.path, b.path) })
	top := folder(files, "t")
	if len(top) != 7 {
		t.Fatalf("%d folders", len(top))
	}
	count := 0
	for _, d := range top {
		for _, e := range folder(below(files, d.Path), d.Path) {
			count += e.Files
			if e.Files != len(folder(below(files, e.Path), e.Path)) {
				t.Errorf("%s has %d files", e.Path, e.Files)
			}
		}
	}
	if count != len(files) {
		t.Errorf("%d files in all", count)
	}
}

// However many cells there are, each piece is in one of them, and none is shown as whole that
// is not.
func TestPieceCells(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		n := 1 + random.IntN(50)
		have := bits.New(n)
		s := swarm.PiecesState{Have: have, Availability: make([]uint16, n)}
		for i := range n {
			s.Availability[i] = uint16(random.IntN(400))
			switch random.IntN(3) {
			case 0:
				have.Add(i)
			case 1:
				s.InFlight = append(s.InFlight, i)
			}
		}
		cells := random.IntN(60)
		p := piecesOf(&daemon.State{Pieces: n}, &s, cells)
		if p.Cells < 1 || p.Cells > n || len(p.Have) != p.Cells || len(p.Availability) != p.Cells {
			t.Fatalf("%d pieces in %d cells: %+v", n, cells, p)
		}
		next := 0
		for cell := range p.Cells {
			whole, fewest := true, 255
			first := next
			for next < n && next*p.Cells/n <= cell && next < (cell+1)*n/p.Cells {
				whole = whole && have.Has(next)
				fewest = min(fewest, int(s.Availability[next]))
				if slices.Contains(s.InFlight, next) && !slices.Contains(p.InFlight, cell) {
					t.Fatalf("piece %d is in flight, cell %d of %v is not", next, cell, p.InFlight)
				}
				next++
			}
			if next == first || whole != (p.Have[cell] == 255) ||
				fewest != int(p.Availability[cell]) {
				t.Fatalf("cell %d of %d, pieces %d to %d of %d: %+v", cell, p.Cells, first, next,
					n, p)
			}
		}
		if next != n {
			t.Fatalf("%d of %d pieces are in cells", next, n)
		}
		if (p.Bits != nil) != (p.Cells == n) {
			t.Fatalf("%d pieces in %d cells: bits %v", n, p.Cells, p.Bits)
		}
	}
	if p := piecesOf(&daemon.State{}, &swarm.PiecesState{}, 10); p.Cells != 0 {
		t.Errorf("without metadata: %+v", p)
	}
}
