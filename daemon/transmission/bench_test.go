package transmission

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"swarmnode"
	"swarmnode/daemon"
	"swarmnode/daemon/control"
	"swarmnode/metainfo"
)

// manyTorrents returns a Handler of a daemon with 10,000 stopped torrents.
func manyTorrents(b *testing.B) (*Handler, context.Context) {
	b.Helper()
	node := swarmnode.Config{StateDir: b.TempDir(), Bootstrap: []string{}, AnyPort: true,
		NoPortmap: true, Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}}
	d, err := daemon.Start(b.Context(), daemon.Config{Node: node,
		Settings: daemon.Settings{Dir: b.TempDir()}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	for i := range 10_000 {
		m := metainfo.Magnet{HasV1: true, Name: fmt.Sprintf("Some.Series.S01E%05d.1080p.WEB", i)}
		binary.BigEndian.PutUint32(m.V1[:], uint32(i+1))
		if _, err := d.Add(b.Context(), daemon.AddSpec{Magnet: m,
			Options: daemon.Options{Stopped: true, Labels: []string{"tv"}}}); err != nil {
			b.Fatal(err)
		}
	}
	h, err := New(Config{Daemon: d, Node: node})
	if err != nil {
		b.Fatal(err)
	}
	return h, control.Admit(b.Context(), control.Identity{Scope: control.Admin})
}

// usualFields are what front ends ask for again and again.
const usualFields = `["id","name","status","totalSize","sizeWhenDone","leftUntilDone",` +
	`"haveValid","rateDownload","rateUpload","eta","uploadRatio","peersSendingToUs",` +
	`"peersGettingFromUs","error","errorString","addedDate"]`

// BenchmarkTorrentGet lists 10,000 torrents with 16 fields, and those that have changed lately
// when none has.
func BenchmarkTorrentGet(b *testing.B) {
	h, ctx := manyTorrents(b)
	for name, ids := range map[string]string{"all": "", "recently": `,"ids":"recently-active"`} {
		body := []byte(`{"method":"torrent-get","arguments":{"fields":` + usualFields + ids + `}}`)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var dst []byte
			for b.Loop() {
				doc, err := h.answer(ctx, body, dst[:0], nil)
				if err != nil {
					b.Fatal(err)
				}
				dst = doc
			}
			b.SetBytes(int64(len(dst)))
		})
	}
}
