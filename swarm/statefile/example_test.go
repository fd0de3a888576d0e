package statefile_test

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"swarmnode/swarm/statefile"
)

// A state file is replaced as a whole, and a symbolic link in its place is not followed.
func Example() {
	dir, err := os.MkdirTemp("", "statefile")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "nodes")
	for _, doc := range []string{"first", "second"} {
		if err := statefile.Replace(path, []byte(doc), false); err != nil {
			log.Fatal(err)
		}
	}
	doc, _, err := statefile.Read(path, 100)
	fmt.Printf("%s %v\n", doc, err)
	_, _, err = statefile.Read(path, 3)
	fmt.Println("longer than 3 bytes:", errors.Is(err, statefile.ErrTooLong))

	link := filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err != nil {
		log.Fatal(err)
	}
	_, _, err = statefile.Read(link, 100)
	fmt.Println("a link:", errors.Is(err, statefile.ErrLink))
	// Output:
	// second <nil>
	// longer than 3 bytes: true
	// a link: true
}
