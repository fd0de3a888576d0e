package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/wire"
)

// HandshakeTimeout bounds a whole handshake, however its bytes trickle in: on
// any usable path it takes two round trips.
const HandshakeTimeout = 10 * time.Second

// Errors of the handshake besides those of the connection. Bytes that are no
// handshake are a wire.ProtocolError.
var (
	// ErrUnknownHash: the peer that connected asks for a torrent that is not
	// served here.
	ErrUnknownHash = errors.New("the peer asks for an unknown torrent")
	// ErrOtherHash: the peer answered with another torrent than was asked for.
	ErrOtherHash = errors.New("the peer answered for another torrent")
)

// Dial has the dialogue of the handshake (BEP 3) on a connection that we made:
// it says mine, and returns what the peer says. The answer has to name the
// same info-hash, or one of others: a peer that knows both sides of a hybrid
// torrent may answer with its v2 hash (BEP 52). The dialogue ends with ctx and
// after HandshakeTimeout. On error conn is closed.
func Dial(ctx context.Context, conn net.Conn, mine wire.Hello, others ...metainfo.Hash) (theirs wire.Hello, err error) {
	err = dialogue(ctx, conn, func() error {
		var b [wire.HelloSize]byte
		if _, err := conn.Write(wire.AppendHello(b[:0], mine)); err != nil {
			return err
		}
		if err := readHello(conn, b[:], 0); err != nil {
			return err
		}
		theirs, err = wire.ParseHello(b[:])
		if err != nil {
			return err
		}
		if theirs.InfoHash != mine.InfoHash && !slices.Contains(others, theirs.InfoHash) {
			return ErrOtherHash
		}
		return nil
	})
	return theirs, err
}

// Accept has the dialogue of the handshake on a connection that a peer made.
// Nothing is said before the peer has named a torrent; answer then returns
// what to say, or false for a torrent that is not served here. answer sees
// the info-hash and the reserved bits; the peer id comes after the answer, as
// some peers send it late. The dialogue ends with ctx and after
// HandshakeTimeout. On error conn is closed.
func Accept(ctx context.Context, conn net.Conn, answer func(theirs wire.Hello) (wire.Hello, bool)) (theirs, mine wire.Hello, err error) {
	err = dialogue(ctx, conn, func() error {
		var b [wire.HelloSize]byte
		if err := readHello(conn, b[:wire.HelloHashEnd], 0); err != nil {
			return err
		}
		first, err := wire.ParseHello(b[:wire.HelloHashEnd])
		if err != nil {
			return err
		}
		var ok bool
		if mine, ok = answer(first); !ok {
			return ErrUnknownHash
		}
		var out [wire.HelloSize]byte
		if _, err := conn.Write(wire.AppendHello(out[:0], mine)); err != nil {
			return err
		}
		if err := readHello(conn, b[:], wire.HelloHashEnd); err != nil {
			return err
		}
		theirs, err = wire.ParseHello(b[:])
		return err
	})
	return theirs, mine, err
}

// dialogue runs talk under one deadline, and closes conn when it comes to
// nothing.
func dialogue(ctx context.Context, conn net.Conn, talk func() error) error {
	deadline := time.Now().Add(HandshakeTimeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	err := conn.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	if err == nil {
		err = talk()
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err == nil {
		return nil
	}
	conn.Close()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return fmt.Errorf("handshake: %w", err)
}

// readHello fills b from index from on, and gives up at the first byte that
// no handshake has there.
func readHello(conn net.Conn, b []byte, from int) error {
	for from < len(b) {
		n, err := conn.Read(b[from:])
		from += n
		if !wire.HelloPrefix(b[:from]) {
			return wire.ProtocolError{Rule: wire.RuleHandshake}
		}
		if err != nil && from < len(b) {
			return err
		}
	}
	return nil
}
