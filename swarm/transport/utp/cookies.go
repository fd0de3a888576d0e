package utp

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"time"
)

const (
	// cookieLife is how long a cookie is good: one to two times that. It is longer than
	// diallers take to send their first packet.
	cookieLife = 10 * time.Second
	// cookiesPerSecond bounds the answers that carry a cookie. Each costs some microseconds.
	cookiesPerSecond = 20_000
)

// cookies answer attempts to connect that nothing is remembered of. They are for floods: when
// there are more attempts than may be under way, or than may begin in a second, the answer to
// a SYN has as its number a hash of the address, of the id and of the number of the SYN. Who
// acknowledges that number has received it, and so has the connection from then on. The number
// has 16 bits, as the random one of any other connection. cookies belong to the holder of
// Socket.receiving.
type cookies struct {
	start time.Time // of the first period
	key   [16]byte
	rate  limitedRate
	until time.Time // cookies that may come back are good until then
}

// cookieOf returns the cookie of an attempt in a period.
func (k *cookies) cookieOf(period uint64, from netip.AddrPort, id uint16, first seq) seq {
	b := make([]byte, 0, sha256.BlockSize) // one block of the hash, with its padding
	b = append(b, k.key[:]...)
	ip := from.Addr().As16()
	b = append(b, ip[:]...)
	b = binary.BigEndian.AppendUint16(b, from.Port())
	b = binary.BigEndian.AppendUint16(b, id)
	b = binary.BigEndian.AppendUint16(b, uint16(first))
	b = binary.BigEndian.AppendUint64(b, period)
	sum := sha256.Sum256(b)
	return seq(binary.BigEndian.Uint16(sum[:]))
}

// period returns the period of a moment, counted from the first use.
func (k *cookies) period(now time.Time) uint64 {
	if k.start.IsZero() {
		k.start = now
		rand.Read(k.key[:])
	}
	return uint64(now.Sub(k.start) / cookieLife)
}

// answer returns the number for the answer to a SYN. It reports false when there have been
// too many answers in this second.
func (k *cookies) answer(now time.Time, from netip.AddrPort, syn *header) (seq, bool) {
	if !k.rate.allow(now, cookiesPerSecond) {
		return 0, false
	}
	k.until = now.Add(2 * cookieLife)
	return k.cookieOf(k.period(now), from, syn.id, syn.seq), true
}

// active reports whether connections may exist of which only their other ends know.
func (k *cookies) active(now time.Time) bool { return now.Before(k.until) }

// proves reports whether the first packet of a connection acknowledges a cookie, and returns
// the cookie.
func (k *cookies) proves(now time.Time, from netip.AddrPort, h *header) (seq, bool) {
	if !k.active(now) {
		return 0, false
	}
	period := k.period(now)
	for range 2 {
		if cookie := k.cookieOf(period, from, h.id-1, h.seq-1); h.ack == cookie-1 {
			return cookie, true
		}
		if period == 0 {
			break
		}
		period--
	}
	return 0, false
}
