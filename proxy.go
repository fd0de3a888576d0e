package swarmnode

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"swarmnode/swarm/transport/socks"
)

// Proxied reports whether everything goes through a proxy.
func (w *Network) Proxied() bool { return w != nil && w.proxy != nil }

// ErrProxyCredentials says that the proxy refuses our user name and password, or wants ones
// that its URL does not have.
var ErrProxyCredentials = socks.ErrCredentials

// CheckProxy connects to the proxy and hangs up. The error says why the proxy cannot be used
// now. It wraps ErrProxyCredentials if only the user can remedy that. Without a proxy it is
// nil.
func (w *Network) CheckProxy(ctx context.Context) error {
	if !w.Proxied() {
		return nil
	}
	return w.proxy.Check(ctx)
}

// awaitEvery is how often AwaitProxy tries to reach the proxy.
const awaitEvery = time.Second

// AwaitProxy blocks until the proxy can be used, and looks every second whether it can. told
// is called once, with the reason, if it cannot be used at first. The error is that of ctx, or
// wraps ErrProxyCredentials. Without a proxy, AwaitProxy returns nil at once.
func (w *Network) AwaitProxy(ctx context.Context, told func(error)) error {
	for first := true; ; first = false {
		err := w.CheckProxy(ctx)
		switch {
		case err == nil || errors.Is(err, ErrProxyCredentials):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case first:
			told(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(awaitEvery):
		}
	}
}

// A proxyLink is what a Node has of its proxy: the packet connection, and the news of both.
type proxyLink struct {
	relay *namingConn
	watch *socks.Watch
	wait  sync.WaitGroup
	stop  chan struct{}
	away  atomic.Bool // the proxy cannot be used now

	// Each holds the last state that is not looked at yet: nil, or what is wrong.
	relayed, reached chan error
}

// openProxy returns the proxyLink of a proxy.
func openProxy(proxy *socks.Client) *proxyLink {
	p := &proxyLink{stop: make(chan struct{}), relayed: make(chan error, 1),
		reached: make(chan error, 1)}
	p.away.Store(true) // until it is reached for the first time
	p.relay = newNamingConn(proxy.PacketConn(func(err error) { replace(p.relayed, err) }))
	p.watch = proxy.Watch(func(err error) { replace(p.reached, err) })
	return p
}

// replace puts the last state into c, which has room for one and one sender.
func replace(c chan error, err error) {
	select {
	case <-c:
	default:
	}
	c <- err
}

// start starts the goroutine that follows the link. A nil link has none.
func (p *proxyLink) start(follow func()) {
	if p != nil {
		p.wait.Go(follow)
	}
}

// close ends the link but for the packet connection, which the engine owns.
func (p *proxyLink) close() {
	if p == nil {
		return
	}
	p.watch.Close()
	close(p.stop)
	p.wait.Wait()
}

// followProxy is the goroutine that says what becomes of the proxy, and switches the DHT by
// it.
func (n *Node) followProxy() {
	log, away := n.cfg.Logger, false
	for {
		select {
		case <-n.proxy.stop:
			return
		case err := <-n.proxy.reached:
			switch {
			case err != nil:
				away = true
				n.proxy.away.Store(true)
				log.Warn("waiting for the proxy: nothing leaves past it", "err", err)
			case away:
				away = false
				n.proxy.away.Store(false)
				log.Warn("the proxy is back")
				n.engine.Reconnect()
				n.dht.networkChanged()
			default:
				n.proxy.away.Store(false)
				log.Info("the proxy can be used", "proxy", n.cfg.Network.proxy.Server())
			}
		case err := <-n.proxy.relayed:
			n.relayChanged(err)
		}
	}
}

// relayChanged switches the DHT on or off when the proxy begins or ends to relay datagrams.
func (n *Node) relayChanged(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.closed:
	case err == nil:
		n.cfg.Logger.Info("the proxy relays UDP")
		if n.noRelay {
			n.noRelay = false
			n.switchDHT()
		}
		n.dht.networkChanged()
	case errors.Is(err, socks.ErrNoUDP):
		n.cfg.Logger.Warn("the proxy relays no UDP: no DHT and no uTP, peers come from trackers, "+
			"links and other peers", "proxy", n.cfg.Network.proxy.Server())
		n.noRelay = true
		n.switchDHT()
	}
}

// ProxyAway reports whether the node waits for its proxy, which it also does until it has
// reached the proxy for the first time.
func (n *Node) ProxyAway() bool { return n.proxy != nil && n.proxy.away.Load() }

// switchDHT makes the DHT node run if it is wanted and can. n.mu is held.
func (n *Node) switchDHT() {
	on := n.wantDHT && !n.noRelay
	switch {
	case on == n.dht.On():
	case on:
		if err := n.startDHT(); err != nil {
			n.cfg.Logger.Warn("starting the DHT node", "err", err)
		}
	default:
		n.stopDHT()
	}
}
