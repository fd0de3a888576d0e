package peer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/simnet"
	"swarmnode/swarm/wire"
)

// TestAnswersArrive: an answer comes whole, head, body and tail, with or without a
// limit, and is told to have left.
func TestAnswersArrive(t *testing.T) {
	for _, up := range []*limit.Bucket{nil, limit.NewBucket(1<<20, nil)} {
		synctest.Test(t, func(t *testing.T) {
			if up != nil {
				up = limit.NewBucket(1<<20, nil)
			}
			a, b := simPair(t, simnet.Link{})
			r, far := newRig(t, rigOptions{near: a, far: b, up: up}),
				newRig(t, rigOptions{near: b, far: a})
			tail := bytes.Repeat([]byte("tail"), 4000)
			const count = 9
			for i := range byte(count) {
				r.conn.SendAnswer(wire.Message{ID: wire.Extended, Ext: 3, Payload: []byte{'b', i}},
					tail)
			}
			far.until(func() bool { return len(far.messages) == count })
			r.until(func() bool { return r.answered == count })
			for i, m := range far.messages {
				if m.ID != wire.Extended || m.Ext != 3 ||
					!bytes.Equal(m.Payload, append([]byte{'b', byte(i)}, tail...)) {
					t.Fatalf("answer %d came as %v", i, m)
				}
				if m.Size != wire.PrefixSize+2+len(m.Payload) {
					t.Errorf("its size is told as %d", m.Size)
				}
			}
		})
	}
}

// TestAnswersKeepToTheLimit: answers have a share of an upload limit while blocks
// wait, all of it otherwise, and never more, and of several peers those come first
// whose address was given least.
func TestAnswersKeepToTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate, seconds = 256 << 10, 20
		up := limit.NewBucket(rate, nil)
		given := limit.NewTally(1<<10, time.Hour)
		type end struct{ near, far *rig }
		var ends []end
		connect := func(ip string) end {
			a, b := simPair(t, simnet.Link{})
			cfg := Config{Source: netip.MustParseAddr(ip), Given: given}
			e := end{newRig(t, rigOptions{near: a, far: b, up: up, cfg: cfg}),
				newRig(t, rigOptions{near: b, far: a})}
			ends = append(ends, e)
			return e
		}
		tail := make([]byte, 16<<10)
		answers := func(e end, n int) {
			for range n {
				e.near.conn.SendAnswer(wire.Message{ID: wire.Extended, Ext: 1}, tail)
			}
		}
		blocks := connect("192.0.2.1")
		refs := make([]block.Ref, 120)
		for i := range refs {
			refs[i].Length = block.Size
		}
		blocks.near.conn.SendBlocks(refs, make([]byte, len(refs)*block.Size), nil)
		for range 5 { // five connections of one address
			answers(connect("192.0.2.2"), 200)
		}
		time.Sleep(5 * time.Second)
		began, before := time.Now(), total(ends[1].far, ends[2].far, ends[3].far, ends[4].far,
			ends[5].far)
		late := connect("192.0.2.3")
		answers(late, 4)
		late.far.until(func() bool { return len(late.far.messages) == 4 })
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("a newcomer has 64 KiB of %d a second after %v", rate, took)
		}
		blocks.far.until(func() bool { return len(blocks.far.blocks) == len(refs) })
		passed := time.Since(began).Seconds()
		drawn := total(ends[1].far, ends[2].far, ends[3].far, ends[4].far, ends[5].far) - before
		if most := rate * passed / 4; float64(drawn) > most {
			t.Errorf("%d bytes of answers went out in %.1f s beside blocks, want at most %.0f",
				drawn, passed, most)
		}
		if passed > 8 {
			t.Errorf("the blocks took %.1f s more", passed)
		}
		before = total(ends[1].far, ends[2].far, ends[3].far, ends[4].far, ends[5].far)
		time.Sleep(seconds * time.Second)
		drawn = total(ends[1].far, ends[2].far, ends[3].far, ends[4].far, ends[5].far) - before
		if got := float64(drawn) / seconds / rate; got < .9 || got > 1.05 {
			t.Errorf("%.2f of the limit is used by answers alone", got)
		}
	})
}

// total returns how many bytes have come to rigs.
func total(rigs ...*rig) (bytes int64) {
	for _, r := range rigs {
		bytes += r.conn.BytesRead()
	}
	return bytes
}

// TestAnswersOfThoseWhoLeave: whoever asks and leaves before the answer keeps
// nobody waiting for it.
func TestAnswersOfThoseWhoLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 64 << 10
		up := limit.NewBucket(rate, nil)
		for range 200 {
			a, b := simPair(t, simnet.Link{})
			r := newRig(t, rigOptions{near: a, far: b, up: up})
			r.conn.SendAnswer(wire.Message{ID: wire.Extended, Ext: 1}, make([]byte, 16<<10))
			synctest.Wait()
			b.Close()
			r.conn.Close(nil)
			<-r.done
		}
		a, b := simPair(t, simnet.Link{})
		r, far := newRig(t, rigOptions{near: a, far: b, up: up}),
			newRig(t, rigOptions{near: b, far: a})
		began := time.Now()
		r.conn.SendBlock(block.Ref{Length: block.Size}, make([]byte, block.Size), nil)
		far.until(func() bool { return len(far.blocks) == 1 })
		if took := time.Since(began); took > time.Second {
			t.Errorf("the first block comes after %v", took)
		}
	})
}

