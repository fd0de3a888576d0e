package api

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"swarmnode"
	"swarmnode/daemon"
	"swarmnode/daemon/control"
	"swarmnode/daemon/tally"
	"swarmnode/metainfo"
	"swarmnode/swarm/limit"
)

// BenchmarkList lists 10,000 torrents: all fields, sixteen, a page by name, and what has changed
// when nothing has.
func BenchmarkList(b *testing.B) {
	d := manyTorrents(b)
	gate, err := control.NewGate(control.GateConfig{})
	if err != nil {
		b.Fatal(err)
	}
	counts := tally.New(d)
	defer counts.Close()
	a := New(Config{Daemon: d, Gate: gate, Tally: counts})
	get := func(query string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "http://localhost"+Base+"/torrents?"+query, nil)
		r.RemoteAddr = "127.0.0.1:1"
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatalf("%d %s", w.Code, w.Body)
		}
		return w
	}
	seq := func() string {
		changes, err := d.Subscribe(0).Next(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		return strconv.FormatUint(changes.Seq, 10)
	}
	for name, query := range map[string]string{"all": "",
		"sixteen": "fields=hash,name,status,error,size,left,down-rate,up-rate,down,up,ratio,eta," +
			"added,completed,peers,dir",
		"page": "sort=name&limit=100", "unchanged": "since=" + seq()} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.SetBytes(int64(get(query).Body.Len()))
			}
		})
	}
}

// manyTorrents returns a daemon with 10,000 torrents, which rest.
func manyTorrents(b *testing.B) *daemon.Daemon {
	b.Helper()
	d, err := daemon.Start(b.Context(), daemon.Config{
		Node: swarmnode.Config{StateDir: b.TempDir(), Bootstrap: []string{}, NoPortmap: true,
			Listen: []netip.AddrPort{loopback}, AnyPort: true},
		Settings: daemon.Settings{Dir: b.TempDir()}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	for i := range 10_000 {
		link, err := metainfo.ParseMagnet(fmt.Sprintf("magnet:?xt=urn:btih:%040x&dn=torrent+%d",
			i+1, i))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := d.Add(b.Context(), daemon.AddSpec{Magnet: link,
			Options: daemon.Options{Stopped: true}}); err != nil {
			b.Fatal(err)
		}
	}
	return d
}

// pageFields are those that a page with a list asks for.
const pageFields = "id,hash,name,status,why,finished,error,stuck,queue,forced,stalled,private,dir," +
	"have-info,size,wanted,got,left,metadata-size,metadata-have,checked,check-total,moved," +
	"move-total,down-rate,up-rate,eta,ratio,down,up,added,completed,peers,seeds,peers-known," +
	"labels,sequential,rank"

// BenchmarkDeltas writes what a page gets each second while 500 of 10,000 torrents change: raw-B
// and gzip-B are bytes per batch, and first-gzip-B is the first one.
func BenchmarkDeltas(b *testing.B) {
	d := manyTorrents(b)
	fields, err := planOf(pageFields)
	if err != nil {
		b.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	var views []view
	for i, t := range d.Torrents() {
		v := viewOf(t)
		v.state.Name = fmt.Sprintf("Some.Film.%d.With.A.Name.1080p.x264-%x", 1950+i%70, i*i)
		v.state.HaveInfo, v.state.Size, v.state.Wanted = true, 4<<30+int64(i), 4<<30+int64(i)
		v.state.Left, v.state.Status = v.state.Wanted, daemon.Downloading
		views = append(views, v)
	}
	deltas := newDeltas(fields, &told{memory: limit.NewMemory(nil)})
	deltas.reset()
	var packed bytes.Buffer
	pack, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		b.Fatal(err)
	}
	var batch []byte
	tell := func(v *view) { batch = deltas.append(batch, v) }
	for i := range views {
		tell(&views[i])
	}
	pack.Write(batch)
	pack.Flush()
	first, raw, rounds := packed.Len(), 0, 0
	packed.Reset()
	for b.Loop() {
		batch = batch[:0]
		for range 500 {
			v := &views[random.IntN(1000)] // the rest rests
			change(&v.state, random)
			tell(v)
		}
		pack.Write(batch)
		pack.Flush()
		raw += len(batch)
		rounds++
	}
	b.ReportMetric(float64(first), "first-gzip-B")
	b.ReportMetric(float64(raw)/float64(rounds), "raw-B")
	b.ReportMetric(float64(packed.Len())/float64(rounds), "gzip-B")
}

// change lets a second go by for a torrent that downloads and uploads.
func change(s *daemon.State, random *rand.Rand) {
	s.DownRate, s.UpRate = 1e5+random.Int64N(4e5), random.Int64N(2e5)
	pieces := s.DownRate >> 18 << 18
	s.Got, s.Left, s.Have = s.Got+pieces, max(0, s.Left-pieces), s.Have+pieces
	s.Totals.Down, s.Totals.Up = s.Totals.Down+s.DownRate, s.Totals.Up+s.UpRate
	s.Ratio = float64(s.Totals.Up) / float64(s.Wanted)
	s.ETA = time.Duration(float64(s.Left) / float64(s.DownRate) * float64(time.Second))
	s.Swarm.PeersConnected += random.IntN(3) - 1
	s.Swarm.PeersKnown = 200 + random.IntN(4)
}
