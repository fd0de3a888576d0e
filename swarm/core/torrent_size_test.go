package core

import (
	"testing"
	"unsafe"
)

// A node may have ten thousand torrents at rest. Go allocates in size classes: one byte more
// than a class has would cost each torrent the whole step to the next class, 256 bytes here.
// What only some torrents need lies behind a pointer, as the round of requests does.
func TestTorrentKeepsItsSizeClass(t *testing.T) {
	const class = 1536
	if size := unsafe.Sizeof(Torrent{}); size > class {
		t.Errorf("a Torrent has %d bytes, more than its size class of %d", size, class)
	}
}
