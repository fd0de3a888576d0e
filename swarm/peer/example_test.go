package peer_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"swarmnode/metainfo"
	"swarmnode/swarm/block"
	"swarmnode/swarm/peer"
	"swarmnode/swarm/simnet"
	"swarmnode/swarm/wire"
)

// A printer is a Handler that says what it is told. blocks has a token for each block.
type printer struct{ blocks chan struct{} }

func (p printer) OnMessage(m *wire.Message) { fmt.Println("message:", m.ID) }

func (p printer) OnBlock(r block.Ref, buf *block.Buf) {
	fmt.Printf("block: piece %d, %q\n", r.Piece, buf.Bytes())
	buf.Release()
	p.blocks <- struct{}{}
}

func (p printer) OnSent(int) {}

func (p printer) OnAnswered(int) {}

func (p printer) OnClosed(error) {}

// Two peers shake hands, and one sends the other a message and a block.
func Example() {
	network := simnet.New(1)
	host := func(ip string) *simnet.Host {
		return network.Host(netip.MustParseAddr(ip), simnet.Link{})
	}
	listener, err := host("192.0.2.1").Listen(6881)
	if err != nil {
		log.Fatal(err)
	}
	near, err := host("192.0.2.2").Dial(context.Background(), listener.AddrPort())
	if err != nil {
		log.Fatal(err)
	}
	far, err := listener.Accept()
	if err != nil {
		log.Fatal(err)
	}

	hash := metainfo.Hash{1, 2, 3}
	accepted := make(chan peer.Shaken)
	go func() {
		shaken, err := peer.Accept(context.Background(), far, peer.Welcome{
			Answer: func(theirs wire.Hello) (wire.Hello, bool) {
				return wire.Hello{InfoHash: hash, PeerID: [20]byte{'B'}}, theirs.InfoHash == hash
			},
			Encryption: peer.EncryptionOff,
		})
		if err != nil {
			log.Fatal(err)
		}
		accepted <- shaken
	}()
	dialled, err := peer.Dial(context.Background(), near, peer.Offer{
		Mine: wire.Hello{InfoHash: hash, PeerID: [20]byte{'A'}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("met peer %c\n", dialled.Theirs.PeerID[0])

	pool := block.NewPool(16 * block.Size)
	sender := peer.New((<-accepted).Conn, peer.Config{Handler: printer{}, Pool: pool})
	hears := printer{make(chan struct{})}
	receiver := peer.New(dialled.Conn, peer.Config{Handler: hears, Pool: pool})
	for _, conn := range []*peer.Conn{sender, receiver} {
		go conn.Run(context.Background())
		defer conn.Close(nil)
	}
	sender.Send(wire.Message{ID: wire.Unchoke})
	sender.SendBlock(block.Ref{Piece: 7, Length: 5}, []byte("hello"), nil)
	<-hears.blocks
	// Output:
	// met peer B
	// message: unchoke
	// block: piece 7, "hello"
}
