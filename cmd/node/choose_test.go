package main

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"swarmnode/metainfo"
)

// layoutOf returns the layout of a v1 torrent with files of one byte each; "p" before a
// path marks padding.
func layoutOf(t *testing.T, paths ...[]string) *metainfo.Layout {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("d5:filesl")
	for _, p := range paths {
		b.WriteString("d")
		if p[0] == ".pad" {
			b.WriteString("4:attr1:p")
		}
		b.WriteString("6:lengthi1e4:pathl")
		for _, e := range p {
			fmt.Fprintf(&b, "%d:%s", len(e), e)
		}
		b.WriteString("ee")
	}
	b.WriteString("e4:name4:root12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae")
	info, err := metainfo.ParseInfo(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return info.Layout()
}

func TestChoose(t *testing.T) {
	l := layoutOf(t, []string{"a.txt"}, []string{".pad", "1"}, []string{"deep", "b.txt"},
		[]string{"deep", "er", "c.bin"}, []string{"7"})
	so := func(r ...metainfo.Range) metainfo.Magnet { return metainfo.Magnet{Select: r} }
	for _, c := range []struct {
		files  []string
		magnet metainfo.Magnet
		want   []int
		vain   []string
	}{
		{nil, so(), []int{0, 2, 3, 4}, nil},
		{[]string{"0"}, so(), []int{0}, nil},
		{[]string{"0-3,4"}, so(), []int{0, 2, 3, 4}, nil},
		{[]string{"1"}, so(), nil, []string{"1"}}, // padding is no file
		{[]string{"5-1000"}, so(), nil, []string{"5-1000"}},
		{[]string{"4-1000"}, so(), []int{4}, nil},
		{[]string{"*.txt"}, so(), []int{0, 2}, nil},
		{[]string{"*.TXT"}, so(), nil, []string{"*.TXT"}},
		{[]string{"deep/"}, so(), []int{2, 3}, nil},
		{[]string{"root/deep/"}, so(), []int{2, 3}, nil},
		{[]string{"deep/*"}, so(), []int{2}, nil},
		{[]string{"root/**/c.bin"}, so(), []int{3}, nil},
		{[]string{"[7]"}, so(), []int{4}, nil},
		{[]string{"c.bin", "x", "0"}, so(), []int{0, 3}, []string{"x"}},
		{nil, so(metainfo.Range{First: 2, Last: 3}), []int{2, 3}, nil},
		{nil, so(metainfo.Range{First: 1, Last: 1}), nil, nil},
		{[]string{"0"}, so(metainfo.Range{First: 2, Last: 3}), []int{0}, nil},
	} {
		got := choose(l, c.files, c.magnet)
		var which []int
		for i := range l.Files {
			if !l.Files[i].Pad && got.has(i) {
				which = append(which, i)
			}
		}
		if !slices.Equal(which, c.want) || !slices.Equal(got.vain, c.vain) ||
			got.files != len(c.want) ||
			got.bytes != int64(len(c.want)) || got.all != 4 || got.part() != (len(c.want) < 4) {
			t.Errorf("files %q, so %v: %v, %+v; want %v, unmatched %q", c.files, c.magnet.Select,
				which, got, c.want, c.vain)
		}
	}
}

func FuzzParseChosen(f *testing.F) {
	for _, s := range []string{"0,2-5", "1-", "-", ",", "*.txt", "a/", "/", "[",
		"99999999999999999999", "5-2", "[a-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseChosen(s)
		if err != nil {
			return
		}
		if (c.Glob == "") == (len(c.Ranges) == 0) {
			t.Fatalf("%q is neither a glob nor a list: %+v", s, c)
		}
		for _, r := range c.Ranges {
			if r.First < 0 || r.First > r.Last || r.Last >= metainfo.FilesMax {
				t.Fatalf("%q: range %v", s, r)
			}
		}
	})
}
