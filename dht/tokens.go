package dht

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"time"
)

const (
	// tokenPeriod is how often the secret changes. Tokens of the previous secret are
	// still accepted, so a token is valid for 5 to 10 minutes, BEP 5.
	tokenPeriod = 5 * time.Minute
	tokenLen    = 8
)

// tokens makes and checks the tokens that prove that the sender of an announce
// receives packets at its address. It keeps no state per sender.
type tokens struct {
	secrets [2][16]byte // the current one first
	rotated instant
}

func newTokens(now instant, rng *rand.Rand) tokens {
	t := tokens{rotated: now}
	for i := range t.secrets {
		t.secrets[i] = newSecret(rng)
	}
	return t
}

func newSecret(rng *rand.Rand) (s [16]byte) {
	binary.BigEndian.PutUint64(s[:8], rng.Uint64())
	binary.BigEndian.PutUint64(s[8:], rng.Uint64())
	return s
}

// rotate replaces the secret when tokenPeriod has passed.
func (t *tokens) rotate(now instant, rng *rand.Rand) {
	for now-t.rotated >= tokenPeriod {
		t.secrets[1], t.secrets[0] = t.secrets[0], newSecret(rng)
		t.rotated += tokenPeriod
		if now-t.rotated >= 2*tokenPeriod { // after a suspend: both secrets are stale
			t.rotated = now - tokenPeriod
		}
	}
}

// make returns the token for a sender at ip and a target.
func (t *tokens) make(ip netip.Addr, target ID) [tokenLen]byte {
	return makeToken(&t.secrets[0], ip, target)
}

// valid reports whether token was made for ip and target within the last 5 to
// 10 minutes.
func (t *tokens) valid(token []byte, ip netip.Addr, target ID) bool {
	ok := 0
	for i := range t.secrets {
		want := makeToken(&t.secrets[i], ip, target)
		ok |= subtle.ConstantTimeCompare(token, want[:])
	}
	return ok == 1
}

func makeToken(secret *[16]byte, ip netip.Addr, target ID) [tokenLen]byte {
	var b [16 + 16 + 20]byte
	copy(b[:], secret[:])
	ip16 := ip.As16()
	copy(b[16:], ip16[:])
	copy(b[32:], target[:])
	sum := sha256.Sum256(b[:])
	return [tokenLen]byte(sum[:tokenLen])
}
