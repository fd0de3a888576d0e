package daemon

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"swarmnode/metainfo"
)

// What a file is called does not depend on which of the two ways finds it out.
func TestShownPath(t *testing.T) {
	layout := &metainfo.Layout{Multi: true, Files: []metainfo.File{{Path: []string{"a", "b"}}}}
	state := &State{Name: "shown"}
	slow := func(dir, disk string) string {
		below := "a/b"
		rel, err := filepath.Rel(dir, disk)
		if _, rest, ok := strings.Cut(filepath.ToSlash(rel), "/"); err == nil && disk != "" && ok &&
			filepath.IsLocal(rel) {
			below = rest
		}
		return "shown/" + below
	}
	random := rand.New(rand.NewPCG(1, 2))
	parts := []string{"/", "/", "/", "x", "y", ".", "..", ".h", "dir", "\\", " "}
	text := func() string {
		var b strings.Builder
		b.WriteByte('/')
		for range random.IntN(8) {
			b.WriteString(parts[random.IntN(len(parts))])
		}
		return b.String()
	}
	plain := 0
	for range 50_000 {
		state.Dir = filepath.Clean(text())
		disk := text()
		if random.IntN(2) == 0 {
			disk = state.Dir + text()
		}
		if random.IntN(2) == 0 {
			disk = filepath.Clean(disk)
		}
		if _, ok := plainRest(state.Dir, disk); ok {
			plain++
		}
		got, want := ShownPath(state, layout, 0, disk), slow(state.Dir, disk)
		if got != want {
			t.Fatalf("%q in %q: %q, want %q", disk, state.Dir, got, want)
		}
	}
	if plain < 100 {
		t.Errorf("only %d paths were plain", plain)
	}
}
