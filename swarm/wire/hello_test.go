package wire

import (
	"bytes"
	"errors"
	"testing"

	"swarmnode/metainfo"
)

func TestHello(t *testing.T) {
	h := Hello{
		InfoHash: metainfo.Hash(bytes.Repeat([]byte{0xaa}, 20)),
		PeerID:   [20]byte([]byte("-XX0001-abcdefghijkl")),
		Reserved: Reserved{}.With(FeatureExtension).With(FeatureFast).With(FeatureDHT).With(
			FeatureV2),
	}
	want := unhex(t, "13 426974546f7272656e742070726f746f636f6c 0000000000100015"+
		" aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 2d5858303030312d6162636465666768696a6b6c")
	b := AppendHello(nil, h)
	if !bytes.Equal(b, want) || len(b) != HelloSize {
		t.Errorf("got %x, want %x", b, want)
	}
	if got, err := ParseHello(b); err != nil || got != h {
		t.Errorf("got %+v, %v", got, err)
	}
	first := h
	first.PeerID = [20]byte{}
	if got, err := ParseHello(b[:HelloHashEnd]); err != nil || got != first {
		t.Errorf("without peer id: %+v, %v", got, err)
	}
	for i := range b {
		if !HelloPrefix(b[:i]) {
			t.Errorf("the first %d bytes are no prefix", i)
		}
		if i == HelloHashEnd {
			continue
		}
		if _, err := ParseHello(b[:i]); !errors.Is(err, ProtocolError{RuleHandshake}) {
			t.Errorf("the first %d bytes: %v", i, err)
		}
	}
	for i := range 20 {
		bad := bytes.Clone(b)
		bad[i] ^= 1
		if HelloPrefix(bad[:i+1]) {
			t.Errorf("%q is taken for a prefix", bad[:i+1])
		}
		if _, err := ParseHello(bad); err == nil {
			t.Errorf("%q is taken for a handshake", bad)
		}
	}
}

func TestReserved(t *testing.T) {
	for _, tt := range []struct {
		f    Feature
		byte int
		mask byte
	}{{FeatureExtension, 5, 0x10}, {FeatureDHT, 7, 1}, {FeatureFast, 7, 4}, {FeatureV2, 7, 0x10}} {
		r := Reserved{}.With(tt.f)
		if r[tt.byte] != tt.mask || !r.Has(tt.f) {
			t.Errorf("%#x: %x", tt.f, r)
		}
		if r = r.Without(tt.f); r != (Reserved{}) || r.Has(tt.f) {
			t.Errorf("%#x, taken back: %x", tt.f, r)
		}
	}
}

func FuzzParseHello(f *testing.F) {
	f.Add(AppendHello(nil, Hello{}))
	f.Add([]byte("\x13BitTorrent protocol"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHello(b)
		if err == nil && !bytes.HasPrefix(AppendHello(nil, h), b) {
			t.Errorf("%x became %+v", b, h)
		}
	})
}
