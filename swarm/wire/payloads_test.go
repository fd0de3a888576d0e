package wire

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"swarmnode/metainfo"
)

// TestMetadata has the examples of BEP 9.
func TestMetadata(t *testing.T) {
	for _, tt := range []struct {
		m    Metadata
		wire string
	}{
		{Metadata{Type: MetadataRequest, Piece: 0}, "d8:msg_typei0e5:piecei0ee"},
		{Metadata{Type: MetadataData, Piece: 0, TotalSize: 34256, Data: []byte("xxxxxxxx")},
			"d8:msg_typei1e5:piecei0e10:total_sizei34256eexxxxxxxx"},
		{Metadata{Type: MetadataReject, Piece: 7}, "d8:msg_typei2e5:piecei7ee"},
		{Metadata{Type: MetadataData, Piece: 1, TotalSize: 1 << 24,
			Data: make([]byte, MetadataBlock)}, "d8:msg_typei1e5:piecei1e10:total_sizei16777216ee" +
			string(make([]byte, MetadataBlock))},
	} {
		if got := string(AppendMetadata(nil, tt.m)); got != tt.wire {
			t.Errorf("got %.60q, want %.60q", got, tt.wire)
		}
		got, err := ParseMetadata([]byte(tt.wire))
		if err != nil || got.Type != tt.m.Type || got.Piece != tt.m.Piece ||
			got.TotalSize != tt.m.TotalSize || !bytes.Equal(got.Data, tt.m.Data) {
			t.Errorf("%.60q: got %.60v, %v", tt.wire, got, err)
		}
	}
}

func TestMetadataOdd(t *testing.T) {
	for name, tt := range map[string]struct {
		wire string
		want Metadata
	}{
		"data that looks like an end": {"d8:msg_typei1e5:piecei0e10:total_sizei4eeeeee",
			Metadata{Type: MetadataData, TotalSize: 4, Data: []byte("eeee")}},
		"no total_size": {"d8:msg_typei1e5:piecei0eeab",
			Metadata{Type: MetadataData, Data: []byte("ab")}},
		"total_size is a string": {"d8:msg_typei1e5:piecei0e10:total_size1:2eab",
			Metadata{Type: MetadataData, TotalSize: 2, Data: []byte("ab")}},
		"request with total_size": {"d8:msg_typei0e5:piecei3e10:total_sizei4ee",
			Metadata{Piece: 3}},
		"request with a tail": {"d8:msg_typei0e5:piecei3eexyz", Metadata{Piece: 3}},
		"unknown keys": {"d3:abcl1:xe8:msg_typei2e5:piecei3e5:usersi1ee",
			Metadata{Type: MetadataReject, Piece: 3}},
		"unknown type":           {"d8:msg_typei3e5:piecei3ee", Metadata{Type: MetadataOther}},
		"unknown type, no piece": {"d8:msg_typei99999999999ee", Metadata{Type: MetadataOther}},
		"unsorted":               {"d5:piecei3e8:msg_typei0ee", Metadata{Piece: 3}},
		"type is a string":       {"d8:msg_type1:05:piecei3ee", Metadata{Piece: 3}},
		"size negative": {"d8:msg_typei1e5:piecei0e10:total_sizei-1eeab",
			Metadata{Type: MetadataData, Data: []byte("ab")}},
		"size 2^62": {"d8:msg_typei1e5:piecei0e10:total_sizei4611686018427387904eeab",
			Metadata{Type: MetadataData, Data: []byte("ab")}},
		"size is a list": {"d8:msg_typei1e5:piecei0e10:total_sizeli1eeeab",
			Metadata{Type: MetadataData, Data: []byte("ab")}},
		"same key twice": {"d8:msg_typei1e8:msg_typei0e5:piecei0eeab",
			Metadata{Type: MetadataData, Data: []byte("ab")}},
		"zeros and blanks": {"\nd8:msg_typei01e5:piecei-0e e\nab",
			Metadata{Type: MetadataData, Data: []byte("\nab")}},
	} {
		got, err := ParseMetadata([]byte(tt.wire))
		if err != nil || got.Type != tt.want.Type || got.Piece != tt.want.Piece ||
			got.TotalSize != tt.want.TotalSize || !bytes.Equal(got.Data, tt.want.Data) {
			t.Errorf("%s: got %+v, %v; want %+v", name, got, err, tt.want)
		}
	}
	for name, wire := range map[string]string{
		"nothing": "", "no dictionary": "le", "no type": "d5:piecei0ee",
		"no piece":         "d8:msg_typei0ee",
		"type is a word":   "d8:msg_type4:data5:piecei0ee",
		"type negative":    "d8:msg_typei-1e5:piecei0ee",
		"piece negative":   "d8:msg_typei0e5:piecei-1ee",
		"piece beyond any": "d8:msg_typei0e5:piecei1024ee",
		"piece 2^62":       "d8:msg_typei0e5:piecei4611686018427387904ee",
		"data too long":    "d8:msg_typei1e5:piecei0ee" + strings.Repeat("x", MetadataBlock+1),
		"cut off":          "d8:msg_typei1e5:piecei0e",
		"deep": "d1:a" + strings.Repeat("l", 100) + strings.Repeat("e", 100) +
			"8:msg_typei1e5:piecei0ee",
		"length overflow": "d8:msg_typei1e5:piecei0e1:x99999999999999999999:e",
	} {
		if m, err := ParseMetadata([]byte(wire)); !errors.Is(err, ProtocolError{RuleMetadata}) {
			t.Errorf("%s: got %+v, %v", name, m, err)
		}
	}
}

