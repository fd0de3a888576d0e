package main

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"swarmnode"
	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// The program fetches a link from a node beside it, and ends.
func TestFetch(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	path := filepath.Join(t.TempDir(), "poem.txt")
	content := strings.Repeat("Lorem ipsum dolor sit amet. ", 50_000)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	torrent, err := metainfo.Build(ctx, metainfo.BuildOptions{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	cfg := swarmnode.Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")},
		AnyPort: true, Bootstrap: []string{}}
	seeder, err := swarmnode.Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer seeder.Close()
	if _, err := seeder.Add(swarm.Spec{Torrent: torrent, Dir: filepath.Dir(path),
		Complete: true}); err != nil {
		t.Fatal(err)
	}
	cfg.Bootstrap = []string{seeder.Addrs()[0].String()}
	var out strings.Builder
	dir := t.TempDir()
	if err := fetch(ctx, &out, cfg, torrent.Magnet().String(), dir); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	got, err := os.ReadFile(filepath.Join(dir, "poem.txt"))
	if err != nil || string(got) != content {
		t.Errorf("fetched %d bytes, %v", len(got), err)
	}
	if !strings.HasPrefix(out.String(), `poem.txt starts with "Lorem ipsum dolo"`) ||
		!strings.HasSuffix(out.String(), "seeding: 1400000 of 1400000 bytes\n") {
		t.Errorf("it printed\n%s", &out)
	}
}

// What is no link, and an interrupt, end the program with an error.
func TestFetchFails(t *testing.T) {
	cfg := swarmnode.Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")},
		AnyPort: true, Bootstrap: []string{}}
	ctx, cancel := context.WithCancel(t.Context())
	if err := fetch(ctx, os.Stderr, cfg, "http://example.org", t.TempDir()); err == nil {
		t.Error("a web page was taken for a magnet link")
	}
	cancel()
	link := "magnet:?xt=urn:btih:0123456789012345678901234567890123456789"
	if err := fetch(ctx, os.Stderr, cfg, link, t.TempDir()); err == nil {
		t.Error("fetched after an interrupt")
	}
}
