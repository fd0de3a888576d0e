package main

import (
	"strings"
	"testing"

	"swarmnode/daemon/api"
)

// Text takes as many cells as a terminal shows it in, and never more than there is room for.
func TestCells(t *testing.T) {
	for s, want := range map[string]int{"": 0, "abc": 3, "é": 1, "e\u0301": 1, "日本": 4, "한": 2,
		"😀": 2, "ＡＢ": 4, "…": 1, "→": 1} {
		if got := cells(s); got != want {
			t.Errorf("%q takes %d cells, want %d", s, got, want)
		}
	}
	for _, tt := range []struct {
		text string
		n    int
		want string
	}{
		{"abcdef", 6, "abcdef"}, {"abcdef", 5, "abcd…"}, {"abcdef", 1, "…"}, {"abcdef", 0, ""},
		{"日本語", 6, "日本語"}, {"日本語", 5, "日本…"}, {"日本語", 4, "日…"}, {"日本語", 2, "…"},
	} {
		if got := cutCells(tt.text, tt.n); got != tt.want || cells(got) > max(tt.n, 0) {
			t.Errorf("%q in %d cells: %q, want %q", tt.text, tt.n, got, tt.want)
		}
	}
	if got := padCells("日", 4, true) + "|" + padCells("ab", 4, false) + "|"; got != "  日|ab  |" {
		t.Errorf("padded: %q", got)
	}
}

// A text that is cut is the beginning of what it was, and fits.
func FuzzCutCells(f *testing.F) {
	f.Add("日本語 text", 5)
	f.Add("e\u0301\u0301", 1)
	f.Fuzz(func(t *testing.T, s string, n int) {
		got := cutCells(s, n)
		begins := strings.HasPrefix(s, strings.TrimSuffix(got, "…"))
		if cells(got) > max(n, 0) && got != s || !begins {
			t.Errorf("%q in %d cells: %q", s, n, got)
		}
	})
}

// Columns that may be shortened give way to the width of the terminal; the others stay whole.
func TestTableFits(t *testing.T) {
	tab := &table{columns: []column{{head: "ID", right: true}, {head: "Address", soft: true},
		{head: "Name", soft: true}}}
	tab.add("1", "short", "a name that is long")
	tab.add("12", "an address that is long", "x\x1b[2J")
	tab.foot = []string{"", "", "sum"}
	got := strings.Join(tab.lines(0), "\n")
	want := strings.Join([]string{
		"ID  Address                  Name",
		" 1  short                    a name that is long",
		"12  an address that is long  " + `x\x1b[2J`,
		"                             sum"}, "\n")
	if got != want {
		t.Errorf("without a limit:\n%s\nwant\n%s", got, want)
	}
	for _, width := range []int{40, 30, 25} {
		for _, line := range tab.lines(width) {
			if cells(line) > width {
				t.Errorf("%d cells of %d: %q", cells(line), width, line)
			}
		}
	}
	if got := tab.lines(25)[1]; got != " 1  short     a name th…" && cells(got) > 25 {
		t.Errorf("in 25 cells: %q", got)
	}
}

// Priorities of files are changed by indices and globs, and only those that differ are sent.
func TestPrioritiesFor(t *testing.T) {
	entry := func(index int, path string, priority int) api.FileEntry {
		return api.FileEntry{Index: &index, Path: path, Priority: &priority}
	}
	files := []api.FileEntry{entry(0, "t/a.mkv", 4), entry(1, "t/extra/b.mkv", 6),
		entry(3, "t/extra/c.srt", 0)}
	for _, tt := range []struct {
		what string
		f    setFlags
		want map[int]int
		vain int
	}{
		{"skip", setFlags{skip: listValue{items: []string{"extra/"}}}, map[int]int{1: 0}, 0},
		{"want", setFlags{want: listValue{items: []string{"*.srt", "0-1"}}}, map[int]int{3: 4}, 0},
		{"files", setFlags{files: listValue{items: []string{"1,3"}}}, map[int]int{0: 0, 3: 4}, 0},
		{"priority", setFlags{priority: listValue{items: []string{"t/extra/*=high", "0=none"}}},
			map[int]int{0: 0, 1: 5, 3: 5}, 0},
		{"vain", setFlags{want: listValue{items: []string{"2", "*.zip"}}}, map[int]int{}, 2},
		{"files in vain", setFlags{files: listValue{items: []string{"7", "*.zip"}},
			want: listValue{items: []string{"3"}}}, map[int]int{}, 2},
		{"padding", setFlags{skip: listValue{items: []string{"0-9"}}}, map[int]int{0: 0, 1: 0}, 0},
	} {
		changes, vain := tt.f.prioritiesFor(files)
		got := make(map[int]int)
		for _, s := range changes.Set {
			for _, i := range s.Files {
				got[i] = s.Priority
			}
		}
		same := len(got) == len(tt.want) && len(vain) == tt.vain
		for i, p := range tt.want {
			level, ok := got[i]
			same = same && ok && level == p
		}
		if !same {
			t.Errorf("%s: %v, in vain %v; want %v", tt.what, got, vain, tt.want)
		}
	}
}

// Trackers come and go, each once, by their tiers.
func TestTrackersAfter(t *testing.T) {
	now := tiersOf([]api.Tracker{{URL: "a", Tier: 0}, {URL: "b", Tier: 0}, {URL: "c", Tier: 1}})
	f := setFlags{addTrackers: listValue{items: []string{"http://d,http://e", "http://d"}},
		rmTrackers: listValue{items: []string{"c", "b"}}}
	got := f.trackersAfter(now)
	if len(got) != 2 || len(got[0]) != 1 || got[0][0] != "a" || len(got[1]) != 2 {
		t.Errorf("trackers: %v", got)
	}
	f = setFlags{rmTrackers: listValue{items: []string{"a", "b", "c"}}}
	if got := f.trackersAfter(now); got == nil || len(got) != 0 {
		t.Errorf("no trackers: %v, which would mean those of the torrent", got)
	}
}
