//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"swarmnode/internal/nodeproc"
	"swarmnode/metainfo"
	"swarmnode/swarm/block"
	"swarmnode/swarm/peer"
	"swarmnode/swarm/transport/mse"
	"swarmnode/swarm/wire"
)

const (
	// attackPeers is how many peers of an attack one torrent takes.
	attackPeers = 80
	// attackAsks is how many requests each of them writes at once.
	attackAsks = 240
	// attackPieces makes the metadata of a torrent 1 MiB long, at 20 bytes a piece.
	attackPieces = 52_000
	// attackLayer is how many hashes the piece layer of a torrent of v2 has.
	attackLayer = 4096
)

// An attack is what each of many peers writes after the handshake. None of them reads
// unless reads is set.
type attack struct {
	name    string
	v2      bool
	encrypt mse.Method
	write   func() []byte
	id      int  // of the peer, besides its number
	reads   bool // what the node sends
}

var attacks = []attack{
	{name: "ask for metadata", write: metadataRequests},
	{name: "ask for metadata, encrypted", encrypt: mse.RC4, write: metadataRequests},
	{name: "ask for hashes", v2: true, write: hashRequests},
	{name: "ask for blocks while choked", write: blockRequests},
	{name: "write half a message", write: halfMessage},
	{name: "write half a message, encrypted", encrypt: mse.RC4, write: halfMessage},
}

func init() {
	for _, a := range attacks {
		scenarios = append(scenarios,
			scenario{"480 peers " + a.name, []string{"384M"}, a.run(480)},
			scenario{"80 peers " + a.name, []string{"64M"}, a.run(attackPeers)})
	}
}

// introduction is an extension handshake.
func introduction() []byte {
	h := wire.ExtHandshake{Extensions: wire.OurExtensions(wire.ExtMetadata)}
	return wire.Append(nil, &wire.Message{ID: wire.Extended,
		Payload: wire.AppendExtHandshake(nil, h)})
}

func metadataRequests() []byte {
	b := introduction()
	for i := range uint32(attackAsks) {
		ask := wire.AppendMetadata(nil, wire.Metadata{Type: wire.MetadataRequest, Piece: i % 60})
		b = wire.Append(b, &wire.Message{ID: wire.Extended, Ext: uint8(wire.ExtMetadata),
			Payload: ask})
	}
	return b
}

// hashRequests returns requests for the piece layer below root; see run.
func hashRequests() (b []byte) {
	for i := range uint32(attackAsks) {
		r := wire.HashRange{Length: wire.HashesMax,
			Index: i % (attackLayer / wire.HashesMax) * wire.HashesMax}
		b = wire.Append(b, &wire.Message{ID: wire.HashRequest,
			Payload: wire.AppendHashRange(nil, r)})
	}
	return b
}

func blockRequests() (b []byte) {
	for i := range uint32(7000) {
		b = wire.Append(b, &wire.Message{ID: wire.Request,
			Ref: block.Ref{Piece: i, Length: 3 * block.Size}})
	}
	return b
}

func halfMessage() []byte {
	b := binary.BigEndian.AppendUint32(introduction(), 2+wire.ExtendedMax)
	return append(append(b, byte(wire.Extended), 0), bytes.Repeat([]byte{'x'}, 100<<10)...)
}

// run lets peers attack a node that offers as many torrents as the attack takes. Each
// peer connects from an address of its own.
func (a attack) run(peers int) func(context.Context, *bench) (result, error) {
	return func(ctx context.Context, b *bench) (r result, err error) {
		args, infos, err := a.torrents(b, (peers+attackPeers-1)/attackPeers)
		if err != nil {
			return r, err
		}
		node, err := b.start("add", append(args, "--seed", "--no-dht", "--dir", b.dir)...)
		if err != nil {
			return r, err
		}
		defer node.Stop()
		addr, err := node.Addr(ctx)
		if err != nil {
			return r, explain(err, node)
		}
		if err := nodeproc.Pause(ctx, watched/4); err != nil { // the torrents are being read
			return r, err
		}
		before, err := node.Usage()
		if err != nil {
			return r, explain(err, node)
		}
		held := 0
		var conns []net.Conn
		for i := range peers {
			conn, err := a.shake(ctx, addr, infos[i%len(infos)], i)
			if err != nil {
				conns = append(conns, nil)
				continue
			}
			held++
			conns = append(conns, conn)
			defer conn.Close()
		}
		for i, conn := range conns { // all at once
			if conn != nil {
				a.say(conn, infos[i%len(infos)])
			}
		}
		if err := nodeproc.Pause(ctx, watched); err != nil {
			return r, err
		}
		r.used, err = node.Usage()
		r.what = fmt.Sprintf("%d shook hands; %d MiB before%s", held, before.PeakRSS>>20,
			warnings(node))
		return r, explain(err, node)
	}
}

// torrents makes n torrents and returns the paths of the files.
func (a attack) torrents(b *bench, count int) (paths []string, infos []*metainfo.Info, err error) {
	for i := range count {
		var t *metainfo.Torrent
		if a.v2 {
			content := filepath.Join(b.dir, fmt.Sprint("content-", i))
			if err := os.WriteFile(content, []byte{byte(i)}, 0o600); err != nil {
				return nil, nil, err
			}
			if err := os.Truncate(content, attackLayer*block.Size); err != nil {
				return nil, nil, err
			}
			t, err = metainfo.Build(context.Background(),
				metainfo.BuildOptions{Path: content, Kind: metainfo.V2, PieceLength: block.Size})
		} else {
			t, err = shape{pieces: attackPieces, length: block.Size,
				name: fmt.Sprint("content-", i)}.torrent(make([]byte, block.Size))
		}
		if err != nil {
			return nil, nil, err
		}
		path := filepath.Join(b.dir, fmt.Sprintf("%d.torrent", i))
		if err := os.WriteFile(path, t.Marshal(), 0o600); err != nil {
			return nil, nil, err
		}
		paths, infos = append(paths, path), append(infos, t.Info())
	}
	return paths, infos, nil
}

// strike connects the n-th peer and writes the attack.
func (a attack) strike(ctx context.Context, addr netip.AddrPort, info *metainfo.Info,
	n int) (net.Conn, error) {
	conn, err := a.shake(ctx, addr, info, n)
	if err == nil {
		a.say(conn, info)
	}
	return conn, err
}

// shake connects the n-th peer.
func (a attack) shake(ctx context.Context, addr netip.AddrPort, info *metainfo.Info,
	n int) (net.Conn, error) {
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(own(n), 0))}
	conn, err := d.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return nil, err
	}
	if !a.reads {
		conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	}
	hello := wire.Hello{InfoHash: info.Hash(),
		Reserved: wire.Reserved{}.With(wire.FeatureFast).With(wire.FeatureExtension)}
	copy(hello.PeerID[:], fmt.Sprintf("-XX0000-%d-%d", n, a.id))
	shaken, err := peer.Dial(ctx, conn, peer.Offer{Mine: hello, Encrypt: a.encrypt})
	return shaken.Conn, err
}

// say writes the attack, or as much of it as the node reads.
func (a attack) say(conn net.Conn, info *metainfo.Info) {
	words := a.write()
	if a.v2 { // the root is the first field of each request
		root := info.Layout().Files[0].Root
		for at := 0; at < len(words); at += wire.PrefixSize + 1 + wire.HashRangeSize {
			copy(words[at+wire.PrefixSize+1:], root[:])
		}
	}
	conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
	io.Copy(conn, bytes.NewReader(words))
}
