package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/transport/mse"
	"swarmnode/swarm/wire"
)

// HandshakeTimeout bounds a whole handshake, however its bytes trickle in. On any usable
// path a handshake takes two round trips.
const HandshakeTimeout = 10 * time.Second

// Errors of the handshake, besides those of the connection. Bytes that are no handshake
// are a wire.ProtocolError.
var (
	// ErrUnknownHash: the connecting peer asks for a torrent that we do not serve.
	ErrUnknownHash = errors.New("the peer asks for an unknown torrent")
	// ErrOtherHash: the peer answered with another info-hash than we asked for.
	ErrOtherHash = errors.New("the peer answered for another torrent")
	// ErrHungUp: the peer closed a connection that we made without a word. It may not have
	// the torrent, or want another kind of handshake.
	ErrHungUp = mse.ErrHungUp
	// ErrPlain: the connecting peer does not encrypt, and the policy requires it.
	ErrPlain = errors.New("the peer does not encrypt")
	// ErrTooManyKeys: there is no time now to compute a key for the peer.
	ErrTooManyKeys = errors.New("too many encrypted handshakes")
)

// Shaken is the result of a handshake.
type Shaken struct {
	Conn      net.Conn // to go on with
	Theirs    wire.Hello
	Mine      wire.Hello
	Encrypted bool // the handshake was, and perhaps what follows
}

// An Offer is what we say to a peer on a connection that we made.
type Offer struct {
	Mine wire.Hello
	// Others are info-hashes that the answer may name as well: a peer that
	// knows both sides of a hybrid torrent may answer with its v2 hash (BEP 52).
	Others []metainfo.Hash
	// Encrypt holds the methods to offer in an encrypted handshake; 0 means a plain one.
	Encrypt mse.Method
}

// Dial shakes hands (BEP 3) on a connection that we made. It gives up when ctx ends, and
// after HandshakeTimeout. On error conn is closed.
func Dial(ctx context.Context, conn net.Conn, offer Offer) (Shaken, error) {
	s := Shaken{Conn: conn, Mine: offer.Mine, Encrypted: offer.Encrypt != 0}
	err := dialogue(ctx, conn, func() (err error) {
		var b [wire.HelloSize]byte
		hello := wire.AppendHello(b[:0], offer.Mine)
		if s.Encrypted {
			hidden, err := mse.Dial(conn, mse.Key(offer.Mine.InfoHash), offer.Encrypt, hello)
			if err != nil {
				return err
			}
			s.Conn = hidden.Bare()
		} else if _, err := conn.Write(hello); err != nil {
			return mse.HungUp(0, err)
		}
		if n, err := readHello(s.Conn, b[:], 0); err != nil {
			return mse.HungUp(n, err)
		}
		if s.Theirs, err = wire.ParseHello(b[:]); err != nil {
			return err
		}
		if got := s.Theirs.InfoHash; got != offer.Mine.InfoHash &&
			!slices.Contains(offer.Others, got) {
			return ErrOtherHash
		}
		return nil
	})
	return s, err
}

// A Welcome says how to answer peers that connect.
type Welcome struct {
	// Answer returns our side of the handshake, or false for a torrent that we do not
	// serve. It sees the info-hash and the reserved bits; the peer id comes after the
	// answer, since some peers send it late.
	Answer func(theirs wire.Hello) (wire.Hello, bool)
	// Encryption is the policy. Key finds the info-hash of a torrent for an encrypted
	// handshake. MayCompute reports whether there is time for one, which costs a fraction
	// of a millisecond. Both may be nil if the policy is EncryptionOff.
	Encryption Encryption
	Key        func(mse.ID) (mse.Key, bool)
	MayCompute func() bool
}

// Accept shakes hands on a connection that a peer made. We say nothing that identifies us
// before the peer has named a torrent. Accept gives up when ctx ends, and after
// HandshakeTimeout. On error conn is closed.
func Accept(ctx context.Context, conn net.Conn, w Welcome) (Shaken, error) {
	s := Shaken{Conn: conn}
	err := dialogue(ctx, conn, func() error {
		var b [wire.HelloSize]byte
		n, err := readHello(conn, b[:wire.HelloHashEnd], 0)
		plain := wire.HelloPrefix(b[:n])
		switch {
		case plain && err != nil:
			return err
		case plain && w.Encryption == EncryptionRequired:
			return ErrPlain
		case !plain && w.Encryption == EncryptionOff:
			return err
		case !plain:
			if err := s.decrypt(w, b[:n]); err != nil {
				return err
			}
			if _, err := readHello(s.Conn, b[:wire.HelloHashEnd], 0); err != nil {
				return err
			}
		}
		return s.answer(w, b[:])
	})
	return s, err
}

// decrypt performs an encrypted handshake that starts with the bytes read.
func (s *Shaken) decrypt(w Welcome, read []byte) error {
	server := mse.Server{Allow: w.Encryption.accepted(), MayCompute: w.MayCompute, Find: w.Key}
	hidden, key, err := server.Accept(s.Conn, read)
	switch {
	case errors.Is(err, mse.ErrUnknownKey):
		return ErrUnknownHash
	case errors.Is(err, mse.ErrBusy):
		return ErrTooManyKeys
	case errors.Is(err, mse.ErrNoSync):
		return wire.ProtocolError{Rule: wire.RuleHandshake}
	case err != nil:
		return err
	}
	s.Conn, s.Encrypted = hidden, true
	s.Mine.InfoHash = metainfo.Hash(key)
	return nil
}

// answer completes the handshake, once b holds its first HelloHashEnd bytes.
func (s *Shaken) answer(w Welcome, b []byte) error {
	first, err := wire.ParseHello(b[:wire.HelloHashEnd])
	if err != nil {
		return err
	}
	if s.Encrypted && first.InfoHash != s.Mine.InfoHash {
		return ErrOtherHash // of two torrents of ours; the peer knows its mind
	}
	var ok bool
	if s.Mine, ok = w.Answer(first); !ok {
		return ErrUnknownHash
	}
	var out [wire.HelloSize]byte
	if _, err := s.Conn.Write(wire.AppendHello(out[:0], s.Mine)); err != nil {
		return err
	}
	if _, err := readHello(s.Conn, b, wire.HelloHashEnd); err != nil {
		return err
	}
	if hidden, ok := s.Conn.(*mse.Conn); ok {
		s.Conn = hidden.Bare()
	}
	s.Theirs, err = wire.ParseHello(b)
	return err
}

// dialogue runs talk under one deadline, and closes conn if talk fails.
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

// readHello fills b from index n on, and gives up at the first byte that no handshake has
// there. It returns how many bytes of b are filled.
func readHello(conn net.Conn, b []byte, n int) (int, error) {
	for n < len(b) {
		k, err := conn.Read(b[n:])
		n += k
		if !wire.HelloPrefix(b[:n]) {
			return n, wire.ProtocolError{Rule: wire.RuleHandshake}
		}
		if err != nil && n < len(b) {
			return n, err
		}
	}
	return n, nil
}
