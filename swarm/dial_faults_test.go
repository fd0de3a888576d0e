package swarm_test

import (
	"io"
	"net"
	"testing"

	"swarmnode/swarm"
	"swarmnode/swarm/book"
)

// answering listens, and answers each connection with some bytes and its end.
func answering(t *testing.T, answer string) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if answer != "" { // of what was said, nothing is left unread: that would be a reset
				io.ReadFull(conn, make([]byte, 68))
				io.WriteString(conn, answer)
			}
			conn.Close()
		}
	}()
	return l.Addr().String()
}

// TestFaultsOfDials: a torrent says how each of its dials failed.
func TestFaultsOfDials(t *testing.T) {
	_, torrent := makeContent(t, 100<<10)
	otherDir, other := makeContent(t, 101<<10)
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	stranger := newEngine(t)
	add(t, stranger, swarm.Spec{Torrent: other, Dir: otherDir, Complete: true})
	hash := other.Info().Hash()
	leech := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: t.TempDir(), Peers: []string{
		gone.Addr().String(),     // refuses
		answering(t, ""),         // hangs up
		stranger.Addr().String(), // hangs up: it has no such torrent
		answering(t, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: "+
			"0\r\n\r\n........"),
		answering(t, "\x13BitTorrent protocol\x00\x00\x00\x00\x00\x00\x00\x00"+string(hash[:])+
			"-XX0000-abcdefghijkl"),
	}})
	want := book.Unmet{book.FaultRefused: 1, book.FaultHungUp: 2, book.FaultProtocol: 1,
		book.FaultOtherTorrent: 1}
	until(t, leech, "not all dials failed as expected", func(s swarm.State) bool {
		return s.Unmet == want
	})
	if s := leech.State(); s.PeersMet != 0 || s.PeersKnown != 5 {
		t.Errorf("%d met of %d, want none of 5", s.PeersMet, s.PeersKnown)
	}
}
