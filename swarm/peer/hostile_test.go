package peer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/simnet"
	"swarmnode/swarm/wire"
)

func TestBadMessages(t *testing.T) {
	prefix := func(n uint32, id wire.ID) []byte {
		return append(binary.BigEndian.AppendUint32(nil, n), byte(id))
	}
	const size, long = wire.RuleMessageSize, wire.RuleMessageTooLong
	for _, tt := range []struct {
		name   string
		bytes  []byte
		pieces int
		want   wire.Rule // empty: stays open
	}{
		{"4 GiB", prefix(1<<32-1, 7), 0, long},
		{"negative", prefix(1<<31, 20), 0, long},
		{"piece over the bound", prefix(9+wire.PieceDataMax+1, wire.Piece), 0, long},
		{"piece without offset", prefix(8, wire.Piece), 0, size},
		{"empty piece", message(wire.Message{ID: wire.Piece}), 0, ""},
		{"have of 4 bytes", prefix(4, wire.Have), 0, size},
		{"have of 6 bytes", prefix(6, wire.Have), 0, size},
		{"choke of 2 bytes", prefix(2, wire.Choke), 0, size},
		{"request of 14 bytes", prefix(14, wire.Request), 0, size},
		{"port of 2 bytes", prefix(2, wire.Port), 0, size},
		{"bitfield too short", prefix(13, wire.Bitfield), 100, size},
		{"bitfield too long", prefix(15, wire.Bitfield), 100, long},
		{"bitfield right", message(wire.Message{ID: wire.Bitfield, Payload: make([]byte, 13)}),
			100, ""},
		{"largest bitfield before metadata",
			message(wire.Message{ID: wire.Bitfield, Payload: make([]byte, wire.PiecesMax/8)}), 0,
			""},
		{"bitfield beyond any torrent", prefix(wire.PiecesMax/8+2, wire.Bitfield), 0, long},
		{"extended without number", prefix(1, wire.Extended), 0, size},
		{"extended over the bound", prefix(wire.ExtendedMax+3, wire.Extended), 0, long},
		{"unknown id", message(wire.Message{ID: 99}), 0, ""},
		{"unknown id, long", append(prefix(wire.UnknownMax, 99),
			make([]byte, wire.UnknownMax-1)...), 0, ""},
		{"unknown id, longer", prefix(wire.UnknownMax+1, 99), 0, long},
		{"hash request", message(wire.Message{ID: wire.HashRequest, Payload: make([]byte, 48)}),
			0, ""},
		{"hash request, short", prefix(48, wire.HashRequest), 0, size},
		{"hashes, half a hash", prefix(49+16, wire.Hashes), 0, size},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, rigOptions{pieces: tt.pieces})
				start := time.Now()
				r.far.Write(tt.bytes)
				synctest.Wait()
				if tt.want == "" {
					r.far.Write(message(wire.Message{ID: wire.HaveAll}))
					synctest.Wait()
					if r.closed > 0 || len(r.messages) != 2 || r.messages[1].ID != wire.HaveAll {
						t.Errorf("closed %d (%v), heard %v; want it to go on", r.closed, r.err,
							r.messages)
					}
					return
				}
				<-r.done
				if want := (wire.ProtocolError{Rule: tt.want}); !errors.Is(r.err, want) {
					t.Errorf("got %v, want %v", r.err, want)
				}
				if d := time.Since(start); d != 0 || len(r.messages) != 0 {
					t.Errorf("closed after %v and %v, want at once", d, r.messages)
				}
			})
		})
	}
}

func TestGiantPrefixIsNotRead(t *testing.T) {
	a, b := tcpPair(t)
	r := newRig(t, rigOptions{near: a, far: b})
	b.Write([]byte{0xff, 0xff, 0xff, 0xff, 7})
	<-r.done
	if n := r.conn.BytesRead(); n > windowSize {
		t.Errorf("%d bytes were read", n)
	}
	if !errors.Is(r.err, wire.ProtocolError{Rule: wire.RuleMessageTooLong}) {
		t.Errorf("closed with %v", r.err)
	}
}

