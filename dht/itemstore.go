package dht

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha1"
	"net/netip"
	"time"

	"github.com/anacrolix/dht/v2/bep44"
)

const (
	itemValueMax = 1000 // bytes of v, bencoded, BEP 44
	itemSaltMax  = 64   // bytes, BEP 44

	// itemLife is how long an item lives without another put; BEP 44,
	// "Expiration", has publishers put again every hour.
	itemLife = 2 * time.Hour

	// itemsPerAddr bounds the items that one public address keeps alive here.
	itemsPerAddr = 32
)

type storedItem struct {
	value   []byte // bencoded
	key     []byte // 32 bytes, or nil for an immutable item
	sig     []byte
	salt    []byte
	seq     int64
	owner   netip.Addr // who put it last
	expires instant
}

// itemStore holds the items of BEP 44 that others put here, for both families.
// Their number is bounded; at the default limit a full store takes about 1 MB.
type itemStore struct {
	itemsMax int
	items    map[ID]*storedItem
	perAddr  map[netip.Addr]int
}

func newItemStore(itemsMax int) itemStore {
	return itemStore{itemsMax: itemsMax, items: make(map[ID]*storedItem), perAddr: make(map[netip.Addr]int)}
}

func immutableTarget(value []byte) ID { return sha1.Sum(value) }

func mutableTarget(key, salt []byte) ID {
	b := make([]byte, 0, ed25519.PublicKeySize+itemSaltMax)
	return sha1.Sum(append(append(b, key...), salt...))
}

func (s *itemStore) get(now instant, target ID) *storedItem {
	if it := s.items[target]; it != nil && now < it.expires {
		return it
	}
	return nil
}

// checkItem tells whether the arguments of a put make an item, and its target.
// The signature is checked last, since it costs most.
func checkItem(m *message) (target ID, e *krpcError) {
	switch {
	case m.value == nil:
		return target, &errorItem
	case len(m.value) > itemValueMax:
		return target, &errorValue
	case m.key == nil && m.sig == nil:
		return immutableTarget(m.value), nil
	case len(m.salt) > itemSaltMax:
		return target, &errorSalt
	case m.key == nil || m.sig == nil || !m.hasSeq:
		return target, &errorItem
	}
	return mutableTarget(m.key, m.salt), nil
}

// put stores the item of a put. BEP 44, "Mutable items".
func (s *itemStore) put(now instant, self, target ID, m *message, from netip.Addr) *krpcError {
	old := s.get(now, target)
	if m.key != nil {
		if old != nil {
			if m.hasCas && m.cas != old.seq {
				return &errorCas
			}
			if m.seq < old.seq || m.seq == old.seq && !bytes.Equal(m.value, old.value) {
				return &errorSeq
			}
		}
		if !bep44.Verify(m.key, m.salt, m.seq, m.value, m.sig) {
			return &errorSignature
		}
	}
	if !isLocal(from) && s.perAddr[from] >= itemsPerAddr && (old == nil || old.owner != from) {
		return &errorFull
	}
	if _, held := s.items[target]; held {
		s.drop(target)
	} else if len(s.items) >= s.itemsMax {
		s.evict(self)
	}
	s.items[target] = &storedItem{
		value: bytes.Clone(m.value), key: bytes.Clone(m.key), sig: bytes.Clone(m.sig),
		salt: bytes.Clone(m.salt), seq: m.seq, owner: from, expires: now + itemLife,
	}
	if !isLocal(from) {
		s.perAddr[from]++
	}
	return nil
}

// evict drops, of a random few, the item farthest from our id.
func (s *itemStore) evict(self ID) {
	var victim ID
	seen := 0
	for target := range s.items {
		if seen == 0 || compareDistance(&self, &target, &victim) > 0 {
			victim = target
		}
		if seen++; seen >= evictSample {
			break
		}
	}
	s.drop(victim)
}

func (s *itemStore) drop(target ID) {
	owner := s.items[target].owner
	delete(s.items, target)
	if n := s.perAddr[owner]; n > 1 {
		s.perAddr[owner] = n - 1
	} else {
		delete(s.perAddr, owner)
	}
}

func (s *itemStore) expire(now instant) {
	for target, it := range s.items {
		if now >= it.expires {
			s.drop(target)
		}
	}
}
