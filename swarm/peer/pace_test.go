package peer

import (
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/simnet"
	"swarmnode/swarm/transport"
	"swarmnode/swarm/wire"
)

// A slowStream takes so many bytes a second.
type slowStream struct {
	net.Conn
	rate int
}

func (s slowStream) Write(b []byte) (int, error) {
	time.Sleep(time.Duration(len(b)) * time.Second / time.Duration(s.rate))
	return s.Conn.Write(b)
}

// TestMessagesPassBlocks: on a slow stream a message waits for a short write, although
// blocks for seconds were queued before it.
func TestMessagesPassBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate, blocks = 256 << 10, 96
		a, b := simPair(t, simnet.Link{})
		near := newRig(t, rigOptions{near: slowStream{a, rate}, far: b})
		far := newRig(t, rigOptions{near: b, far: a, pieces: blocks})
		for i := range blocks {
			ref := block.Ref{Piece: uint32(i), Length: block.Size}
			far.conn.Send(wire.Message{ID: wire.Request, Ref: ref})
			near.conn.SendBlock(ref, make([]byte, block.Size), nil)
		}
		time.Sleep(2 * time.Second) // the pace is found
		for piece := range uint32(5) {
			near.conn.Send(wire.Message{ID: wire.Have, Ref: block.Ref{Piece: piece}})
			time.Sleep(150 * time.Millisecond)
			synctest.Wait()
			far.mu.Lock()
			if n := len(far.messages); n != int(piece)+1 {
				t.Errorf("%d haves have come, want %d", n, piece+1)
			}
			far.mu.Unlock()
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if len(far.blocks) != blocks {
			t.Errorf("%d blocks have come, want %d", len(far.blocks), blocks)
		}
	})
}

// TestPace: what one write is given, and what the system takes ahead, follow the time that
// writes take.
func TestPace(t *testing.T) {
	const ms = time.Millisecond
	var told []int
	p := newPace(transport.NotSentLowat, func(bytes int) { told = append(told, bytes) })
	for i, w := range []struct {
		bytes int
		took  time.Duration
		want  int
	}{
		{64 << 10, 20 * ms, stepFirst}, // too little to measure
		{64 << 10, 20 * ms, stepFirst},
		{64 << 10, 60 * ms, 32 << 10}, // 2 MB/s
		{32 << 10, time.Second, stepMin},
		{16 << 10, 40 * ms, stepMin},
		{16 << 10, 0, stepMin},
		{16 << 10, 60 * ms, stepMin}, // 0.5 MB/s
		{16 << 10, 0, stepMin},
		{512 << 10, 20 * ms, 512 << 10}, // 27 MB/s
		{512 << 10, 100 * ms, 128 << 10},
		{512 << 10, 0, batchMax},
		{512 << 10, 200 * ms, 64 << 10}, // the system is told nothing new
		{512 << 10, 400 * ms, 32 << 10},
	} {
		if p.wrote(w.bytes, w.took); p.step != w.want {
			t.Errorf("%d: after %d bytes in %v the step is %d, want %d", i, w.bytes, w.took, p.step,
				w.want)
		}
	}
	want := []int{32 << 10, 16 << 10, transport.NotSentLowat, 32 << 10}
	if !slices.Equal(told, want) {
		t.Errorf("the system was told %v, want %v", told, want)
	}
}

// TestPaceOfASocket: the option reaches the socket.
func TestPaceOfASocket(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	tell := aheadOf(conn)
	if tell == nil {
		t.Skip("no such option here")
	}
	tell(stepMin)
	if got := aheadNow(t, conn); got != stepMin {
		t.Errorf("the socket takes %d bytes ahead, want %d", got, stepMin)
	}
	if near, _ := net.Pipe(); aheadOf(near) != nil {
		t.Error("a pipe has a socket")
	}
}
