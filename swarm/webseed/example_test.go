package webseed_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"swarmnode/metainfo"
	"swarmnode/swarm/block"
	"swarmnode/swarm/guard"
	"swarmnode/swarm/webseed"
	"swarmnode/swarm/wire"
)

// A torrentSide is a Handler in the place of a torrent.
type torrentSide struct {
	unchoked, done chan struct{}
}

func (h torrentSide) OnMessage(m *wire.Message) {
	fmt.Println("message:", m.ID)
	if m.ID == wire.Unchoke {
		close(h.unchoked)
	}
}

func (h torrentSide) OnBlock(r block.Ref, buf *block.Buf) {
	fmt.Printf("block: piece %d, %q\n", r.Piece, buf.Bytes())
	buf.Release()
	close(h.done)
}

func (h torrentSide) OnSent(int) {}

func (h torrentSide) OnAnswered(int) {}

func (h torrentSide) OnClosed(err error) { fmt.Println("closed:", err) }

// An HTTP server of a file takes the seat of a peer that has everything.
func Example() {
	dir, err := os.MkdirTemp("", "webseed")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "greeting.txt")
	if err := os.WriteFile(path, []byte("Hello, web!"), 0o644); err != nil {
		log.Fatal(err)
	}
	torrent, err := metainfo.Build(context.Background(), metainfo.BuildOptions{Path: path})
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	client := guard.New(guard.Config{})
	defer client.Close()

	side := torrentSide{make(chan struct{}), make(chan struct{})}
	conn, err := webseed.New(webseed.Config{
		Handler: side, Pool: block.NewPool(16 * block.Size), Info: torrent.Info(), HTTP: client,
		URL: server.URL + "/", // the torrent's name follows the slash (BEP 19)
	})
	if err != nil {
		log.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		conn.Run(context.Background())
		close(ended)
	}()
	<-side.unchoked
	conn.Send(wire.Message{ID: wire.Request, Ref: block.Ref{Piece: 0, Length: 11}})
	<-side.done
	conn.Close(nil)
	<-ended
	// Output:
	// message: have all
	// message: unchoke
	// block: piece 0, "Hello, web!"
	// closed: <nil>
}
