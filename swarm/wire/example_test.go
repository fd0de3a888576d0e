package wire_test

import (
	"encoding/hex"
	"fmt"
	"net/netip"

	"swarmnode/metainfo"
	"swarmnode/swarm/block"
	"swarmnode/swarm/wire"
)

// A request and its answer, as they travel.
func Example() {
	request := wire.Message{ID: wire.Request, Ref: block.Ref{Piece: 7, Begin: 16384, Length: 3}}
	sent := wire.Append(nil, &request)
	fmt.Println(hex.EncodeToString(sent))

	received, err := wire.Parse(sent[wire.PrefixSize:])
	fmt.Println(received, err)

	answer := append(wire.AppendPieceHeader(nil, received.Ref), "abc"...)
	fmt.Println(hex.EncodeToString(answer))
	// Output:
	// 0000000d06000000070000400000000003
	// request 7+16384:3 <nil>
	// 0000000c070000000700004000616263
}

// The length of a message is checked before its body is read.
func ExampleCheckLength() {
	const pieces = 100
	fmt.Println(wire.CheckLength(wire.Have, 5, pieces))
	fmt.Println(wire.CheckLength(wire.Have, 4, pieces))
	fmt.Println(wire.CheckLength(wire.Bitfield, 1+13, pieces))
	fmt.Println(wire.CheckLength(wire.Piece, 1<<30, pieces))
	// Output:
	// <nil>
	// protocol: a message has a size that its id does not allow
	// <nil>
	// protocol: a message is longer than its id allows
}

// The handshake says which torrent is meant, and what its sender can do.
func ExampleParseHello() {
	hello := wire.Hello{
		InfoHash: metainfo.Hash{0: 0xab, 19: 0xcd},
		PeerID:   [20]byte([]byte("-XX0001-abcdefghijkl")),
		Reserved: wire.Reserved{}.With(wire.FeatureExtension).With(wire.FeatureFast),
	}
	got, err := wire.ParseHello(wire.AppendHello(nil, hello))
	fmt.Println(got.InfoHash, err)
	fmt.Printf("%s\n", got.PeerID)
	fmt.Println("extensions:", got.Reserved.Has(wire.FeatureExtension),
		"v2:", got.Reserved.Has(wire.FeatureV2))
	_, err = wire.ParseHello([]byte("GET / HTTP/1.1"))
	fmt.Println(err)
	// Output:
	// ab000000000000000000000000000000000000cd <nil>
	// -XX0001-abcdefghijkl
	// extensions: true v2: false
	// protocol: not a BitTorrent handshake
}

// The extension handshake names extensions by numbers of the sender's choice.
func ExampleParseExtHandshake() {
	payload := []byte("d1:md11:ut_metadatai3e6:ut_pexi0ee13:metadata_sizei31235e4:reqqi500ee")
	h, err := wire.ParseExtHandshake(payload)
	fmt.Println(err)
	fmt.Println("ut_metadata goes under", h.Extensions.Number(wire.ExtMetadata))
	fmt.Println("ut_pex is wanted:", h.Extensions.Has(wire.ExtPEX))
	fmt.Println(h.MetadataSize, "bytes of metadata,", h.Reqq, "requests")
	// Output:
	// <nil>
	// ut_metadata goes under 3
	// ut_pex is wanted: false
	// 31235 bytes of metadata, 500 requests
}

// Peers tell each other which peers they know.
func ExampleAppendPEX() {
	payload := wire.AppendPEX(nil, wire.PEX{
		Added: []wire.PEXPeer{
			{Addr: netip.MustParseAddrPort("192.0.2.1:6881"), Flags: wire.PEXSeed},
			{Addr: netip.MustParseAddrPort("[2001:db8::1]:6881")},
		},
		Dropped: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.2:51413")},
	})
	m, err := wire.ParsePEX(payload)
	fmt.Println(m.Added, m.Dropped, err)
	// Output:
	// [{192.0.2.1:6881 2} {[2001:db8::1]:6881 0}] [192.0.2.2:51413] <nil>
}

// The example of BEP 6: the peer at 80.4.4.200 may always ask for these pieces.
func ExampleAllowedFastSet() {
	var hash metainfo.Hash
	for i := range hash {
		hash[i] = 0xaa
	}
	fmt.Println(wire.AllowedFastSet(nil, netip.MustParseAddr("80.4.4.200"), hash, 1313, 7))
	// Output:
	// [1059 431 808 1217 287 376 1188]
}
