package swarm_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/metainfo/bencode"
	"swarmnode/swarm"
	"swarmnode/swarm/block"
	"swarmnode/swarm/wire"
)

// makeZeros writes a file of zeros with pieces of 16 KiB, and returns
// its folder and a torrent of it, whose metadata has 20 bytes for each.
func makeZeros(t *testing.T, pieces int) (dir string, torrent *metainfo.Torrent) {
	t.Helper()
	dir = t.TempDir()
	path := filepath.Join(dir, "zeros")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(pieces)*block.Size); err != nil {
		t.Fatal(err)
	}
	sum := sha1.Sum(make([]byte, block.Size))
	info, err := metainfo.ParseInfo(bencode.AppendDict(nil, func(b []byte) []byte {
		b = bencode.AppendInt(bencode.AppendString(b, "length"), int64(pieces)*block.Size)
		b = bencode.AppendString(bencode.AppendString(b, "name"), "zeros")
		b = bencode.AppendInt(bencode.AppendString(b, "piece length"), block.Size)
		return bencode.AppendString(bencode.AppendString(b, "pieces"), bytes.Repeat(sum[:], pieces))
	}))
	if err != nil {
		t.Fatal(err)
	}
	return dir, metainfo.NewTorrent(info)
}

// metadataAsks returns an extension handshake and that many requests for metadata.
func metadataAsks(count int) []wire.Message {
	hello := wire.ExtHandshake{Extensions: wire.OurExtensions(wire.ExtMetadata)}
	list := []wire.Message{extended(0, wire.AppendExtHandshake(nil, hello))}
	for i := range uint32(count) {
		ask := wire.AppendMetadata(nil, wire.Metadata{Type: wire.MetadataRequest, Piece: i % 10})
		list = append(list, extended(uint8(wire.ExtMetadata), ask))
	}
	return list
}

// hashAsks are requests for the piece layer of the largest file.
func hashAsks(info *metainfo.Info, count int) (list []wire.Message) {
	l := info.Layout()
	r := wire.HashRange{Root: l.Files[0].Root, Length: 512}
	for ; 1<<r.Base*block.Size < l.PieceLength; r.Base++ {
	}
	for range count {
		list = append(list, wire.Message{ID: wire.HashRequest,
			Payload: wire.AppendHashRange(nil, r)})
	}
	return list
}

// makeLayer makes a torrent of v2 with a piece layer of 1,024 hashes.
func makeLayer(t *testing.T) (dir string, torrent *metainfo.Torrent) {
	t.Helper()
	dir = t.TempDir()
	path := filepath.Join(dir, "layer")
	if err := os.WriteFile(path, make([]byte, 1024*block.Size), 0o600); err != nil {
		t.Fatal(err)
	}
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{Path: path, Kind: metainfo.V2,
		PieceLength: block.Size})
	if err != nil {
		t.Fatal(err)
	}
	return dir, torrent
}

// TestManyWhoReadNothing: however many peers ask for something and do not read it, or
// send half of something, all of them together cost no more than the budget and what a
// connection takes anyway.
func TestManyWhoReadNothing(t *testing.T) {
	const peers, asks, budget, each = 40, 240, 1 << 20, 96 << 10
	half := binary.BigEndian.AppendUint32(nil, 2+wire.ExtendedMax)
	half = append(append(half, byte(wire.Extended), 0), make([]byte, 100<<10)...)
	zeros, v1 := makeZeros(t, 52_000)
	layer, v2 := makeLayer(t)
	for _, c := range []struct {
		name    string
		dir     string
		torrent *metainfo.Torrent
		words   []wire.Message
		raw     []byte
	}{
		{"metadata", zeros, v1, metadataAsks(asks), nil},
		{"hashes", layer, v2, hashAsks(v2.Info(), asks), nil},
		{"rejects", zeros, v1, requestsInVain(20_000), nil},
		{"half a message", zeros, v1, nil, half},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := listen(t, swarm.Config{MemoryMax: budget})
			waitDone(t, add(t, e, swarm.Spec{Torrent: c.torrent, Dir: c.dir, Complete: true}))
			foes := newFoes(t, c.torrent.Info(), e.Addr())
			defer foes.end()
			words := c.raw
			for i := range c.words {
				words = wire.Append(words, &c.words[i])
			}
			before := heap()
			foes.attack(peers, [20]byte{}, func(f *foe) {
				f.conn.(*net.TCPConn).SetReadBuffer(4 << 10)
				f.raw(words)
				f.hold()
			})
			var cost []int64
			for range 20 { // they wait for nothing that could be awaited here
				<-time.After(stalled / 10)
				cost = append(cost, heap()-before)
			}
			// The largest counts garbage too, all the more on a busy machine.
			slices.Sort(cost)
			held := cost[len(cost)/2]
			t.Logf("%d KiB are held, %d at most", held>>10, cost[len(cost)-1]>>10)
			if held > budget+peers*each {
				t.Errorf("%d peers cost %d KiB, want at most %d", peers, held>>10,
					(budget+peers*each)>>10)
			}
		})
	}
}

