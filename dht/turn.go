package dht

import (
	"context"
	"crypto/sha1"
	"errors"
	"net/netip"
	"time"

	"swarmnode/metainfo"
)

// RelayTarget is the info-hash under which DHT nodes announce themselves that run a TURN server
// for anybody. What they announce is the port of the DHT node, which gives out the credentials.
var RelayTarget = metainfo.Hash(sha1.Sum([]byte("swarmnode relay 1")))

// ErrNoRelay means that a node gives out no credentials for a TURN server.
var ErrNoRelay = errors.New("dht: not a relay")

const (
	// turnUserMax and turnPasswordMax bound, in bytes, the credentials that we take from others.
	turnUserMax, turnPasswordMax = 64, 64
	// turnLifeMax is the longest life that we believe.
	turnLifeMax = time.Hour
)

// TurnCredentials let one host ask a TURN server (RFC 8656) for an allocation.
type TurnCredentials struct {
	// User and Password are a long-term credential (RFC 8489, section 9.2), of at most 64 bytes
	// each.
	User, Password string
	// Port is that of the server, over UDP and TCP, at the address of the DHT node.
	Port uint16
	// Life is for how long they can be used, in whole seconds.
	Life time.Duration
}

// ServeTurn makes the node give out credentials for a TURN server on its host: to each host that
// asks with a valid token, and so receives packets at its address, those that grant returns for
// that address. The node calls grant from one goroutine, and grant must return soon. A nil grant
// makes the node treat such queries as unknown ones.
func (n *Node) ServeTurn(grant func(asker netip.Addr) TurnCredentials) {
	_ = n.call(func(c *core, _ instant) { c.grant = grant }) // a closed node answers nothing
}

// TurnCredentials asks the node at addr for credentials of its TURN server. That takes two round
// trips: the first one fetches a token. The error is ErrNoRelay if the node has no such server,
// or one of those of Ping.
func (n *Node) TurnCredentials(ctx context.Context, addr netip.AddrPort) (TurnCredentials, error) {
	token := make(chan []byte, 1)
	req := request{method: methodGetPeers, target: ID(RelayTarget)}
	err := n.askOne(ctx, addr, req, func(_ time.Duration, m *message) {
		token <- cloneToken(m.token)
	})
	if err != nil {
		return TurnCredentials{}, err
	}
	req.method = methodTurn
	if req.token = <-token; len(req.token) == 0 {
		return TurnCredentials{}, ErrNoRelay
	}
	answer := make(chan TurnCredentials, 1)
	err = n.askOne(ctx, addr, req, func(_ time.Duration, m *message) { answer <- turnOf(m) })
	if refusal, ok := errors.AsType[*RemoteError](err); ok && refusal.Code == errorMethod.code {
		return TurnCredentials{}, ErrNoRelay
	}
	if err != nil {
		return TurnCredentials{}, err
	}
	got := <-answer
	if got.Port == 0 {
		return got, ErrNoRelay
	}
	return got, nil
}

// turnOf returns the credentials in an answer, or none at all.
func turnOf(m *message) TurnCredentials {
	if len(m.user) == 0 || len(m.user) > turnUserMax || len(m.password) == 0 ||
		len(m.password) > turnPasswordMax || m.life <= 0 || !m.hasPort || m.port < 1 ||
		m.port > 65535 {
		return TurnCredentials{}
	}
	return TurnCredentials{User: string(m.user), Password: string(m.password),
		Port: uint16(m.port),
		Life: time.Duration(min(m.life, int64(turnLifeMax/time.Second))) * time.Second}
}

// answerTurn appends the values of an answer with credentials.
func (c *core) answerTurn(f *family, from netip.AddrPort, dst []byte) []byte {
	given := c.grant(from.Addr())
	dst = appendReplyHead(dst, from)
	dst = appendPair(dst, "id", f.id[:])
	dst = appendNumber(dst, "life", int64(given.Life/time.Second))
	dst = appendPair(dst, "password", given.Password)
	dst = appendNumber(dst, "port", int64(given.Port))
	return appendPair(dst, "user", given.User)
}
