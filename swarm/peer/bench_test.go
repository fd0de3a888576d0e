//go:build unix

package peer

import (
	"context"
	"sync"
	"syscall"
	"testing"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/wire"
)

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
func (s *sink) OnAnswered(int) {}
func (s *sink) OnClosed(error) {}

// source counts what was sent, and lets only so many blocks wait.
type source struct {
	sink
	room chan int
}

func (s *source) OnSent(n int) { s.room <- n }

// startCPU starts the clocks of a benchmark over blocks; the function that it
// returns stops them and reports the CPU time of the process, both ends of the
// stream and the system's part in it.
func startCPU(b *testing.B) (stop func()) {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	b.ResetTimer()
	before := used()
	return func() {
		b.StopTimer()
		gib := float64(b.N) * block.Size / (1 << 30)
		b.ReportMetric((used()-before).Seconds()/gib, "cpu-s/GiB")
	}
}

// BenchmarkReceive is the reader alone, against a sender that writes the same
// sixteen blocks over and over; in between there is nothing, or a request.
func BenchmarkReceive(b *testing.B) {
	b.Run("blocks", func(b *testing.B) { benchReceive(b, nil) })
	b.Run("requests between", func(b *testing.B) {
		benchReceive(b, message(wire.Message{ID: wire.Request}))
	})
}

func benchReceive(b *testing.B, between []byte) {
	b.SetBytes(block.Size)
	b.ReportAllocs()
	const batch = 16
	out, in := tcpPair(b)
	s := &sink{want: b.N, full: make(chan struct{})}
	c := New(in, Config{Handler: s, Pool: block.NewPool(1 << 20), Pieces: 1})
	// The requests are answered, as far as the flood count can tell.
	c.served.Store(int64(b.N))
	var messages []byte
	for i := range batch {
		messages = wire.AppendPieceHeader(messages,
			block.Ref{Begin: uint32(i * block.Size), Length: block.Size})
		messages = append(messages, make([]byte, block.Size)...)
		messages = append(messages, between...)
	}
	var wg sync.WaitGroup
	stop := startCPU(b)
	wg.Go(func() { c.Run(b.Context()) })
	wg.Go(func() {
		for sent := 0; sent < b.N; sent += batch {
			if _, err := out.Write(messages); err != nil {
				return
			}
		}
	})
	<-s.full
	stop()
	out.Close()
	wg.Wait()
}

// BenchmarkTransfer is a Conn that sends runs of blocks to another.
func BenchmarkTransfer(b *testing.B) {
	for _, bench := range []struct {
		name  string
		run   int
		limit int64
	}{{"run=1", 1, 0}, {"run=16", 16, 0}, {"run=16,no limit yet", 16, -1},
		{"run=16,limit=1GiB", 16, 1 << 30},
		{"run=16,limit=100MiB", 16, 100 << 20}} {
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
	bucket := limit.NewBucket(rate, nil)
	var down *limit.Bucket
	if rate < 0 { // those of a torrent that may have a limit later
		bucket = limit.NewBucket(0, limit.NewCommon(0))
		down = limit.NewBucket(0, limit.NewCommon(0))
	}
	pool := block.NewPool(1 << 20)
	from := New(out, Config{Handler: src, Pool: pool, Up: bucket})
	to := New(in, Config{Handler: dst, Pool: pool, Down: down})
	refs := make([]block.Ref, run)
	for i := range refs {
		refs[i] = block.Ref{Begin: uint32(i * block.Size), Length: block.Size}
	}
	data := make([]byte, run*block.Size)
	ctx, cancel := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	stop := startCPU(b)
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
	stop()
	go func() {
		for range src.room {
		}
	}()
	cancel()
	wg.Wait()
	close(src.room)
}
