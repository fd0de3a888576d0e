package dht

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha1"
	"fmt"
	"net/netip"

	"github.com/anacrolix/dht/v2/bep44"

	"swarmnode/metainfo"
	"swarmnode/metainfo/bencode"
)

// Item is a value stored in the DHT, BEP 44.
type Item struct {
	// Value is bencoded, 1,000 bytes at most.
	Value []byte

	// The rest is for mutable items. Seq counts the versions.
	Key       ed25519.PublicKey
	Salt      []byte // 64 bytes at most
	Seq       int64
	Signature []byte // 64 bytes
}

// ImmutableTarget returns the target under which the DHT keeps the immutable item
// with that bencoded value, BEP 44.
func ImmutableTarget(value []byte) ID { return immutableTarget(value) }

// MutableTarget returns the target under which the DHT keeps the mutable item of
// key and salt, BEP 44.
func MutableTarget(key ed25519.PublicKey, salt []byte) ID { return mutableTarget(key, salt) }

// checkValue returns an error unless value can be the v of an item: one canonical
// bencoded value of bounded length.
func checkValue(value []byte) error {
	if len(value) > itemValueMax {
		return fmt.Errorf("%w: value of %d bytes, at most %d", ErrItem, len(value), itemValueMax)
	}
	r := bencode.NewReader(value, krpcLimits)
	r.Skip()
	if err := r.Close(); err != nil {
		return fmt.Errorf("%w: value: %w", ErrItem, err)
	}
	return nil
}

func checkSalt(salt []byte) error {
	if len(salt) > itemSaltMax {
		return fmt.Errorf("%w: salt of %d bytes, at most %d", ErrItem, len(salt), itemSaltMax)
	}
	return nil
}

// itemSearch keeps the newest valid item of the answers to get. It trusts only
// hashes and signatures.
type itemSearch struct {
	target ID
	salt   []byte
	best   *Item
}

func (s *itemSearch) onAnswer(_ instant, _ netip.AddrPort, m *message) {
	if m.value == nil || len(m.value) > itemValueMax {
		return
	}
	if m.key == nil {
		if s.best == nil && sha1.Sum(m.value) == s.target {
			s.best = &Item{Value: bytes.Clone(m.value)}
		}
		return
	}
	if m.sig == nil || !m.hasSeq || s.best != nil && m.seq <= s.best.Seq {
		return
	}
	if mutableTarget(m.key, s.salt) != s.target ||
		!bep44.Verify(m.key, s.salt, m.seq, m.value, m.sig) {
		return
	}
	s.best = &Item{Value: bytes.Clone(m.value), Key: bytes.Clone(m.key), Salt: bytes.Clone(s.salt),
		Seq: m.seq, Signature: bytes.Clone(m.sig)}
}

// get runs a whole lookup of target. It returns the newest item, or nil, and the
// nodes that can store another.
func (n *Node) get(ctx context.Context, target ID,
	salt []byte) (*Item, []storeTarget, Lookup, error) {
	type outcome struct {
		item    *Item
		targets []storeTarget
	}
	result := make(chan outcome, 1)
	l, err := n.await(ctx, func(c *core, now instant, done func(Lookup)) *operation {
		s := &itemSearch{target: target, salt: salt}
		if it := c.items.get(now, target); it != nil {
			m := message{value: it.value, key: it.key, sig: it.sig, seq: it.seq,
				hasSeq: it.key != nil}
			s.onAnswer(now, netip.AddrPort{}, &m)
		}
		req := request{method: methodGet, target: target}
		sink := lookupSink{answer: s.onAnswer, satisfied: func() bool { return s.best != nil }}
		return c.lookUp(now, &req, sink, func(now instant, op *operation) {
			result <- outcome{s.best, op.targets()}
			done(op.result(now))
		})
	}, nil, nil)
	if err != nil {
		return nil, nil, l, err
	}
	o := <-result
	return o.item, o.targets, l, nil
}

// put asks the targets to store the item in req.
func (n *Node) put(ctx context.Context, targets []storeTarget,
	req request) (stored int, err error) {
	type outcome struct {
		stored int
		err    error
	}
	result := make(chan outcome, 1)
	err = n.do(func(c *core, now instant) {
		c.store(now, targets, req, func(_ instant, s *storing) {
			result <- outcome{s.stored, s.err}
		})
	})
	if err != nil {
		return 0, err
	}
	select {
	case o := <-result:
		if o.stored > 0 {
			return o.stored, nil
		}
		if o.err != nil {
			return 0, fmt.Errorf("%w: %w", ErrNotStored, o.err)
		}
		return 0, ErrNotStored
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-n.ctx.Done():
		return 0, ErrClosed
	}
}

// GetImmutable fetches the immutable item at target. The error is ErrNotFound,
// that of ctx, or ErrClosed.
func (n *Node) GetImmutable(ctx context.Context, target ID) (Item, Lookup, error) {
	item, _, l, err := n.get(ctx, target, nil)
	if err != nil {
		return Item{}, l, err
	}
	if item == nil || item.Key != nil {
		return Item{}, l, ErrNotFound
	}
	return *item, l, nil
}

// PutImmutable stores value, which must be one bencoded value, on the nodes
// closest to its target. They forget it after about two hours unless it is put
// again. The error is ErrItem, ErrNotStored, that of ctx, or ErrClosed.
func (n *Node) PutImmutable(ctx context.Context, value []byte) (ID, Lookup, error) {
	target := immutableTarget(value)
	if err := checkValue(value); err != nil {
		return target, Lookup{Target: target}, err
	}
	_, targets, l, err := n.get(ctx, target, nil)
	if err != nil {
		return target, l, err
	}
	l.Stored, err = n.put(ctx, targets, request{method: methodPut, value: value})
	return target, l, err
}

