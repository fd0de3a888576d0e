package lanes

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"testing"
)

// levels runs f with each level that the processor has.
func levels(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	for _, l := range []level{half, wide} {
		t.Run(names[l], func(t *testing.T) {
			if l > best {
				t.Skip("this processor has none")
			}
			used = l
			t.Cleanup(func() { used = best })
			f(t)
		})
	}
}

var names = map[level]string{half: "AVX2", wide: "AVX-512"}

// random returns n bytes that depend on seed alone.
func random(seed byte, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b) // it does not fail
	return b
}

// The hash of nothing is known from FIPS 180-4.
func TestNothing(t *testing.T) { levels(t, testNothing) }

func testNothing(t *testing.T) {
	var s SHA1
	s.Reset()
	for lane, sum := range s.Sum() {
		if got := hex.EncodeToString(sum[:]); got != "da39a3ee5e6b4b0d3255bfef95601890afd80709" {
			t.Errorf("SHA-1 in lane %d: %s", lane, got)
		}
	}
	for lane, sum := range Sum256(nil, 0, 0) {
		if got := hex.EncodeToString(
			sum[:]); got != "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
			t.Errorf("SHA-256 in lane %d: %s", lane, got)
		}
	}
}

// Messages of up to 40 blocks, in writes of every size, at every distance and
// alignment, against the standard library.
func TestAgainstStandardLibrary(t *testing.T) { levels(t, testAgainstStandardLibrary) }

func testAgainstStandardLibrary(t *testing.T) {
	for blocks := range 41 {
		n := blocks * BlockBytes
		for _, extra := range []int{0, 1, 64, 4096 - n%4096} {
			stride := n + extra
			// It ends where the last message ends: nothing behind it is read.
			data := random(byte(blocks), (Count-1)*stride+n+blocks)[blocks:]
			for _, step := range []int{BlockBytes, 3 * BlockBytes, max(n, BlockBytes)} {
				var s SHA1
				s.Reset()
				for at := 0; at < n; at += step {
					s.Write(data[at:], stride, min(step, n-at))
				}
				for lane, got := range s.Sum() {
					if want := sha1.Sum(data[lane*stride:][:n]); got != want {
						t.Fatalf("SHA-1 of %d bytes, stride %d, step %d, lane %d: got %x, want %x",
							n, stride, step, lane, got, want)
					}
				}
			}
			for lane, got := range Sum256(data, stride, n) {
				if want := sha256.Sum256(data[lane*stride:][:n]); got != want {
					t.Fatalf("SHA-256 of %d bytes, stride %d, lane %d: got %x, want %x", n, stride,
						lane, got, want)
				}
			}
		}
	}
}

func TestZeros(t *testing.T) { levels(t, testZeros) }

func testZeros(t *testing.T) {
	data := random(1, Count*128)
	for blocks := range 20 {
		var s SHA1
		s.Reset()
		s.Write(data, 128, 128)
		s.WriteZeros(blocks * BlockBytes)
		for lane, got := range s.Sum() {
			message := append(bytes.Clone(data[lane*128:][:128]),
				make([]byte, blocks*BlockBytes)...)
			if want := sha1.Sum(message); got != want {
				t.Fatalf("%d blocks, lane %d: got %x, want %x", blocks, lane, got, want)
			}
		}
	}
}

func TestMisusePanics(t *testing.T) {
	for name, f := range map[string]func(){
		"part of a block":       func() { new(SHA1).Write(make([]byte, Count*64), 64, 63) },
		"more than there is":    func() { new(SHA1).Write(make([]byte, Count*64-1), 64, 64) },
		"stride beyond the end": func() { new(SHA1).Write(make([]byte, Count*64), 65, 64) },
		"negative stride":       func() { new(SHA1).Write(make([]byte, Count*64), -64, 64) },
		"part of zeros":         func() { new(SHA1).WriteZeros(1) },
		"fewer than no zeros":   func() { new(SHA1).WriteZeros(-64) },
		"part, SHA-256":         func() { Sum256(make([]byte, Count*64), 1, 1) },
		"too little, SHA-256":   func() { Sum256(make([]byte, Count*64-1), 64, 64) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func FuzzAgainstStandardLibrary(f *testing.F) {
	if !Available() {
		f.Skip("this processor has nothing to try")
	}
	f.Add([]byte("x"), uint8(1), uint8(0), uint8(3))
	f.Add(random(4, 3000), uint8(2), uint8(7), uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, blocks, extra, zeros uint8) {
		defer func() { used = best }()
		if used = best; extra%2 == 1 {
			used = half
		}
		n := int(blocks) * BlockBytes
		stride := n + int(extra)
		data = bytes.Repeat(append(data, 1), (Count*stride+n)/(len(data)+1)+1)
		var s SHA1
		s.Reset()
		s.Write(data, stride, n)
		s.WriteZeros(int(zeros) * BlockBytes)
		for lane, got := range s.Sum() {
			message := append(bytes.Clone(data[lane*stride:][:n]),
				make([]byte, int(zeros)*BlockBytes)...)
			if want := sha1.Sum(message); got != want {
				t.Fatalf("SHA-1, lane %d: got %x, want %x", lane, got, want)
			}
		}
		for lane, got := range Sum256(data, stride, n) {
			if want := sha256.Sum256(data[lane*stride:][:n]); got != want {
				t.Fatalf("SHA-256, lane %d: got %x, want %x", lane, got, want)
			}
		}
	})
}

// BenchmarkLanes has the standard library beside it, on one core.
func BenchmarkLanes(b *testing.B) {
	if !Available() {
		b.Skip("this processor has nothing to try")
	}
	defer func() { used = best }()
	const n = 16 << 10
	data := random(5, Count*n)
	for _, bm := range []struct {
		name  string
		level level
		run   func()
	}{
		{"SHA-1/AVX-512", wide, func() { var s SHA1; s.Reset(); s.Write(data, n, n); s.Sum() }},
		{"SHA-1/AVX2", half, func() { var s SHA1; s.Reset(); s.Write(data, n, n); s.Sum() }},
		{"SHA-1/zeros, AVX-512", wide, func() { var s SHA1; s.Reset(); s.WriteZeros(n); s.Sum() }},
		{"SHA-1/zeros, AVX2", half, func() { var s SHA1; s.Reset(); s.WriteZeros(n); s.Sum() }},
		{"SHA-1/standard", none, func() {
			for lane := range Count {
				sha1.Sum(data[lane*n:][:n])
			}
		}},
		{"SHA-256/AVX-512", wide, func() { Sum256(data, n, n) }},
		{"SHA-256/standard", none, func() { // so with AVX2
			for lane := range Count {
				sha256.Sum256(data[lane*n:][:n])
			}
		}},
	} {
		b.Run(bm.name, func(b *testing.B) {
			if bm.level > best {
				b.Skip("this processor has none")
			}
			used = bm.level
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				bm.run()
			}
		})
	}
}
