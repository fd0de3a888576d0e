package peer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/simnet"
	"swarmnode/swarm/transport/utp"
	"swarmnode/swarm/wire"
)

// streams runs a test over a simulated stream and over TCP, whose readers

// differ.

func streams(t *testing.T, test func(t *testing.T, a, b net.Conn)) {
	t.Run("simulated", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, b := simPair(t, simnet.Link{Latency: time.Millisecond})
			test(t, a, b)
		})
	})
	t.Run("tcp", func(t *testing.T) {
		a, b := tcpPair(t)
		test(t, a, b)
	})
	t.Run("utp", func(t *testing.T) {
		a, b := utpPair(t)
		test(t, a, b)
	})
}

// utpPair returns the two ends of a connection over uTP.
func utpPair(t *testing.T) (dialled, accepted net.Conn) {
	t.Helper()
	var sockets [2]*utp.Socket
	for i := range sockets {
		s, err := utp.Listen(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"), utp.Config{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		sockets[i] = s
	}
	dialled, err := sockets[0].Dial(t.Context(), sockets[1].AddrPort())
	if err != nil {
		t.Fatal(err)
	}
	if accepted, err = sockets[1].Accept(); err != nil {
		t.Fatal(err)
	}
	return dialled, accepted
}

// until waits for a condition on what was heard.

func (r *record) until(ok func() bool) {
	for {
		r.mu.Lock()
		done := ok() || r.closed > 0
		r.mu.Unlock()
		if done {
			return
		}
		<-r.heard
	}
}

// TestBothWays sends every kind of message and many blocks through two Conns

// in both directions at once.

func TestBothWays(t *testing.T) {
	streams(t, func(t *testing.T, a, b net.Conn) {
		left, right := newRecord(), newRecord()
		l := newRig(t, rigOptions{near: a, far: b, handler: left, pieces: 100})
		r := newRig(t, rigOptions{near: b, far: a, handler: right, pieces: 100})
		const runs, run = 20, 7
		messages := []wire.Message{
			{ID: wire.Unchoke}, {ID: wire.Interested}, {ID: wire.NotInterested},
			{ID: wire.Have, Ref: block.Ref{Piece: 99}},
			{ID: wire.Bitfield, Payload: make([]byte, 13)},
			{ID: wire.Request, Ref: block.Ref{Piece: 1, Begin: 2, Length: 3}},
			{ID: wire.Cancel, Ref: block.Ref{Piece: 4, Begin: 5, Length: 6}},
			{ID: wire.Reject, Ref: block.Ref{Piece: 7, Begin: 8, Length: 9}},
			{ID: wire.Port, Port: 6881}, {ID: wire.HaveAll}, {ID: wire.HaveNone},
			{ID: wire.Suggest, Ref: block.Ref{Piece: 10}},
			{ID: wire.AllowedFast, Ref: block.Ref{Piece: 11}},
			{ID: wire.Extended, Ext: 3, Payload: bytes.Repeat([]byte("e"), wire.ExtendedMax)},
			{ID: wire.Hashes, Payload: make([]byte, 48+64)}, {ID: wire.Choke},
		}
		data := make([]byte, run*block.Size)
		for i := range data {
			data[i] = byte(i>>8) ^ byte(i)
		}
		var wg sync.WaitGroup
		var releases [2]int
		for side, c := range []*rig{l, r} {
			wg.Go(func() {
				for i := range runs {
					var refs []block.Ref
					n := 0
					for j := range run {
						ref := block.Ref{Piece: uint32(i), Begin: uint32(j * block.Size),
							Length: block.Size - uint32(j)}
						refs = append(refs, ref)
						n += int(ref.Length)
					}
					c.mu.Lock()
					sent := c.sent
					c.mu.Unlock()
					if !c.conn.SendBlocks(refs, data[:n], func() { releases[side]++ }) {
						t.Error("SendBlocks refused")
						return
					}
					if i < len(messages) && !c.conn.Send(messages[i]) {
						t.Error("Send refused")
						return
					}
					c.until(func() bool { return c.sent >= sent+1 })
				}
			})
		}
		wg.Wait()
		for side, c := range []*rig{l, r} {
			c.until(func() bool {
				return c.sent == runs*run && len(c.blocks) == runs*run &&
					len(c.messages) == len(messages)
			})
			c.mu.Lock() // the end of the other side, at the end of the test, is heard
			defer c.mu.Unlock()
			if c.closed > 0 {
				t.Errorf("side %d closed: %v", side, c.err)
			}
			if releases[side] != runs {
				t.Errorf("side %d: %d releases, want %d", side, releases[side], runs)
			}
			for i, m := range c.messages[:min(len(c.messages), len(messages))] {
				if m.String() != messages[i].String() ||
					!bytes.Equal(m.Payload, messages[i].Payload) {
					t.Errorf("side %d: message %d is %v, want %v", side, i, m, messages[i])
				}
			}
			var want []byte
			for i, ref := range c.blocks {
				if w := (block.Ref{Piece: uint32(i / run), Begin: uint32(i % run * block.Size),
					Length: uint32(block.Size - i%run)}); ref != w {
					t.Errorf("side %d: block %d is %v, want %v", side, i, ref, w)
				}
			}
			n := 0
			for j := range run {
				n += block.Size - j
			}
			for range runs {
				want = append(want, data[:n]...)
			}
			if !bytes.Equal(c.bytes, want) {
				t.Errorf("side %d: the blocks' bytes differ", side)
			}
		}
		if got, want := l.conn.BytesRead(), r.conn.BytesWritten(); got != want {
			t.Errorf("left read %d bytes, right wrote %d", got, want)
		}
		for _, c := range []*rig{l, r} {
			if n := c.conn.Backlog(); n != 0 {
				t.Errorf("backlog %d, want 0", n)
			}
		}
	})
}

// TestAnySplit feeds the same messages in pieces of every size.

func TestAnySplit(t *testing.T) {
	const rounds = 2
	var stream []byte
	var wantBlocks, wantMessages int
	data := make([]byte, block.Size)
	for i := range data {
		data[i] = byte(i * 7)
	}
	for i := range rounds {
		stream = append(stream, message(wire.Message{ID: wire.KeepAlive})...)
		stream = append(stream,
			message(wire.Message{ID: wire.Have, Ref: block.Ref{Piece: uint32(i)}})...)
		for _, n := range []int{1, 100, block.Size} {
			stream = wire.AppendPieceHeader(stream, block.Ref{Length: uint32(n)})
			stream = append(stream, data[:n]...)
			wantBlocks++
		}
		stream = append(stream, message(wire.Message{ID: 77, Payload: nil})...)
		stream = append(stream, message(wire.Message{ID: wire.Extended, Payload: data[:5000]})...)
		stream = append(stream,
			message(wire.Message{ID: wire.Piece, Payload: make([]byte, 20000)})...)
		wantMessages += 4
	}
	wantMessages++ // the first keep-alive; later ones follow too soon to be reported
	for _, size := range []int{2, 3, 13, 1000, 4096, 16397, 1 << 20} {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe() // hands over exactly what is written
			r := newRig(t, rigOptions{near: near, far: far})
			go func() {
				for part := range slices.Chunk(stream, size) {
					if _, err := far.Write(part); err != nil {
						return
					}
				}
			}()
			r.until(func() bool {
				return len(r.blocks) == wantBlocks &&
					len(r.messages) == wantMessages
			})
			if r.closed > 0 {
				t.Fatalf("parts of %d bytes: closed: %v", size, r.err)
			}
			var want []byte
			for range rounds {
				want = append(want, data[0])
				want = append(want, data[:100]...)
				want = append(want, data...)
			}
			if !bytes.Equal(r.bytes, want) {
				t.Errorf("parts of %d bytes: the blocks differ", size)
			}
			if m := r.messages[4]; m.ID != wire.Piece || m.Ref.Length != 20000 || m.Payload != nil {
				t.Errorf("parts of %d bytes: long piece came as %v", size, m)
			}
		})
	}
}