// TestTalkComesLast: strangers that send what nobody asked for cannot take a
// download limit from a peer that sends what it was asked for, whatever it is.
func TestTalkComesLast(t *testing.T) {
	for name, junk := range map[string][]byte{
		"unknown extension": message(wire.Message{ID: wire.Extended, Ext: 99,
			Payload: make([]byte, 60_000)}),
		"unknown id": append(binary.BigEndian.AppendUint32(nil, 60_000),
			bytes.Repeat([]byte{200}, 60_000)...),
		"keep-alives": make([]byte, 60_000),
		"blocks": append(wire.AppendPieceHeader(nil, block.Ref{Length: block.Size}),
			make([]byte, block.Size)...),
		"haves": bytes.Repeat(message(wire.Message{ID: wire.Have}), 5000),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const rate, strangers, seconds = 500_000, 40, 20
				down := limit.NewBucket(rate, nil)
				down.SetAside(1. / 8)
				talk := limit.NewTally(1<<10, 10*time.Minute)
				connect := func(ip netip.Addr, flood []byte) *rig {
					h := newRecord()
					h.deaf = true
					r := newRig(t, rigOptions{down: down, handler: h,
						cfg: Config{Source: ip, Talk: talk}})
					go func() {
						for {
							if _, err := r.far.Write(flood); err != nil {
								return
							}
						}
					}()
					return r
				}
				for i := range byte(strangers) {
					connect(netip.AddrFrom4([4]byte{192, 0, 2, i}), junk)
				}
				honest := append(wire.AppendPieceHeader(nil, block.Ref{Length: block.Size}),
					make([]byte, block.Size)...)
				r := newRig(t, rigOptions{down: down,
					cfg: Config{Source: netip.MustParseAddr("192.0.2.99"), Talk: talk}})
				go io.Copy(io.Discard, r.far)
				go func() {
					for range 2000 {
						r.conn.Send(wire.Message{ID: wire.Request,
							Ref: block.Ref{Length: block.Size}})
						if _, err := r.far.Write(honest); err != nil {
							return
						}
					}
				}()
				time.Sleep(5 * time.Second)
				before := r.conn.BytesRead()
				time.Sleep(seconds * time.Second)
				if got := float64(r.conn.BytesRead()-before) / seconds / rate; got < .8 {
					t.Errorf("%.2f of the limit is left for the peer that was asked", got)
				}
			})
		})
	}
}

// TestPartsOfMessagesAreCharged: what has come of a message that does not go on is
// kept in as much memory as it needs, is charged, and makes room for others when too
// much of it is there.
func TestPartsOfMessagesAreCharged(t *testing.T) {
	part := binary.BigEndian.AppendUint32(nil, 2+wire.ExtendedMax)
	part = append(part, byte(wire.Extended), 0)
	part = append(part, make([]byte, 50<<10)...)
	synctest.Test(t, func(t *testing.T) {
		const budget, peers = 1 << 20, 60
		ledger := limit.NewLedger(budget)
		var evicted atomic.Int32
		var rigs []*rig
		for i := range peers {
			var conn *Conn
			account := ledger.Open(func() { evicted.Add(1); conn.Evict() })
			o := rigOptions{cfg: Config{Account: account}}
			o.near, o.far = simPair(t, simnet.Link{})
			r := &rig{record: newRecord(), far: o.far, pool: block.NewPool(1),
				done: make(chan struct{})}
			conn = New(o.near, Config{Handler: r.record, Pool: r.pool, Account: account})
			r.conn = conn
			rigs = append(rigs, r)
			go func() {
				defer close(r.done)
				conn.Run(t.Context())
			}()
			if i%2 == 0 {
				go r.far.Write(part)
			} else {
				go r.far.Write(part[:1<<10])
			}
			synctest.Wait()
			if used := ledger.Used(); used > budget {
				t.Fatalf("%d bytes are charged", used)
			}
		}
		if n := int(evicted.Load()); n < 5 || n > peers/2 {
			t.Errorf("%d of %d connections made room, %d of them with much", n, peers, peers/2)
		}
		for i, r := range rigs {
			if i%2 == 1 && r.closed > 0 {
				t.Errorf("connection %d, which holds little, made room: %v", i, r.err)
			}
			if r.closed > 0 && !errors.Is(r.err, ErrBacklog) {
				t.Errorf("closed with %v", r.err)
			}
			r.conn.Close(nil)
			<-r.done
			r.far.Close()
		}
		if used := ledger.Used(); used != 0 {
			t.Errorf("%d bytes are charged when all are gone", used)
		}
	})
}

