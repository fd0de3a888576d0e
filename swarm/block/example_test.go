package block_test

import (
	"context"
	"fmt"

	"swarmnode/swarm/block"
)

// A Ref names a block of a piece.
func ExampleRef() {
	ref := block.Ref{Piece: 3, Begin: 2 * block.Size, Length: 100}
	fmt.Println(ref, "is block", ref.Index())
	fmt.Println(ref.Aligned(2*block.Size+100), ref.Aligned(4*block.Size))
	// Output:
	// 3+32768:100 is block 2
	// true false
}

// A Pool hands out no more buffers than its budget allows. Whoever finds it empty waits
// until somebody releases one.
func ExamplePool() {
	pool := block.NewPool(2 * block.Size)
	a, _ := pool.Get(context.Background())
	b := pool.TryGet()
	fmt.Println(pool.TryGet() == nil, pool.Available())

	b.Resize(copy(b.Bytes(), "a short block"))
	fmt.Printf("%s\n", b.Bytes())

	a.Release()
	fmt.Println(pool.Available(), "of", pool.Cap())
	b.Release()
	// Output:
	// true 0
	// a short block
	// 1 of 2
}
