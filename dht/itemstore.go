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

	// itemLife is how long an item lives without another put. BEP 44,
	// "Expiration": publishers put their items again every hour.
	itemLife = 2 * time.Hour

	// itemsPerSource bounds the items that one public source keeps alive here.
	itemsPerSource = 32
)

type storedItem struct {
	value   []byte // bencoded
	key     []byte // 32 bytes, or nil for an immutable item
	sig     []byte
	salt    []byte
	seq     int64
	from    netip.Addr // the source that put it last
	share   *share     // what the owner of from holds
	expires instant
}

// itemStore holds the items of BEP 44 that others put here, for both families.
// Their number is bounded; at the default limit a full store takes about 1 MB.
// When the store is full, the owner with the most items loses one.
type itemStore struct {
	itemsMax  int
	items     map[ID]*storedItem
	perSource map[netip.Addr]int // items of a public source
	shares    shares
}

func newItemStore(itemsMax int) itemStore {
	return itemStore{
		itemsMax: itemsMax, items: make(map[ID]*storedItem),
		perSource: make(map[netip.Addr]int), shares: make(shares),
	}
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

// checkItem returns the target of the item in a put, or an error if the arguments
// do not form an item. It leaves the costly check of the signature to put.
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

// put stores the item of a put query, BEP 44, "Mutable items".
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
	from = source(from)
	if !isLocal(from) && s.perSource[from] >= itemsPerSource && (old == nil || old.from != from) {
		return &errorFull
	}
	if _, held := s.items[target]; held {
		s.drop(target)
	}
	s.items[target] = &storedItem{
		value: bytes.Clone(m.value), key: bytes.Clone(m.key), sig: bytes.Clone(m.sig),
		salt: bytes.Clone(m.salt), seq: m.seq, from: from, share: s.shares.take(from),
		expires: now + itemLife,
	}
	if !isLocal(from) {
		s.perSource[from]++
	}
	if len(s.items) > s.itemsMax {
		s.evict(self, target)
	}
	return nil
}

// evict drops one item other than fresh.
func (s *itemStore) evict(self, fresh ID) {
	var v victim
	for target, it := range s.items { // the order is random enough
		if target != fresh {
			v.offer(&self, &target, it.share.count)
		}
	}
	s.drop(v.target)
}

func (s *itemStore) drop(target ID) {
	it := s.items[target]
	delete(s.items, target)
	s.shares.drop(it.share)
	if n := s.perSource[it.from]; n > 1 {
		s.perSource[it.from] = n - 1
	} else {
		delete(s.perSource, it.from)
	}
}

func (s *itemStore) expire(now instant) {
	for target, it := range s.items {
		if now >= it.expires {
			s.drop(target)
		}
	}
}