func TestMetadataPieces(t *testing.T) {
	for size, want := range map[int64]int{
		0: 0, -1: 0, 1: 1, MetadataBlock: 1, MetadataBlock + 1: 2,
		MetadataSizeMax: metadataPieces, MetadataSizeMax + 1: 0, 1 << 62: 0,
	} {
		if got := MetadataPieces(size); got != want {
			t.Errorf("%d bytes: %d, want %d", size, got, want)
		}
	}
}

func FuzzParseMetadata(f *testing.F) {
	f.Add([]byte("d8:msg_typei0e5:piecei0ee"))
	f.Add([]byte("d8:msg_typei1e5:piecei0e10:total_sizei34256eexxxxxxxx"))
	f.Add([]byte("d8:msg_typei2e5:piecei0ee"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		m, err := ParseMetadata(payload)
		if err != nil || m.Type == MetadataOther {
			return
		}
		again, err := ParseMetadata(AppendMetadata(nil, m))
		if err != nil || again.Type != m.Type || again.Piece != m.Piece ||
			again.TotalSize != m.TotalSize || !bytes.Equal(again.Data, m.Data) {
			t.Errorf("%+v became %+v, %v", m, again, err)
		}
	})
}

func addrs(s ...string) (list []netip.AddrPort) {
	for _, a := range s {
		list = append(list, netip.MustParseAddrPort(a))
	}
	return list
}

func TestPEX(t *testing.T) {
	m := PEX{
		Added: []PEXPeer{
			{netip.MustParseAddrPort("1.2.3.4:258"), PEXSeed | PEXReachable},
			{netip.MustParseAddrPort("[2001:db8::1]:6881"), PEXUTP},
			{netip.MustParseAddrPort("5.6.7.8:6881"), 0},
		},
		Dropped: addrs("9.9.9.9:9", "[2001:db8::2]:1"),
	}
	b := AppendPEX(nil, m)
	v6 := "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	want := "d5:added12:\x01\x02\x03\x04\x01\x02\x05\x06\x07\x08\x1a\xe17:added.f2:\x12\x00" +
		"6:added618:" + v6 + "\x01\x1a\xe18:added6.f1:\x04" +
		"7:dropped6:\x09\x09\x09\x09\x00\x098:dropped618:" + v6 + "\x02\x00\x01e"
	if string(b) != want {
		t.Errorf("got  %q\nwant %q", b, want)
	}
	got, err := ParsePEX(b)
	m.Added[1], m.Added[2] = m.Added[2], m.Added[1] // families come apart
	if err != nil || !slices.Equal(got.Added, m.Added) || !slices.Equal(got.Dropped, m.Dropped) {
		t.Errorf("got %v, %v; want %v", got, err, m)
	}
	if got := string(AppendPEX(nil,
		PEX{})); got != "d5:added0:7:added.f0:6:added60:8:added6.f0:7:dropped0:8:dropped60:e" {
		t.Errorf("empty: %q", got)
	}
}

