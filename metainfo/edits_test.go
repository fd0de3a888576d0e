package metainfo

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A trackerModel is a list of tiers, edited in the simplest way.
type trackerModel [][]string

func (m trackerModel) edit(remove []string, add [][]string) trackerModel {
	var out trackerModel
	has := make(map[string]bool)
	for _, tier := range m {
		tier = slices.DeleteFunc(slices.Clone(tier), func(u string) bool {
			return slices.Contains(remove, u)
		})
		if len(tier) > 0 {
			out = append(out, tier)
		}
		for _, u := range tier {
			has[u] = true
		}
	}
	for _, tier := range add {
		var fresh []string
		for _, u := range tier {
			if !has[u] {
				has[u] = true
				fresh = append(fresh, u)
			}
		}
		if len(fresh) > 0 {
			out = append(out, fresh)
		}
	}
	return out
}

// Trackers are removed and added at random. The list always equals that of a plain model,
// survives writing and reading, and everything else in the file stays as it was.
func TestEditsOfTrackersAgainstModel(t *testing.T) {
	const others = "7:comment1:c8:encoding5:UTF-8"
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 7))
		urls := func(n int) (some []string) {
			for range rng.IntN(n) {
				some = append(some, fmt.Sprintf("http://t%d/", rng.IntN(12)))
			}
			return some
		}
		tiers := func() (some [][]string) {
			for range rng.IntN(4) {
				some = append(some, urls(4))
			}
			return some
		}
		torrent := mustParse(t, "d"+others+"4:info"+enc(single)+"e")
		model, log := trackerModel(nil), ""
		for range 8 {
			remove, add := urls(4), tiers()
			log += fmt.Sprintf("remove %v, add %v\n", remove, add)
			torrent.EditTrackers(remove, add)
			model = model.edit(remove, add)
			if rng.IntN(2) == 0 { // a file is written and read in between
				torrent = mustParse(t, string(torrent.Marshal()))
			}
			if fmt.Sprint(torrent.Trackers) != fmt.Sprint([][]string(model)) {
				t.Fatalf("seed %d:\n%sgot  %v\nwant %v", seed, log, torrent.Trackers, model)
			}
			doc := string(torrent.Marshal())
			if !strings.Contains(doc, others) || !strings.Contains(doc, enc(single)) {
				t.Fatalf("seed %d: other keys were changed: %q", seed, doc)
			}
			announce := fmt.Sprint(mustParse(t, doc).file.value(keyAnnounce) != nil)
			if want := fmt.Sprint(len(model) > 0); announce != want {
				t.Fatalf("seed %d: announce is there: %s, want %s", seed, announce, want)
			}
		}
	}
}

// Each field is written, and read back as it was set. When it is emptied, its key is gone
// and the file is as it was. The info-hash stays.
func TestEditsOfFieldsAndBack(t *testing.T) {
	edits := map[string]struct {
		set, unset func(*Torrent)
		is         func(*Torrent) bool
	}{
		"trackers": {func(t *Torrent) { t.Trackers = [][]string{{"http://a/"}, {"http://b/"}} },
			func(t *Torrent) { t.Trackers = nil },
			func(t *Torrent) bool { return fmt.Sprint(t.Trackers) == "[[http://a/] [http://b/]]" }},
		"web seeds": {func(t *Torrent) { t.WebSeeds = []string{"http://w/"} },
			func(t *Torrent) { t.WebSeeds = nil },
			func(t *Torrent) bool { return fmt.Sprint(t.WebSeeds) == "[http://w/]" }},
		"nodes": {func(t *Torrent) { t.Nodes = []string{"router.example:6881", "[::1]:5"} },
			func(t *Torrent) { t.Nodes = nil },
			func(t *Torrent) bool {
				return slices.Equal(t.Nodes, []string{"router.example:6881", "[::1]:5"})
			}},
		"comment": {func(t *Torrent) { t.Comment = "a \u00e9" },
			func(t *Torrent) { t.Comment = "" },
			func(t *Torrent) bool { return t.Comment == "a \u00e9" }},
		"creator": {func(t *Torrent) { t.Creator = "me" }, func(t *Torrent) { t.Creator = "" },
			func(t *Torrent) bool { return t.Creator == "me" }},
		"name": {func(t *Torrent) { t.DisplayName = "shown" },
			func(t *Torrent) { t.DisplayName = "" },
			func(t *Torrent) bool { return t.DisplayName == "shown" }},
		"date": {func(t *Torrent) { t.Created = time.Unix(1e9, 0) },
			func(t *Torrent) { t.Created = time.Time{} },
			func(t *Torrent) bool { return t.Created.Equal(time.Unix(1e9, 0)) }},
	}
	doc := enc(torrentDoc("zz", dict{"b", 1}))
	for name, edit := range edits {
		torrent := mustParse(t, doc)
		hash := torrent.Info().Hash()
		if edit.is(torrent) {
			t.Errorf("%s: set from the start", name)
		}
		edit.set(torrent)
		again := mustParse(t, string(torrent.Marshal()))
		if !edit.is(again) || again.Info().Hash() != hash {
			t.Errorf("%s: read back as %+v", name, again)
		}
		for other, edit := range edits {
			if other != name && edit.is(again) {
				t.Errorf("%s: also set %s", name, other)
			}
		}
		edit.unset(again)
		if got := string(again.Marshal()); got != doc {
			t.Errorf("%s: not as before:\n%q, want\n%q", name, got, doc)
		}
	}
}

