package mse

import (
	"bytes"
	"crypto/rc4"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"syscall"
)

// Dial has the dialogue on a connection that we made. It offers the methods in
// offer and sends initial, the start of the stream, along with the question.
// What is said after initial has to wait for the return.
func Dial(conn net.Conn, key Key, offer Method, initial []byte) (*Conn, error) {
	if len(initial) > initialMax {
		return nil, fmt.Errorf("initial payload of %d bytes, of at most %d", len(initial),
			initialMax)
	}
	x := newExchange()
	if _, err := conn.Write(append(x.public[:], pad()...)); err != nil {
		return nil, HungUp(0, err)
	}
	var theirs [groupSize]byte
	if n, err := io.ReadFull(conn, theirs[:]); err != nil {
		return nil, HungUp(n, eof(err))
	}
	secret, err := x.secret(theirs[:])
	if err != nil {
		return nil, err
	}
	out, in := ciphers(secret, key)
	start, hidden := hash("req1", secret), hiddenID(key.ID(), secret)
	question := make([]byte, check, check+8+len(initial))
	question = binary.BigEndian.AppendUint32(question, uint32(offer))
	question = binary.BigEndian.AppendUint16(question, 0) // no padding: there was some already
	question = binary.BigEndian.AppendUint16(question, uint16(len(initial)))
	question = append(question, initial...)
	out.XORKeyStream(question, question)
	if _, err := conn.Write(slices.Concat(start[:], hidden[:], question)); err != nil {
		return nil, err
	}

	// The answer is found by its zeros, as they look when encrypted.
	var zeros [check]byte
	in.XORKeyStream(zeros[:], zeros[:])
	if err := search(conn, zeros[:]); err != nil {
		return nil, err
	}
	var answer [6]byte
	if err := readEncrypted(conn, in, answer[:]); err != nil {
		return nil, err
	}
	chosen := Method(binary.BigEndian.Uint32(answer[:]))
	if chosen != Plain && chosen != RC4 || chosen&offer == 0 {
		return nil, ErrNoMethod
	}
	if err := skipPad(conn, in, answer[4:]); err != nil {
		return nil, err
	}
	return newConn(conn, chosen, nil, in, out), nil
}

// A Server is how connections are answered that peers make.
type Server struct {
	// Allow are the methods that a peer may choose from. Of those that both
	// sides allow, plain text is preferred: it lets the system move the data.
	Allow Method
	// MayCompute reports whether there is time to compute a key, which costs a
	// fraction of a millisecond.
	MayCompute func() bool
	// Find returns the key of one of our torrents by its ID.
	Find func(ID) (Key, bool)
}

// Accept has the dialogue on a connection that a peer made, of which first has
// come already: at most FirstMax bytes.
//
// Nothing is said before the peer has sent a whole public key, nothing that
// identifies us before it has named a torrent of ours.
func (s *Server) Accept(conn net.Conn, first []byte) (*Conn, Key, error) {
	var theirs [groupSize]byte
	if len(first) > FirstMax {
		return nil, Key{}, fmt.Errorf("%d bytes were read ahead, of at most %d", len(first),
			FirstMax)
	}
	if err := readKey(conn, theirs[:], copy(theirs[:], first)); err != nil {
		return nil, Key{}, err
	}
	if !usable(theirs[:]) {
		return nil, Key{}, ErrDegenerate
	}
	if !s.MayCompute() {
		return nil, Key{}, ErrBusy
	}
	x := newExchange()
	secret, err := x.secret(theirs[:])
	if err != nil {
		return nil, Key{}, err
	}
	if _, err := conn.Write(append(x.public[:], pad()...)); err != nil {
		return nil, Key{}, err
	}
	start := hash("req1", secret)
	if err := search(conn, start[:]); err != nil {
		return nil, Key{}, err
	}
	var hidden [sha1.Size]byte
	if _, err := io.ReadFull(conn, hidden[:]); err != nil {
		return nil, Key{}, eof(err)
	}
	key, ok := s.Find(hiddenID(ID(hidden), secret)) // the mask undoes itself
	if !ok {
		return nil, Key{}, ErrUnknownKey
	}
	in, out := ciphers(secret, key)
	offer, initial, err := readQuestion(conn, in)
	if err != nil {
		return nil, Key{}, err
	}
	chosen := offer & s.Allow
	if chosen&Plain != 0 {
		chosen = Plain
	}
	if chosen &= Both; chosen == 0 {
		return nil, Key{}, ErrNoMethod
	}
	answer := make([]byte, check+6) // the padding is none
	binary.BigEndian.PutUint32(answer[check:], uint32(chosen))
	out.XORKeyStream(answer, answer)
	if _, err := conn.Write(answer); err != nil {
		return nil, Key{}, err
	}
	return newConn(conn, chosen, initial, in, out), key, nil
}

