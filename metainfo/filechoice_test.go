package metainfo

import (
	"slices"
	"testing"
)

func TestFileChoice(t *testing.T) {
	info, err := ParseInfo([]byte("d5:filesl" +
		"d6:lengthi1e4:pathl5:a.txtee" +
		"d4:attr1:p6:lengthi1e4:pathl4:.pad1:1ee" +
		"d6:lengthi1e4:pathl4:deep5:b.txtee" +
		"d6:lengthi1e4:pathl4:deep2:er5:c.binee" +
		"d6:lengthi1e4:pathl1:7ee" +
		"e4:name4:root12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae"))
	if err != nil {
		t.Fatal(err)
	}
	l := info.Layout()
	for text, want := range map[string][]int{
		"0": {0}, "0-3,4": {0, 2, 3, 4}, "1": nil, "5-1000": nil, "4-1000": {4}, "*.txt": {0, 2},
		"*.TXT": nil, "deep/": {2, 3}, "root/deep/": {2, 3}, "deep/*": {2}, "root/**/c.bin": {3},
		"[7]": {4}, "c.bin": {3},
	} {
		c, err := ParseFileChoice(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		marked := make([]bool, len(l.Files))
		some := c.Mark(l, marked)
		var got []int
		for i := range marked {
			if marked[i] {
				got = append(got, i)
			}
		}
		if !slices.Equal(got, want) || some != (len(want) > 0) {
			t.Errorf("%q names %v, %v; want %v", text, got, some, want)
		}
	}
	for _, text := range []string{"", "1-", "-", ",", "5-2", "99999999999999999999", "[a-"} {
		if c, err := ParseFileChoice(text); err == nil {
			t.Errorf("%q is %+v", text, c)
		}
	}
}