// The options of Build end up in the torrent, in the keys that other programs read.
func TestBuildOptionsAreWritten(t *testing.T) {
	root := writeTree(t, "content", map[string]int{"a": 20000, "b": 5})
	torrent := mustBuild(t, BuildOptions{
		Path: root, Name: "another", Private: true, Source: "SRC", PieceLength: 32 << 10,
		Trackers: [][]string{{"http://a/", "http://b/"}, {"udp://c:1"}},
		WebSeeds: []string{"http://w/"}, Nodes: []string{"h:1", "[2001:db8::1]:2"},
		Comment: "c", Creator: "x", Created: time.Unix(1234567890, 0),
	})
	got := string(torrent.Marshal())
	info := dict{
		"files", list{dict{"length", 20000, "path", list{"a"}},
			dict{"length", 5, "path", list{"b"}}},
		"name", "another", "piece length", 32768,
		"pieces", string(torrent.Info().Layout().hashes), "private", 1, "source", "SRC",
	}
	want := enc(dict{
		"announce", "http://a/",
		"announce-list", list{list{"http://a/", "http://b/"}, list{"udp://c:1"}},
		"comment", "c", "created by", "x", "creation date", 1234567890,
		"info", info,
		"nodes", list{list{"h", 1}, list{"2001:db8::1", 2}},
		"url-list", list{"http://w/"},
	})
	if got != want {
		t.Errorf("written\n%q, want\n%q", got, want)
	}
	link := torrent.Magnet()
	if link.Name != "another" || len(link.Trackers) != 3 || len(link.WebSeeds) != 1 {
		t.Errorf("link %v", link)
	}
}

// Options that are not set leave no key behind, and a different source or privacy gives
// another info-hash for the same content.
func TestBuildOptionsLeaveNothing(t *testing.T) {
	root := writeTree(t, "content", map[string]int{"a": 20000})
	plain := mustBuild(t, BuildOptions{Path: root})
	for _, key := range []string{"announce", "url-list", "nodes", "comment", "created by",
		"creation date", "private", "source"} {
		if strings.Contains(string(plain.Marshal()), enc(key)) {
			t.Errorf("%q is in the file", key)
		}
	}
	seen := map[Hash]string{plain.Info().Hash(): "plain"}
	for name, opt := range map[string]BuildOptions{
		"private": {Private: true}, "source": {Source: "A"}, "another source": {Source: "B"},
		"another name": {Name: "x"}, "another piece length": {PieceLength: 32 << 10},
		"v2": {Kind: V2}, "hybrid": {Kind: Hybrid},
	} {
		opt.Path = root
		hash := mustBuild(t, opt).Info().Hash()
		if other, taken := seen[hash]; taken {
			t.Errorf("%s has the info-hash of %s", name, other)
		}
		seen[hash] = name
	}
	for name, opt := range map[string]BuildOptions{
		"a comment": {Comment: "c"}, "trackers": {Trackers: [][]string{{"http://a/"}}},
		"a date": {Created: time.Unix(5, 0)}, "other workers": {Workers: 3},
	} {
		opt.Path = root
		if hash := mustBuild(t, opt).Info().Hash(); hash != plain.Info().Hash() {
			t.Errorf("%s changes the info-hash", name)
		}
	}
}

// The length of pieces is a power of two between the bounds, or an error that names it.
func TestBuildPieceLengths(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, content(1, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{PieceLengthMin, 1 << 20, PieceLengthMax} {
		if got := mustBuild(t, BuildOptions{Path: path, PieceLength: n}).Info().Layout().
			PieceLength; got != n {
			t.Errorf("asked for %d, got %d", n, got)
		}
	}
	for _, n := range []int{-1, 1, PieceLengthMin - 1, PieceLengthMin + 1, 3 << 20,
		PieceLengthMin / 2, PieceLengthMax * 2} {
		_, err := Build(t.Context(), BuildOptions{Path: path, PieceLength: n})
		if err == nil || !strings.Contains(err.Error(), fmt.Sprint(n)) {
			t.Errorf("piece length %d: %v", n, err)
		}
	}
}

// Globs choose files, together with Hidden.
func TestBuildChoosesByAllOptions(t *testing.T) {
	root := writeTree(t, "x", map[string]int{"a.txt": 1, "b.jpg": 2, ".c.txt": 3, "d/e.txt": 4,
		"d/f.jpg": 5, ".g/h.txt": 6, "d/deep/i.txt": 7})
	for _, tt := range []struct {
		opt  BuildOptions
		want string
	}{
		{BuildOptions{}, "a.txt b.jpg d/deep/i.txt d/e.txt d/f.jpg"},
		{BuildOptions{Hidden: true},
			".c.txt .g/h.txt a.txt b.jpg d/deep/i.txt d/e.txt d/f.jpg"},
		{BuildOptions{Include: []string{"*.txt"}}, "a.txt d/deep/i.txt d/e.txt"},
		{BuildOptions{Include: []string{"*.txt"}, Hidden: true},
			".c.txt .g/h.txt a.txt d/deep/i.txt d/e.txt"},
		{BuildOptions{Exclude: []string{"*.txt"}}, "b.jpg d/f.jpg"},
		{BuildOptions{Include: []string{"d/*"}}, "d/deep/i.txt d/e.txt d/f.jpg"},
		{BuildOptions{Include: []string{"d"}, Exclude: []string{"deep"}}, "d/e.txt d/f.jpg"},
		{BuildOptions{Include: []string{"*.txt", "*.jpg"}, Exclude: []string{"d/**"}},
			"a.txt b.jpg"},
	} {
		tt.opt.Path = root
		var got []string
		for _, f := range mustBuild(t, tt.opt).Info().Layout().Files {
			got = append(got, strings.Join(f.Path, "/"))
		}
		slices.Sort(got)
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("include %v, exclude %v, hidden %v: %s, want %s", tt.opt.Include,
				tt.opt.Exclude, tt.opt.Hidden, s, tt.want)
		}
	}
}
