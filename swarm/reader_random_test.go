package swarm_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"swarmnode/swarm"
)

// Readers that are opened, moved, read and closed in any order return right bytes or one of
// the errors that they promise, also while the torrent is paused, checked and closed.
func TestReadersAtRandom(t *testing.T) {
	r := newReading(t, 2<<20, 0, swarm.Spec{})
	last := r.open(t, 0) // the metadata is known
	var wait sync.WaitGroup
	for worker := range uint64(6) {
		wait.Go(func() {
			rng := rand.New(rand.NewPCG(worker, 13))
			for range 20 {
				if !readAtRandom(t, r, rng) {
					return
				}
			}
		})
	}
	wait.Go(func() {
		for range 5 {
			err := errors.Join(r.leech.Pause(), r.leech.Recheck(), r.leech.Resume())
			if err != nil {
				t.Error(err)
			}
		}
	})
	wait.Wait()
	r.leech.Close()
	if _, err := io.ReadAll(last); !errors.Is(err, swarm.ErrStopped) {
		t.Errorf("a read after the end: %v", err)
	}
}

// readAtRandom opens a reader and uses it for a while. It reports whether the torrent runs.
func readAtRandom(t *testing.T, r *reading, rng *rand.Rand) bool {
	file := rng.IntN(2)
	want := r.content[file]
	reader, err := r.leech.Reader(t.Context(), file)
	if err != nil {
		t.Errorf("no reader: %v", err)
		return false
	}
	defer reader.Close()
	buf := make([]byte, 1+rng.IntN(100_000))
	for range rng.IntN(10) {
		at := rng.IntN(len(want))
		var n int
		switch rng.IntN(8) {
		case 0:
			if reader.Close(); rng.IntN(2) == 0 {
				n, err = reader.ReadAt(buf, int64(at))
			} else {
				n, err = reader.Read(buf)
			}
			if n > 0 || !errors.Is(err, swarm.ErrReaderClosed) {
				t.Errorf("after Close: %d bytes, %v", n, err)
			}
			return true
		case 1, 2, 3:
			if _, err = reader.Seek(int64(at), io.SeekStart); err == nil {
				n, err = reader.Read(buf)
			}
		default:
			n, err = reader.ReadAt(buf, int64(at))
			if err == nil && n < len(buf) {
				t.Errorf("ReadAt returns %d of %d bytes without an error", n, len(buf))
			}
		}
		if err != nil && err != io.EOF || !bytes.Equal(buf[:n], want[at:at+n]) {
			t.Errorf("%d bytes at %d: wrong, or error %v", n, at, err)
		}
	}
	return true
}
