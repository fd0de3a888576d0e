package storage

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// A write that comes short goes on where it stopped.
func TestPassOver(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var bufs [][]byte
		var want, got []byte
		for range rnd.IntN(6) {
			b := content(uint64(len(want)), rnd.IntN(5))
			bufs, want = append(bufs, b), append(want, b...)
		}
		skip := 0
		bufs, skip = passOver(bufs, skip, 0) // empty ones
		for len(bufs) > 0 {
			left := len(want) - len(got)
			n := 1 + rnd.IntN(left)
			for i, b := range bufs {
				if i == 0 {
					b = b[skip:]
				}
				got = append(got, b[:min(len(b), n-min(n, len(got)-(len(want)-left)))]...)
			}
			bufs, skip = passOver(bufs, skip, n)
		}
		if !bytes.Equal(got, want) || skip != 0 {
			t.Fatalf("got %x, want %x, skip %d", got, want, skip)
		}
	}
}

func TestPwritev(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var bufs [][]byte
	var want []byte
	for i := range 2*iovMax + 3 {
		b := content(uint64(i), i%7+1)
		bufs, want = append(bufs, b), append(want, b...)
	}
	if err := newOSFile(f).pwritev(bufs, 5); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got[5:], want) {
		t.Error("the file differs:", err)
	}
}