func TestPEXLimits(t *testing.T) {
	many := func(n int, six bool) (list []PEXPeer) {
		for i := range n {
			a := netip.AddrFrom4([4]byte{11, 0, byte(i >> 8), byte(i)})
			if six {
				a = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 14: byte(i >> 8), 15: byte(i)})
			}
			list = append(list, PEXPeer{Addr: netip.AddrPortFrom(a, 1)})
		}
		return list
	}
	// A message with more than its sender may put in is made by hand.
	var p4, p6 []byte
	for _, p := range many(5000, false) {
		p4 = appendCompact(p4, p.Addr)
	}
	for _, p := range many(5000, true) {
		p6 = appendCompact(p6, p.Addr)
	}
	for _, tt := range []struct{ in4, in6, out4, out6 int }{
		{5000, 0, 50, 0}, {0, 5000, 0, 50}, {5000, 5000, 25, 25}, {5000, 10, 40, 10},
		{10, 5000, 10, 40}, {20, 20, 20, 20},
	} {
		for _, key := range []string{"added", "dropped"} {
			payload := fmt.Sprintf("d%d:%s%d:%s%d:%s6%d:%se", len(key), key, tt.in4*6,
				p4[:tt.in4*6], len(key)+1, key, tt.in6*18, p6[:tt.in6*18])
			m, err := ParsePEX([]byte(payload))
			if err != nil {
				t.Fatal(err)
			}
			var n [2]int
			for _, p := range m.Added {
				n[family(p.Addr)]++
			}
			for _, a := range m.Dropped {
				n[family(a)]++
			}
			if n != [2]int{tt.out4, tt.out6} {
				t.Errorf("%s: of %d and %d came %v, want %d and %d", key, tt.in4, tt.in6,
					n, tt.out4, tt.out6)
			}
		}
	}
	m, err := ParsePEX(AppendPEX(nil, PEX{Added: append(many(40, false), many(40, true)...),
		Dropped: addrs("1.1.1.1:1")}))
	if err != nil || len(m.Added) != PEXMax || len(m.Dropped) != 1 {
		t.Errorf("of 80 sent came %d and %d, %v", len(m.Added), len(m.Dropped), err)
	}
}

