package swarm_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"os"
	"path/filepath"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// Example seeds a file and fetches it over loopback, as two nodes on two machines would.
func Example() {
	dir, err := os.MkdirTemp("", "swarm")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	have, want := filepath.Join(dir, "have"), filepath.Join(dir, "want")
	for _, folder := range []string{have, want} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			log.Fatal(err)
		}
	}
	path := filepath.Join(have, "greeting.txt")
	if err := os.WriteFile(path, []byte("Hello, swarm!\n"), 0o644); err != nil {
		log.Fatal(err)
	}
	torrent, err := metainfo.Build(context.Background(), metainfo.BuildOptions{Path: path})
	if err != nil {
		log.Fatal(err)
	}

	loopback := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}
	seeder, err := swarm.Listen(swarm.Config{Listen: loopback})
	if err != nil {
		log.Fatal(err)
	}
	defer seeder.Close()
	seed, err := seeder.Add(swarm.Spec{Torrent: torrent, Dir: have, Complete: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("seeding", seed.Hash())

	leecher, err := swarm.Listen(swarm.Config{Listen: loopback})
	if err != nil {
		log.Fatal(err)
	}
	defer leecher.Close()
	// A magnet link names the torrent; its metadata comes from the peer.
	leech, err := leecher.Add(swarm.Spec{Magnet: torrent.Magnet(), Dir: want,
		Peers: []string{seeder.Addr().String()}})
	if err != nil {
		log.Fatal(err)
	}
	<-leech.Done()
	if err := leech.Err(); err != nil {
		log.Fatal(err)
	}
	for _, path := range leech.Paths() {
		content, err := os.ReadFile(path)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("fetched %s: %s", filepath.Base(path), content)
	}
	stats := leech.State()
	fmt.Println(stats.State, stats.Have, "of", stats.Length, "bytes")
	// Output:
	// seeding 0241f6605d0268478443826aa62c85d48d2fae21
	// fetched greeting.txt: Hello, swarm!
	// seeding 14 of 14 bytes
}

// An engine refuses a torrent that it has already.
func ExampleEngine_Add() {
	engine, err := swarm.Listen(swarm.Config{
		Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	magnet, err := metainfo.ParseMagnet(
		"magnet:?xt=urn:btih:c9e15763f722f23e98a29decdfae341b98d53056")
	if err != nil {
		log.Fatal(err)
	}
	spec := swarm.Spec{Magnet: magnet, MetadataOnly: true}
	torrent, err := engine.Add(spec)
	fmt.Println(torrent.State().Phase, err)
	_, err = engine.Add(spec)
	fmt.Println(err)
	fmt.Println(torrent.Close(), torrent.Err(), torrent.State().Phase)
	// Output:
	// metadata <nil>
	// c9e15763f722f23e98a29decdfae341b98d53056: torrent already added
	// <nil> torrent was closed closed
}
