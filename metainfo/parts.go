package metainfo

import (
	"runtime"
	"sync"
)

// inParts calls work for n things in as many parts as there are cores, side by side. No
// part has fewer than least things, unless it is the only one. inParts
// returns when all have ended, with the first error in the order of the things.
func inParts(n, least int, work func(from, to int) error) error {
	parts := max(1, min(runtime.GOMAXPROCS(0), n/least))
	errs := make([]error, parts)
	var wg sync.WaitGroup
	for i := range parts {
		wg.Go(func() { errs[i] = work(i*n/parts, (i+1)*n/parts) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
