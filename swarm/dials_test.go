package swarm

import (
	"context"
	"iter"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"swarmnode/metainfo"
	"swarmnode/swarm/limit"
)

// named is a Discovery that names the same addresses each time.
type named []netip.AddrPort

func (n named) Peers(ctx context.Context, _ metainfo.Hash, _ uint16,
	_ bool) iter.Seq[netip.AddrPort] {
	return func(yield func(netip.AddrPort) bool) {
		for _, addr := range n {
			if !yield(addr) {
				return
			}
		}
		<-ctx.Done()
	}
}

// victims listens on ports of an address that belong to no peer: whoever connects is
// counted and sent away, as by a server of another protocol.
func victims(t *testing.T, ip string, ports int) (addrs []netip.AddrPort,
	connections *atomic.Int32) {
	t.Helper()
	connections = new(atomic.Int32)
	for range ports {
		l, err := net.Listen("tcp", netip.AddrPortFrom(netip.MustParseAddr(ip), 0).String())
		if err != nil {
			t.Skip("no such address on this machine: ", err)
		}
		served := make(chan struct{})
		go func() {
			defer close(served)
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				connections.Add(1)
				conn.Close()
			}
		}()
		t.Cleanup(func() {
			l.Close()
			<-served
		})
		addrs = append(addrs, l.Addr().(*net.TCPAddr).AddrPort())
	}
	return addrs, connections
}

// idle reports whether no torrent of e has a dial under way that waits for an answer,
// and each knows of somebody.
func idle(e *Engine) bool {
	for _, torrent := range e.Torrents() {
		if s := torrent.State(); s.PeersKnown == 0 || s.PeersDialling > 0 {
			return false
		}
	}
	return true
}

// TestOneHostManyTorrents: an innocent host that several torrents are told of, at
// several ports, gets as many connections in a minute as if one had been told of one:
// those of encrypted handshakes after a plain one included. It is another address of
// loopback here, which is no exception.
func TestOneHostManyTorrents(t *testing.T) {
	const torrents = 10
	for _, encryption := range []Encryption{EncryptionOff, EncryptionAllowed} {
		addrs, connections := victims(t, "127.0.0.77", 8)
		e, err := Listen(Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")},
			Encryption: encryption})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		for i := range torrents {
			m := metainfo.Magnet{V1: metainfo.Hash{byte(i + 1)}, HasV1: true}
			spec := Spec{Magnet: m, Dir: t.TempDir()}
			switch i % 2 {
			case 0:
				spec.DHT = named(addrs)
			default: // a link is no word of the user's
				for _, addr := range addrs {
					spec.Magnet.Peers = append(spec.Magnet.Peers, addr.String())
				}
			}
			if _, err := e.Add(spec); err != nil {
				t.Fatal(err)
			}
		}
		awaitTrue(t, "the end of all dials", func() bool {
			return idle(e) && connections.Load() >= limit.DialsPerSourceMax
		})
		if n := connections.Load(); n != limit.DialsPerSourceMax {
			t.Errorf("%d connections to one host, want %d", n, limit.DialsPerSourceMax)
		}
	}
}

// TestNamedByTheUserManyTorrents: what the user named is dialled by each torrent at
// once, and met by those who come first and by those who come last.
func TestNamedByTheUserManyTorrents(t *testing.T) {
	const torrents = 10
	addrs, connections := victims(t, "127.0.0.1", 1)
	e, err := Listen(Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")},
		Encryption: EncryptionOff})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for i := range torrents {
		m := metainfo.Magnet{V1: metainfo.Hash{byte(i + 1)}, HasV1: true}
		if _, err := e.Add(Spec{Magnet: m, Dir: t.TempDir(),
			Peers: []string{addrs[0].String()}}); err != nil {
			t.Fatal(err)
		}
	}
	awaitTrue(t, "a dial of each torrent, and another", func() bool {
		return connections.Load() > torrents
	})
	if n := connections.Load(); n > limit.DialsNamedMax {
		t.Errorf("%d connections, want at most %d", n, limit.DialsNamedMax)
	}
}
