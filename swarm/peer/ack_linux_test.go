package peer

import (
	"io"
	"net"
	"testing"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/transport/mse"
	"swarmnode/swarm/wire"
)

// A peer that does not set TCP_NODELAY says two things, of which only the second
// has an answer. It is not held back until the first is acknowledged, which takes
// the system 40 ms when nothing goes out.
func TestAcknowledgesAtOnce(t *testing.T) {
	for name, wrap := range map[string]func(t *testing.T, a, b net.Conn) (net.Conn, net.Conn){
		"plain":     func(_ *testing.T, a, b net.Conn) (net.Conn, net.Conn) { return a, b },
		"encrypted": encrypted,
	} {
		t.Run(name, func(t *testing.T) {
			near, far := tcpPair(t)
			far.(*net.TCPConn).SetNoDelay(false)
			near, far = wrap(t, near, far)
			r := newRig(t, rigOptions{near: near, far: far, pieces: 1000})
			data := make([]byte, block.Size)
			ref := block.Ref{Length: block.Size}
			// A loaded machine delays some answers; a held back one is never sooner
			// than the 40 ms. The first few count for nothing: the system
			// acknowledges these at once by itself.
			const rounds, early = 40, 20
			soonest := time.Hour
			for i := range rounds {
				start := time.Now()
				for _, m := range []wire.Message{{ID: wire.Have, Ref: block.Ref{Piece: uint32(i)}},
					{ID: wire.Request, Ref: ref}} {
					if _, err := far.Write(message(m)); err != nil {
						t.Fatal(err)
					}
				}
				r.until(func() bool { return len(r.messages) == 2*(i+1) })
				r.conn.SendBlock(ref, data, nil)
				if _, err := io.CopyN(io.Discard, far,
					wire.PieceHeaderSize+block.Size); err != nil {
					t.Fatal(err)
				}
				if i >= early {
					soonest = min(soonest, time.Since(start))
				}
			}
			if soonest > 30*time.Millisecond {
				t.Errorf("all answers took %v or more", soonest)
			}
		})
	}
}

// encrypted returns two connected streams behind RC4.
func encrypted(t *testing.T, a, b net.Conn) (net.Conn, net.Conn) {
	t.Helper()
	key := mse.Key{1, 2, 3}
	server := mse.Server{
		Allow: mse.RC4, MayCompute: func() bool { return true },
		Find: func(mse.ID) (mse.Key, bool) { return key, true },
	}
	accepted := make(chan net.Conn, 1)
	go func() {
		defer close(accepted)
		if c, _, err := server.Accept(a, nil); err == nil {
			accepted <- c
		}
	}()
	dialled, err := mse.Dial(b, key, mse.RC4, nil)
	if err != nil {
		t.Fatal(err)
	}
	near := <-accepted
	if near == nil {
		t.Fatal("not accepted")
	}
	return near, dialled
}
