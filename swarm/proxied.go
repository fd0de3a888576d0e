package swarm

import (
	"errors"
	"net"
	"time"

	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/transport/socks"
)

// This file is about an engine behind a proxy (Config.Net has one). It listens nowhere: no
// peer could reach it there without seeing where we are. All its datagrams go through
// Config.Relay.

// proxied reports whether everything goes through a proxy.
func (e *Engine) proxied() bool { return e.cfg.Net.Proxy() != nil }

// Reconnect tells the torrents that the way to others is there again, such as a proxy that
// was away: they look for peers and announce at once, and dial again whom they have lost.
func (e *Engine) Reconnect() {
	e.web.Close()
	for _, t := range e.Torrents() {
		t.ask(func(at time.Time) { t.loop.networkChanged(at, nil) })
	}
}

// blameless reports whether a dial failed for a reason that says nothing about the peer: the
// proxy failed, or we gave up the port from which it was made.
func blameless(err error) bool {
	var server *socks.ServerError
	return errors.As(err, &server) || errors.Is(err, net.ErrClosed)
}

// errNearProxy is the outcome of a call to an address that leads into the machine or network
// of the proxy.
var errNearProxy = errors.New("the address leads into the network of the proxy")

// nearProxy reports whether an address leads into the machine or network of the proxy, where
// strangers may not send us. A peer with which blocks were exchanged there (limit.ByItself) was
// named by the user, or has come from there by itself.
func (e *Engine) nearProxy(to endpoint.Endpoint, told limit.Told) bool {
	byOthers := told == limit.ByRumour || told == limit.Introduced
	return e.proxied() && byOthers && book.Local(to.Host())
}