// FirstMax is how many bytes may have been read of a connection before Accept:
// no more than surely belong to the dialogue.
const FirstMax = groupSize

// asciiMax is after how many bytes a key that looks like text is none: one
// random key in 65,536 does, but every request of HTTP.
const asciiMax = 16

// readKey fills b, of which n bytes are there.
func readKey(conn net.Conn, b []byte, n int) error {
	for {
		if n >= asciiMax && !slices.ContainsFunc(b[:n], func(c byte) bool { return c >= 0x80 }) {
			return ErrNoSync
		}
		if n == len(b) {
			return nil
		}
		k, err := conn.Read(b[n:])
		if n += k; err != nil && n < len(b) {
			return eof(err)
		}
	}
}

// readQuestion reads what the side that connected sends after the ID.
func readQuestion(conn net.Conn, in *rc4.Cipher) (offer Method, initial []byte, err error) {
	var head [check + 6]byte
	if err := readEncrypted(conn, in, head[:]); err != nil {
		return 0, nil, err
	}
	if !bytes.Equal(head[:check], make([]byte, check)) {
		return 0, nil, ErrNoSync
	}
	offer = Method(binary.BigEndian.Uint32(head[check:]))
	if err := skipPad(conn, in, head[check+4:]); err != nil {
		return 0, nil, err
	}
	var size [2]byte
	if err := readEncrypted(conn, in, size[:]); err != nil {
		return 0, nil, err
	}
	n := int(binary.BigEndian.Uint16(size[:]))
	if n > initialMax {
		return 0, nil, ErrNoSync
	}
	initial = make([]byte, n)
	return offer, initial, readEncrypted(conn, in, initial)
}

// search reads up to the end of the first pattern in the stream, which at most
// padMax bytes may precede. It reads no byte beyond: each time as many as are
// missing if all that came so far belongs to the pattern as far as it can.
func search(conn net.Conn, pattern []byte) error {
	var seen []byte
	for {
		have := overlap(seen, pattern)
		if have == len(pattern) {
			return nil
		}
		if len(seen)-have > padMax {
			return ErrNoSync
		}
		at := len(seen)
		seen = slices.Grow(seen, len(pattern))[:at+len(pattern)-have]
		if _, err := io.ReadFull(conn, seen[at:]); err != nil {
			return eof(err)
		}
	}
}

// overlap returns how long a start of pattern is the end of seen.
func overlap(seen, pattern []byte) int {
	for n := min(len(seen), len(pattern)); n > 0; n-- {
		if bytes.HasSuffix(seen, pattern[:n]) {
			return n
		}
	}
	return 0
}

// skipPad reads padding of the given length, two bytes.
func skipPad(conn net.Conn, in *rc4.Cipher, length []byte) error {
	n := int(binary.BigEndian.Uint16(length))
	if n > padMax {
		return ErrNoSync
	}
	return readEncrypted(conn, in, make([]byte, n))
}

func readEncrypted(conn net.Conn, in *rc4.Cipher, b []byte) error {
	if _, err := io.ReadFull(conn, b); err != nil {
		return eof(err)
	}
	in.XORKeyStream(b, b)
	return nil
}

// HungUp makes ErrHungUp of the error that a connection ended with after n bytes
// came, if that is none and the other side ended it.
func HungUp(n int, err error) error {
	if n == 0 && (err == io.EOF || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE)) {
		return ErrHungUp
	}
	return err
}

// eof makes the end in the middle of something the end.
func eof(err error) error {
	if err == io.ErrUnexpectedEOF {
		return io.EOF
	}
	return err
}
