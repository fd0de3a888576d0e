package peer

import (
	"context"
	"net"
	"sync"
	"testing"

	"swarmnode/swarm/block"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/wire"
)

// tcpPair returns the two ends of a connection over loopback.
func tcpPair(tb testing.TB) (a, b net.Conn) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		tb.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// sink takes blocks and gives them back, and says when it had enough.
type sink struct {
	want int
	got  int
	full chan struct{}
}

func (s *sink) OnMessage(*wire.Message) {}
func (s *sink) OnBlock(_ block.Ref, b *block.Buf) {
	b.Release()
	if s.got++; s.got == s.want {
		close(s.full)
	}
}
func (s *sink) OnSent(int)     {}
func (s *sink) OnClosed(error) {}

// source counts what was sent, and lets only so many blocks wait.
type source struct {
	sink
	room chan int
}

func (s *source) OnSent(n int) { s.room <- n }

// BenchmarkReceive is the reader alone, against a sender that writes the same
// sixteen messages over and over.
func BenchmarkReceive(b *testing.B) {
	b.SetBytes(block.Size)
	b.ReportAllocs()
	const batch = 16
	out, in := tcpPair(b)
	s := &sink{want: b.N, full: make(chan struct{})}
	c := New(in, Config{Handler: s, Pool: block.NewPool(1 << 20), Pieces: 1})
	var messages []byte
	for i := range batch {
		messages = wire.AppendPieceHeader(messages, block.Ref{Begin: uint32(i * block.Size), Length: block.Size})
		messages = append(messages, make([]byte, block.Size)...)
	}
	var wg sync.WaitGroup
	b.ResetTimer()
	wg.Go(func() { c.Run(b.Context()) })
	wg.Go(func() {
		for sent := 0; sent < b.N; sent += batch {
			if _, err := out.Write(messages); err != nil {
				return
			}
		}
	})
	<-s.full
	b.StopTimer()
	out.Close()
	wg.Wait()
}

// BenchmarkTransfer is a Conn that sends runs of blocks to another.
func BenchmarkTransfer(b *testing.B) {
	for _, bench := range []struct {
		name  string
		run   int
		limit int64
	}{{"run=1", 1, 0}, {"run=16", 16, 0}, {"run=16,limit=1GiB", 16, 1 << 30}, {"run=16,limit=100MiB", 16, 100 << 20}} {
		b.Run(bench.name, func(b *testing.B) { benchTransfer(b, bench.run, bench.limit) })
	}
}

func benchTransfer(b *testing.B, run int, rate int64) {
	b.SetBytes(block.Size)
	b.ReportAllocs()
	out, in := tcpPair(b)
	const waiting = 64
	src := &source{room: make(chan int, waiting)}
	dst := &sink{want: b.N, full: make(chan struct{})}
	var bucket *limit.Bucket
	if rate > 0 {
		bucket = limit.NewBucket(rate, nil)
	}
	pool := block.NewPool(1 << 20)
	from := New(out, Config{Handler: src, Pool: pool, Up: bucket})
	to := New(in, Config{Handler: dst, Pool: pool})
	refs := make([]block.Ref, run)
	for i := range refs {
		refs[i] = block.Ref{Begin: uint32(i * block.Size), Length: block.Size}
	}
	data := make([]byte, run*block.Size)
	ctx, cancel := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	b.ResetTimer()
	wg.Go(func() { from.Run(ctx) })
	wg.Go(func() { to.Run(ctx) })
	room := waiting
	for sent := 0; sent < b.N; sent += run {
		for room < run {
			room += <-src.room
		}
		room -= run
		from.SendBlocks(refs, data, nil)
	}
	<-dst.full
	b.StopTimer()
	go func() {
		for range src.room {
		}
	}()
	cancel()
	wg.Wait()
	close(src.room)
}
