package watch_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"swarmnode/daemon/watch"
)

// A file is taken once it has settled, and gets another name.
func ExampleRun() {
	dir, err := os.MkdirTemp("", "watch")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "film.magnet")
	if err := os.WriteFile(path, []byte("magnet:?xt=..."), 0o600); err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	watch.Run(ctx, watch.Config{
		Folders:  []string{dir},
		Suffixes: map[string]int64{".magnet": 1 << 20},
		Take: func(_ context.Context, f watch.File) error {
			fmt.Printf("%s: %s\n", filepath.Base(f.Path), f.Doc)
			cancel()
			return nil
		},
	})
	_, err = os.Stat(path + watch.Added)
	fmt.Println("renamed:", err == nil)
	// Output:
	// film.magnet: magnet:?xt=...
	// renamed: true
}