// TestBadMessages has the rows of what a peer may send that closes at once.

// TestGiantPrefixIsNotRead: a peer that announces 4 GiB gets rid of no more

// than one window of them.

// TestSilence has the ways of saying too little.

// TestFloods: messages that cost a peer nothing may not come for ever.

// TestServedRequestsAreNoFlood: a fast downloader sends as many requests as it

// gets blocks.

// TestUnreadAnswers: a peer that asks and does not read is not read either,

// and is given up in the end.

// TestMutualUploads: two peers that both have much to send do not wait for

// each other.

func TestMutualUploads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := simPair(t, simnet.Link{Latency: 10 * time.Millisecond, Up: 1 << 20})
		l, r := newRig(t, rigOptions{near: a, far: b}), newRig(t, rigOptions{near: b, far: a})
		refs := make([]block.Ref, 200)
		for i := range refs {
			refs[i].Length = block.Size
		}
		data := make([]byte, len(refs)*block.Size)
		for _, c := range []*rig{l, r} {
			if !c.conn.SendBlocks(refs, data, nil) {
				t.Fatal("SendBlocks refused")
			}
		}
		for i, c := range []*rig{l, r} {
			c.until(func() bool { return len(c.blocks) == len(refs) })
			if c.closed > 0 {
				t.Errorf("side %d closed after %d blocks: %v", i, len(c.blocks), c.err)
			}
		}
	})
}

