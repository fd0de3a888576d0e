package limit

import (
	"sync"
	"testing"
)

// Three quarters can be taken, the rest only by those who need it, and nothing more, whoever
// asks.
func TestBytes(t *testing.T) {
	b := NewBytes(100)
	if !b.Take(60) || b.Take(16) || !b.Take(15) || b.Take(1) {
		t.Error("60 and 15 of 100 bytes fit, and nothing else")
	}
	if !b.Need(20) || b.Need(6) || b.Take(1) || !b.Need(5) {
		t.Error("20 and 5 bytes of the reserve fit, and nothing else")
	}
	if b.Left() != 0 || b.Used() != 100 {
		t.Errorf("%d bytes are left, %d taken, want 0 and 100", b.Left(), b.Used())
	}
	if b.Give(40); b.Take(16) || !b.Take(15) {
		t.Error("what was given back does not fill the reserve first")
	}
	b.Give(75)
	if b.Left() != 75 || b.Used() != 0 {
		t.Errorf("%d bytes are left, %d taken, want 75 and 0", b.Left(), b.Used())
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

// Less than an eighth of the whole is short.
func TestBytesShort(t *testing.T) {
	b := NewBytes(800)
	if b.Take(500); b.Short() {
		t.Error("100 bytes are short")
	}
	if b.Take(1); !b.Short() {
		t.Error("99 bytes are not short")
	}
}
