package swarm_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"swarmnode/metainfo"
	"swarmnode/swarm"
	"swarmnode/swarm/block"
	"swarmnode/swarm/storage"
	"swarmnode/swarm/wire"
)

// v1Half returns the "pieces" of an info dictionary, and where they begin.
func v1Half(t *testing.T, raw []byte) (pieces []byte, at int) {
	t.Helper()
	const key = "6:pieces"
	at = bytes.Index(raw, []byte(key)) + len(key)
	digits, _, ok := bytes.Cut(raw[at:], []byte(":"))
	n, err := strconv.Atoi(string(digits))
	if !ok || err != nil {
		t.Fatal("no pieces")
	}
	at += len(digits) + 1
	return raw[at : at+n], at
}

// A twoFaced is a hybrid whose halves are of different content, which differs in
// one byte of one file of several pieces, and one folder for each.
type twoFaced struct {
	torrent      *metainfo.Torrent
	v1Dir, v2Dir string
}

func makeTwoFaced(t *testing.T) twoFaced {
	t.Helper()
	v2Dir, b := makeV2(t, metainfo.Hybrid)
	v1Dir := t.TempDir()
	if err := os.CopyFS(v1Dir, os.DirFS(v2Dir)); err != nil {
		t.Fatal(err)
	}
	damage(t, filepath.Join(v1Dir, "content", "large"), 5*v2Piece+7)
	a, err := metainfo.Build(t.Context(), metainfo.BuildOptions{
		Path: filepath.Join(v1Dir, "content"), Kind: metainfo.Hybrid, PieceLength: v2Piece,
	})
	if err != nil {
		t.Fatal(err)
	}
	raw := bytes.Clone(b.Info().Raw())
	pieces, _ := v1Half(t, a.Info().Raw())
	_, at := v1Half(t, raw)
	copy(raw[at:], pieces)
	info, err := metainfo.ParseInfo(raw)
	if err != nil {
		t.Fatal(err)
	}
	teach(t, info.Layout(), b.Info().Layout())
	return twoFaced{torrent: metainfo.NewTorrent(info), v1Dir: v1Dir, v2Dir: v2Dir}
}

