package daemon

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// Choices of files are bounded, and name the files that are wanted; with none, nothing is.
func TestChoices(t *testing.T) {
	l := &metainfo.Layout{Name: "root", Files: []metainfo.File{{Path: []string{"a.txt"}},
		{Path: []string{"deep", "b.bin"}}, {Path: []string{"deep", "c.txt"}}}}
	list := choicesOf([]string{"*.bin", "0", "[a-"}) // the last one is of a damaged record
	want := []swarm.Priority{swarm.Normal, swarm.Normal, swarm.Unwanted}
	if got := chooses(list)(l); len(list) != 2 || !slices.Equal(got, want) {
		t.Errorf("%+v choose %v, want %v", list, got, want)
	}
	if got := chooses(choicesOf([]string{"*.zip"}))(l); len(got) != 3 ||
		slices.ContainsFunc(got, isWanted) {
		t.Errorf("no file has the name, and %v are wanted", got)
	}
	long := choicesOf([]string{strings.Repeat("a", 2000)})
	for name, list := range map[string][]metainfo.FileChoice{
		"many": slices.Repeat(list, choicesMax), "long": slices.Repeat(long, 100),
	} {
		if _, ok := errors.AsType[*OptionError](checkChoices(list)); !ok {
			t.Errorf("%s choices are taken", name)
		}
	}
	if err := checkChoices(list); err != nil {
		t.Error(err)
	}
}
