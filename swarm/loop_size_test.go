package swarm

import (
	"testing"
	"unsafe"
)

// A node may have ten thousand torrents at rest. Go allocates in size classes: one byte more
// than a class has costs each torrent the whole step to the next class. What only some torrents
// need lies behind a pointer.
func TestTorrentsKeepTheirSizeClasses(t *testing.T) {
	for _, s := range []struct {
		what        string
		size, class uintptr
	}{
		{"Torrent", unsafe.Sizeof(Torrent{}), 1408},
		{"loop", unsafe.Sizeof(loop{}), 576},
		{"keptState", unsafe.Sizeof(keptState{}), 480},
		{"polled", unsafe.Sizeof(polled{}), 96},
	} {
		if s.size > s.class {
			t.Errorf("a %s has %d bytes, more than its size class of %d", s.what, s.size, s.class)
		}
	}
}