// teach tells l the piece layers that whole knows.
func teach(t *testing.T, l, whole *metainfo.Layout) {
	t.Helper()
	for i := range l.Files {
		for r := range l.NeedsHashes(i) {
			answer, ok := whole.AppendHashes(nil, r, nil)
			if !ok {
				t.Fatal("no hashes")
			}
			if err := l.AddHashes(r, answer); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestTwoFacedHybrid: a hybrid whose halves are of different content is refused,
// whichever of them peers have or lies on disk (BEP 52, "upgrade path").
func TestTwoFacedHybrid(t *testing.T) {
	two := makeTwoFaced(t)
	refused := func(t *testing.T, leech *swarm.Torrent) {
		t.Helper()
		waitDone(t, leech)
		if err := leech.Err(); !errors.Is(err, storage.ErrConflict) ||
			!strings.Contains(err.Error(), "contradicts itself") {
			t.Errorf("got %v, want that the torrent contradicts itself", err)
		}
	}
	for half, dir := range map[string]string{"v1": two.v1Dir, "v2": two.v2Dir} {
		t.Run("peers have the content of "+half, func(t *testing.T) {
			seeder := newEngine(t)
			waitDone(t, add(t, seeder, swarm.Spec{Torrent: two.torrent, Dir: dir, Complete: true}))
			peers := []string{seeder.Addr().String()}
			fresh, err := metainfo.ParseTorrent(two.torrent.Marshal())
			if err != nil {
				t.Fatal(err)
			}
			leech := add(t, newEngine(t), swarm.Spec{Torrent: fresh, Dir: t.TempDir(),
				Peers: peers})
			refused(t, leech)
			for name, magnet := range topics(two.torrent) {
				if half == "v2" && name == "btih alone" {
					continue // what fails by the only hash that is known is a peer's fault
				}
				t.Run(name, func(t *testing.T) {
					leech := add(t, newEngine(t), swarm.Spec{Magnet: magnet, Dir: t.TempDir(),
						Peers: peers})
					refused(t, leech)
				})
			}
		})
		t.Run("on disk is the content of "+half, func(t *testing.T) {
			leech := add(t, newEngine(t), swarm.Spec{Torrent: two.torrent, Dir: dir})
			refused(t, leech)
		})
	}
}

// TestContradictionsOverTheWire: metadata whose halves describe different files
// has the right hash, and is refused with the reason all the same.
func TestContradictionsOverTheWire(t *testing.T) {
	_, torrent := makeV2(t, metainfo.Hybrid)
	sound := torrent.Info().Raw()
	change := func(old, new string) []byte {
		raw := bytes.Replace(sound, []byte(old), []byte(new), 1)
		if bytes.Equal(raw, sound) {
			t.Fatalf("no %q in the metadata", old)
		}
		return raw
	}
	length := func(n int) string { return fmt.Sprintf("6:lengthi%de4:path", n) }
	for _, c := range []struct {
		name, want string
		raw        []byte
	}{
		{"length", "two lengths", change(length(v2Sizes["large"]), length(v2Sizes["large"]-1))},
		{"name", "two names", change("4:pathl5:largee", "4:pathl5:larg3e")},
		{"padding", "pieces", change(length(v2Piece-777), length(v2Piece-776))},
		{"file left out", "v1 and v2 differ", change("d"+length(5)+"l4:tinyee", "")},
	} {
		t.Run(c.name, func(t *testing.T) {
			hash := sha1.Sum(c.raw)
			leecher := newEngine(t)
			leech := add(t, leecher, swarm.Spec{
				Magnet: metainfo.Magnet{HasV1: true, V1: hash, HasV2: true,
					V2: sha256.Sum256(c.raw)}, Dir: t.TempDir(),
			})
			foes := newFoes(t, torrent.Info(), leecher.Addr())
			defer foes.end()
			foes.attack(1, [20]byte{}, func(f *foe) {
				f.hash = hash
				f.conn.Close()
				f.conn = foes.dial(1)
				f.shake()
				giveMetadata(f, c.raw)
			})
			waitDone(t, leech)
			if err := leech.Err(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want ...%s...", err, c.want)
			}
		})
	}
}

// giveMetadata serves an info dictionary (BEP 9) until the connection ends.
func giveMetadata(f *foe, raw []byte) {
	h := wire.ExtHandshake{Extensions: wire.OurExtensions(wire.ExtMetadata),
		MetadataSize: int64(len(raw))}
	f.send(say(wire.HaveAll), extended(0, wire.AppendExtHandshake(nil, h)))
	f.listen(func(m wire.Message) {
		if m.ID != wire.Extended || m.Ext != uint8(wire.ExtMetadata) {
			return
		}
		if q, err := wire.ParseMetadata(m.Payload); err == nil && q.Type == wire.MetadataRequest {
			at := int(q.Piece) * wire.MetadataBlock
			f.send(extended(uint8(wire.ExtMetadata), wire.AppendMetadata(nil, wire.Metadata{
				Type: wire.MetadataData, Piece: q.Piece, TotalSize: int64(len(raw)),
				Data: raw[at:min(at+wire.MetadataBlock, len(raw))],
			})))
		}
	})
}

// tailHabits makes hybrids of one content in both habits: with padding behind
// the last file, and without.
func tailHabits(t *testing.T) (dir string, torrents map[string]*metainfo.Torrent) {
	t.Helper()
	dir, with := makeV2(t, metainfo.Hybrid)
	without, err := metainfo.Build(t.Context(), metainfo.BuildOptions{
		Path: filepath.Join(dir, "content"), Kind: metainfo.Hybrid, PieceLength: v2Piece,
		NoTailPadding: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if with.Info().Hash() == without.Info().Hash() {
		t.Fatal("padding behind the last file makes no difference")
	}
	return dir, map[string]*metainfo.Torrent{"tail padding": with, "no tail padding": without}
}

// A v1Peer is a client that knows nothing of v2 and of padding, on the pieces of
// one torrent.
type v1Peer struct {
	t    *testing.T
	info *metainfo.Info
	data []byte // of all pieces, padding included
	mu   sync.Mutex
	asks []block.Ref // that it was asked for
}

func newV1Peer(t *testing.T, info *metainfo.Info, dir string) *v1Peer {
	t.Helper()
	l := info.Layout()
	p := &v1Peer{t: t, info: info, data: make([]byte, l.Length)}
	for i := range l.Files {
		if f := &l.Files[i]; !f.Pad {
			b, err := os.ReadFile(filepath.Join(dir, l.FilePath(i)))
			if err != nil {
				t.Fatal(err)
			}
			copy(p.data[f.Offset:], b)
		}
	}
	return p
}

// blocks are all blocks of all pieces, as one sees them who takes padding for
// data.
func (p *v1Peer) blocks() (refs []block.Ref) {
	length := int64(p.info.Layout().PieceLength)
	for at := int64(0); at < int64(len(p.data)); at += block.Size {
		n := min(block.Size, int64(len(p.data))-at)
		refs = append(refs, block.Ref{Piece: uint32(at / length), Begin: uint32(at % length),
			Length: uint32(n)})
	}
	return refs
}

func (p *v1Peer) bytes(r block.Ref) []byte {
	at := p.info.Layout().PieceOffset(int(r.Piece)) + int64(r.Begin)
	return p.data[at : at+int64(r.Length)]
}

// TestPaddingIsServed: peers that take padding for data are given zeros for it
// (BEP 47), up to the very end of the last piece.
func TestPaddingIsServed(t *testing.T) {
	dir, torrents := tailHabits(t)
	for name, torrent := range torrents {
		t.Run(name, func(t *testing.T) {
			seeder := newEngine(t)
			waitDone(t, add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}))
			p := newV1Peer(t, torrent.Info(), dir)
			foes := newFoes(t, torrent.Info(), seeder.Addr())
			defer foes.end()
			missing := make(map[block.Ref]bool)
			got := make(chan error, 1)
			foes.attack(1, [20]byte{}, func(f *foe) {
				f.send(say(wire.HaveNone), say(wire.Interested))
				f.listen(func(m wire.Message) {
					switch m.ID {
					case wire.Unchoke:
						for _, r := range p.blocks() {
							missing[r] = true
							f.send(request(r))
						}
					case wire.Piece:
						if !bytes.Equal(m.Payload, p.bytes(m.Ref)) {
							got <- fmt.Errorf("%+v differs", m.Ref)
						}
						if delete(missing, m.Ref); len(missing) == 0 {
							got <- nil
						}
					case wire.Reject:
						got <- fmt.Errorf("%+v is rejected", m.Ref)
					}
				})
			})
			if err := <-got; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPaddingIsNotFetched: from a peer that has padding like data none of it is
// asked for, and none is written.
func TestPaddingIsNotFetched(t *testing.T) {
	dir, torrents := tailHabits(t)
	for name, torrent := range torrents {
		t.Run(name, func(t *testing.T) {
			p := newV1Peer(t, torrent.Info(), dir)
			leecher, out := newEngine(t), t.TempDir()
			leech := add(t, leecher, swarm.Spec{Torrent: torrent, Dir: out})
			foes := newFoes(t, torrent.Info(), leecher.Addr())
			defer foes.end()
			foes.attack(1, [20]byte{}, func(f *foe) {
				f.seed(func(r block.Ref) {
					p.mu.Lock()
					p.asks = append(p.asks, r)
					p.mu.Unlock()
					f.send(wire.Message{ID: wire.Piece, Ref: r, Payload: p.bytes(r)})
				})
			})
			waitDone(t, leech)
			if err := leech.Err(); err != nil {
				t.Fatal(err)
			}
			sameV2(t, dir, out)
			l := torrent.Info().Layout()
			sum := int64(0)
			for _, r := range p.asks {
				sum += int64(r.Length)
				if int(r.Begin)+int(r.Length) > l.PieceSize(int(r.Piece)) {
					t.Errorf("%+v has padding", r)
				}
			}
			if sum != l.Size() {
				t.Errorf("%d bytes were asked for, want the %d of the files", sum, l.Size())
			}
			var names []string
			for _, dir := range []string{"content", "content/folder"} {
				entries, err := os.ReadDir(filepath.Join(out, dir))
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range entries {
					names = append(names, e.Name())
				}
			}
			slices.Sort(names)
			if got := strings.Join(names, " "); got != "empty folder large one small tiny two" {
				t.Errorf("on disk: %s", got)
			}
		})
	}
}

// TestHandshakesOfHybrid: a hybrid is one torrent under both of its info-hashes.
// Who names the v1 hash and knows v2 is answered with the v2 hash, which makes the
// link one of v2 on both sides (BEP 52, "upgrade path"); who does not is not.
func TestHandshakesOfHybrid(t *testing.T) {
	dir, torrent := makeV2(t, metainfo.Hybrid)
	seeder := newEngine(t)
	seed := add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	waitDone(t, seed)
	v1, _ := torrent.Info().HashV1()
	long, _ := torrent.Info().HashV2()
	foes := newFoes(t, torrent.Info(), seeder.Addr())
	defer foes.end()
	for i, c := range []struct {
		name     string
		asked    metainfo.Hash
		knowsV2  bool
		answered metainfo.Hash
	}{
		{"v1 alone", v1, false, v1},
		{"v1, and knows v2", v1, true, long.Short()},
		{"v2, as libtorrent does", long.Short(), false, long.Short()},
		{"v2, and says so", long.Short(), true, long.Short()},
	} {
		conn := foes.dial(i)
		hello := wire.Hello{InfoHash: c.asked, PeerID: [20]byte{'P', byte(i)}}
		hello.Reserved = hello.Reserved.With(wire.FeatureFast)
		if c.knowsV2 {
			hello.Reserved = hello.Reserved.With(wire.FeatureV2)
		}
		f := &foe{conn: conn}
		f.raw(wire.AppendHello(nil, hello))
		var b [wire.HelloSize]byte
		if _, err := io.ReadFull(conn, b[:]); err != nil {
			t.Fatal(err)
		}
		theirs, err := wire.ParseHello(b[:])
		if err != nil {
			t.Fatal(err)
		}
		if theirs.InfoHash != c.answered || !theirs.Reserved.Has(wire.FeatureV2) {
			t.Errorf("%s: answered with %v, v2 known %v", c.name, theirs.InfoHash,
				theirs.Reserved.Has(wire.FeatureV2))
		}
		// Only on a link of v2 hashes are given.
		root := torrent.Info().Layout().Files[0].Root
		for i := range torrent.Info().Layout().Files {
			if f := &torrent.Info().Layout().Files[i]; f.Length > 2*v2Piece {
				root = f.Root
			}
		}
		ask := wire.HashRange{Root: root, Base: 1, Length: 2}
		f.send(say(wire.HaveNone), wire.Message{ID: wire.HashRequest,
			Payload: wire.AppendHashRange(nil, ask)})
		want := wire.HashReject
		if c.answered != v1 {
			want = wire.Hashes
		}
		got := make(chan wire.ID, 1)
		foes.wait.Go(func() {
			f.listen(func(m wire.Message) {
				if m.ID == wire.Hashes || m.ID == wire.HashReject {
					got <- m.ID
				}
			})
		})
		if id := <-got; id != want {
			t.Errorf("%s: a hash request is answered by %v", c.name, id)
		}
	}
	until(t, seed, "the torrent has not 4 peers", func(s swarm.State) bool {
		return s.PeersConnected == 4
	})
	if _, err := seeder.Add(swarm.Spec{Magnet: metainfo.Magnet{HasV2: true, V2: long},
		Dir: t.TempDir()}); !errors.Is(err, swarm.ErrExists) {
		t.Errorf("its v2 side is taken for another torrent: %v", err)
	}
}

// TestDiscoveryOfHybrid: both swarms of a hybrid are searched and announced to as
// soon as both names are known.
func TestDiscoveryOfHybrid(t *testing.T) {
	dir, torrent := makeV2(t, metainfo.Hybrid)
	seeder := newEngine(t)
	waitDone(t, add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}))
	v1, _ := torrent.Info().HashV1()
	long, _ := torrent.Info().HashV2()
	for name, magnet := range topics(torrent) {
		dht := &hashesAsked{seen: make(map[metainfo.Hash]bool)}
		leech := add(t, newEngine(t), swarm.Spec{
			Magnet: magnet, Dir: t.TempDir(), DHT: dht, LSD: dht,
			Peers: []string{seeder.Addr().String()},
		})
		waitDone(t, leech)
		leech.Close()
		if !dht.seen[v1] || !dht.seen[long.Short()] || len(dht.seen) != 2 {
			t.Errorf("%s: asked for %v", name, dht.seen)
		}
	}
}

// hashesAsked is a Discovery that finds nobody, and notes what it is asked for.
type hashesAsked struct {
	mu   sync.Mutex
	seen map[metainfo.Hash]bool
}

func (d *hashesAsked) Peers(ctx context.Context, hash metainfo.Hash, _ uint16,
	_ bool) iter.Seq[netip.AddrPort] {
	d.mu.Lock()
	d.seen[hash] = true
	d.mu.Unlock()
	return func(func(netip.AddrPort) bool) { <-ctx.Done() }
}
