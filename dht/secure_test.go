package dht

import (
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// secureVectors are those of BEP 42, "Node ID restriction": an address, and an id
// that is valid there.
var secureVectors = []struct{ ip, id string }{
	{"124.31.75.21", "5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401"},
	{"21.75.31.124", "5a3ce9c14e7a08645677bbd1cfe7d8f956d53256"},
	{"65.23.51.170", "a5d43220bc8f112a3d426c84764f8c2a1150e616"},
	{"84.124.73.14", "1b0321dd1bb1fe518101ceef99462b947a01ff41"},
	{"43.213.53.83", "e56f6cbf5b7c4be0237986d5243b87aa6d51305a"},
}

func mustID(t *testing.T, s string) (id ID) {
	t.Helper()
	if n, err := hex.Decode(id[:], []byte(s)); n != len(id) || err != nil {
		t.Fatalf("%q is not an id: %v", s, err)
	}
	return id
}

// TestSecureVectors flips each bit of the ids that BEP 42 gives: the first 21 bits
// and the last three are bound to the address, and no others.
func TestSecureVectors(t *testing.T) {
	for _, v := range secureVectors {
		ip := netip.MustParseAddr(v.ip)
		id := mustID(t, v.id)
		if !isSecure(id, ip) {
			t.Errorf("%s: the id of BEP 42 does not fit", v.ip)
		}
		for bit := range idBits {
			other := id
			other[bit/8] ^= 0x80 >> (bit % 8)
			bound := bit < 21 || bit >= idBits-3
			if isSecure(other, ip) == bound {
				t.Errorf("%s: bit %d of the id is bound %v, want %v", v.ip, bit, !bound, bound)
			}
		}
	}
}

// TestSecureAddressBits: addresses that differ only in bits that BEP 42 masks are
// bound to the same ids.
func TestSecureAddressBits(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct {
		ip, other string
		same      bool
	}{
		{"8.8.8.8", "12.8.8.8", true},  // the mask of the first byte is 0x03
		{"8.8.8.8", "9.8.8.8", false},  // whose lowest bit counts
		{"8.8.8.8", "8.24.8.8", true},  // 0x0f
		{"8.8.8.8", "8.8.72.8", true},  // 0x3f
		{"8.8.8.8", "8.8.8.9", false},  // 0xff
		{"8.8.8.8", "8.8.40.8", false}, // 0x3f
		{"2001:db8:1:2::3", "2001:db8:1:2:ffff::4", true},
		{"2001:db8:1:2::3", "2001:db8:1:3::3", false},
		{"2001:db8:1:2::3", "2003:db8:1:2::3", false}, // 0x03 of the second byte
		{"2001:db8:1:2::3", "2401:db8:1:2::3", true},  // 0x01 of the first
	} {
		for range 8 {
			id := secureID(rng, netip.MustParseAddr(c.ip))
			if !isSecure(id, netip.MustParseAddr(c.ip)) {
				t.Fatalf("%s: our own id %s does not fit", c.ip, id)
			}
			if got := isSecure(id, netip.MustParseAddr(c.other)); got != c.same {
				t.Errorf("the id of %s fits %s: %v, want %v", c.ip, c.other, got, c.same)
			}
		}
	}
}

// BEP 42, "Enforcement": local addresses are exempted from the restriction.
func TestSecureExemptsLocalAddresses(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, ip := range []string{"10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1",
		"169.254.1.1", "127.0.0.1", "::1", "fe80::1", "fd00::1"} {
		if !isSecure(randomID(rng), netip.MustParseAddr(ip)) {
			t.Errorf("%s restricts the ids of its nodes", ip)
		}
	}
	for _, ip := range []string{"172.32.0.1", "11.0.0.1", "192.169.0.1", "2001:db8::1"} {
		if isSecure(ID{0: 0xaa, 1: 0xaa, 2: 0xaa}, netip.MustParseAddr(ip)) {
			t.Errorf("%s does not restrict the ids of its nodes", ip)
		}
	}
}
