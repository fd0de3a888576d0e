package lanes_test

import (
	"crypto/sha1"
	"crypto/sha256"
	"fmt"

	"swarmnode/metainfo/lanes"
)

// Sixteen messages of one length are hashed at once. The sums are those of the standard
// library, on every processor.
func Example() {
	const n = 4 * lanes.BlockBytes // bytes of each message
	data := make([]byte, lanes.Count*n)
	for i := range data {
		data[i] = byte(i * i)
	}
	equal := true
	if lanes.Available() {
		var h lanes.SHA1
		h.Reset()
		h.Write(data, n, n)
		sums, sums256 := h.Sum(), lanes.Sum256(data, n, n)
		for i := range lanes.Count {
			message := data[i*n : (i+1)*n]
			equal = equal && sums[i] == sha1.Sum(message) && sums256[i] == sha256.Sum256(message)
		}
	}
	fmt.Println(equal)
	// Output:
	// true
}
