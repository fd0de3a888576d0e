package utp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The layout is that of BEP 29, "header format".
func TestHeaderLayout(t *testing.T) {
	h := header{kind: typeState, id: 0x0102, timestamp: 0x03040506, difference: 0x0708090a,
		window: 0x0b0c0d0e, seq: 0x0f10, ack: 0x1112, sack: []byte{1, 0, 0, 0x80}}
	want := unhex(t, "21 01 0102 03040506 0708090a 0b0c0d0e 0f10 1112 00 04 01000080")
	if got := appendHeader(nil, &h, 0); !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
	got, payload, err := parseHeader(append(want, "payload"...))
	if err != nil || string(payload) != "payload" || !reflect.DeepEqual(got, h) {
		t.Errorf("got %+v, %q, %v", got, payload, err)
	}
}

func TestExtensions(t *testing.T) {
	const plain = "0001 00000000 00000000 00000000 0001 0002"
	for _, c := range []struct {
		name, packet string
		want         string // payload, or the error
	}{
		{"none", "01 00" + plain + "aa", "\xaa"},
		{"unknown, skipped", "01 07" + plain + "00 03 010203 aa", "\xaa"},
		{"unknown and empty", "01 07" + plain + "00 00 aa", "\xaa"},
		{"a chain", "01 07" + plain + "01 01 ff 09 04 01000000 00 00 aa", "\xaa"},
		{"bits of another length", "01 02" + plain + "00 01 ff aa", "\xaa"},
		{"no length", "01 01" + plain + "00", errExtensions.Error()},
		{"longer than the packet", "01 01" + plain + "00 04 010203", errExtensions.Error()},
		{"one that names itself", "01 01" + plain + "01 00 01 00 01 00", errExtensions.Error()},
		{"version 2", "02 00" + plain, errVersion.Error()},
		{"type 5", "51 00" + plain, errVersion.Error()},
		{"short", "01 00 0001", errShort.Error()},
	} {
		_, payload, err := parseHeader(unhex(t, c.packet))
		got := string(payload)
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// A chain of extensions ends, however long the packet is.
func TestExtensionsAreBounded(t *testing.T) {
	h := header{}
	b := appendHeader(nil, &h, 0)
	b[1] = extensionPad
	for range 10_000 {
		b = append(b, extensionPad, 0)
	}
	if _, _, err := parseHeader(b); !errors.Is(err, errExtensions) {
		t.Errorf("got %v", err)
	}
}

func TestPadding(t *testing.T) {
	for _, bits := range []uint64{0, wideFlights} {
		for pad := range 20_000 {
			h := header{bits: bits}
			b := appendHeader(nil, &h, pad)
			got, payload, err := parseHeader(append(b, 'p'))
			if err != nil || string(payload) != "p" || got.bits != bits {
				t.Fatalf("pad %d: %+v %q %v", pad, got, payload, err)
			}
			if bits == 0 && pad != 1 && pad != 11 && len(b) != headerSize+pad {
				t.Fatalf("pad %d makes a header of %d bytes", pad, len(b))
			}
			if pad >= 10 && b[1] != extensionBits {
				t.Fatalf("pad %d: libutp drops packets that begin with extension %d", pad, b[1])
			}
		}
	}
}

func TestSeqWraps(t *testing.T) {
	for _, c := range []struct {
		a, b seq
		want int
	}{{1, 2, 1}, {2, 1, -1}, {65535, 0, 1}, {0, 65535, -1}, {65000, 300, 836}, {5, 5, 0}} {
		if got := c.a.until(c.b); got != c.want || c.a.before(c.b) != (c.want > 0) {
			t.Errorf("%d until %d: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func FuzzHeader(f *testing.F) {
	h := header{kind: typeState, id: 7, ack: 3, sack: []byte{1, 2, 3, 4}, bits: 5}
	f.Add(appendHeader(nil, &h, 600))
	f.Add(appendHeader(nil, &header{kind: typeSyn}, 0))
	f.Add(unhex(f, "0101 0001 00000000 00000000 00000000 0001 0002 0204 01020304 0008 0102030405060708 ff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, payload, err := parseHeader(b)
		if err != nil {
			return
		}
		again, rest, err := parseHeader(append(appendHeader(nil, &h, 0), payload...))
		if len(h.sack) == 0 {
			h.sack, again.sack = nil, nil
		}
		if err != nil || !bytes.Equal(rest, payload) || !reflect.DeepEqual(again, h) {
			t.Errorf("%+v became %+v, %v", h, again, err)
		}
	})
}
