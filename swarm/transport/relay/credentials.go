package relay

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"swarmnode/swarm/limit"
)

const (
	// CredentialLife is how long credentials allow a new allocation. An allocation keeps its
	// own for as long as it lasts.
	CredentialLife = 10 * time.Minute
	// SecretLife is how long one secret makes new credentials. Credentials of the secret
	// before still count until they expire.
	SecretLife = time.Hour

	secretSize   = 32
	passwordSize = 18 // bytes of the digest in a password, 24 characters
	userSizeMax  = 20 // decimal digits of an expiry
)

// Credentials return the user and the password with which a client at ip may ask for an
// allocation until CredentialLife after now. They are those of the TURN REST API: the user
// is the time of expiry (in seconds since 1970), and the password is a digest of it under the
// secret. The digest also covers the address: of IPv4 the address itself, of IPv6 its /64,
// since hosts change the rest of it. So nobody can use the credentials from elsewhere, and
// the server needs to keep nothing.
func Credentials(secret []byte, ip netip.Addr, now time.Time) (user, password string) {
	user = strconv.FormatInt(now.Add(CredentialLife).Unix(), 10)
	return user, passwordOf(secret, user, ip)
}

// passwordOf returns the password of a user at ip.
func passwordOf(secret []byte, user string, ip netip.Addr) string {
	digest := hmac.New(sha256.New, secret)
	source := limit.SourceOf(ip).As16()
	digest.Write(source[:])
	digest.Write([]byte(user))
	return base64.RawURLEncoding.EncodeToString(digest.Sum(nil)[:passwordSize])
}

// passwordAt returns the password of a user at ip, if the user has not expired at now and
// can be one of ours.
func passwordAt(secret []byte, user string, ip netip.Addr, now time.Time) (string, bool) {
	if len(user) > userSizeMax {
		return "", false
	}
	expiry, err := strconv.ParseInt(user, 10, 64)
	if err != nil || expiry < now.Unix() || expiry > now.Add(CredentialLife+time.Second).Unix() {
		return "", false
	}
	return passwordOf(secret, user, ip), true
}

// Keys make credentials under a secret that changes every SecretLife, and that nobody else
// knows. They are safe for concurrent use.
type Keys struct {
	mu              sync.Mutex
	current, former [secretSize]byte
	// since is when current came into use, or will: always at a full second, so that an
	// expiry says which secret made it.
	since time.Time
}

// NewKeys returns Keys with a random secret.
func NewKeys(now time.Time) *Keys {
	k := &Keys{since: now.Truncate(time.Second)}
	rand.Read(k.current[:]) // never fails
	rand.Read(k.former[:])
	return k
}

// Credentials return credentials for a client at ip, as the function of that name does.
func (k *Keys) Credentials(ip netip.Addr, now time.Time) (user, password string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.rotate(now)
	return Credentials(k.secret(now), ip, now)
}

// password returns the password of a user at ip, if the user's name is one that was made
// within the last CredentialLife.
func (k *Keys) password(user string, ip netip.Addr, now time.Time) (string, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.rotate(now)
	expiry, err := strconv.ParseInt(user, 10, 64)
	if err != nil {
		return "", false
	}
	made := time.Unix(expiry, 0).Add(-CredentialLife)
	return passwordAt(k.secret(made), user, ip, now)
}

// secret returns the secret that was or will be in use at a time. The caller holds mu.
func (k *Keys) secret(at time.Time) []byte {
	if at.Before(k.since) {
		return k.former[:]
	}
	return k.current[:]
}

// rotate exchanges the secret once it is old. The caller holds mu.
func (k *Keys) rotate(now time.Time) {
	age := now.Sub(k.since)
	if age < SecretLife {
		return
	}
	k.former = k.current
	if age >= SecretLife+CredentialLife { // nothing made under the current one counts
		rand.Read(k.former[:])
	}
	rand.Read(k.current[:])
	k.since = now.Truncate(time.Second).Add(time.Second)
}
