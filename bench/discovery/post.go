//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/wire"
)

// messageMax bounds what the post reads of one message, in bytes: a bitfield or an
// extension handshake.
const messageMax = 64 << 10

// A post is the peer that a client has to find. It records the time of the first
// connection, shakes hands, and can name another post by peer exchange.
type post struct {
	addr   netip.AddrPort
	tells  netip.AddrPort // the post that it names, if valid
	listen net.Listener
	first  chan time.Time // of the first connection; capacity 1
	shaken chan struct{}  // closed after the first handshake
	once   sync.Once
	wait   sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
}

// newPost starts a post at an address.
func newPost(addr, tells netip.AddrPort) (*post, error) {
	l, err := net.Listen("tcp", addr.String())
	if err != nil {
		return nil, err
	}
	p := &post{addr: addr, tells: tells, listen: l, first: make(chan time.Time, 1),
		shaken: make(chan struct{})}
	p.wait.Go(p.serve)
	return p, nil
}

func (p *post) serve() {
	for {
		conn, err := p.listen.Accept()
		if err != nil {
			return
		}
		select {
		case p.first <- time.Now():
		default:
		}
		p.mu.Lock()
		p.conns = append(p.conns, conn)
		p.mu.Unlock()
		p.wait.Go(func() {
			defer conn.Close()
			_ = p.talk(conn) // a client that hangs up has connected all the same
		})
	}
}

// close ends the post and its connections.
func (p *post) close() {
	p.listen.Close()
	p.mu.Lock()
	for _, c := range p.conns {
		c.Close()
	}
	p.mu.Unlock()
	p.wait.Wait()
}

// talk shakes hands, and names the other post as soon as the client has said how.
func (p *post) talk(conn net.Conn) error {
	var theirs [wire.HelloSize]byte
	if _, err := io.ReadFull(conn, theirs[:]); err != nil {
		return err
	}
	hello, err := wire.ParseHello(theirs[:])
	if err != nil {
		return err
	}
	answer := wire.Hello{InfoHash: hello.InfoHash,
		Reserved: wire.Reserved{}.With(wire.FeatureExtension)}
	copy(answer.PeerID[:], "-PO0001-"+p.addr.String())
	out := wire.AppendHello(nil, answer)
	out = wire.Append(out, &wire.Message{ID: wire.Extended,
		Payload: wire.AppendExtHandshake(nil, wire.ExtHandshake{
			Extensions: wire.OurExtensions(wire.ExtPEX), Port: p.addr.Port(), Reqq: 250,
		})})
	if _, err := conn.Write(out); err != nil {
		return err
	}
	p.once.Do(func() { close(p.shaken) })
	for {
		m, err := readMessage(conn)
		if err != nil {
			return err
		}
		if m.ID != wire.Extended || m.Ext != wire.ExtHandshakeNumber || !p.tells.IsValid() {
			continue
		}
		h, err := wire.ParseExtHandshake(m.Payload)
		if err != nil {
			return err
		}
		if n := h.Extensions.Number(wire.ExtPEX); n != 0 {
			told := wire.PEX{Added: []wire.PEXPeer{{Addr: p.tells, Flags: wire.PEXReachable}}}
			if _, err := conn.Write(wire.Append(nil,
				&wire.Message{ID: wire.Extended, Ext: n,
					Payload: wire.AppendPEX(nil, told)})); err != nil {
				return err
			}
		}
	}
}

func readMessage(r io.Reader) (wire.Message, error) {
	var prefix [4]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return wire.Message{}, err
	}
	n := binary.BigEndian.Uint32(prefix[:])
	if n == 0 {
		return wire.Message{ID: wire.KeepAlive}, nil
	}
	if n > messageMax {
		return wire.Message{}, errors.New("a message is too long")
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return wire.Message{}, err
	}
	return wire.Parse(body)
}

// hashOf returns the info-hash of a torrent of this program.
func hashOf(hex string) (metainfo.Hash, error) {
	h, err := metainfo.ParseHash(hex)
	if err != nil {
		return h, fmt.Errorf("info-hash of the benchmark: %w", err)
	}
	return h, nil
}
