package udpmux_test

import (
	"fmt"
	"log"
	"net"

	"swarmnode/swarm/transport/udpmux"
)

// One socket serves a DHT node and uTP.
func Example() {
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	m := udpmux.New(pc)
	defer m.Close()
	arrived := make(chan int, 1)
	m.Handle(udpmux.ClassUTP, func(batch []udpmux.Datagram) { arrived <- len(batch[0].Data) })
	dht := m.DHT() // for a DHT node

	syn := append([]byte{0x41}, make([]byte, 19)...)
	if err := m.WriteTo(syn, m.AddrPort()); err != nil { // to ourselves
		log.Fatal(err)
	}
	if _, err := dht.WriteTo([]byte("d1:y1:qe"), m.LocalAddr()); err != nil {
		log.Fatal(err)
	}
	b := make([]byte, 1500)
	n, _, err := dht.ReadFrom(b)
	fmt.Println("uTP:", <-arrived, "bytes")
	fmt.Printf("DHT: %s %v\n", b[:n], err)
	// Output:
	// uTP: 20 bytes
	// DHT: d1:y1:qe <nil>
}
