// Embed is a program with a BitTorrent node of its own. It fetches a magnet link into the
// current folder, says how far it is, and shows the start of the first file as soon as that
// is there:
//
//	go run ./examples/embed 'magnet:?xt=urn:btih:...'
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"

	"swarmnode"
	"swarmnode/metainfo"
	"swarmnode/swarm"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: embed MAGNET")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := fetch(ctx, os.Stdout, swarmnode.Config{}, os.Args[1], "."); err != nil {
		log.Fatal(err)
	}
}

// fetch fetches the content of a link into the folder dir, and reports to out.
func fetch(ctx context.Context, out io.Writer, cfg swarmnode.Config, link, dir string) error {
	magnet, err := metainfo.ParseMagnet(link)
	if err != nil {
		return err
	}
	node, err := swarmnode.Start(ctx, cfg)
	if err != nil {
		return err
	}
	defer node.Close()
	torrent, err := node.Add(swarm.Spec{Magnet: magnet, Dir: dir})
	if err != nil {
		return err
	}
	reader, err := torrent.Reader(ctx, 0) // fetches what is read before everything else
	if err != nil {
		return err
	}
	defer reader.Close()
	start := make([]byte, min(16, reader.Size()))
	if _, err := io.ReadFull(reader, start); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s starts with %q\n", torrent.Info().Name(), start)
	for feed := node.Subscribe(0); ; {
		if _, err := feed.Next(ctx); err != nil { // waits for a change of any torrent
			return err
		}
		s := torrent.State()
		fmt.Fprintf(out, "%v: %d of %d bytes\n", s.Phase, s.Have, s.Length)
		if err := torrent.Err(); err != nil || s.Phase == swarm.Seeding {
			return err
		}
	}
}
