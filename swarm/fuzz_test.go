package swarm

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/block"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// foeBufferMax is what the engine may have in memory for three hostile peers
// while they have sent all that they want, in bytes of blocks.
const foeBufferMax = 1 << 20

// A liveSwarm is a seed and a downloader in a bubble of virtual time, joined by
// pipes, without a port.
type liveSwarm struct {
	t           *testing.T
	info        *metainfo.Torrent
	engines     [2]*Engine
	seed, leech *Torrent
	foes        []net.Conn
	next        byte
}

// makeTorrent writes a file and makes a torrent of it. It is done outside of the
// bubble, once.
func makeTorrent(t testing.TB, dir string) *metainfo.Torrent {
	t.Helper()
	path := filepath.Join(dir, "content.bin")
	content := bytes.Repeat([]byte("whatever comes, it has to stay as it is. "), 4000)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{Path: path,
		PieceLength: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	return torrent
}

func newLiveSwarm(t *testing.T, info *metainfo.Torrent, dir, out string, magnet bool) *liveSwarm {
	s := &liveSwarm{t: t, info: info}
	for i := range s.engines {
		s.engines[i] = start(Config{
			PeerIDPrefix: defaultPeerIDPrefix, MemoryMax: 6 << 20,
			Logger: slog.New(slog.DiscardHandler),
		}, nil)
	}
	spec := Spec{Torrent: info, Dir: out}
	if magnet {
		spec = Spec{Magnet: info.Magnet(), Dir: out}
	}
	var err error
	if s.seed, err = s.engines[0].Add(Spec{Torrent: info, Dir: dir, Complete: true}); err != nil {
		t.Fatal(err)
	}
	if s.leech, err = s.engines[1].Add(spec); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return s
}

func allFeatures() wire.Reserved {
	return wire.Reserved{}.With(wire.FeatureFast).With(wire.FeatureExtension).With(
		wire.FeatureDHT).With(wire.FeatureV2)
}

// addr returns an address that no other has.
func (s *liveSwarm) addr() netip.AddrPort {
	s.next++
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{20, 0, 0, s.next}), 6881)
}

// meet connects a torrent with somebody who has shaken hands already, and returns
// his end.
func (s *liveSwarm) meet(to *Torrent, id [20]byte) net.Conn {
	near, far := net.Pipe()
	to.join(&link{torrent: to, conn: near, endpoint: endpoint.IP(s.addr()),
		hello: wire.Hello{InfoHash: to.hash, PeerID: id, Reserved: allFeatures()}})
	return far
}

// attack lets a foe say the bytes to a torrent, in parts.
func (s *liveSwarm) attack(to *Torrent, stream []byte, part int) {
	far := s.meet(to, [20]byte{'f', s.next})
	s.foes = append(s.foes, far)
	go io.Copy(io.Discard, far)
	go func() {
		for len(stream) > 0 {
			n := min(part, len(stream))
			if _, err := far.Write(stream[:n]); err != nil {
				return
			}
			stream = stream[n:]
		}
	}()
}

// finish has the downloader meet the seed, and checks that it completes and that
// all that the foes were lent came back.
func (s *liveSwarm) finish() {
	time.Sleep(time.Second)
	synctest.Wait()
	pool := s.engines[1].blocks
	if lent := (pool.Cap() - pool.Available()) * block.Size; lent > foeBufferMax {
		s.t.Errorf("%d bytes of blocks are lent to peers that have said all", lent)
	}
	s.introduce(s.seed, s.leech)
	select {
	case <-s.leech.Done():
	case <-time.After(10 * time.Minute):
		s.t.Errorf("not complete with an honest seed: %+v", s.leech.State())
	}
	if err := s.leech.Err(); err != nil {
		s.t.Error(err)
	}
	for _, conn := range s.foes {
		conn.Close()
	}
	for _, e := range s.engines {
		if err := e.Close(); err != nil {
			s.t.Error(err)
		}
		if free := e.blocks.Available(); free != e.blocks.Cap() {
			s.t.Errorf("%d blocks never came back", e.blocks.Cap()-free)
		}
	}
}

// introduce connects two torrents, the second of which has dialled the first.
func (s *liveSwarm) introduce(seed, leech *Torrent) {
	near, far := net.Pipe()
	addrs := [2]netip.AddrPort{s.addr(), s.addr()}
	for i, end := range []struct {
		to   *Torrent
		conn net.Conn
		from *Torrent
	}{{seed, near, leech}, {leech, far, seed}} {
		end.to.join(&link{torrent: end.to, conn: end.conn, endpoint: endpoint.IP(addrs[i]),
			outgoing: i == 1, hello: wire.Hello{InfoHash: end.to.hash, PeerID: end.from.peerID,
				Reserved: allFeatures()}})
	}
}

