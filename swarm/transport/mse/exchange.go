package mse

import (
	"crypto/rand"
	"math/big"
)

// groupSize is the size in bytes of public keys and of the secret.
const groupSize = 96

// exponentSize is the size in bytes of private keys: more does not make a
// group of this size stronger, only slower.
const exponentSize = 20

var (
	generator = big.NewInt(2)
	// prime is the 768-bit safe prime of the protocol.
	prime = must("FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD1" +
		"29024E088A67CC74020BBEA63B139B22514A08798E3404DD" +
		"EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245" +
		"E485B576625E7EC6F44C42E9A63A36210000000000090563")
	// highest is the largest public key that is not degenerate.
	highest = new(big.Int).Sub(prime, generator)
)

func must(hex string) *big.Int {
	n, ok := new(big.Int).SetString(hex, 16)
	if !ok {
		panic("mse: the prime is no number")
	}
	return n
}

// An exchange is our half of a Diffie-Hellman exchange.
type exchange struct {
	private *big.Int
	public  [groupSize]byte
}

func newExchange() *exchange {
	var b [exponentSize]byte
	rand.Read(b[:])
	b[0] |= 0x80 // never a small one
	x := &exchange{private: new(big.Int).SetBytes(b[:])}
	new(big.Int).Exp(generator, x.private, prime).FillBytes(x.public[:])
	return x
}

// usable reports whether a public key is inside of the group, and none of those
// whose powers are known beforehand.
func usable(theirs []byte) bool {
	y := new(big.Int).SetBytes(theirs)
	return y.Cmp(generator) >= 0 && y.Cmp(highest) <= 0
}

// secret returns what both sides have in common.
func (x *exchange) secret(theirs []byte) ([]byte, error) {
	if !usable(theirs) {
		return nil, ErrDegenerate
	}
	y := new(big.Int).SetBytes(theirs)
	s := make([]byte, groupSize)
	return y.Exp(y, x.private, prime).FillBytes(s), nil
}

// pad returns up to padMax random bytes.
func pad() []byte {
	var n [2]byte
	rand.Read(n[:])
	p := make([]byte, (int(n[0])<<8|int(n[1]))%(padMax+1))
	rand.Read(p)
	return p
}
