package main

import (
	"testing"

	"swarmnode/daemon/api"
)

// A torrent is named by its number, a range, the beginning of its hash, a label, or all.
func TestPicks(t *testing.T) {
	list := []api.Torrent{
		{ID: 1, Hash: "0123456789abcdef0123456789abcdef01234567", Labels: []string{"a", "x,y"}},
		{ID: 2, Hash: "0123456fffffffffffffffffffffffffffffffff"},
		{ID: 123456, Hash: "abcdefabcdefabcdefabcdefabcdefabcdefabcd", Labels: []string{"a"}},
	}
	c, _, _ := testConsole()
	for _, tt := range []struct {
		arg  string
		code int
		want []int
	}{
		{"1", exitDone, []int{1}}, {"id:2", exitDone, []int{2}}, {"2,1", exitDone, []int{2, 1}},
		{"1-2", exitDone, []int{1, 2}}, {"2-999999", exitDone, []int{2, 123456}},
		{"123456", exitDone, []int{123456}}, {"hash:01234567", exitDone, []int{1}},
		{"ABCDEF", exitDone, []int{123456}}, {"all", exitDone, []int{1, 2, 123456}},
		{"label:a", exitDone, []int{1, 123456}}, {"label:x,y", exitDone, []int{1}},
		{"0123456789abcdef0123456789abcdef01234567", exitDone, []int{1}},
		{"hash:0123456", exitInput, nil}, {"7", exitInput, nil}, {"label:b", exitInput, nil},
		{"ffffff", exitInput, nil}, {"0000000000000000000000000000000000000001", exitInput, nil},
		{"", exitUsage, nil}, {"0", exitUsage, nil}, {"3-1", exitUsage, nil}, {"-", exitUsage, nil},
		{"1-", exitUsage, nil}, {"99999999999", exitUsage, nil}, {"label:", exitUsage, nil},
		{"abcde", exitUsage, nil}, {"abcdeg", exitUsage, nil}, {"1,,2", exitUsage, nil},
		{"hash:", exitUsage, nil}, {"id:abcdef", exitUsage, nil}, {"film.torrent", exitUsage, nil},
		{"0123456789abcdef0123456789abcdef012345678", exitUsage, nil},
	} {
		picks, err := parsePicks(c, []string{tt.arg})
		var got []int
		for i := range picks {
			found, err2 := picks[i].from(list)
			for _, x := range found {
				got = append(got, int(x.ID))
			}
			if err == nil {
				err = err2
			}
		}
		same := len(got) == len(tt.want)
		for i := range tt.want {
			same = same && got[i] == tt.want[i]
		}
		if exitCode(err) != tt.code || tt.code == exitDone && !same {
			t.Errorf("%q: %v, %v; want %v, exit code %d", tt.arg, got, err, tt.want, tt.code)
		}
	}
}

// No argument makes the parser of names fail, and what it takes names something.
func FuzzPick(f *testing.F) {
	for _, s := range []string{"1", "3-5", "abcdef", "label:x", "all", "hash:1", "id:-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, ok := parsePick(s)
		if ok && !p.all && p.last <= 0 && p.hash == "" && p.label == "" {
			t.Errorf("%q names nothing: %+v", s, p)
		}
		if ok && p.last > 0 && p.first > p.last {
			t.Errorf("%q: from %d to %d", s, p.first, p.last)
		}
	})
}