// TestWordsThatWaitAreCharged: so is what waits for a peer that does not read.
func TestWordsThatWaitAreCharged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := limit.NewLedger(1 << 20)
		cfg := func() Config { return Config{Account: ledger.Open(func() {})} }
		r := newRig(t, rigOptions{cfg: cfg()})
		for range 100 {
			r.conn.Send(wire.Message{ID: wire.Have})
		}
		if used := ledger.Used(); used != 0 {
			t.Errorf("%d bytes are charged for a few words", used)
		}
		for range 10_000 {
			r.conn.Send(wire.Message{ID: wire.Have})
		}
		synctest.Wait()
		waiting := int64(r.conn.Backlog())
		if used := ledger.Used(); used < waiting-2*talkFree || used > waiting {
			t.Errorf("%d bytes are charged of %d that wait", used, waiting)
		}
		go io.Copy(io.Discard, r.far)
		time.Sleep(time.Second)
		if used := ledger.Used(); used != 0 {
			t.Errorf("%d bytes are charged when all have left", used)
		}
	})
}

// TestChokesArePaidFor: blocks that go out before a choke, as they must, are paid for
// by what comes next.
func TestChokesArePaidFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate, rounds = 64 << 10, 10
		up := limit.NewBucket(rate, nil)
		a, b := simPair(t, simnet.Link{})
		r, far := newRig(t, rigOptions{near: a, far: b, up: up}),
			newRig(t, rigOptions{near: b, far: a})
		refs := make([]block.Ref, 8)
		for i := range refs {
			refs[i].Length = block.Size
		}
		data := make([]byte, len(refs)*block.Size)
		began := time.Now()
		for i := range rounds {
			r.conn.SendBlocks(refs, data, nil)
			r.conn.Send(wire.Message{ID: wire.Choke})
			far.until(func() bool { return len(far.blocks) == (i+1)*len(refs) })
		}
		sent := float64(rounds * len(data))
		if took := time.Since(began).Seconds(); took < sent/rate-float64(len(data))/rate-2 {
			t.Errorf("%.0f bytes at %d a second took %.1f s", sent, rate, took)
		}
	})
}

// TestKeepAlives: the handler hears of every keep-alive of an honest peer, so that it does
// not take the peer for idle. Keep-alives without end reach it as few messages, and none
// of their bytes is lost.
func TestKeepAlives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{})
		defer r.finish()
		expect := func(sizes ...int) {
			t.Helper()
			synctest.Wait()
			r.mu.Lock()
			defer r.mu.Unlock()
			var got []int
			for _, m := range r.messages {
				if m.ID != wire.KeepAlive {
					t.Errorf("got a message of id %v", m.ID)
				}
				got = append(got, m.Size)
			}
			if !slices.Equal(got, sizes) {
				t.Errorf("keep-alives of %v bytes, want %v", got, sizes)
			}
			r.messages = nil
		}
		for range 3 {
			r.far.Write(make([]byte, wire.PrefixSize))
			expect(wire.PrefixSize)
			time.Sleep(2 * time.Minute)
		}
		r.far.Write(make([]byte, wire.PrefixSize+3*keepAliveBytes))
		expect(wire.PrefixSize, keepAliveBytes, keepAliveBytes, keepAliveBytes)
		r.far.Write(make([]byte, 5*wire.PrefixSize))
		expect()
		time.Sleep(keepAliveEvery)
		r.far.Write(make([]byte, wire.PrefixSize))
		expect(6 * wire.PrefixSize)
		// The last of two in a row is not reported; the next one comes two minutes later.
		reported := time.Now()
		time.Sleep(keepAliveEvery - 1)
		r.far.Write(make([]byte, wire.PrefixSize))
		expect()
		time.Sleep(2 * time.Minute)
		r.far.Write(make([]byte, wire.PrefixSize))
		expect(2 * wire.PrefixSize)
		if silent := time.Since(reported); silent >= 130*time.Second {
			t.Errorf("an honest peer seems silent for %v, so the core drops it", silent)
		}
	})
}

// TestKeptWaiting: under a limit at which a block takes minutes, the handler hears again and
// again of a peer that sends a block which we requested, and not of one that sends a block
// which nobody requested.
func TestKeptWaiting(t *testing.T) {
	for _, requested := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, rigOptions{down: limit.NewBucket(64, nil)})
			defer r.finish()
			go io.Copy(io.Discard, r.far)
			ref := block.Ref{Length: block.Size}
			if requested {
				r.conn.Send(wire.Message{ID: wire.Request, Ref: ref})
			}
			start := time.Now()
			go r.far.Write(append(wire.AppendPieceHeader(nil, ref), make([]byte, block.Size)...))
			r.until(func() bool { return len(r.blocks) == 1 })
			most := int(time.Since(start) / waitedEvery)
			r.mu.Lock()
			defer r.mu.Unlock()
			heard := len(r.messages)
			for _, m := range r.messages {
				if m.ID != wire.KeepAlive || m.Size != 0 {
					t.Errorf("got %v of %d bytes", m.ID, m.Size)
				}
			}
			if requested && (heard < most/2 || heard > most) || !requested && heard > 0 {
				t.Errorf("requested %v: heard of it %d times in %v, want at most %d", requested,
					heard, time.Since(start), most)
			}
		})
	}
}
