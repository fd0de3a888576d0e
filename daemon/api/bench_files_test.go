package api

import (
	"fmt"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"swarmnode"
	"swarmnode/daemon"
	"swarmnode/daemon/control"
	"swarmnode/daemon/tally"
	"swarmnode/metainfo"
)

// manyFiles returns a torrent of 40,000 files of one byte each, in 200 folders.
func manyFiles(b *testing.B) *metainfo.Torrent {
	var files strings.Builder
	for i := range 40_000 {
		folder, name := fmt.Sprintf("folder %d", i%200), fmt.Sprintf("file %d", i)
		fmt.Fprintf(&files, "d6:lengthi1e4:pathl%d:%s%d:%see", len(folder), folder, len(name), name)
	}
	doc := fmt.Sprintf("d4:infod5:filesl%se4:name4:many12:piece lengthi65536e6:pieces20:%see",
		&files, strings.Repeat("x", 20))
	torrent, err := metainfo.ParseTorrent([]byte(doc))
	if err != nil {
		b.Fatal(err)
	}
	return torrent
}

// BenchmarkFiles shows the top of 40,000 files, a folder of them, and a page of all.
func BenchmarkFiles(b *testing.B) {
	d, err := daemon.Start(b.Context(), daemon.Config{
		Node: swarmnode.Config{StateDir: b.TempDir(), Bootstrap: []string{}, NoPortmap: true,
			Listen: []netip.AddrPort{loopback}, AnyPort: true},
		Settings: daemon.Settings{Dir: b.TempDir()}})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Add(b.Context(), daemon.AddSpec{Torrent: manyFiles(b)}); err != nil {
		b.Fatal(err)
	}
	gate, err := control.NewGate(control.GateConfig{})
	if err != nil {
		b.Fatal(err)
	}
	counts := tally.New(d)
	defer counts.Close()
	a := New(Config{Daemon: d, Gate: gate, Tally: counts})
	for name, query := range map[string]string{"top": "", "folder": "?path=many/folder+7",
		"flat": "?flat=true"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				r := httptest.NewRequest("GET", "http://localhost"+Base+"/torrents/1/files"+query,
					nil)
				r.RemoteAddr = "127.0.0.1:1"
				w := httptest.NewRecorder()
				a.ServeHTTP(w, r)
				if w.Code != 200 {
					b.Fatalf("%d %s", w.Code, w.Body)
				}
				b.SetBytes(int64(w.Body.Len()))
			}
		})
	}
}
