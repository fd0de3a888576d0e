package metainfo

import (
	"runtime"
	"strings"
	"testing"
)

// The estimate is no less than what parsing takes, and not many times as much.
func TestParseCost(t *testing.T) {
	for name, doc := range map[string][]byte{
		"many files, v1": manyFiles(V1), "many files, v2": manyFiles(V2),
		"many files, hybrid": manyFiles(Hybrid),
		"many pieces": []byte(enc(dict{"length", int64(200_000 * 16384), "name", "n",
			"piece length", 16384, "pieces", strings.Repeat("01234567890123456789", 200_000)})),
	} {
		before := heapLive()
		info, err := ParseInfo(doc)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		took := heapLive() - before
		runtime.KeepAlive(info)
		runtime.KeepAlive(doc)
		if cost := ParseCost(doc); cost < took || cost > 3*took {
			t.Errorf("%s: parsing %d bytes took %d, estimated %d", name, len(doc), took, cost)
		}
	}
}

func heapLive() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