// GetMutable fetches the newest version of the mutable item of key and salt.
// The error is ErrItem, ErrNotFound, that of ctx, or ErrClosed.
func (n *Node) GetMutable(ctx context.Context, key ed25519.PublicKey,
	salt []byte) (Item, Lookup, error) {
	if len(key) != ed25519.PublicKeySize {
		return Item{}, Lookup{}, fmt.Errorf("%w: key of %d bytes", ErrItem, len(key))
	}
	if err := checkSalt(salt); err != nil {
		return Item{}, Lookup{}, err
	}
	item, _, l, err := n.get(ctx, mutableTarget(key, salt), salt)
	if err != nil {
		return Item{}, l, err
	}
	if item == nil {
		return Item{}, l, ErrNotFound
	}
	return *item, l, nil
}

// PutMutable stores a new version of the mutable item of key and salt. It fetches
// the newest version and calls update with it, or with the zero Item when there is
// none; update returns the next version's value, one bencoded value. The nodes
// refuse the new version if another one was stored in between (cas). When update
// returns nil, PutMutable stores the found version once more, to keep it alive. It
// returns the item as stored. The error is ErrItem, ErrNotFound when there is
// nothing to keep alive, ErrNotStored, that of ctx, or ErrClosed.
func (n *Node) PutMutable(ctx context.Context, key ed25519.PrivateKey, salt []byte,
	update func(Item) []byte) (Item, Lookup, error) {
	if len(key) != ed25519.PrivateKeySize {
		return Item{}, Lookup{}, fmt.Errorf("%w: key of %d bytes", ErrItem, len(key))
	}
	if err := checkSalt(salt); err != nil {
		return Item{}, Lookup{}, err
	}
	public := key.Public().(ed25519.PublicKey)
	old, targets, l, err := n.get(ctx, mutableTarget(public, salt), salt)
	if err != nil {
		return Item{}, l, err
	}
	var next Item
	if old != nil {
		next = *old
	}
	value := update(next)
	req := request{method: methodPut, key: public, salt: salt, hasSeq: true}
	switch {
	case value == nil && old == nil:
		return Item{}, l, ErrNotFound
	case value != nil:
		if err := checkValue(value); err != nil {
			return Item{}, l, err
		}
		next = Item{Value: bytes.Clone(value), Key: public, Salt: bytes.Clone(salt), Seq: 1}
		if old != nil {
			next.Seq = old.Seq + 1
			req.cas, req.hasCas = old.Seq, true
		}
		next.Signature = bep44.Sign(key, salt, next.Seq, value)
	}
	req.value, req.sig, req.seq = next.Value, next.Signature, next.Seq
	l.Stored, err = n.put(ctx, targets, req)
	return next, l, err
}

// PutSigned stores a mutable item that was signed elsewhere, whatever version the
// DHT holds. The error is ErrItem, ErrNotStored, that of ctx, or ErrClosed.
func (n *Node) PutSigned(ctx context.Context, item Item) (Lookup, error) {
	if err := checkValue(item.Value); err != nil {
		return Lookup{}, err
	}
	if err := checkSalt(item.Salt); err != nil {
		return Lookup{}, err
	}
	if len(item.Key) != ed25519.PublicKeySize ||
		!bep44.Verify(item.Key, item.Salt, item.Seq, item.Value, item.Signature) {
		return Lookup{}, fmt.Errorf("%w: signature", ErrItem)
	}
	_, targets, l, err := n.get(ctx, mutableTarget(item.Key, item.Salt), item.Salt)
	if err != nil {
		return l, err
	}
	l.Stored, err = n.put(ctx, targets, request{method: methodPut, value: item.Value, key: item.Key,
		salt: item.Salt, sig: item.Signature, seq: item.Seq, hasSeq: true})
	return l, err
}

// Sign returns a signed item for PutSigned. The error is ErrItem.
func Sign(key ed25519.PrivateKey, salt []byte, seq int64, value []byte) (Item, error) {
	if len(key) != ed25519.PrivateKeySize {
		return Item{}, fmt.Errorf("%w: key of %d bytes", ErrItem, len(key))
	}
	if err := checkValue(value); err != nil {
		return Item{}, err
	}
	if err := checkSalt(salt); err != nil {
		return Item{}, err
	}
	return Item{Value: bytes.Clone(value), Key: key.Public().(ed25519.PublicKey),
		Salt: bytes.Clone(salt),
		Seq:  seq, Signature: bep44.Sign(key, salt, seq, value)}, nil
}

// AppendPointer appends the value of a mutable item that points to a torrent,
// BEP 46. PutMutable's update can return that value.
func AppendPointer(dst []byte, ih metainfo.Hash) []byte {
	return bencode.AppendDict(dst, func(dst []byte) []byte { return appendPair(dst, "ih", ih[:]) })
}

// ParsePointer reads the value of a mutable item that points to a torrent,
// BEP 46.
func ParsePointer(value []byte) (ih metainfo.Hash, ok bool) {
	r := bencode.NewReader(value, krpcLimits)
	if r.Kind() != bencode.Dict {
		return ih, false
	}
	for key := range r.Dict() {
		if string(key) == "ih" {
			ok = fixed(r, (*ID)(&ih))
		}
	}
	return ih, ok && r.Close() == nil
}
