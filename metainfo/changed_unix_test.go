//go:build unix

package metainfo

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A file that gets the path of another is noticed, whenever that happens, and also when
// it has the size and the time of the other. So is a folder.
func TestBuildNoticesReplacement(t *testing.T) {
	when := time.Unix(1_000_000_000, 0)
	for _, tt := range []struct {
		name    string
		replace func(root string) error
	}{
		{"file", func(root string) error {
			return os.Rename(root+"/other/file", root+"/content/sub/file")
		}},
		{"folder", func(root string) error {
			return errors.Join(os.Rename(root+"/content/sub", root+"/away"),
				os.Rename(root+"/other", root+"/content/sub"))
		}},
		{"top folder", func(root string) error {
			return errors.Join(os.Rename(root+"/content", root+"/away"),
				os.Mkdir(root+"/content", 0o755),
				os.Rename(root+"/away/sub", root+"/content/sub"))
		}},
		{"removed", func(root string) error { return os.Remove(root + "/content/sub/file") }},
		{"pipe", func(root string) error {
			return errors.Join(os.Remove(root+"/content/sub/file"),
				syscall.Mkfifo(root+"/content/sub/file", 0o644))
		}},
		{"target of a link", func(root string) error {
			return os.Rename(root+"/other/file", root+"/content/target")
		}},
		{"an empty file", func(root string) error {
			return os.Rename(root+"/other/empty", root+"/content/sub/empty")
		}},
		{"nothing", func(root string) error {
			return os.Link(root+"/content/sub/file", root+"/content/second")
		}},
	} {
		for _, early := range []bool{true, false} {
			root := writeTree(t, "t", map[string]int{"content/sub/file": 100_000,
				"content/target":    100_000,
				"content/sub/empty": 0, "other/file": 100_000, "other/empty": 0})
			if err := os.Symlink("target", root+"/content/link"); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"content/sub/file", "content/sub/empty", "content/target",
				"other/file", "other/empty"} {
				if err := os.Chtimes(filepath.Join(root, name), when, when); err != nil {
					t.Fatal(err)
				}
			}
			h := scanned(t, &BuildOptions{Path: root + "/content"})
			if early {
				if err := tt.replace(root); err != nil {
					t.Fatal(err)
				}
			}
			err := h.run(t.Context())
			if !early {
				if err := tt.replace(root); err != nil {
					t.Fatal(err)
				}
			}
			if err == nil {
				err = h.src.checkPaths(t.Context())
			}
			if failed := err != nil; failed != (tt.name != "nothing") {
				t.Errorf("%s, early %v: %v", tt.name, early, err)
			}
		}
	}
}
