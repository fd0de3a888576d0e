package relay

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"

	"swarmnode/swarm/transport/udpmux"
	"swarmnode/swarm/transport/utp"
)

// relayedPair returns a connection over uTP between a client of s and a peer that knows
// nothing of relays, and the allocation under it.
func relayedPair(t *testing.T, s *Server, transport Transport) (ours, theirs io.ReadWriteCloser,
	a *Allocation,
) {
	t.Helper()
	a = allocate(t, s, "127.0.1.1", transport)
	letIn(t, a, "127.0.2.1")
	m := udpmux.New(a)
	t.Cleanup(func() { m.Close() })
	socket := utp.NewSocket(m, utp.Config{DatagramMax: DatagramMax})
	t.Cleanup(func() { socket.Close() })
	peer, err := utp.Listen(t.Context(), netip.MustParseAddrPort("127.0.2.1:0"), utp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	came := make(chan io.ReadWriteCloser, 1)
	go func() {
		if c, err := socket.Accept(); err == nil {
			came <- c
		}
	}()
	theirs, err = peer.Dial(t.Context(), a.AddrPort())
	if err != nil {
		t.Fatal(err)
	}
	select {
	case ours = <-came:
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	return ours, theirs, a
}

// content returns bytes that repeat nowhere near.
func content(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// uTP runs through a relay as over any link, towards peers that know nothing of relays: in
// either direction, and at the rate that the relay gives.
func TestUTP(t *testing.T) {
	for name, transport := range map[string]Transport{"UDP": UDP, "TCP": TCP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const rate, burst = 500_000, 50_000
			s := serve(t, func(c *ServerConfig) {
				c.Limits = Limits{TenantRate: rate, TenantBurst: burst}
			})
			ours, theirs, _ := relayedPair(t, s, transport)
			for _, way := range []struct {
				name     string
				from, to io.ReadWriter
			}{{"out", ours, theirs}, {"in", theirs, ours}} {
				wantShare(t, way.name, way.from, way.to, rate)
			}
		})
	}
}

// wantShare checks which part of a relay's rate, given in bytes a second, the payload gets. It
// is 0.97 or more on a machine of our own. On a busy one uTP takes waiting for the processor for
// a queue, so the bound is low.
func wantShare(t *testing.T, name string, from io.Writer, to io.Reader, rate float64) {
	t.Helper()
	const enough, least = 0.85, 0.5
	best := 0.0
	for try := 0; try < 3 && best < enough; try++ {
		best = max(best, transfer(t, from, to)/rate)
	}
	t.Logf("%s: the payload has %.2f of the relay's rate", name, best)
	if best < least {
		t.Errorf("%s: the payload has %.2f of the relay's rate", name, best)
	}
}

// transfer sends half a MiB, and returns how many bytes a second arrived.
func transfer(t *testing.T, from io.Writer, to io.Reader) float64 {
	t.Helper()
	want, start := content(1<<19), time.Now()
	go from.Write(want)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(to, got); err != nil || !bytes.Equal(got, want) {
		t.Fatal(err)
	}
	return float64(len(want)) / time.Since(start).Seconds()
}

// When the relay ends in the middle of a transfer, the allocation says so, and so does what
// stands on it.
func TestRelayEndsInTheMiddle(t *testing.T) {
	s := serve(t, nil)
	ours, theirs, a := relayedPair(t, s, UDP)
	go theirs.Write(content(4 << 20))
	if _, err := io.ReadFull(ours, make([]byte, 100_000)); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := ended(t, a); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
	if _, _, err := a.ReadFromUDPAddrPort(nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("reading: %v", err)
	}
}
