package metainfo

import "bytes"

const (
	// fileCost and treeCost are the bytes of memory that a file of a v1 torrent and
	// one of a v2 file tree take, with a path of a few elements.
	fileCost = 200
	treeCost = 340
	// baseCost is the memory that any torrent takes, in bytes.
	baseCost = 16 << 10
)

// ParseCost estimates how many bytes of memory a .torrent file or an info dictionary
// takes when it is parsed, besides doc itself. It looks at every byte, and allocates
// nothing.
func ParseCost(doc []byte) int64 {
	return baseCost + int64(len(doc)) + fileCost*int64(bytes.Count(doc, []byte("4:path"))) +
		treeCost*int64(bytes.Count(doc, []byte("11:pieces root")))
}
