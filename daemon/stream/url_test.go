package stream

import (
	"strings"
	"testing"

	"swarmnode/daemon/control"
	"swarmnode/metainfo"
)

func TestOnlyOneFileIsPlayed(t *testing.T) {
	for names, want := range map[string]int{
		"a.mkv": 0, "a.txt b.mp4": 1, "a.mkv b.mkv": -1, "a.txt b.nfo": -1,
	} {
		l := &metainfo.Layout{Name: "top", Multi: true}
		for name := range strings.FieldsSeq(names) {
			l.Files = append(l.Files, metainfo.File{Path: []string{name}, Length: 10})
		}
		index, ok := Only(l)
		if ok != (want >= 0) || ok && index != want {
			t.Errorf("%s: file %d, %v", names, index, ok)
		}
	}
}

func TestLinkOfAFileWithoutLogin(t *testing.T) {
	gate, err := control.NewGate(control.GateConfig{})
	if err != nil {
		t.Fatal(err)
	}
	l := &metainfo.Layout{Name: "a b.mkv", Files: []metainfo.File{{Length: 10}}}
	link := Link(gate, control.Identity{}, l, metainfo.Hash{1}, 0)
	if want := "/files/01" + strings.Repeat("0", 38) + "/0/a%20b.mkv"; link != want {
		t.Errorf("%s, want %s", link, want)
	}
	if path, ok := Parse(strings.ReplaceAll(link, "%20", " ")); !ok || path.Index != 0 ||
		path.Hash != (metainfo.Hash{1}) {
		t.Error(path, ok)
	}
}
