package hashes_test

import (
	"fmt"

	"swarmnode/metainfo"
	"swarmnode/swarm/hashes"
)

// A piece of three blocks has a wrong hash. Peers 7 and 9 have sent it, and it is held until
// the right hashes of its blocks show who lied.
func ExampleBlame() {
	came := []metainfo.Hash256{{1}, {2}, {0xff}}
	right := []metainfo.Hash256{{1}, {2}, {3}}
	senders := []uint32{7, 9, 9}

	var blame hashes.Blame
	blame.Open(0, 5, came, senders, true)
	v := blame.Judge(5, 0, right[:2])
	fmt.Println("two blocks are right, all judged:", v.Done)
	v = blame.Judge(5, 2, right[2:])
	fmt.Println("liars", v.Liars, "honest", v.Honest, "to be fetched again", v.Wrong)
	// Output:
	// two blocks are right, all judged: false
	// liars [9] honest [7] to be fetched again [2]
}
