package swarm

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"swarmnode/swarm/book"
	"swarmnode/swarm/core"
	"swarmnode/swarm/endpoint"
)

const (
	// resolveNamesMax bounds the peers taken from a magnet link, and those taken from a
	// command line: each host name is looked up, and each address is dialled.
	resolveNamesMax = 100
	// resolveAddrsMax bounds the addresses taken of one name.
	resolveAddrsMax = 16
	// resolveTimeout bounds the look-up of one host name.
	resolveTimeout = 5 * time.Second
)

// errNearby is why a peer that a link names is left out.
var errNearby = errors.New("a link must not lead to services of this machine or network (try: " +
	"--peer)")

// resolvePeers tells the core the addresses of the peers that the user named, and of those
// that the magnet link names, which a stranger wrote. It blocks while host names are
// looked up.
func (l *loop) resolvePeers() {
	if l.t.traffic.wait(l.t.ctx) != nil {
		return
	}
	l.resolveAll(l.t.spec.Peers, book.SourceUser)
	if !l.t.spec.PeersOnly {
		l.resolveAll(l.t.spec.Magnet.Peers, book.SourceLink)
	}
}

// resolveAll tells the core the addresses of the peers that a source names. It leaves out
// those to which the source must not lead, and warns of the first one.
func (l *loop) resolveAll(names []string, source book.Source) {
	level := slog.LevelWarn
	for _, name := range names[:min(len(names), resolveNamesMax)] {
		addrs, err := l.resolve(name)
		if err != nil {
			l.t.log.Warn("a peer given by name cannot be looked up", "peer", name, "err", err)
			continue
		}
		for _, addr := range addrs[:min(len(addrs), resolveAddrsMax)] {
			if !source.MayName(addr) {
				l.t.log.Log(l.t.ctx, level, "a peer of the link is left out", "peer", name, "err",
					errNearby)
				level = slog.LevelInfo
				break
			}
			if err := l.t.engine.cfg.Net.Refuses(addr.Addr()); err != nil {
				l.t.log.Log(l.t.ctx, level, "a peer is left out", "peer", name, "err", err)
				level = slog.LevelInfo
				break
			}
			l.t.post(core.Event{Kind: core.Found, Endpoint: endpoint.IP(addr), Source: source})
		}
	}
}

// resolve returns the addresses that HOST:PORT stands for, at least one.
func (l *loop) resolve(hostport string) ([]netip.AddrPort, error) {
	ctx, cancel := context.WithTimeout(l.t.ctx, resolveTimeout)
	defer cancel()
	return l.t.engine.cfg.Net.LookupHostPort(ctx, hostport)
}
