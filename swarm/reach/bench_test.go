package reach

import (
	"testing"
	"time"
)

// BenchmarkSeen measures an answer of the DHT, of which there are up to a hundred a second.
func BenchmarkSeen(b *testing.B) {
	m, now := New(time.Now()), time.Now()
	as := address("50.0.0.1:7")
	for i := 0; b.Loop(); i++ {
		m.Observe(now, Seen{By: voter(i % 1000), As: as, Via: DHT})
	}
}

// BenchmarkCame measures an arrival of a flood.
func BenchmarkCame(b *testing.B) {
	m, now := New(time.Now()), time.Now()
	o := Observation(Came{From: address("70.0.0.1:7"), Via: UTP})
	for b.Loop() {
		m.Observe(now, o)
	}
}