func TestPEXOdd(t *testing.T) {
	good := "d5:added6:\x01\x02\x03\x04\x00\x01"
	want := []PEXPeer{{Addr: netip.MustParseAddrPort("1.2.3.4:1")}}
	v6 := "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01"
	for name, tt := range map[string]struct {
		wire string
		want []PEXPeer
	}{
		"empty": {"de", nil},
		"no flags": {"d5:added6:\x01\x02\x03\x04\x00\x01e",
			[]PEXPeer{{Addr: netip.MustParseAddrPort("1.2.3.4:1")}}},
		"few flags": {"d5:added12:\x01\x02\x03\x04\x00\x01\x01\x02\x03\x04\x00\x027:added.f1:\x02e",
			[]PEXPeer{{netip.MustParseAddrPort("1.2.3.4:1"), PEXSeed},
				{Addr: netip.MustParseAddrPort("1.2.3.4:2")}}},
		"many flags": {"d5:added6:\x01\x02\x03\x04\x00\x017:added.f3:\x02\x02\x02e",
			[]PEXPeer{{netip.MustParseAddrPort("1.2.3.4:1"), PEXSeed}}},
		"mapped": {"d6:added618:\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x01\x02\x03\x04\x00\x01e", []PEXPeer{{Addr: netip.MustParseAddrPort("1.2.3.4:1")}}},
		"nobody": {"d5:added30:\x01\x02\x03\x04\x00\x00" + "\x00\x00\x00\x00\x00\x01" +
			"\xe0\x00\x00\x01\x00\x01" + "\xff\xff\xff\xff\x00\x01" + "\x01\x02\x03\x04\x00\x05" +
			"7:added.f5:\x00\x00\x00\x00\x10e",
			[]PEXPeer{{netip.MustParseAddrPort("1.2.3.4:5"), PEXReachable}}},
		// A field that makes no sense is as if left out; the others count.
		"half a peer": {"d5:added7:12345676:added618:" + v6 + "e",
			[]PEXPeer{{Addr: netip.MustParseAddrPort("[2001:db8::1]:1")}}},
		"half a v6 peer":       {good + "6:added66:123456e", want},
		"half a dropped peer":  {good + "7:dropped5:12345e", want},
		"flags are a number":   {good + "7:added.fi2ee", want},
		"list of dictionaries": {"d5:addedld2:ip7:1.2.3.4eee", nil},
		"dropped is a list":    {good + "7:droppedlee", want},
		"same key twice":       {good + "5:added6:\x09\x09\x09\x09\x00\x01e", want},
		"zeros and blanks":     {"\nd 05:added006:\x01\x02\x03\x04\x00\x01 e", want},
	} {
		if got, err := ParsePEX([]byte(tt.wire)); err != nil || !slices.Equal(got.Added, tt.want) {
			t.Errorf("%s: got %v, %v; want %v", name, got, err, tt.want)
		}
	}
	for name, wire := range map[string]string{
		"nothing": "", "no dictionary": "5:added", "cut off": "d5:added6:12",
		"cut off behind a peer": good,
	} {
		if m, err := ParsePEX([]byte(wire)); !errors.Is(err, ProtocolError{RulePEX}) {
			t.Errorf("%s: got %v, %v", name, m, err)
		}
	}
}

func FuzzParsePEX(f *testing.F) {
	f.Add(AppendPEX(nil, PEX{Added: []PEXPeer{{netip.MustParseAddrPort("1.2.3.4:1"), PEXSeed},
		{netip.MustParseAddrPort("[2001:db8::1]:1"), 0}}, Dropped: addrs("1.1.1.1:1")}))
	f.Add([]byte("d5:added6:1234567:added.f0:e"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		m, err := ParsePEX(payload)
		if err != nil {
			return
		}
		if len(m.Added) > PEXMax || len(m.Dropped) > PEXMax {
			t.Errorf("%d added, %d dropped", len(m.Added), len(m.Dropped))
		}
		again, err := ParsePEX(AppendPEX(nil, m))
		if err != nil || len(again.Added) != len(m.Added) || len(again.Dropped) != len(m.Dropped) {
			t.Errorf("%v became %v, %v", m, again, err)
		}
	})
}

func TestSmallPayloads(t *testing.T) {
	if got := AppendDontHave(nil, 0x01020304); !bytes.Equal(got, []byte{1, 2, 3, 4}) {
		t.Errorf("dont-have: %x", got)
	}
	if got, err := ParseDontHave([]byte{1, 2, 3, 4}); err != nil || got != 0x01020304 {
		t.Errorf("dont-have: %x, %v", got, err)
	}
	for _, only := range []bool{true, false} {
		if got, err := ParseUploadOnly(AppendUploadOnly(nil, only)); err != nil || got != only {
			t.Errorf("upload-only: %v, %v", got, err)
		}
	}
	for n := range 6 {
		if _, err := ParseDontHave(make([]byte, n)); (err == nil) != (n == 4) {
			t.Errorf("dont-have of %d bytes: %v", n, err)
		}
		if _, err := ParseUploadOnly(make([]byte, n)); (err == nil) != (n == 1) {
			t.Errorf("upload-only of %d bytes: %v", n, err)
		}
	}
}

