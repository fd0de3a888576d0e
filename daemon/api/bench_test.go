package api

import (
	"fmt"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"testing"

	"swarmnode"
	"swarmnode/daemon"
	"swarmnode/daemon/control"
	"swarmnode/daemon/tally"
	"swarmnode/metainfo"
)

// BenchmarkList lists 10,000 torrents: all fields, sixteen, a page by name, and what has changed
// when nothing has.
func BenchmarkList(b *testing.B) {
	d, err := daemon.Start(b.Context(), daemon.Config{
		Node: swarmnode.Config{StateDir: b.TempDir(), Bootstrap: []string{}, NoPortmap: true,
			Listen: []netip.AddrPort{loopback}, AnyPort: true},
		Settings: daemon.Settings{Dir: b.TempDir()}})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
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