// TestSlowReaderIsKept: a peer on a slow line that does read stays.

func TestBacklogBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{})
		sent := 0
		for r.conn.Send(wire.Message{ID: wire.Extended, Payload: make([]byte, 1<<10)}) {
			sent++
		}
		const size = 1<<10 + 6
		if (sent+1)*size < BacklogMax || sent*size > BacklogMax+1<<20 {
			t.Errorf("%d bytes were queued, want about %d", sent*size, BacklogMax)
		}
		<-r.done
		if !errors.Is(r.err, ErrBacklog) {
			t.Errorf("got %v, want ErrBacklog", r.err)
		}
		if r.conn.Send(wire.Message{ID: wire.Choke}) {
			t.Error("Send is true after the end")
		}
		released := 0
		if r.conn.SendBlock(block.Ref{Length: 1}, []byte{1}, func() { released++ }) ||
			released != 1 {
			t.Errorf("SendBlock after the end: released %d times, want false and once", released)
		}
	})
}

// TestReleases: whatever happens, each run of blocks is released once.

func TestReleases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{up: limit.NewBucket(64<<10, nil)})
		released := 0
		var mu sync.Mutex
		refs := []block.Ref{{Length: block.Size}, {Length: block.Size}}
		for range 20 {
			r.conn.SendBlocks(refs, make([]byte, 2*block.Size), func() {
				mu.Lock()
				defer mu.Unlock()
				released++
			})
		}
		r.conn.Send(wire.Message{ID: wire.Choke})
		go io.CopyN(io.Discard, r.far, 100<<10)
		time.Sleep(3 * time.Second)
		r.conn.Close(nil)
		<-r.done
		if released != 20 {
			t.Errorf("%d releases, want 20", released)
		}
	})
}

// TestControlOvertakesBlocks: under a rate limit a request does not wait for

// the blocks that were queued before it; a choke does.

func TestControlOvertakesBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := simPair(t, simnet.Link{})
		r := newRig(t, rigOptions{near: a, far: b, up: limit.NewBucket(16<<10, nil)})
		far := newRig(t, rigOptions{near: b, far: a})
		refs := make([]block.Ref, 10)
		for i := range refs {
			refs[i] = block.Ref{Piece: uint32(i), Length: block.Size}
		}
		data := make([]byte, len(refs)*block.Size)
		start := time.Now()
		r.conn.SendBlocks(refs[:8], data[:8*block.Size], nil)
		time.Sleep(1500 * time.Millisecond)
		r.conn.Send(wire.Message{ID: wire.Request})
		synctest.Wait()
		if len(far.messages) != 1 || len(far.blocks) > 3 {
			t.Errorf("after 1.5s: %d messages and %d blocks, want the request at once",
				len(far.messages), len(far.blocks))
		}
		r.conn.Send(wire.Message{ID: wire.Choke})
		r.conn.Send(wire.Message{ID: wire.Unchoke})
		r.conn.SendBlocks(refs[8:], data[:2*block.Size], nil)
		far.until(func() bool { return len(far.messages) == 3 })
		if len(far.blocks) != 8 {
			t.Errorf("the choke came after %d blocks, want 8", len(far.blocks))
		}
		far.until(func() bool { return len(far.blocks) == 10 })
		if d := time.Since(start); d < 8*time.Second || d > 11*time.Second {
			t.Errorf("10 blocks at one a second took %v", d)
		}
	})
}

