package confine_test

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"swarmnode/daemon/confine"
)

// A symbolic link is judged by where it leads.
func Example() {
	dir, err := os.MkdirTemp("", "confine")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	root := filepath.Join(dir, "downloads")
	if err := os.Mkdir(root, 0o755); err != nil {
		log.Fatal(err)
	}
	if err := os.Symlink(dir, filepath.Join(root, "elsewhere")); err != nil {
		log.Fatal(err)
	}
	fmt.Println(confine.Check(filepath.Join(root, "films", "new"), []string{root}))
	err = confine.Check(filepath.Join(root, "elsewhere", "new"), []string{root})
	fmt.Println(errors.Is(err, confine.ErrOutside))
	// Output:
	// <nil>
	// true
}
