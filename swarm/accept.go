package swarm

import (
	"context"
	"net"
	"net/netip"
	"time"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/peer"
	"swarmnode/swarm/transport"
	"swarmnode/swarm/wire"
)

// bind listens on each of addrs. Those that leave the port open share the one
// of the first if they can, so that one number names the engine everywhere.
func bind(addrs []netip.AddrPort) (ports []*transport.Pair, err error) {
	all := len(addrs) == 0
	if all {
		addrs = []netip.AddrPort{
			netip.AddrPortFrom(netip.IPv4Unspecified(), 0),
			netip.AddrPortFrom(netip.IPv6Unspecified(), 0),
		}
	}
	for _, addr := range addrs {
		var port *transport.Pair
		if addr.Port() == 0 && len(ports) > 0 {
			same := netip.AddrPortFrom(addr.Addr(), ports[0].AddrPort().Port())
			port, err = transport.ListenPair(context.Background(), same)
		}
		if port == nil {
			port, err = transport.ListenPair(context.Background(), addr)
		}
		switch {
		case err == nil:
			ports = append(ports, port)
		case all && len(ports) > 0: // a machine without IPv6
		default:
			for _, p := range ports {
				p.Close()
			}
			return nil, err
		}
	}
	return ports, nil
}

// accept starts a loop for each port.
func (e *Engine) accept() {
	pending := limit.NewPending(pendingMax(transport.DescriptorsMax()))
	for _, port := range e.ports {
		e.wait.Go(func() {
			err := transport.Serve(e.ctx, port.TCP, func(conn net.Conn) { e.admit(conn, pending) })
			if err != nil {
				e.log.Error("no more connections are accepted", "err", err)
			}
		})
	}
}

// pendingMax returns how many handshakes others may have under way: a part of the
// descriptors that are not for connections and files.
func pendingMax(descriptors int) int {
	return min(limit.PendingMax, max(descriptors/pendingShare, pendingMin))
}

// admit shakes hands with a new connection in a goroutine of its own. When too many do
// so at a time, one of those that have not finished is closed; see limit.Pending.
func (e *Engine) admit(conn net.Conn, pending *limit.Pending) {
	addr := transport.RemoteAddrPort(conn)
	if e.bans.banned(time.Now(), addr.Addr()) {
		conn.Close()
		return
	}
	place := pending.Admit(addr.Addr(), func() { conn.Close() })
	e.wait.Go(func() {
		defer place.Leave()
		e.welcome(conn, addr, place)
	})
}

// welcome shakes hands with the connection at a place, and gives the place back when
// that went well.
func (e *Engine) welcome(conn net.Conn, addr netip.AddrPort, place *limit.Place) {
	var t *Torrent
	shaken, err := peer.Accept(e.ctx, conn, peer.Welcome{
		Answer: func(asked wire.Hello) (wire.Hello, bool) {
			if t = e.registry.find(asked.InfoHash); t == nil {
				return wire.Hello{}, false
			}
			return t.answer(asked), true
		},
		Encryption: e.cfg.Encryption, Key: e.registry.key,
		MayCompute: func() bool { return e.keys.Allow(time.Now(), addr.Addr()) },
	})
	if err != nil {
		e.log.Debug("incoming handshake", "peer", addr, "err", err)
		return
	}
	place.Keep()
	shaken.Theirs.InfoHash = shaken.Mine.InfoHash // what was agreed upon
	t.join(shaken, endpoint.IP(addr), false)
}