// TestDownloadLimit: what is read keeps to the rate, and evenly.

func TestDownloadLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 64 << 10
		r := newRig(t, rigOptions{down: limit.NewBucket(rate, nil)})
		go func() {
			for {
				m := wire.AppendPieceHeader(nil, block.Ref{Length: block.Size})
				if _, err := r.far.Write(append(m, make([]byte, block.Size)...)); err != nil {
					return
				}
			}
		}()
		before := int64(0)
		for i := range 20 {
			time.Sleep(time.Second)
			now := r.conn.BytesRead()
			if got := now - before; i > 0 && (got < rate*9/10 || got > rate*11/10) {
				t.Errorf("second %d: %d bytes, want %d", i, got, rate)
			}
			before = now
		}
	})
}

// TestPoolIsBackpressure: without buffers nothing is read, and that is not

// the peer's fault.

func TestCloseIsOnce(t *testing.T) {
	streams(t, func(t *testing.T, a, b net.Conn) {
		r := newRig(t, rigOptions{near: a, far: b})
		first := errors.New("first")
		r.conn.Close(first)
		r.conn.Close(errors.New("second"))
		<-r.done
		if r.err != first {
			t.Errorf("closed with %v, want the first reason", r.err)
		}
	})
}

func TestRunEndsWithContext(t *testing.T) {
	streams(t, func(t *testing.T, a, b net.Conn) {
		r := newRig(t, rigOptions{near: a, far: b})
		r.stop()
		<-r.done
		if !errors.Is(r.err, context.Canceled) {
			t.Errorf("closed with %v, want the end of the context", r.err)
		}
	})
}

// TestBlocksBeforeEnd: what a peer sent before it went counts.

func TestBlocksBeforeEnd(t *testing.T) {
	streams(t, func(t *testing.T, a, b net.Conn) {
		r := newRig(t, rigOptions{near: a, far: b})
		m := wire.AppendPieceHeader(nil, block.Ref{Piece: 5, Length: 3})
		b.Write(append(m, 1, 2, 3))
		b.(interface{ Close() error }).Close()
		<-r.done
		if len(r.blocks) != 1 || !bytes.Equal(r.bytes, []byte{1, 2, 3}) {
			t.Errorf("blocks %v, bytes %v", r.blocks, r.bytes)
		}
		if !errors.Is(r.err, io.EOF) && !errors.Is(r.err, os.ErrDeadlineExceeded) {
			t.Errorf("closed with %v, want the end of the stream", r.err)
		}
	})
}

// TestRestingConnIsSmall: a TCP connection at rest holds no window.

func TestRestingConnIsSmall(t *testing.T) {
	a, b := tcpPair(t)
	c := New(a, Config{Handler: newRecord(), Pool: block.NewPool(1)})
	r := newReader(c)
	if !r.raw.ok() {
		t.Skip("readiness is not told apart from data here")
	}
	b.Write(message(wire.Message{ID: wire.Choke}))
	for r.in.w < 5 {
		if _, err := r.fill(); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.parse(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.SetReadDeadline(time.Unix(1, 0))
	r.deadline = time.Now().Add(time.Hour)
	if _, err := r.fill(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	a.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := r.fill(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	if r.in.buf != nil || r.in.lent != nil {
		t.Errorf("a window of %d bytes is kept", len(r.in.buf))
	}
}
