package swarm_test

import (
	"context"
	"errors"
	"iter"
	"sync"
	"testing"

	"swarmnode/swarm"
	"swarmnode/swarm/transport/relay"
)

// watchedRelays are two relay servers that say how attempts at them have ended. The first one
// has another password than the engine is told.
type watchedRelays struct {
	servers relayServers
	mu      sync.Mutex
	ended   map[uint16][]error
}

// Relays implements swarm.RelaySource.
func (w *watchedRelays) Relays(ctx context.Context) iter.Seq[swarm.RelayServer] {
	return func(yield func(swarm.RelayServer) bool) {
		for s := range w.servers.Relays(ctx) {
			port := s.URI.Port
			if port == w.servers[0].Addrs()[0].Port() {
				s.URI.Password = "wrong"
			}
			s.Outcome = func(err error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.ended[port] = append(w.ended[port], err)
			}
			if !yield(s) {
				return
			}
		}
	}
}

// of returns how the attempts at a server have ended.
func (w *watchedRelays) of(s *relay.Server) []error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended[s.Addrs()[0].Port()]
}

// The source of relays is told which of them have lent an address, and which have not.
func TestRelayOutcomes(t *testing.T) {
	t.Parallel()
	w := &watchedRelays{servers: serveRelays(t, 2, relay.Limits{}), ended: map[uint16][]error{}}
	dir, torrent := makeContent(t, 100<<10)
	seeder := listen(t, swarm.Config{Client: "test", Relays: w})
	add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	bad, good := w.servers[0], w.servers[1]
	eventually(t, "both outcomes", func() bool { return len(w.of(bad)) > 0 && len(w.of(good)) > 0 })
	if err := w.of(good)[0]; err != nil {
		t.Errorf("a server that has lent an address: %v", err)
	}
	if err := w.of(bad)[0]; !errors.Is(err, relay.ErrCredentials) {
		t.Errorf("a server with another password: %v", err)
	}
}
