package stream_test

import (
	"fmt"

	"swarmnode/daemon/stream"
)

// The name of a file in a path is there for people and players: its number says which one it is.
func ExampleParse() {
	path, ok := stream.Parse("/files/dd8255ecdc7ca55fb0bbf81323d87062db1f6d1c/2/Big%20Buck.mkv")
	fmt.Println(path.Hash, path.Index, path.List, ok)
	_, ok = stream.Parse("/files/../passwords")
	fmt.Println(ok)
	// Output:
	// dd8255ecdc7ca55fb0bbf81323d87062db1f6d1c 2 false true
	// false
}
