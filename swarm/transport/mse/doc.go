// Package mse hides the peer protocol behind Message Stream Encryption, which
// many clients try first and some insist on: a Diffie-Hellman exchange, the
// name of the torrent under it, and from then on RC4 or plain text.
//
// It keeps simple filters from recognising the protocol. It protects nothing:
// whoever knows the info-hash can pose as either side, and RC4 is broken.
//
// It owns a connection during the dialogue alone, and reads not one byte
// beyond it. It sets no deadline and chooses no policy: which methods are
// offered, and for whom a key is computed, is for the caller.
//
// Its nouns: a Method is what comes after the dialogue; a Key is the secret
// that both sides know, the info-hash; an ID is what tells a peer that knows
// the info-hash which one is meant; a Conn is the stream behind the dialogue.
package mse

import (
	"crypto/rc4"
	"crypto/sha1"
	"errors"
)

// A Method is a set of ways to go on after the dialogue.
type Method uint32

// The methods, as bits of crypto_provide and crypto_select.
const (
	Plain Method = 1 // no encryption beyond the dialogue
	RC4   Method = 2 // all of the stream
	Both  Method = Plain | RC4
)

func (m Method) String() string {
	switch m {
	case Plain:
		return "plain"
	case RC4:
		return "RC4"
	case Both:
		return "plain or RC4"
	}
	return "none"
}

// A Key is an info-hash, truncated if it is of version 2: what both sides have
// to know.
type Key [sha1.Size]byte

// An ID stands for a Key in the dialogue.
type ID [sha1.Size]byte

// ID returns what stands for k in the dialogue.
func (k Key) ID() ID { return ID(hash("req2", k[:])) }

// Errors of the dialogue besides those of the connection.
var (
	// ErrNoSync: what came is no such dialogue, or its parts contradict.
	ErrNoSync = errors.New("no encrypted handshake")
	// ErrDegenerate: the public key of the other side makes the secret one that
	// everybody knows.
	ErrDegenerate = errors.New("degenerate key in the encrypted handshake")
	// ErrUnknownKey: the peer that connected means none of our torrents.
	ErrUnknownKey = errors.New("the encrypted handshake is for an unknown torrent")
	// ErrBusy: there was no time to compute a key.
	ErrBusy = errors.New("no time to compute a key")
	// ErrHungUp: the peer ended the connection without saying a word.
	ErrHungUp = errors.New("the peer hung up without an answer")
	// ErrNoMethod: the sides have no method in common.
	ErrNoMethod = errors.New("no common method of encryption")
)

const (
	// padMax is how many random bytes may stand at each of the four places
	// that have some.
	padMax = 512
	// initialMax bounds the initial payload of the side that connects, in
	// bytes. A handshake has 68; the length field would allow 64 KiB.
	initialMax = 4 << 10
	// discarded is how many bytes of each RC4 stream are thrown away.
	discarded = 1024
	// check is the number of zero bytes that show that the keys agree.
	check = 8
)

// hash returns the SHA-1 of a word and what follows it.
func hash(word string, parts ...[]byte) [sha1.Size]byte {
	h := sha1.New()
	h.Write([]byte(word))
	for _, p := range parts {
		h.Write(p)
	}
	return [sha1.Size]byte(h.Sum(nil))
}

// hiddenID is how an ID is sent: only who knows the secret can tell.
func hiddenID(id ID, secret []byte) (hidden [sha1.Size]byte) {
	mask := hash("req3", secret)
	for i := range hidden {
		hidden[i] = id[i] ^ mask[i]
	}
	return hidden
}

// ciphers are the streams of both directions: from the side that connected and
// to it.
func ciphers(secret []byte, key Key) (from, to *rc4.Cipher) {
	return newCipher("keyA", secret, key), newCipher("keyB", secret, key)
}

func newCipher(word string, secret []byte, key Key) *rc4.Cipher {
	k := hash(word, secret, key[:])
	c, err := rc4.NewCipher(k[:])
	if err != nil {
		panic(err) // 20 bytes are a key
	}
	var skipped [discarded]byte
	c.XORKeyStream(skipped[:], skipped[:])
	return c
}
