//go:build linux

package main

import (
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"hash"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"

	"swarmnode/metainfo"
)

const (
	// limitChild is the argument with which this program measures the limit.
	limitChild = "limit"
	// limitBytes is the size of the buffer that is hashed again and again: it fits into a
	// core's second-level cache.
	limitBytes = 256 << 10
)

// runLimit hashes size bytes of memory as a torrent of the kind requires, on all cores.
func runLimit(kind, size string) error {
	total, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		return err
	}
	var hashes []func() hash.Hash
	switch kind {
	case metainfo.V1.String():
		hashes = []func() hash.Hash{sha1.New}
	case metainfo.V2.String():
		hashes = []func() hash.Hash{sha256.New}
	case metainfo.Hybrid.String():
		hashes = []func() hash.Hash{sha1.New, sha256.New}
	default:
		return fmt.Errorf("no kind of torrent: %q", kind)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			data := make([]byte, limitBytes)
			for {
				at := next.Add(limitBytes) - limitBytes
				if at >= total {
					return
				}
				for _, newHash := range hashes {
					h := newHash()
					h.Write(data[:min(limitBytes, total-at)])
					h.Sum(nil)
				}
			}
		})
	}
	wg.Wait()
	return nil
}
