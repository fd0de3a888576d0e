package metainfo

import (
	"os"
	"path/filepath"
	"testing"
)

// TestExecutable: what its owner may execute is so in the torrent, in both halves
// of a hybrid, and in that of a single file (BEP 47).
func TestExecutable(t *testing.T) {
	root := writeTree(t, "content", map[string]int{"run": 20_000, "sub/run": 7, "sub/text": 20_000,
		"empty": 0})
	programs := map[string]bool{"content/run": true, "content/sub/run": true, "content/empty": true}
	for path := range programs {
		if err := os.Chmod(filepath.Join(filepath.Dir(root), path), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(root, "sub/text"), 0o654); err != nil { // by the group alone
		t.Fatal(err)
	}
	for _, kind := range []Kind{V1, V2, Hybrid} {
		built := mustBuild(t, BuildOptions{Path: root, Kind: kind})
		info, err := ParseInfo(built.Info().Raw())
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range []*Layout{built.Info().Layout(), info.Layout()} {
			for i := range l.Files {
				if f := &l.Files[i]; f.Executable != programs[l.FilePath(i)] && !f.Pad ||
					f.Pad && f.Executable {
					t.Errorf("%v: %s: executable %v", kind, l.FilePath(i), f.Executable)
				}
			}
		}
		single := mustBuild(t, BuildOptions{Path: filepath.Join(root, "run"), Kind: kind})
		if info, err = ParseInfo(single.Info().Raw()); err != nil {
			t.Fatal(err)
		}
		if !info.Layout().Files[0].Executable {
			t.Errorf("%v: a single file is not executable", kind)
		}
	}
}
