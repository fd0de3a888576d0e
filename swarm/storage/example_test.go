package storage_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"swarmnode/metainfo"
	"swarmnode/swarm/block"
	"swarmnode/swarm/storage"
)

// A Store keeps the pieces of one torrent. This one gets the only piece of a file, block
// by block, and then has it.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	data := []byte("what a peer has sent")
	layout := layoutOf(dir, data)

	workers := storage.NewWorkers(1)
	defer workers.Close()
	results := make(chan storage.Result, 1)
	store, err := storage.Open(storage.Config{
		Dir: filepath.Join(dir, "downloads"), Layout: layout, Workers: workers, Part: true,
		Results: func(r storage.Result) { results <- r },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	have, err := store.Check(context.Background(), nil)
	fmt.Println("before:", have.Count(), "of", layout.Pieces(), err)

	pool := block.NewPool(block.Size)
	buf := pool.TryGet()
	buf.Resize(copy(buf.Bytes(), data))
	store.Write(block.Ref{Length: uint32(len(data))}, buf)
	store.Verify(0)
	fmt.Println("sound:", (<-results).OK)
	fmt.Println(filepath.Base(store.Paths()[0]))

	if err := store.Finish(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(filepath.Base(store.Paths()[0]))

	p := make([]byte, 4)
	err = store.ReadAt(p, 0, 7)
	fmt.Printf("%q %v\n", p, err)
	// Output:
	// before: 0 of 1 <nil>
	// sound: true
	// letter.txt.part
	// letter.txt
	// "peer" <nil>
}

// layoutOf returns the layout of a torrent of one file with that content.
func layoutOf(dir string, data []byte) *metainfo.Layout {
	path := filepath.Join(dir, "letter.txt")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		log.Fatal(err)
	}
	torrent, err := metainfo.Build(context.Background(), metainfo.BuildOptions{Path: path})
	if err != nil {
		log.Fatal(err)
	}
	return torrent.Info().Layout()
}

// With Wanted, some files of a torrent are enough. The pieces that hold a byte of them
// are needed.
func ExampleWantedPieces() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for name, size := range map[string]int{"a": 40_000, "b": 10_000, "c": 40_000} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o600); err != nil {
			log.Fatal(err)
		}
	}
	torrent, err := metainfo.Build(context.Background(), metainfo.BuildOptions{
		Path: dir, PieceLength: 16 << 10,
	})
	if err != nil {
		log.Fatal(err)
	}
	pieces := storage.WantedPieces(torrent.Info().Layout(), []bool{false, true, false})
	fmt.Print("b needs")
	for p := range pieces.Members() {
		fmt.Print(" ", p)
	}
	fmt.Println(" of", pieces.Len())
	// Output:
	// b needs 2 3 of 6
}
