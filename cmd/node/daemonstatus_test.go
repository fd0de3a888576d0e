package main

import (
	"net/netip"
	"strings"
	"testing"

	"swarmnode"
	"swarmnode/daemon"
	"swarmnode/metainfo"
)

// The line about all torrents is that of the last change.
func TestSummary(t *testing.T) {
	d, err := daemon.Start(t.Context(), daemon.Config{
		Node: swarmnode.Config{StateDir: t.TempDir(), Bootstrap: []string{}, AnyPort: true,
			NoPortmap: true, Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}},
		Settings: daemon.Settings{Dir: t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var s summary
	for i, want := range []string{"0 torrents", "1 torrent, 1 stopped", "2 torrents, 2 stopped"} {
		if i > 0 {
			if _, err := d.Add(t.Context(), daemon.AddSpec{
				Magnet:  metainfo.Magnet{V1: metainfo.Hash{byte(i)}, HasV1: true},
				Options: daemon.Options{Stopped: true}}); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if got, _, _ := strings.Cut(s.of(d), "  "); got != want {
				t.Errorf("it says %q, want %q", got, want)
			}
		}
	}
}
