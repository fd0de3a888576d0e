package peer

import (
	"bytes"
	"math/rand/v2"
	"net"
	"testing"

	"swarmnode/swarm/block"
	"swarmnode/swarm/wire"
)

// TestPlan lets streams of blocks with other messages in between land where
// the plan has it, in parts of any size, and looks whether all of it is heard
// as it was said.
func TestPlan(t *testing.T) {
	var ahead, misplaced int
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 0))
		stream, blocks, messages, content := randomStream(rng)
		h := newRecord()
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		pool := block.NewPool(64 * block.Size)
		r := newReader(New(near, Config{Handler: h, Pool: pool}))
		for rest := stream; len(rest) > 0; {
			if rng.IntN(10) == 0 {
				r.idle()
			}
			targets := r.targets(windowSize)
			n := 0
			most := 1 + rng.IntN(windowSize)
			for _, p := range targets {
				n += copy(clip(p, most-n), rest[n:])
			}
			if n == 0 {
				t.Fatalf("seed %d: nowhere to read to", seed)
			}
			rest = rest[n:]
			before := r.plan.held
			r.landed(n)
			if r.plan.planned > 0 {
				ahead += before - r.plan.held
				if !r.in.empty() {
					misplaced++
				}
			}
			if err := r.parse(t.Context()); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		if len(h.blocks) != blocks || len(h.messages) != messages ||
			!bytes.Equal(h.bytes, content) {
			t.Errorf("seed %d: %d blocks, %d messages, right bytes %v; want %d and %d", seed,
				len(h.blocks), len(h.messages), bytes.Equal(h.bytes, content), blocks, messages)
		}
		r.idle()
		if pool.Available() != pool.Cap() || r.in.buf != nil {
			t.Errorf("seed %d: %d buffers and a window of %d bytes are kept", seed,
				pool.Cap()-pool.Available(), len(r.in.buf))
		}
	}
	if ahead == 0 || misplaced == 0 {
		t.Errorf("%d blocks were read ahead and %d reads were misplaced: the test is blind", ahead,
			misplaced)
	}
}

// randomStream returns a stream that is mostly whole blocks, and what is in
// it.
func randomStream(rng *rand.Rand) (stream []byte, blocks, messages int, content []byte) {
	data := make([]byte, block.Size)
	kept := false
	for range 200 {
		switch rng.IntN(40) {
		case 0:
			stream = append(stream, message(wire.Message{ID: wire.Request})...)
			messages++
		case 1:
			stream = append(stream,
				message(wire.Message{ID: wire.Extended, Payload: data[:rng.IntN(3000)]})...)
			messages++
		case 2:
			stream = append(stream, message(wire.Message{ID: 99})...)
			messages++
		case 3:
			stream = append(stream, message(wire.Message{ID: wire.KeepAlive})...)
			if !kept { // later ones follow too soon to be reported
				messages++
				kept = true
			}
		default:
			n := block.Size
			if rng.IntN(30) == 0 {
				n = 1 + rng.IntN(block.Size)
			}
			for i := range 8 {
				data[rng.IntN(n)] = byte(i)
			}
			stream = wire.AppendPieceHeader(stream,
				block.Ref{Piece: uint32(blocks), Length: uint32(n)})
			stream = append(stream, data[:n]...)
			content = append(content, data[:n]...)
			blocks++
		}
	}
	return stream, blocks, messages, content
}
