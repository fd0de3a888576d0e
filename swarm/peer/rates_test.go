package peer

import (
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/simnet"
	"swarmnode/swarm/wire"
)

// TestRatesWhileBlocksPass: the blocks of a connection follow rates that are set while
// they wait, on either side, and all of them come, in their order.
func TestRatesWhileBlocksPass(t *testing.T) {
	const blocks = 64
	for name, sides := range map[string]func(up, down *limit.Bucket) *limit.Bucket{
		"what is written": func(up, _ *limit.Bucket) *limit.Bucket { return up },
		"what is read":    func(_, down *limit.Bucket) *limit.Bucket { return down },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				up, down := limit.NewBucket(0, limit.NewCommon(0)),
					limit.NewBucket(0, limit.NewCommon(0))
				rate := sides(up, down)
				a, b := simPair(t, simnet.Link{})
				near := newRig(t, rigOptions{near: a, far: b, up: up})
				far := newRig(t, rigOptions{near: b, far: a, down: down, pieces: 3 * blocks})
				send := func(first int) {
					for i := range blocks {
						ref := block.Ref{Piece: uint32(first + i), Length: block.Size}
						far.conn.Send(wire.Message{ID: wire.Request, Ref: ref})
						near.conn.SendBlock(ref, make([]byte, block.Size), nil)
					}
				}
				arrived := func(from, to int) {
					t.Helper()
					synctest.Wait()
					far.mu.Lock()
					defer far.mu.Unlock()
					if n := len(far.blocks); n < from || n > to {
						t.Errorf("%d blocks have come, want %d to %d", n, from, to)
					}
				}
				send(0)
				time.Sleep(time.Second)
				arrived(blocks, blocks)

				rate.SetRate(8 * block.Size)
				send(blocks)
				time.Sleep(2 * time.Second)
				arrived(blocks+10, blocks+24)

				rate.SetRate(0)
				time.Sleep(time.Second)
				arrived(2*blocks, 2*blocks)

				send(2 * blocks)
				rate.SetRate(1)
				time.Sleep(20 * time.Second) // more would end the connection
				rate.SetRate(1 << 30)
				time.Sleep(time.Second)
				arrived(3*blocks, 3*blocks)
				for i, ref := range far.blocks {
					if int(ref.Piece) != i {
						t.Fatalf("block %d came as number %d", ref.Piece, i)
					}
				}
			})
		})
	}
}
