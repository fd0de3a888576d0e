package control

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/scrypt"
)

// The cost of a new password: 7 MiB and 5 passes of Argon2id, which OWASP counts as equal to
// more memory and fewer passes. A daemon with little memory can afford it.
const (
	argonMemory = 7 << 10 // KiB
	argonPasses = 5
	saltBytes   = 16
	keyBytes    = 32
)

// Bounds of what a hash may cost, so that a password file cannot stop the daemon.
const (
	hashMemoryMax = 64 << 20  // bytes
	hashWorkMax   = 512 << 20 // bytes times passes
	passwordMax   = 1 << 10   // bytes of a password; longer ones are wrong
	lanesMax      = 16
)

// tokenPrefix starts a token, so that programs that look for leaked secrets know it.
const tokenPrefix = "swn_"

// A secretHash is what the password file has of a password or token.
type secretHash struct {
	kind  hashKind
	salt  []byte
	key   []byte
	n     int // scrypt: the cost; argon2id: memory in KiB
	r     int // scrypt: the block size; argon2id: passes
	lanes int
}

type hashKind uint8

const (
	hashToken hashKind = iota // SHA-256 of a token, which is too long to be guessed
	hashArgon
	hashScrypt
)

// HashPassword returns the hash of a password, for an Entry.
func HashPassword(password string) (string, error) {
	switch {
	case password == "":
		return "", errors.New("the password is empty")
	case len(password) > passwordMax:
		return "", fmt.Errorf("the password has more than %d bytes", passwordMax)
	}
	h := secretHash{kind: hashArgon, n: argonMemory, r: argonPasses, lanes: 1,
		salt: make([]byte, saltBytes)}
	rand.Read(h.salt)
	h.key = h.derive(password, keyBytes)
	return h.String(), nil
}

// NewToken returns a new token, which is shown once, and its hash, for an Entry.
func NewToken() (token, hash string) {
	var secret [keyBytes]byte
	rand.Read(secret[:])
	token = tokenPrefix + base64.RawURLEncoding.EncodeToString(secret[:])
	sum := sha256.Sum256([]byte(token))
	return token, (&secretHash{kind: hashToken, key: sum[:]}).String()
}

// derive returns the key that belongs to a password.
func (h *secretHash) derive(password string, length int) []byte {
	switch h.kind {
	case hashArgon:
		return argon2.IDKey([]byte(password), h.salt, uint32(h.r), uint32(h.n), uint8(h.lanes),
			uint32(length))
	case hashScrypt:
		key, err := scrypt.Key([]byte(password), h.salt, h.n, h.r, h.lanes, length)
		if err == nil {
			return key
		}
	case hashToken:
		sum := sha256.Sum256([]byte(password))
		return sum[:]
	}
	return nil
}

// matches reports whether it is the hash of a password. It takes memory bytes of memory.
func (h *secretHash) matches(password string) bool {
	if len(password) > passwordMax {
		return false
	}
	return subtle.ConstantTimeCompare(h.derive(password, len(h.key)), h.key) == 1
}

// memory returns how many bytes matches takes.
func (h *secretHash) memory() int64 {
	switch h.kind {
	case hashArgon:
		return int64(h.n) << 10
	case hashScrypt:
		return 128 * int64(h.n) * int64(h.r)
	}
	return 0
}

func (h *secretHash) String() string {
	b64 := base64.RawStdEncoding
	switch h.kind {
	case hashArgon:
		return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.n, h.r,
			h.lanes, b64.EncodeToString(h.salt), b64.EncodeToString(h.key))
	case hashScrypt:
		return fmt.Sprintf("$scrypt$ln=%d,r=%d,p=%d$%s$%s", bits.Len(uint(h.n))-1, h.r, h.lanes,
			b64.EncodeToString(h.salt), b64.EncodeToString(h.key))
	}
	return "$sha256$" + hex.EncodeToString(h.key)
}

// parseHash parses a hash in the PHC string format: argon2id or scrypt, or the SHA-256 of a
// token.
func parseHash(s string) (*secretHash, error) {
	parts := strings.Split(s, "$")
	h := new(secretHash)
	bad := errors.New("not a hash of argon2id or scrypt, nor of a token")
	switch {
	case len(parts) == 3 && parts[0] == "" && parts[1] == "sha256":
		key, err := hex.DecodeString(parts[2])
		if err != nil || len(key) != sha256.Size {
			return nil, bad
		}
		h.key = key
		return h, nil
	case len(parts) == 6 && parts[0] == "" && parts[1] == "argon2id":
		if parts[2] != "v="+strconv.Itoa(argon2.Version) {
			return nil, errors.New("a hash of an unknown version of argon2id")
		}
		h.kind = hashArgon
		parts = parts[3:]
	case len(parts) == 5 && parts[0] == "" && parts[1] == "scrypt":
		h.kind = hashScrypt
		parts = parts[2:]
	default:
		return nil, bad
	}
	if err := h.parseCost(parts[0]); err != nil {
		return nil, err
	}
	var errSalt, errKey error
	h.salt, errSalt = base64.RawStdEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	h.key, errKey = base64.RawStdEncoding.DecodeString(strings.TrimRight(parts[2], "="))
	if errSalt != nil || errKey != nil || len(h.salt) < 8 || len(h.salt) > 64 ||
		len(h.key) < 16 || len(h.key) > 64 {
		return nil, bad
	}
	return h, nil
}

// parseCost parses the parameters of a hash.
func (h *secretHash) parseCost(s string) error {
	names := [...]string{"m", "t", "p"}
	if h.kind == hashScrypt {
		names = [...]string{"ln", "r", "p"}
	}
	words := strings.Split(s, ",")
	if len(words) != len(names) {
		return errors.New("a hash without its cost")
	}
	var values [len(names)]int
	for i, word := range words {
		name, number, _ := strings.Cut(word, "=")
		n, err := strconv.ParseUint(number, 10, 31)
		if name != names[i] || err != nil || n == 0 {
			return errors.New("a hash without its cost")
		}
		values[i] = int(n)
	}
	h.n, h.r, h.lanes = values[0], values[1], values[2]
	passes := int64(h.r)
	if h.kind == hashScrypt {
		if h.n > 30 || h.r > 1<<10 {
			return errors.New("a hash that costs too much")
		}
		h.n = 1 << h.n
		passes = int64(h.lanes)
	}
	if h.lanes > lanesMax || h.memory() > hashMemoryMax || h.memory()*passes > hashWorkMax {
		return errors.New("a hash that costs too much: at most 64 MiB, and 512 MiB times passes")
	}
	return nil
}