// hostileStreams are the messages that peers send, whole and malformed in the ways
// that have ended other clients.
func hostileStreams() [][]byte {
	ext := func(number uint8, payload string) wire.Message {
		return wire.Message{ID: wire.Extended, Ext: number, Payload: []byte(payload)}
	}
	list := []wire.Message{
		{ID: wire.HaveAll}, {ID: wire.HaveNone}, {ID: wire.Unchoke}, {ID: wire.Interested},
		{ID: wire.Choke}, {ID: wire.NotInterested},
		{ID: wire.Bitfield, Payload: []byte{0xff, 0xc0}},
		{ID: wire.Bitfield, Payload: []byte{0xff, 0xff}},
		{ID: wire.Have, Ref: block.Ref{Piece: 3}},
		{ID: wire.Have, Ref: block.Ref{Piece: 1<<32 - 1}},
		{ID: wire.Request, Ref: block.Ref{Piece: 1, Length: block.Size}},
		{ID: wire.Request, Ref: block.Ref{Piece: 1, Begin: 1<<32 - 1, Length: 2}},
		{ID: wire.Cancel, Ref: block.Ref{Piece: 1, Length: block.Size}},
		{ID: wire.Reject, Ref: block.Ref{Piece: 1, Length: block.Size}},
		{ID: wire.Suggest, Ref: block.Ref{Piece: 2}},
		{ID: wire.AllowedFast, Ref: block.Ref{Piece: 2}},
		{ID: wire.Piece, Ref: block.Ref{Piece: 1}, Payload: make([]byte, 100)},
		{ID: wire.Port, Port: 6881}, {ID: wire.KeepAlive}, {ID: 99, Payload: []byte("x")},
		ext(0, "d1:md11:lt_donthavei7e11:upload_onlyi3e12:ut_holepunchi4e11:ut_metadatai2e6:ut_pexi1ee13:metadata_sizei500e4:reqqi250e1:v4:teste"),
		ext(0, "d1:mde4:reqqi0ee"), ext(0, "d1:mi1e13:metadata_sizei4611686018427387904ee"),
		ext(0, "d1:md6:ut_pexi-1e11:ut_metadatai256eee"),
		ext(0, "d6:yourip3:abc1:pi70000ee"), ext(0, "i1e"), ext(0, ""), ext(0, "d"),
		ext(0, strings.Repeat("l", 200)),
		ext(0, "d1:md1:ai1e1:ai2eee"), ext(0, "d1:v99999999999:xe"), ext(0, "d1:vi1ee"),
	}
	for number := range uint8(8) {
		for _, payload := range []string{
			"d8:msg_typei0e5:piecei0ee", "d8:msg_typei1e5:piecei0e10:total_sizei500ee" +
				strings.Repeat("x", 500),
			"d8:msg_typei2e5:piecei0ee", "d8:msg_typei-1e5:piecei4294967296ee", "d8:msg_typei7ee",
			"d5:piecei9999999ee",
			"d5:added6:\x01\x02\x03\x04\x00\x507:added.f1:\x002:xx0:e", "d5:added5:abcdee",
			"d5:added6:\x7f\x00\x00\x01\x1a\xe1e",
			"d6:added618:" + strings.Repeat("\x20", 18) + "7:dropped6:\x01\x02\x03\x04\x00\x50e",
			"d5:addedi1ee",
			"\x00\x00\x00\x01", "\xff\xff\xff\xff", "\x00", "\x01", "\x02", "",
			"\x00\x00\x01\x02\x03\x04\x1a\xe1", "\x01\x00\x01\x02\x03\x04\x1a\xe1\x00\x00\x00\x00",
			"\x02\x01" + strings.Repeat("\x20", 16) + "\x1a\xe1\x00\x00\x00\x04", "\x00\x07\x01",
		} {
			list = append(list, ext(number, payload))
		}
	}
	r := wire.AppendHashRange(nil, wire.HashRange{Base: 0, Index: 0, Length: 2})
	list = append(list, wire.Message{ID: wire.HashRequest, Payload: r},
		wire.Message{ID: wire.HashReject, Payload: r},
		wire.Message{ID: wire.Hashes, Payload: append(r, make([]byte, 64)...)})
	var streams [][]byte
	var all []byte
	for i := range list {
		one := wire.Append(nil, &list[i])
		streams = append(streams, one)
		all = append(all, one...)
	}
	return append(streams, all, []byte{255, 255, 255, 255, 20},
		[]byte{0, 0, 0, 9, 7, 0, 0, 0, 0, 0, 0, 0, 0}, nil)
}

// FuzzSwarm lets peers say any bytes to a seed and to a downloader, with and
// without metadata, in virtual time. Nothing panics, the download completes from
// the honest seed, every buffer comes back, and no goroutine is left.
func FuzzSwarm(f *testing.F) {
	dir := f.TempDir()
	info := makeTorrent(f, dir)
	streams := hostileStreams()
	for i, s := range streams {
		if i%40 == 0 || i > len(streams)-5 {
			f.Add(s, uint16(i%9), i%2 == 0)
		}
	}
	f.Fuzz(func(t *testing.T, stream []byte, part uint16, magnet bool) {
		if len(stream) > 1<<15 {
			return
		}
		out := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			s := newLiveSwarm(t, info, dir, out, magnet)
			s.attack(s.leech, stream, int(part)+1)
			s.attack(s.leech, append(wire.Append(nil, &wire.Message{ID: wire.HaveAll}), stream...),
				len(stream)+10)
			s.attack(s.seed, stream, int(part)+1)
			s.finish()
		})
	})
}

// Every message, malformed in every way, to a seed and to a downloader: each by a
// peer of its own, so that the first fault does not hide the others.
func TestMalformedMessages(t *testing.T) {
	dir := t.TempDir()
	info := makeTorrent(t, dir)
	streams := hostileStreams()
	const together = 40
	for _, magnet := range []bool{false, true} {
		for from := 0; from < len(streams); from += together {
			out := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				s := newLiveSwarm(t, info, dir, out, magnet)
				for _, stream := range streams[from:min(from+together, len(streams))] {
					s.attack(s.leech, stream, len(stream)+1)
					s.attack(s.seed, stream, len(stream)+1)
				}
				s.finish()
			})
		}
	}
}
