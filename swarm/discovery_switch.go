package swarm

import (
	"context"
	"iter"
	"net/netip"
	"slices"
	"sync"
	"time"

	"swarmnode/metainfo"
)

// A Switch is a Discovery that stands for another one, which may be exchanged or taken
// away while torrents use it. The zero value stands for none: it is off. Its methods are
// safe for concurrent use.
//
// The Discovery behind a Switch must end its searches by itself when it is closed, as
// dht.Node and lsd.Service do. Each search then goes on with the Discovery that has taken
// its place.
type Switch struct {
	mu      sync.Mutex
	behind  Discovery     // nil while the Switch is off
	changed chan struct{} // closed by the next Set; nil while nobody waits for it
}

// Set exchanges what s stands for. A nil d switches s off. The caller closes the former
// Discovery afterwards, which ends its searches. Torrents that were left out while s was
// off are asked to search by Engine.SwitchedOn.
func (s *Switch) Set(d Discovery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behind = d
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// On reports whether s stands for a Discovery.
func (s *Switch) On() bool {
	d, _ := s.get()
	return d != nil
}

// get returns what s stands for, and a channel that is closed when that changes.
func (s *Switch) get() (Discovery, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.behind, s.changed
}

// await returns what get returns, once s is on. It returns nil if ctx ends before.
func (s *Switch) await(ctx context.Context) (Discovery, <-chan struct{}) {
	for ctx.Err() == nil {
		behind, changed := s.get()
		if behind != nil {
			return behind, changed
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return nil, nil
}

// Peers searches by the Discovery that s stands for, until ctx ends. While s is off, it
// waits. It returns early if that Discovery ended the search and s has not changed.
func (s *Switch) Peers(ctx context.Context, ih metainfo.Hash, port uint16,
	seed bool) iter.Seq[netip.AddrPort] {
	return func(yield func(netip.AddrPort) bool) {
		for {
			behind, changed := s.await(ctx)
			if behind == nil {
				return
			}
			for addr := range behind.Peers(ctx, ih, port, seed) {
				if !yield(addr) {
					return
				}
			}
			select {
			case <-changed:
			default:
				return
			}
		}
	}
}

// SwitchedOn tells the torrents that s is on again: those that left s out of their running
// search, because it was off, include it now.
func (e *Engine) SwitchedOn(s *Switch) {
	for _, t := range e.Torrents() {
		t.ask(func(time.Time) { t.loop.search.include(s) })
	}
}

// isOff reports whether src is switched off, so that no goroutine waits for it.
func (src source) isOff() bool {
	s, ok := src.Discovery.(*Switch)
	return ok && !s.On()
}

// include asks s in the running round if it was left out of that round.
func (s *search) include(d *Switch) {
	for i, src := range s.leftOut {
		if src.Discovery == Discovery(d) && s.running() {
			s.leftOut = slices.Delete(s.leftOut, i, i+1)
			s.ask(src)
			return
		}
	}
}
