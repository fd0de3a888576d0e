package swarm_test

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
	"swarmnode/swarm/block"
	"swarmnode/swarm/core"
	"swarmnode/swarm/storage"
)

// v2Piece is the piece length of the torrents of makeV2: two blocks.
const v2Piece = 32 << 10

// v2Sizes are files of all sorts: of many pieces, of exactly one and of two,
// smaller than a piece, than a block, and empty.
var v2Sizes = map[string]int{
	"large": 40*v2Piece + 777, "folder/two": 2 * v2Piece, "folder/one": v2Piece,
	"small": 20_000, "tiny": 5, "empty": 0,
}

// makeV2 writes the files of v2Sizes below a folder, and returns that and a
// torrent of them.
func makeV2(t *testing.T, kind metainfo.Kind) (dir string, torrent *metainfo.Torrent) {
	t.Helper()
	dir = t.TempDir()
	rng := rand.NewChaCha8([32]byte{byte(kind)})
	for name, n := range v2Sizes {
		data := make([]byte, n)
		rng.Read(data)
		path := filepath.Join(dir, "content", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{
		Path: filepath.Join(dir, "content"), Kind: kind, PieceLength: v2Piece,
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir, torrent
}

func sameV2(t *testing.T, want, got string) {
	t.Helper()
	for name := range v2Sizes {
		a, err := os.ReadFile(filepath.Join(want, "content", name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(got, "content", name))
		if err != nil {
			t.Fatal(err)
		}
		if string(a) != string(b) {
			t.Errorf("%s differs", name)
		}
	}
}

// topics are the magnet links that name a torrent: by each info-hash alone, and
// by both.
func topics(torrent *metainfo.Torrent) map[string]metainfo.Magnet {
	m := torrent.Magnet()
	links := make(map[string]metainfo.Magnet)
	if m.HasV1 {
		links["btih alone"] = metainfo.Magnet{HasV1: true, V1: m.V1}
	}
	if m.HasV2 {
		links["btmh alone"] = metainfo.Magnet{HasV2: true, V2: m.V2}
	}
	if m.HasV1 && m.HasV2 {
		links["both"] = m
	}
	return links
}

// kinds are the kinds of torrents, by name.
var kinds = []metainfo.Kind{metainfo.V1, metainfo.V2, metainfo.Hybrid}

// TestMetadataAlone: all that a .torrent file holds is fetched by each kind of
// magnet link, and nothing is written anywhere.
func TestMetadataAlone(t *testing.T) {
	for _, kind := range kinds {
		dir, torrent := makeV2(t, kind)
		seeder := newEngine(t)
		waitDone(t, add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}))
		for name, magnet := range topics(torrent) {
			t.Run(kind.String()+" by "+name, func(t *testing.T) {
				t.Chdir(t.TempDir())
				leech := add(t, newEngine(t), swarm.Spec{
					Magnet: magnet, MetadataOnly: true, Peers: []string{seeder.Addr().String()},
				})
				waitDone(t, leech)
				if err := leech.Err(); err != nil {
					t.Fatal(err)
				}
				bare := metainfo.NewTorrent(leech.Info())
				bare.Creator, bare.Created = torrent.Creator, torrent.Created
				if string(bare.Marshal()) != string(torrent.Marshal()) {
					t.Error("the torrent is not the one that was seeded, byte for byte")
				}
				if s := leech.State(); s.Down != 0 {
					t.Errorf("%d bytes of content were fetched", s.Down)
				}
				if entries, err := os.ReadDir("."); err != nil || len(entries) > 0 {
					t.Errorf("written: %v %v", entries, err)
				}
			})
		}
	}
}

// TestV2DataThatIsThere: a v2 magnet link finds data of an earlier run whose
// record is lost, and of another client, as soon as peers have told the piece
// layers. What is damaged alone is fetched.
func TestV2DataThatIsThere(t *testing.T) {
	dir, torrent := makeV2(t, metainfo.V2)
	seeder := newEngine(t)
	waitDone(t, add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}))
	for _, suffix := range []string{"", storage.PartSuffix} {
		t.Run("content"+suffix, func(t *testing.T) {
			out := t.TempDir()
			if err := os.CopyFS(filepath.Join(out, "content"+suffix),
				os.DirFS(filepath.Join(dir, "content"))); err != nil {
				t.Fatal(err)
			}
			damage(t, filepath.Join(out, "content"+suffix, "large"), 3*v2Piece+99)
			damage(t, filepath.Join(out, "content"+suffix, "folder/two"), 1)
			leech := add(t, newEngine(t), swarm.Spec{
				Magnet: torrent.Magnet(), Dir: out, Peers: []string{seeder.Addr().String()},
			})
			waitDone(t, leech)
			if err := leech.Err(); err != nil {
				t.Fatal(err)
			}
			sameV2(t, dir, out)
			if s := leech.State(); s.Down != 2*v2Piece {
				t.Errorf("fetched %d bytes, want the two damaged pieces of %d", s.Down, v2Piece)
			}
		})
	}
}

