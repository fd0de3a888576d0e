package limit

import (
	"sync"
	"testing"
)

// Everything can be taken, and nothing more, whoever asks.
func TestBytes(t *testing.T) {
	b := NewBytes(100)
	if !b.Take(60) || b.Take(41) || !b.Take(40) || b.Take(1) {
		t.Error("60 and 40 of 100 bytes fit, and nothing else")
	}
	if b.Give(60); !b.Take(60) || b.Used() != 100 {
		t.Errorf("%d bytes are taken, want 100", b.Used())
	}
	if b.Left() != 0 {
		t.Errorf("%d bytes are left, want none", b.Left())
	}
	b.Give(100)
	if b.Left() != 100 {
		t.Errorf("%d bytes are left, want 100", b.Left())
	}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 1000 {
				if b.Take(60) {
					b.Give(60)
				}
			}
		})
	}
	wait.Wait()
	if b.Used() != 0 {
		t.Errorf("%d bytes are taken at the end", b.Used())
	}
}
