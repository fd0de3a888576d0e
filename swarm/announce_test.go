package swarm_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// An announcement is what a tracker was told.
type announcement struct {
	event                string
	up, down, left, port int64
}

// toldTracker is a tracker that writes down what it is told, and names a peer, so that
// nothing is fetched before it was told of the start.
func toldTracker(t *testing.T, peer netip.AddrPort) (url string, told <-chan announcement) {
	t.Helper()
	all := make(chan announcement, 1000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		number := func(key string) int64 {
			n, err := strconv.ParseInt(q.Get(key), 10, 64)
			if err != nil {
				t.Errorf("%s=%s: %v", key, q.Get(key), err)
			}
			return n
		}
		all <- announcement{q.Get("event"), number("uploaded"), number("downloaded"),
			number("left"), number("port")}
		fmt.Fprint(w, "d8:intervali1800e12:min intervali1800e5:peers6:")
		w.Write(binary.BigEndian.AppendUint16(peer.Addr().AsSlice(), peer.Port()))
		fmt.Fprint(w, "e")
	}))
	t.Cleanup(server.Close)
	return server.URL + "/announce", all
}

// expect takes the next announcement, which has to be the wanted one but for its port.
func expect(t *testing.T, who string, told <-chan announcement, want announcement) {
	t.Helper()
	select {
	case got := <-told:
		got.port = 0
		if got != want {
			t.Errorf("%s told %+v, want %+v", who, got, want)
		}
	case <-time.After(patience):
		t.Fatalf("%s told nothing, want %+v", who, want)
	}
}

// Every announce has the numbers of its moment: started what is missing after the
// check of what was there, completed and stopped every byte.
func TestAnnouncesCarryTheNumbers(t *testing.T) {
	const size, piece = 1<<20 + 12345, 32 << 10
	dir, torrent := makeContent(t, size)
	out := t.TempDir()
	if err := os.CopyFS(out, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(out, "content/a"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, off := range []int64{100, 5 * piece} {
		if _, err := f.WriteAt([]byte("not what it was"), off); err != nil {
			t.Fatal(err)
		}
	}
	f.Close()
	seeder, leecher := newEngine(t), newEngine(t)
	seedURL, seedTold := toldTracker(t, seeder.Addr())
	leechURL, leechTold := toldTracker(t, seeder.Addr())
	seed := add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true,
		Trackers: [][]string{{seedURL}}})
	expect(t, "the seed", seedTold, announcement{event: "started"})
	leech := add(t, leecher, swarm.Spec{
		Torrent: torrent, Dir: out, Trackers: [][]string{{leechURL}},
	})
	expect(t, "the leech", leechTold, announcement{event: "started", left: 2 * piece})
	waitDone(t, leech)
	expect(t, "the leech", leechTold, announcement{event: "completed", down: 2 * piece})
	magnet := add(t, newEngine(t), swarm.Spec{
		Magnet: torrent.Magnet(), Dir: t.TempDir(), Trackers: [][]string{{leechURL}},
	})
	expect(t, "the magnet", leechTold, announcement{event: "started", left: 1}) // nobody knows
	waitDone(t, magnet)
	expect(t, "the magnet", leechTold, announcement{event: "completed", down: size})
	for _, x := range []*swarm.Torrent{leech, magnet, seed} {
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, "the leech", leechTold, announcement{event: "stopped", down: 2 * piece})
	expect(t, "the magnet", leechTold, announcement{event: "stopped", down: size})
	expect(t, "the seed", seedTold, announcement{event: "stopped", up: size + 2*piece})
}

// What was there when it began was not downloaded: completed is not said.
func TestCompleteContentIsNotCompleted(t *testing.T) {
	const size = 100 << 10
	dir, torrent := makeContent(t, size)
	e := newEngine(t)
	url, told := toldTracker(t, e.Addr())
	whole := add(t, e, swarm.Spec{Torrent: torrent, Dir: dir, Trackers: [][]string{{url}}})
	expect(t, "a whole torrent", told, announcement{event: "started"})
	waitDone(t, whole)
	if err := whole.Close(); err != nil {
		t.Fatal(err)
	}
	expect(t, "a whole torrent", told, announcement{event: "stopped"})
}

// seedFlags is a Discovery that writes down whether it is told of a seed.
type seedFlags struct {
	mu    sync.Mutex
	flags []bool
	asked chan struct{}
}

func (d *seedFlags) Peers(ctx context.Context, _ metainfo.Hash, _ uint16,
	seed bool) iter.Seq[netip.AddrPort] {
	return func(func(netip.AddrPort) bool) {
		d.mu.Lock()
		d.flags = append(d.flags, seed)
		d.mu.Unlock()
		d.asked <- struct{}{}
		<-ctx.Done()
	}
}

// Who wanted a part of a torrent, and has it, is no seed (BEP 21): neither trackers
// nor the DHT (BEP 33) are told that nothing is missing. Who has all of it is.
func TestPartialSeedsAreNoSeeds(t *testing.T) {
	const size = 300 << 10
	dir, torrent := makeContent(t, size)
	seeder := newEngine(t)
	url, told := toldTracker(t, seeder.Addr())
	seed := add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	waitDone(t, seed)
	out := t.TempDir()
	fetch := func(dht *seedFlags, wanted func(*metainfo.Layout) []bool) int64 {
		leech := add(t, newEngine(t), swarm.Spec{
			Torrent: torrent, Dir: out, Trackers: [][]string{{url}}, DHT: dht, Wanted: wanted,
		})
		waitDone(t, leech)
		<-dht.asked
		got := leech.State()
		if got.Phase != swarm.Seeding {
			t.Errorf("got %+v", got)
		}
		if wanted == nil { // completion begins a new round
			<-dht.asked
			got.Have = size
		}
		if err := leech.Close(); err != nil {
			t.Fatal(err)
		}
		return got.Have
	}
	part := &seedFlags{asked: make(chan struct{}, 10)}
	have := fetch(part, func(l *metainfo.Layout) []bool { return []bool{true, false} })
	if have <= 0 || have >= size {
		t.Fatalf("the part has %d bytes of %d", have, size)
	}
	expect(t, "a part", told, announcement{event: "started", left: size})
	expect(t, "a part", told, announcement{event: "stopped", down: have, left: size - have})
	if slices.Contains(part.flags, true) {
		t.Errorf("the DHT was told of a seed: %v", part.flags)
	}
	all := &seedFlags{asked: make(chan struct{}, 10)}
	fetch(all, nil)
	// Without a state folder the part of the piece that both files share is gone.
	started := <-told
	if rest := size - have; started.event != "started" || started.left < rest ||
		started.left > rest+32<<10 {
		t.Errorf("the rest told %+v of %d bytes", started, rest)
	}
	expect(t, "the rest", told, announcement{event: "completed", down: started.left})
	expect(t, "the rest", told, announcement{event: "stopped", down: started.left})
	if want := []bool{false, true}; !slices.Equal(all.flags, want) {
		t.Errorf("the DHT was told %v, want %v", all.flags, want)
	}
}
