package dht

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/anacrolix/dht/v2/bep44"

	"swarmnode/metainfo"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestItemVectors checks the test vectors of BEP 44 and the targets of BEP 46.
func TestItemVectors(t *testing.T) {
	key := unhex(t, "77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548")
	value := []byte("12:Hello World!")
	vectors := []struct{ salt, target, sig string }{
		{"", "4a533d47ec9c7d95b1ad75f576cffc641853b750",
			"305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff" +
				"1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01"},
		{"foobar", "411eba73b6f087ca51a3795d9c8c938d365e32c1",
			"6834284b6b24c3204eb2fea824d82f88883a3d95e8b4a21b8c0ded553d17d17d" +
				"df9a8a7104b1258f30bed3787e6cb896fca78c58f8e03b5f18f14951a87d9a08"},
	}
	for _, v := range vectors {
		if got := MutableTarget(key, []byte(v.salt)); got.String() != v.target {
			t.Errorf("salt %q: target %v, want %s", v.salt, got, v.target)
		}
		if !bep44.Verify(key, []byte(v.salt), 1, value, unhex(t, v.sig)) {
			t.Errorf("salt %q: the signature does not verify", v.salt)
		}
		s := &itemSearch{target: MutableTarget(key, []byte(v.salt)), salt: []byte(v.salt)}
		m := message{value: value, key: key, sig: unhex(t, v.sig), seq: 1, hasSeq: true}
		if s.onAnswer(0, askAddr, &m); s.best == nil || s.best.Seq != 1 {
			t.Errorf("salt %q: a lookup does not take the item", v.salt)
		}
		m.seq = 2
		s.best = nil
		if s.onAnswer(0, askAddr, &m); s.best != nil {
			t.Errorf("salt %q: a lookup takes another seq than was signed", v.salt)
		}
	}
	if got := ImmutableTarget(value).String(); got != "e5f96f6f38320f0f33959cb4d3d656452117aadb" {
		t.Errorf("immutable target %s", got)
	}
	key = unhex(t, "8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e")
	if got := MutableTarget(key, nil).String(); got != "cc3f9d90b572172053626f9980ce261a850d050b" {
		t.Errorf("target of the link %s", got)
	}
	if got := MutableTarget(key, []byte("n")).String(); !strings.HasPrefix(got, "59ee7c2c") {
		t.Errorf("target of the link with salt 6e %s", got)
	}
}

// TestItems stores and fetches both kinds of item over loopback.
func TestItems(t *testing.T) {
	ctx := testContext(t)
	_, first := startNode(t)
	var nodes []*Node
	for range 9 {
		n, _ := startNode(t, first.String())
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		if err := n.Join(ctx); err != nil {
			t.Fatal(err)
		}
	}
	a, b := nodes[0], nodes[8]

	value := []byte("d3:key5:valuee")
	id, l, err := a.PutImmutable(ctx, value)
	if err != nil || l.Stored < 2 || id != ImmutableTarget(value) {
		t.Fatalf("%v stored by %d, %v", id, l.Stored, err)
	}
	item, _, err := b.GetImmutable(ctx, id)
	if err != nil || !bytes.Equal(item.Value, value) {
		t.Errorf("%q, %v", item.Value, err)
	}
	if _, _, err := b.GetImmutable(ctx, ID{1}); !errors.Is(err, ErrNotFound) {
		t.Errorf("missing item: %v, want %v", err, ErrNotFound)
	}

	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32))
	public := key.Public().(ed25519.PublicKey)
	salt := []byte("site")
	for round := range 3 {
		ih := metainfo.Hash{byte(round)}
		put, _, err := nodes[round].PutMutable(ctx, key, salt, func(old Item) []byte {
			if round > 0 && old.Seq != int64(round) {
				t.Errorf("round %d: update was given seq %d", round, old.Seq)
			}
			return AppendPointer(nil, ih)
		})
		if err != nil || put.Seq != int64(round+1) {
			t.Fatalf("round %d: seq %d, %v", round, put.Seq, err)
		}
		got, _, err := b.GetMutable(ctx, public, salt)
		if err != nil {
			t.Fatal(err)
		}
		if to, ok := ParsePointer(got.Value); !ok || to != ih || got.Seq != put.Seq {
			t.Errorf("round %d: %q, seq %d", round, got.Value, got.Seq)
		}
	}
	kept, l, err := b.PutMutable(ctx, key, salt, func(Item) []byte { return nil })
	if err != nil || kept.Seq != 3 || l.Stored == 0 {
		t.Errorf("keeping alive: seq %d, stored by %d, %v", kept.Seq, l.Stored, err)
	}
	old, err := Sign(key, salt, 1, []byte("3:old"))
	if err != nil {
		t.Fatal(err)
	}
	var remote *RemoteError
	if _, err := a.PutSigned(ctx, old); !errors.Is(err, ErrNotStored) || !errors.As(err, &remote) ||
		remote.Code != 302 {
		t.Errorf("an older version: %v, want error 302", err)
	}
}

func TestItemErrors(t *testing.T) {
	ctx := testContext(t)
	n, _ := startNode(t)
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	long := bytes.Repeat([]byte("x"), 65)
	for name, err := range map[string]error{
		"not bencoded": second(n.PutImmutable(ctx, []byte("hello"))),
		"too long":     second(n.PutImmutable(ctx, append([]byte("1000:"), make([]byte, 1000)...))),
		"two values":   second(n.PutImmutable(ctx, []byte("1:a1:b"))),
		"long salt":    second(n.GetMutable(ctx, key.Public().(ed25519.PublicKey), long)),
		"short key":    second(n.GetMutable(ctx, ed25519.PublicKey("short"), nil)),
		"bad key":      second(n.PutMutable(ctx, ed25519.PrivateKey("short"), nil, nil)),
	} {
		if !errors.Is(err, ErrItem) {
			t.Errorf("%s: %v, want %v", name, err, ErrItem)
		}
	}
	if _, err := n.PutSigned(ctx, Item{Value: []byte("1:a"), Key: key.Public().(ed25519.PublicKey),
		Signature: make([]byte, 64)}); !errors.Is(err, ErrItem) {
		t.Errorf("wrong signature: %v, want %v", err, ErrItem)
	}
	if _, _, err := n.PutImmutable(ctx, []byte("1:a")); !errors.Is(err, ErrNotStored) {
		t.Errorf("alone: %v, want %v", err, ErrNotStored)
	}
}

func second[A, B any](_ A, _ B, err error) error { return err }
