package dht

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"time"
)

// resolverLoop looks up the names of bootstrap hosts: at the start, and again while
// the node has not joined. Its goroutine owns it.
type resolverLoop struct {
	n       *Node
	addrs   []netip.AddrPort // hosts that were given by address
	names   []string
	resolve func(context.Context, string) ([]netip.Addr, error)
	again   chan struct{} // capacity 1
}

func newResolverLoop(n *Node, addrs []netip.AddrPort, names []string,
	resolve func(context.Context, string) ([]netip.Addr, error)) resolverLoop {
	if resolve == nil {
		resolve = systemResolve
	}
	return resolverLoop{n: n, addrs: addrs, names: names, resolve: resolve,
		again: make(chan struct{}, 1)}
}

// poke schedules another lookup of the names soon.
func (r *resolverLoop) poke() {
	select {
	case r.again <- struct{}{}:
	default:
	}
}

func (r *resolverLoop) run() {
	ctx := r.n.ctx
	delay := resolveDelayFirst
	for warned := false; ; {
		found, err := resolveHosts(ctx, r.names, r.resolve)
		if err != nil && !warned && ctx.Err() == nil && !errors.Is(err, ErrNotNow) {
			warned = true
			r.n.log.Warn("some bootstrap hosts cannot be used", "err", err)
		}
		if len(found) > 0 {
			hosts := append(found, r.addrs...)
			_ = r.n.do(func(c *core, now instant) { // closed: run ends below
				for i, f := range c.families {
					if f != nil {
						f.setHosts(now, hostsOf(hosts, i))
					}
				}
			})
		}
		for {
			pause := time.NewTimer(delay*3/4 + rand.N(delay/2))
			select {
			case <-pause.C:
				delay = min(2*delay, resolveDelayMax)
			case <-r.again:
				delay = resolveDelayFirst
			case <-ctx.Done():
				pause.Stop()
				return
			}
			pause.Stop()
			if !r.n.isJoined.Load() {
				break
			}
		}
	}
}
