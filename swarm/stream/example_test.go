package stream_test

import (
	"fmt"

	"swarmnode/swarm/stream"
)

// A player reads a file of four pieces of a megabyte while a megabyte a second comes. It
// needs the first piece at once and the second one in a second. Then it looks at the end
// of the file.
func Example() {
	plan := stream.New(1 << 20)
	head := plan.Open(0, 4<<20)
	nothing := func(int) bool { return false }
	for _, d := range plan.Deadlines(1<<20, nothing) {
		fmt.Printf("piece %d in %v\n", d.Piece, d.In)
	}
	head.Jump(4<<20 - 1000)
	for _, d := range plan.Deadlines(1<<20, nothing) {
		fmt.Printf("after the jump piece %d in %v\n", d.Piece, d.In)
	}
	// Output:
	// piece 0 in 0s
	// piece 1 in 1s
	// piece 2 in 2s
	// after the jump piece 3 in 0s
}