// TestV2OtherData: data under the content's name, none of which is right, is not
// overwritten, although that shows only after the piece layers have come.
func TestV2OtherData(t *testing.T) {
	dir, torrent := makeV2(t, metainfo.V2)
	seeder := newEngine(t)
	waitDone(t, add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}))
	out := t.TempDir()
	mine := filepath.Join(out, "content", "large")
	if err := os.MkdirAll(filepath.Dir(mine), 0o777); err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("something else ", 10_000)
	if err := os.WriteFile(mine, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	leech := add(t, newEngine(t), swarm.Spec{
		Magnet: torrent.Magnet(), Dir: out, Peers: []string{seeder.Addr().String()},
	})
	waitDone(t, leech)
	if !storage.IsInTheWay(leech.Err()) {
		t.Errorf("got %v, want that other data is in the way", leech.Err())
	}
	leech.Close()
	if got, err := os.ReadFile(mine); err != nil || string(got) != text {
		t.Errorf("the other data was changed: %d bytes, %v", len(got), err)
	}
}

func damage(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0]++
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

// TestV2Resume: what was verified before a stop is neither fetched nor hashed
// again, although a magnet link knows the piece layers late.
func TestV2Resume(t *testing.T) {
	dir, torrent := makeV2(t, metainfo.V2)
	seeder := newEngine(t)
	waitDone(t, add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}))
	out, state := t.TempDir(), t.TempDir()
	large := func(l *metainfo.Layout) []bool {
		wanted := make([]bool, len(l.Files))
		for i := range l.Files {
			wanted[i] = l.FilePath(i) == "content/large"
		}
		return wanted
	}
	run := func(wanted func(*metainfo.Layout) []bool, peers ...string) swarm.State {
		t.Helper()
		e, err := swarm.Listen(swarm.Config{Listen: []netip.AddrPort{loopback}, StateDir: state})
		if err != nil {
			t.Fatal(err)
		}
		leech := add(t, e, swarm.Spec{Magnet: torrent.Magnet(), Dir: out, Peers: peers,
			Wanted: wanted})
		waitDone(t, leech)
		if err := leech.Err(); err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		return leech.State()
	}
	first := run(large, seeder.Addr().String())
	if want := int64(v2Sizes["large"]); first.Down != want {
		t.Fatalf("fetched %d bytes of one file, want %d", first.Down, want)
	}
	again := run(nil, seeder.Addr().String())
	if want := torrent.Info().Layout().Size() - first.Down; again.Down != want {
		t.Errorf("fetched %d bytes after a new start, want the %d that were missing", again.Down,
			want)
	}
	sameV2(t, dir, out)
}

// TestV2BadBlock: of a piece with one wrong block that block alone is fetched
// again, since the hashes of the others can be had from an honest peer. The liar
// is banned, and nobody else. Usually that is one piece; there are more when the
// honest one finished what the liar had begun, which leaves the liar at large
// until the hashes have come.
func TestV2BadBlock(t *testing.T) {
	for _, kind := range []metainfo.Kind{metainfo.V2, metainfo.Hybrid} {
		dir := t.TempDir()
		data := make([]byte, 4<<20)
		rand.NewChaCha8([32]byte{9}).Read(data)
		good, bad := filepath.Join(dir, "good", "file"), filepath.Join(dir, "bad", "file")
		for _, path := range []string{good, bad} {
			if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, data, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		const pieceLength = 256 << 10
		for at := int64(3 * block.Size); at < int64(len(data)); at += pieceLength {
			damage(t, bad, at) // one block of each piece
		}
		torrent, err := metainfo.Build(t.Context(),
			metainfo.BuildOptions{Path: good, Kind: kind, PieceLength: pieceLength})
		if err != nil {
			t.Fatal(err)
		}
		honest, liar := newEngine(t), newEngine(t)
		add(t, liar, swarm.Spec{Torrent: torrent, Dir: filepath.Dir(bad), Complete: true})
		add(t, honest, swarm.Spec{Torrent: torrent, Dir: filepath.Dir(good), Complete: true,
			Up: 8 << 20})
		out := t.TempDir()
		const blameWait = 5 * time.Second // for the hashes of blocks, see hashes.Blame
		start := time.Now()
		leech := add(t, newEngine(t), swarm.Spec{
			Magnet: torrent.Magnet(), Dir: out, Peers: []string{liar.Addr().String(),
				honest.Addr().String()},
		})
		waitDone(t, leech)
		if err := leech.Err(); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(out, "file")); err != nil ||
			!bytes.Equal(got, data) {
			t.Errorf("%v: the content differs (%v)", kind, err)
		}
		s := leech.State()
		most := int64(pieceLength) - 1
		if time.Since(start) > blameWait { // so loaded that a piece did not wait for these hashes
			most = int64(len(data))
		}
		if waste := s.Waste[core.ReasonBadPiece]; waste == 0 || waste%block.Size != 0 ||
			waste > most {
			t.Errorf("%v: %d bytes were wrong, want one block of %d, or of each of a few pieces",
				kind, waste, block.Size)
		}
		if n := s.Drops[core.ReasonBadPiece]; n != 1 {
			t.Errorf("%v: %d peers were dropped for bad data, want the liar", kind, n)
		}
	}
}
