package metadata_test

import (
	"crypto/sha1"
	"fmt"

	"swarmnode/swarm/metadata"
)

// Two peers claim to have an info dictionary; the one that claims less lies.
func Example() {
	dictionary := []byte("d6:lengthi1e4:name1:x12:piece lengthi16384e" +
		"6:pieces20:....................e")
	s := metadata.NewSearch(metadata.Names{Hash: sha1.Sum(dictionary)}, 64<<20)
	s.Offer(1, int64(len(dictionary)))
	s.Offer(2, 10)

	asks, _ := s.Ask(0)
	fmt.Println("asked:", asks)
	lie := s.Received(0, 2, 0, []byte("0123456789"))
	fmt.Println("wrong:", lie.Worth == metadata.Wrong)
	truth := s.Received(0, 1, 0, dictionary)
	fmt.Println("found:", string(truth.Dictionary) == string(dictionary))
	// Output:
	// asked: [{2 0} {1 0}]
	// wrong: true
	// found: true
}
