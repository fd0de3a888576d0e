package swarm

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"swarmnode/metainfo"
)

// TestOneAddressManyTorrents: an address that several torrents are told of is
// dialled as often in a minute as if one had been.
func TestOneAddressManyTorrents(t *testing.T) {
	victim, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var dials atomic.Int32
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := victim.Accept()
			if err != nil {
				return
			}
			dials.Add(1)
			conn.Close()
		}
	}()
	defer func() {
		victim.Close()
		<-served
	}()
	e, err := Listen(Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, Encryption: EncryptionOff})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	const torrents, allowed = 10, 3
	for i := range torrents {
		m := metainfo.Magnet{V1: metainfo.Hash{byte(i + 1)}, HasV1: true}
		if _, err := e.Add(Spec{Magnet: m, Dir: t.TempDir(), Peers: []string{victim.Addr().String()}}); err != nil {
			t.Fatal(err)
		}
	}
	settled := func() bool {
		for _, torrent := range e.Torrents() {
			if s := torrent.Stats(); s.PeersKnown != 1 || s.PeersDialling > 0 {
				return false
			}
		}
		return dials.Load() >= allowed
	}
	for deadline := time.Now().Add(30 * time.Second); !settled(); {
		if time.Now().After(deadline) {
			t.Fatalf("%d dials after 30 s, want %d", dials.Load(), allowed)
		}
	}
	if n := dials.Load(); n != allowed {
		t.Errorf("%d dials to one address, want %d", n, allowed)
	}
}
