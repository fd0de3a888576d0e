package swarm_test

import (
	"bytes"
	"testing"
	"time"

	"swarmnode/swarm"
	"swarmnode/swarm/block"
	"swarmnode/swarm/wire"
)

// floodHeapMax is what a peer may cost that asks and does not read, in bytes.
const floodHeapMax = 4 << 20

// stalled is how long a write waits before the other side has taken what it
// will take. Too short a time makes a flood smaller, not a test fail.
const stalled = time.Second / 2

// A peer that asks for ever so much and reads nothing costs a seed little: it is
// not read any further.
func TestFloodsCostLittle(t *testing.T) {
	dir, torrent := makeContent(t, 4<<20)
	metadata := wire.ExtHandshake{Extensions: wire.OurExtensions(wire.ExtMetadata)}
	for _, c := range []struct {
		name     string
		count    int
		hello    []wire.Message
		messages func(i int) wire.Message
	}{
		{"requests", 200_000, []wire.Message{say(wire.HaveNone), say(wire.Interested)},
			func(i int) wire.Message {
				return request(block.Ref{Piece: uint32(i % 100), Length: block.Size})
			}},
		{"long requests", 200_000, []wire.Message{say(wire.HaveNone), say(wire.Interested)},
			func(i int) wire.Message {
				return request(block.Ref{Piece: uint32(i % 100), Length: 2 * block.Size})
			}},
		{"requests and cancels", 200_000, []wire.Message{say(wire.HaveNone), say(wire.Interested)},
			func(i int) wire.Message {
				m := request(block.Ref{Piece: uint32(i / 2 % 100), Length: block.Size})
				if i%2 == 1 {
					m.ID = wire.Cancel
				}
				return m
			}},
		{"metadata requests", 100_000,
			[]wire.Message{extended(0, wire.AppendExtHandshake(nil, metadata))},
			func(int) wire.Message {
				return extended(uint8(wire.ExtMetadata),
					wire.AppendMetadata(nil, wire.Metadata{Type: wire.MetadataRequest}))
			}},
		{"large extension handshakes", 1000, nil, func(int) wire.Message {
			return extended(0, append([]byte("d1:v120000:"),
				append(bytes.Repeat([]byte{'v'}, 120_000), 'e')...))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			seeder := newEngine(t)
			waitDone(t, add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}))
			foes := newFoes(t, torrent.Info(), seeder.Addr())
			defer foes.end()
			conn := foes.dial(0)
			f := &foe{conn: conn, hash: torrent.Info().Hash(), id: [20]byte{'x'}}
			f.shake()
			f.send(c.hello...)
			used := heap()
			sent := 0
			for ; sent < c.count; sent++ {
				m := c.messages(sent)
				conn.SetWriteDeadline(time.Now().Add(stalled))
				if _, err := conn.Write(wire.Append(nil, &m)); err != nil {
					break
				}
			}
			if used = heap() - used; used > floodHeapMax {
				t.Errorf("%d KiB of heap after %d messages, want at most %d", used>>10, sent,
					floodHeapMax>>10)
			}
			t.Logf("%d messages went out, %d KiB of heap", sent, used>>10)
		})
	}
}

// Two torrents of one process have equal parts of its limits, though one has a
// single peer and the other several.
func TestTorrentsShareLimits(t *testing.T) {
	const rate = 1 << 20
	for name, c := range map[string]struct{ up, down int64 }{
		"up":   {up: rate},
		"down": {down: rate},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shareLimits(t, swarm.Config{Up: c.up, Down: c.down})
		})
	}
}

// shareLimits has a process with limits exchange one torrent with one other
// process, and one with several.
func shareLimits(t *testing.T, limits swarm.Config) {
	const peers, size = 5, 1 << 20
	hub, hubSeeds := listen(t, limits), limits.Up > 0
	// share exchanges content between the hub and n others. It returns the torrent of
	// the hub and one that is fetched.
	share := func(bytes, n int) (own, fetched *swarm.Torrent) {
		dir, torrent := makeContent(t, bytes)
		join := func(e *swarm.Engine, seeds bool) *swarm.Torrent {
			if seeds {
				s := add(t, e, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
				waitDone(t, s)
				return s
			}
			fetched = add(t, e, swarm.Spec{Torrent: torrent, Dir: t.TempDir()})
			return fetched
		}
		own = join(hub, hubSeeds)
		for range n {
			other := listen(t, swarm.Config{})
			join(other, !hubSeeds)
			own.AddPeer(other.Addr())
		}
		return own, fetched
	}
	moved := func(s swarm.State) int64 { return s.Up + s.Down }
	crowd, _ := share(4*size, peers)
	until(t, crowd, "nothing moves", func(s swarm.State) bool { return moved(s) > size/4 })
	_, lone := share(size, 1)
	before := moved(crowd.State())
	waitDone(t, lone)
	if got := moved(crowd.State()) - before; got < size*2/3 || got > size*3/2 {
		t.Errorf("a torrent with %d peers has moved %d bytes while one with one peer moved %d",
			peers, got, size)
	}
}