func TestHolepunch(t *testing.T) {
	four, six := netip.MustParseAddrPort("1.2.3.4:258"),
		netip.MustParseAddrPort("[2001:db8::1]:258")
	v6 := "20010db8000000000000000000000001"
	for _, tt := range []struct {
		m    Holepunch
		long string
	}{
		{Holepunch{HolepunchRendezvous, four, 0}, "00 00 01020304 0102 00000000"},
		{Holepunch{HolepunchConnect, six, 0}, "01 01" + v6 + "0102 00000000"},
		{Holepunch{HolepunchFailed, four, HolepunchNoSuchPeer}, "02 00 01020304 0102 00000001"},
		{Holepunch{HolepunchFailed, six, HolepunchNoSelf}, "02 01" + v6 + "0102 00000004"},
	} {
		long := unhex(t, tt.long)
		if got := AppendHolepunch(nil, tt.m); !bytes.Equal(got, long) {
			t.Errorf("got %x, want %x", got, long)
		}
		if got, err := ParseHolepunch(long); err != nil || got != tt.m {
			t.Errorf("%x: got %v, %v; want %v", long, got, err, tt.m)
		}
		short := long[:len(long)-4] // as common clients send it
		got, err := ParseHolepunch(short)
		if tt.m.Type == HolepunchFailed {
			if err == nil {
				t.Errorf("%x: an error without its code is accepted", short)
			}
		} else if err != nil || got != tt.m {
			t.Errorf("%x: got %v, %v; want %v", short, got, err, tt.m)
		}
	}
	for name, s := range map[string]string{
		"nothing": "", "type alone": "00", "unknown type": "03 00 01020304 0102 00000000",
		"unknown family": "00 02 01020304 0102 00000000", "9 bytes": "00 00 01020304 0102 00",
		"11 bytes": "00 00 01020304 0102 000000", "13 bytes": "00 00 01020304 0102 00000000 00",
		"v6 of v4 size": "00 01 01020304 0102 00000000", "port 0": "00 00 01020304 0000 00000000",
		"multicast": "01 00 e0000001 0102 00000000", "unspecified": "01 00 00000000 0102 00000000",
	} {
		if m, err := ParseHolepunch(unhex(t, s)); !errors.Is(err, ProtocolError{RuleHolepunch}) {
			t.Errorf("%s: got %v, %v", name, m, err)
		}
	}
}

func FuzzParseHolepunch(f *testing.F) {
	f.Add([]byte("\x00\x00\x01\x02\x03\x04\x01\x02"))
	f.Add([]byte("\x02\x01aaaaaaaaaaaaaaaa\x01\x02\x00\x00\x00\x01"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		m, err := ParseHolepunch(payload)
		if err != nil {
			return
		}
		if again, err := ParseHolepunch(AppendHolepunch(nil, m)); err != nil || again != m {
			t.Errorf("%v became %v, %v", m, again, err)
		}
	})
}

