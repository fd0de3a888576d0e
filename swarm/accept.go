package swarm

import (
	"context"
	"net"
	"net/netip"
	"time"

	"swarmnode/swarm/egress"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/peer"
	"swarmnode/swarm/transport"
	"swarmnode/swarm/wire"
)

// A listenFunc binds an address.
type listenFunc func(context.Context, *egress.Net, netip.AddrPort) (*transport.Pair, error)

// listenBy returns how to listen. Without uTP the engine itself needs no datagrams, so it
// starts on a system that makes no UDP sockets as well.
func listenBy(cfg *Config) listenFunc {
	if cfg.NoUTP {
		return transport.ListenStreams
	}
	return transport.ListenPair
}

// bind listens on each of addrs. Addresses with port 0 share the port of the first one if
// they can, so that one number names the engine everywhere. What is bound already is in
// kept, and is taken from there.
func bind(listen listenFunc, n *egress.Net, addrs []netip.AddrPort,
	kept map[netip.AddrPort]*transport.Pair) (ports []*transport.Pair, err error) {
	var fresh []*transport.Pair
	all := len(addrs) == 0
	if all {
		for _, host := range n.Unspecified() {
			addrs = append(addrs, netip.AddrPortFrom(host, 0))
		}
	}
	for _, addr := range addrs {
		addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
		if port := kept[addr]; port != nil {
			delete(kept, addr) // twice is once too often
			ports = append(ports, port)
			continue
		}
		var port *transport.Pair
		if addr.Port() == 0 && len(ports) > 0 {
			same := netip.AddrPortFrom(addr.Addr(), ports[0].AddrPort().Port())
			port, err = listen(context.Background(), n, same)
		}
		if port == nil {
			port, err = listen(context.Background(), n, addr)
		}
		switch {
		case err == nil:
			ports, fresh = append(ports, port), append(fresh, port)
		case all && len(ports) > 0: // one family is enough
		default:
			for _, p := range fresh {
				p.Close()
			}
			return nil, err
		}
	}
	return ports, nil
}

// accept starts an accept loop for the streams of one transport, which ends with ctx.
func (e *Engine) accept(ctx context.Context, l transport.Listener, over endpoint.Transport) {
	e.wait.Go(func() {
		admit := func(conn net.Conn) { e.admit(conn, over) }
		if err := transport.Serve(ctx, l, admit); err != nil {
			e.log.Error("no more connections are accepted", "transport", over, "err", err)
		}
	})
}

// pendingMax returns how many incoming handshakes may be under way: a part of the
// descriptors that are not for connections and files.
func pendingMax(descriptors int) int {
	return min(limit.PendingMax, max(descriptors/pendingShare, pendingMin))
}

// admit shakes hands with a new connection in a goroutine of its own. When there are too
// many unfinished handshakes, it closes one of them; see limit.Pending.
func (e *Engine) admit(conn net.Conn, over endpoint.Transport) {
	addr := transport.RemoteAddrPort(conn)
	if e.bans.refusal(time.Now(), addr.Addr()) != nil {
		conn.Close()
		return
	}
	e.arrived(addr, over)
	place := e.pending.Admit(addr.Addr(), func() { conn.Close() })
	e.wait.Go(func() {
		defer place.Leave()
		e.welcome(conn, over, place)
	})
}

// welcome shakes hands with the connection at a place. It gives the place back after a
// success.
func (e *Engine) welcome(conn net.Conn, over endpoint.Transport, place *limit.Place) {
	addr := transport.RemoteAddrPort(conn)
	var t *Torrent
	shaken, err := peer.Accept(e.ctx, conn, peer.Welcome{
		Answer: func(asked wire.Hello) (wire.Hello, bool) {
			if t = e.registry.find(asked.InfoHash); t == nil ||
				t.traffic.isShut() {
				return wire.Hello{}, false
			}
			return t.answer(asked), true
		},
		Encryption: e.cfg.Encryption, Key: e.registry.key,
		MayCompute: func() bool { return e.keys.Allow(time.Now(), addr.Addr()) },
	})
	if err != nil {
		e.log.Debug("incoming handshake", "peer", addr, "transport", over, "err", err)
		return
	}
	place.Keep()
	shaken.Theirs.InfoHash = shaken.Mine.InfoHash // both sides have agreed on it
	t.join(&link{torrent: t, conn: shaken.Conn, endpoint: endpoint.IP(addr), over: over,
		hello: shaken.Theirs, encrypted: shaken.Encrypted})
}