// requestsInVain are requests for blocks that are longer than what is given.
func requestsInVain(count int) (list []wire.Message) {
	for i := range count {
		list = append(list, request(block.Ref{Piece: uint32(i % 1000), Length: block.Size - 1}))
		list[i].Ref.Length = 3 * block.Size
	}
	return list
}

// draw has one address connect again and again until stop is closed, ask, and read for
// a moment. It returns how many bytes came.
func draw(fs *foes, words []wire.Message, stop <-chan struct{}) (bytes int64) {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return bytes
		default:
		}
		f := &foe{conn: fs.dial(0), hash: fs.info.Hash(), id: [20]byte{'x', byte(n), byte(n >> 8)}}
		if f.shake() && f.send(words...) {
			f.conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
			got, _ := io.Copy(io.Discard, f.conn)
			bytes += got
		}
		f.conn.Close()
	}
}

// TestAnswersOfOneAddress: metadata and hashes count as much as blocks under a limit.
// An address that comes again and again for them gets no more than that, and others
// get theirs meanwhile.
func TestAnswersOfOneAddress(t *testing.T) {
	const rate = 200_000
	zeros, v1 := makeZeros(t, 10_000)
	layer, v2 := makeLayer(t)
	for _, c := range []struct {
		name    string
		dir     string
		torrent *metainfo.Torrent
		words   []wire.Message
	}{
		{"metadata", zeros, v1, metadataAsks(240)},
		{"hashes", layer, v2, hashAsks(v2.Info(), 240)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := listen(t, swarm.Config{Up: rate})
			waitDone(t, add(t, e, swarm.Spec{Torrent: c.torrent, Dir: c.dir, Complete: true}))
			foes := newFoes(t, c.torrent.Info(), e.Addr())
			defer foes.end()
			stop, drawn := make(chan struct{}), make(chan int64, 4)
			began := time.Now()
			for range cap(drawn) {
				foes.wait.Go(func() { drawn <- draw(foes, c.words, stop) })
			}
			<-time.After(2 * time.Second) // it draws what it can
			leech := add(t, newEngine(t), swarm.Spec{
				Magnet: c.torrent.Magnet(), Dir: t.TempDir(), Peers: []string{e.Addr().String()},
			})
			until(t, leech, "no block has come", func(s swarm.State) bool { return s.Down > 0 })
			t.Logf("the first block after %v", time.Since(began)-2*time.Second)
			close(stop)
			all := int64(0)
			for range cap(drawn) {
				all += <-drawn
			}
			if most := rate*time.Since(began).Seconds()*1.2 + 256<<10; float64(all) > most {
				t.Errorf("it drew %d KiB in %v, want at most %.0f", all>>10, time.Since(began),
					most/1024)
			}
		})
	}
}

// TestStrangersTakeNoDownload: under a download limit, those that send what nobody
// asked for leave most of it to a seed, and are closed.
func TestStrangersTakeNoDownload(t *testing.T) {
	const rate, strangers, pieces = 500_000, 20, 100
	dir, torrent := makeZeros(t, pieces)
	seeder := newEngine(t)
	waitDone(t, add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}))
	e := listen(t, swarm.Config{Down: rate})
	leech := add(t, e, swarm.Spec{Torrent: torrent, Dir: t.TempDir()})
	foes := newFoes(t, torrent.Info(), e.Addr())
	defer foes.end()
	until(t, leech, "not started", func(s swarm.State) bool { return s.Phase == swarm.Downloading })
	foes.attack(strangers, [20]byte{}, func(f *foe) { f.flood(extended(99, make([]byte, 60_000))) })
	until(t, leech, "no strangers", func(s swarm.State) bool {
		return s.PeersConnected == strangers
	})
	began := time.Now()
	leech.AddPeer(seeder.Addr())
	waitDone(t, leech)
	took := time.Since(began)
	t.Logf("%d KiB took %v", pieces*16, took)
	// A fair part for each would take 21 times as long as it takes alone.
	if most := 10 * time.Duration(float64(pieces*block.Size)/rate*float64(
		time.Second)); took > most {
		t.Errorf("%d KiB at %d a second took %v, want at most %v", pieces*16, rate, took, most)
	}
}