func TestHashRange(t *testing.T) {
	h := HashRange{Base: 1, Index: 512, Length: 512, Proof: 12}
	for i := range h.Root {
		h.Root[i] = byte(i)
	}
	b := AppendHashRange(nil, h)
	if want := unhex(t, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f "+
		"00000001 00000200 00000200 0000000c"); !bytes.Equal(b, want) {
		t.Errorf("got %x, want %x", b, want)
	}
	if got, hashes, err := ParseHashRange(b); err != nil || got != h || len(hashes) != 0 {
		t.Errorf("got %v, %d bytes, %v", got, len(hashes), err)
	}
	// 512 hashes have 9 layers above the base up to their own root, which the
	// receiver computes: of 12 layers of proof, 8 are left out.
	if got := h.Uncles(); got != 4 {
		t.Errorf("%d uncles, want 4", got)
	}
	full := append(bytes.Clone(b), make([]byte, 32*(512+4))...)
	if _, hashes, err := ParseHashRange(full); err != nil || len(hashes) != 32*516 {
		t.Errorf("%d bytes of hashes, %v", len(hashes), err)
	}
	if _, _, err := ParseHashRange(full[:len(full)-32]); err == nil {
		t.Error("a missing hash is accepted")
	}
	for name, bad := range map[string]HashRange{
		"length 0": {}, "length 3": {Length: 3}, "index": {Length: 4, Index: 2},
		"base": {Length: 2, Base: 100}, "proof": {Length: 2, Proof: 1 << 31},
	} {
		if _, _, err := ParseHashRange(AppendHashRange(nil, bad)); !errors.Is(err,
			ProtocolError{RuleHashes}) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, odd := range map[string]HashRange{
		"one hash": {Length: 1, Index: 512}, "all blocks of 128 MiB": {Length: 8192},
		"the most": {Length: 1 << 31, Index: 1 << 31},
	} {
		if got, _, err := ParseHashRange(AppendHashRange(nil, odd)); err != nil || got != odd {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	if _, _, err := ParseHashRange(b[:47]); err == nil {
		t.Error("a short message is accepted")
	}
}

func FuzzParseHashRange(f *testing.F) {
	f.Add(AppendHashRange(nil, HashRange{Length: 2, Proof: 3}))
	f.Add(append(AppendHashRange(nil, HashRange{Length: 2}), make([]byte, 64)...))
	f.Fuzz(func(t *testing.T, payload []byte) {
		h, hashes, err := ParseHashRange(payload)
		if err == nil && !bytes.Equal(append(AppendHashRange(nil, h), hashes...), payload) {
			t.Errorf("%x became %v", payload, h)
		}
	})
}

// TestAllowedFast has the vector of BEP 6.
func TestAllowedFast(t *testing.T) {
	hash := metainfo.Hash(bytes.Repeat([]byte{0xaa}, 20))
	ip := netip.MustParseAddr("80.4.4.200")
	want := []uint32{1059, 431, 808, 1217, 287, 376, 1188, 353, 508}
	if got := AllowedFastSet(nil, ip, hash, 1313, 7); !slices.Equal(got, want[:7]) {
		t.Errorf("7 of 1313: %v, want %v", got, want[:7])
	}
	if got := AllowedFastSet(nil, ip, hash, 1313, 9); !slices.Equal(got, want) {
		t.Errorf("9 of 1313: %v, want %v", got, want)
	}
	if got := AllowedFastSet(nil, netip.MustParseAddr("::ffff:80.4.4.7"), hash, 1313,
		9); !slices.Equal(got, want) {
		t.Errorf("same /24, mapped: %v, want %v", got, want)
	}
	for _, tt := range []struct {
		ip        string
		pieces, k int
		want      int
	}{
		{"2001:db8::1", 1313, 10, 0}, {"80.4.4.200", 0, 10, 0}, {"80.4.4.200", 3, 10, 3},
		{"80.4.4.200", 1, 1, 1},
		{"80.4.4.200", 11, 10, 10}, {"80.4.4.200", 1313, 1000, AllowedFastMax},
		{"80.4.4.200", 1313, -1, 0},
	} {
		got := AllowedFastSet([]uint32{5}, netip.MustParseAddr(tt.ip), hash, tt.pieces, tt.k)[1:]
		if len(got) != tt.want {
			t.Errorf("%s, %d of %d: %v, want %d pieces", tt.ip, tt.k, tt.pieces, got, tt.want)
		}
		slices.Sort(got)
		if len(slices.Compact(got)) != tt.want || tt.want > 0 && int(got[tt.want-1]) >= tt.pieces {
			t.Errorf("%s, %d of %d: %v has doubles or strays", tt.ip, tt.k, tt.pieces, got)
		}
	}
}