func TestSilence(t *testing.T) {
	half := wire.AppendPieceHeader(nil, block.Ref{Length: block.Size})
	for _, tt := range []struct {
		name  string
		peer  func(net.Conn)
		want  error
		after time.Duration
	}{
		{"nothing", func(net.Conn) {}, ErrIdle, MessageTimeout},
		{"half a header", func(c net.Conn) { c.Write(half[:3]) }, ErrIdle, MessageTimeout},
		{"half a block", func(c net.Conn) { c.Write(half); c.Write(make([]byte, 1000)) }, ErrIdle,
			MessageTimeout},
		{"dripping block", func(c net.Conn) { c.Write(half); every(2*time.Second, []byte{1})(c) },
			ErrIdle, MessageTimeout},
		{"keep-alives", every(120*time.Second, make([]byte, 4)), nil, 0},
		{"keep-alives, early", every(3*time.Second, make([]byte, 4)), nil, 0},
		{"closing", func(c net.Conn) { c.Close() }, io.EOF, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, rigOptions{})
				defer r.finish()
				go io.Copy(io.Discard, r.far) // the peer reads
				go tt.peer(r.far)
				start := time.Now()
				select {
				case <-r.done:
				case <-time.After(time.Hour):
				}
				if !errors.Is(r.err, tt.want) {
					t.Errorf("got %v, want %v", r.err, tt.want)
				}
				if d := time.Since(start); tt.want != nil && (d < tt.after ||
					d > tt.after+deadlineSlack) {
					t.Errorf("closed after %v, want %v", d, tt.after)
				}
			})
		})
	}
}

func TestFloods(t *testing.T) {
	have := message(wire.Message{ID: wire.Have})
	for _, tt := range []struct {
		name   string
		unit   []byte
		rate   int // per second
		closes bool
	}{
		{"have", have, 2 * floodCount, true},
		{"keep-alive", make([]byte, 4), 2 * floodCount, true},
		{"interested", message(wire.Message{ID: wire.Interested}), 2 * floodCount, true},
		{"unknown extension", message(wire.Message{ID: wire.Extended, Ext: 99}), 2 * floodCount,
			true},
		{"unknown id", message(wire.Message{ID: 99}), 2 * floodCount, true},
		{"empty pieces", message(wire.Message{ID: wire.Piece}), 2 * floodCount, true},
		{"fast but no flood", have, floodCount * 9 / 10, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newRecord()
				h.deaf = true
				r := newRig(t, rigOptions{handler: h})
				go io.Copy(io.Discard, r.far)
				start := time.Now()
				burst := bytes.Repeat(tt.unit, tt.rate/10)
				for time.Since(start) < 20*time.Second {
					if _, err := r.far.Write(burst); err != nil {
						break
					}
					time.Sleep(time.Second / 10)
				}
				synctest.Wait()
				if got := r.closed > 0; got != tt.closes {
					t.Errorf("closed %v (%v), want %v", got, r.err, tt.closes)
				}
				if tt.closes {
					if want := (wire.ProtocolError{Rule: RuleFlood}); !errors.Is(r.err, want) {
						t.Errorf("got %v, want %v", r.err, want)
					}
					if d := time.Since(start); d > 6*time.Second {
						t.Errorf("closed after %v, want about 5s", d)
					}
				}
			})
		})
	}
}

func TestServedRequestsAreNoFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newRecord()
		h.deaf = true
		r := newRig(t, rigOptions{handler: h})
		go io.Copy(io.Discard, r.far)
		const batch = floodCount * 12 / 10 / 10
		requests := bytes.Repeat(message(wire.Message{ID: wire.Request}), batch)
		refs := make([]block.Ref, batch)
		for i := range refs {
			refs[i].Length = 1
		}
		data := make([]byte, len(refs))
		for range 70 { // 12,000 a second for 7 s
			r.far.Write(requests)
			if !r.conn.SendBlocks(refs, data, nil) {
				break
			}
			time.Sleep(time.Second / 10)
		}
		if r.closed > 0 {
			t.Errorf("closed: %v", r.err)
		}
	})
}

func TestUnreadAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		payload := make([]byte, 16<<10)
		h := newRecord()
		r := newRig(t, rigOptions{handler: h})
		h.mu.Lock()
		h.answer = func() { // a metadata block for every request
			r.conn.Send(wire.Message{ID: wire.Extended, Ext: 1, Payload: payload})
		}
		h.mu.Unlock()
		start := time.Now()
		request := message(wire.Message{ID: wire.Extended, Ext: 1,
			Payload: []byte("d8:msg_typei0e5:piecei0ee")})
		asked := 0
		for {
			r.far.SetWriteDeadline(time.Now().Add(time.Minute))
			if _, err := r.far.Write(request); err != nil {
				break
			}
			asked++
		}
		<-r.done
		if n := r.conn.Backlog(); n > BacklogStop+(32<<10) {
			t.Errorf("backlog of %d bytes, want at most %d", n, BacklogStop)
		}
		if len(r.messages) > 2*BacklogStop/len(payload) {
			t.Errorf("%d requests were read of %d", len(r.messages), asked)
		}
		if !errors.Is(r.err, ErrStuck) || time.Since(start) > 2*WriteTimeout {
			t.Errorf("closed with %v after %v, want ErrStuck", r.err, time.Since(start))
		}
	})
}

func TestSlowReaderIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := simPair(t, simnet.Link{Up: 4 << 10})
		r := newRig(t, rigOptions{near: a, far: b})
		defer r.finish()
		go func() {
			for {
				if _, err := b.Write(make([]byte, 4)); err != nil {
					return
				}
				time.Sleep(time.Minute)
			}
		}()
		refs := make([]block.Ref, 48)
		for i := range refs {
			refs[i].Length = block.Size
		}
		data := make([]byte, len(refs)*block.Size)
		r.conn.SendBlocks(refs, data, nil)
		n, err := io.CopyN(io.Discard, b, int64(len(data)))
		if err != nil {
			t.Errorf("%d bytes came, %v; Conn says %v", n, err, r.err)
		}
	})
}

func TestPoolIsBackpressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := block.NewPool(2 * block.Size)
		h := newRecord()
		r := newRig(t, rigOptions{pool: pool, handler: h})
		mine := []*block.Buf{pool.TryGet(), pool.TryGet()}
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for range 100 {
				m := wire.AppendPieceHeader(nil, block.Ref{Length: block.Size})
				r.far.Write(append(m, make([]byte, block.Size)...))
			}
		}()
		time.Sleep(time.Hour)
		if len(h.blocks) != 0 || r.closed > 0 {
			t.Errorf("%d blocks came without buffers, closed %v", len(h.blocks), r.err)
		}
		if n := r.conn.BytesRead(); n > windowSize {
			t.Errorf("%d bytes were read without buffers", n)
		}
		mine[0].Release()
		<-sent
		h.until(func() bool { return len(h.blocks) == 100 })
		mine[1].Release()
	})
}

// every returns a peer that writes b again and again, for use in a bubble.
func every(d time.Duration, b []byte) func(net.Conn) {
	return func(c net.Conn) {
		for {
			if _, err := c.Write(b); err != nil {
				return
			}
			time.Sleep(d)
		}
	}
}

// slow returns a peer that writes b one byte at a time, for use in a bubble.
func slow(b []byte, pause time.Duration) func(net.Conn) {
	return func(c net.Conn) {
		for i := range b {
			if _, err := c.Write(b[i : i+1]); err != nil {
				return
			}
			time.Sleep(pause)
		}
	}
}

// finish ends the connection and gives goroutines that write to it from time
// to time the virtual time to notice.
func (r *rig) finish() {
	r.stop()
	<-r.done
	r.far.Close()
	time.Sleep(5 * time.Minute)
}

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
