package dht

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// TestTokenLife: BEP 5, "tokens up to ten minutes old are accepted".
func TestTokenLife(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	ip := netip.MustParseAddr("30.0.0.1")
	for _, c := range []struct {
		made, used time.Duration // since the start
		want       bool
	}{
		{0, 0, true},
		{0, 4 * time.Minute, true},
		{0, 9 * time.Minute, true},
		{4 * time.Minute, 9 * time.Minute, true},
		{4 * time.Minute, 11 * time.Minute, false},
		{0, 10 * time.Minute, false},
		{0, time.Hour, false},
		{59 * time.Minute, time.Hour, true},
	} {
		tokens := newTokens(clockStart, rng)
		at := time.Duration(0)
		for ; at < c.made; at += time.Minute {
			tokens.rotate(clockStart+at, rng)
		}
		tokens.rotate(clockStart+c.made, rng)
		token := tokens.make(ip, someHash)
		for ; at < c.used; at += time.Minute {
			tokens.rotate(clockStart+at, rng)
		}
		tokens.rotate(clockStart+c.used, rng)
		if got := tokens.valid(token[:], ip, someHash); got != c.want {
			t.Errorf("token made after %v and used after %v: valid %v, want %v", c.made, c.used,
				got, c.want)
		}
	}
}

// TestTokenBinding: a token is valid for one address and one target, and only whole.
func TestTokenBinding(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	tokens := newTokens(clockStart, rng)
	ip, six := netip.MustParseAddr("30.0.0.1"), netip.MustParseAddr("2001:db8::1")
	token := tokens.make(ip, someHash)
	longer := append(append([]byte(nil), token[:]...), 0)
	for _, c := range []struct {
		why    string
		token  []byte
		ip     netip.Addr
		target ID
		want   bool
	}{
		{"as made", token[:], ip, someHash, true},
		{"for another address", token[:], ip.Next(), someHash, false},
		{"for another family", token[:], six, someHash, false},
		{"for another target", token[:], ip, otherID, false},
		{"cut", token[:tokenLen-1], ip, someHash, false},
		{"longer", longer, ip, someHash, false},
		{"empty", nil, ip, someHash, false},
		{"of another node", (&tokens.secrets[1])[:tokenLen], ip, someHash, false},
	} {
		if got := tokens.valid(c.token, c.ip, c.target); got != c.want {
			t.Errorf("%s: valid %v, want %v", c.why, got, c.want)
		}
	}
}

// After a suspend no token of before is valid.
func TestTokensAfterSuspend(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	tokens := newTokens(clockStart, rng)
	ip := netip.MustParseAddr("30.0.0.1")
	old, now := tokens.make(ip, someHash), clockStart+100*24*time.Hour
	tokens.rotate(now, rng)
	if tokens.valid(old[:], ip, someHash) {
		t.Error("a token is valid after 100 days")
	}
	fresh := tokens.make(ip, someHash)
	tokens.rotate(now+4*time.Minute, rng)
	if !tokens.valid(fresh[:], ip, someHash) {
		t.Error("a fresh token is not valid")
	}
}
