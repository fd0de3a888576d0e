package wire

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestExtHandshake(t *testing.T) {
	full := ExtHandshake{
		Extensions:   OurExtensions(ExtMetadata, ExtPEX, ExtDontHave, ExtHolepunch, ExtUploadOnly),
		MetadataSize: 31235, Port: 6881, Client: "µTorrent 1.2",
		YourIP: netip.MustParseAddr("80.4.4.200"), IPv4: netip.MustParseAddr("10.0.0.1"),
		IPv6: netip.MustParseAddr("2001:db8::1"), Reqq: 500, UploadOnly: true,
	}
	b := AppendExtHandshake(nil, full)
	want := "d4:ipv44:\x0a\x00\x00\x014:ipv616:\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
		"1:md11:lt_donthavei3e11:upload_onlyi5e12:ut_holepunchi4e11:ut_metadatai1e6:ut_pexi2ee" +
		"13:metadata_sizei31235e1:pi6881e4:reqqi500e11:upload_onlyi1e1:v13:µTorrent " +
		"1.26:yourip4:\x50\x04\x04\xc8e"
	if string(b) != want {
		t.Errorf("got  %q\nwant %q", b, want)
	}
	if got, err := ParseExtHandshake(b); err != nil || got != full {
		t.Errorf("got %+v, %v; want %+v", got, err, full)
	}
	if got := AppendExtHandshake(nil, ExtHandshake{}); string(got) != "d1:mdee" {
		t.Errorf("empty: %q", got)
	}
}

// TestExtHandshakeVector reads the example of BEP 10.
func TestExtHandshakeVector(t *testing.T) {
	h, err := ParseExtHandshake(
		[]byte("d1:md11:LT_metadatai1e7:µT_PEXi2ee1:pi6881e1:v13:\xc2\xb5Torrent 1.2e"))
	want := ExtHandshake{Port: 6881, Client: "µTorrent 1.2", Reqq: ReqqDefault}
	if err != nil || h != want {
		t.Errorf("got %+v, %v; want %+v", h, err, want)
	}
}

// TestExtHandshakeLenient: fields that make no sense are as if absent.
func TestExtHandshakeLenient(t *testing.T) {
	def := ExtHandshake{Reqq: ReqqDefault}
	var many strings.Builder
	for i := range 40 {
		fmt.Fprintf(&many, "5:aa%03di7e", i)
	}
	with := func(change func(*ExtHandshake)) ExtHandshake {
		h := def
		change(&h)
		return h
	}
	for name, tt := range map[string]struct {
		payload string
		want    ExtHandshake
	}{
		"empty":         {"de", def},
		"m is a string": {"d1:m3:abce", def},
		"m is a list":   {"d1:mli1ei2eee", def},
		"number is a string": {"d1:md6:ut_pex1:2ee",
			with(func(h *ExtHandshake) { h.Extensions.Set(ExtPEX, 2) })},
		"number is a word":   {"d1:md6:ut_pex2:nnee", def},
		"number is negative": {"d1:md6:ut_pexi-1eee", def},
		"number is 256":      {"d1:md6:ut_pexi256eee", def},
		"number is zero": {"d1:md6:ut_pexi0eee",
			with(func(h *ExtHandshake) { h.Extensions.Set(ExtPEX, 0) })},
		"other case": {"d1:md6:UT_PEXi2eee", def},
		"unsorted": {"d1:v1:a1:md6:ut_pexi2eee",
			with(func(h *ExtHandshake) { h.Client = "a"; h.Extensions.Set(ExtPEX, 2) })},
		"40 names before": {"d1:md" + many.String() + "6:ut_pexi2eee", def},
		"size 2^62":       {"d13:metadata_sizei4611686018427387904ee", def},
		"size negative":   {"d13:metadata_sizei-1ee", def},
		"size largest": {"d13:metadata_sizei16777216ee",
			with(func(h *ExtHandshake) { h.MetadataSize = MetadataSizeMax })},
		"size one more":  {"d13:metadata_sizei16777217ee", def},
		"port 65536":     {"d1:pi65536ee", def},
		"port 0":         {"d1:pi0ee", def},
		"port is a list": {"d1:plee", def},
		"reqq 0":         {"d4:reqqi0ee", with(func(h *ExtHandshake) { h.Reqq = 1 })},
		"reqq negative":  {"d4:reqqi-5ee", with(func(h *ExtHandshake) { h.Reqq = 1 })},
		"reqq 2^40": {"d4:reqqi1099511627776ee",
			with(func(h *ExtHandshake) { h.Reqq = ReqqMax })},
		"reqq is a string": {"d4:reqq1:5e", with(func(h *ExtHandshake) { h.Reqq = 5 })},
		"client not printable": {"d1:v10:a\x1b[31m\n\xffbce",
			with(func(h *ExtHandshake) { h.Client = "a[31mbc" })},
		"client long": {"d1:v100:" + strings.Repeat("é", 50) + "e",
			with(func(h *ExtHandshake) { h.Client = strings.Repeat("é", 32) })},
		"yourip of 5 bytes": {"d6:yourip5:abcdee", def},
		"yourip mapped":     {"d6:yourip16:\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x01\x02\x03\x04e", with(func(h *ExtHandshake) { h.YourIP = netip.AddrFrom4([4]byte{1, 2, 3, 4}) })},
		"ipv4 of 16 bytes":  {"d4:ipv416:abcdefghijklmnope", def},
		"ipv6 of 4 bytes":   {"d4:ipv64:abcde", def},
		"upload_only as string": {"d11:upload_only1:1e",
			with(func(h *ExtHandshake) { h.UploadOnly = true })},
		"padding behind": {"de\x00\x00", def},
		"same key twice": {"d1:md6:ut_pexi2ee1:md6:ut_pexi3ee1:pi1e1:pi2ee",
			with(func(h *ExtHandshake) { h.Extensions.Set(ExtPEX, 2); h.Port = 1 })},
		"number twice": {"d1:md6:ut_pexi2e6:ut_pexi3eee",
			with(func(h *ExtHandshake) { h.Extensions.Set(ExtPEX, 2) })},
		"twice, unsorted": {"d1:pi1e1:md6:ut_pexi2ee1:pi2ee",
			with(func(h *ExtHandshake) { h.Extensions.Set(ExtPEX, 2); h.Port = 1 })},
		"leading zeros": {"d1:pi01e4:reqqi0050ee",
			with(func(h *ExtHandshake) { h.Port, h.Reqq = 1, 50 })},
		"minus zero": {"d1:pi-0e4:reqqi50ee",
			with(func(h *ExtHandshake) { h.Reqq = 50 })},
		"float":     {"d4:reqqi50.0ee", with(func(h *ExtHandshake) { h.Reqq = 50 })},
		"no number": {"d4:reqqie1:pi7ee", with(func(h *ExtHandshake) { h.Port = 7 })},
		"blanks": {"\r\nd 1:p i7e\n1:v 1:a e",
			with(func(h *ExtHandshake) { h.Port, h.Client = 7, "a" })},
		"key is an integer":      {"di1ei2e1:pi7ee", with(func(h *ExtHandshake) { h.Port = 7 })},
		"unknown, nested deeply": {"d1:xllllllllleeeeeeeeee", def},
	} {
		got, err := ParseExtHandshake([]byte(tt.payload))
		if err != nil || got != tt.want {
			t.Errorf("%s: got %+v, %v; want %+v", name, got, err, tt.want)
		}
	}
}

func TestExtHandshakeMalformed(t *testing.T) {
	for name, payload := range map[string]string{
		"nothing": "", "no dictionary": "i1e", "list": "le", "cut off": "d1:md6:ut_pexi2e",
		"length over the end": "d1:v99999999999:ae",
		"depth":               "d1:x" + strings.Repeat("l", 1000) + strings.Repeat("e", 1000) + "e",
		"values":              "d1:xl" + strings.Repeat("i1e", payloadValuesMax) + "ee",
		"larger than allowed": "d1:v131072:" + strings.Repeat("a", ExtendedMax) + "e",
	} {
		if h, err := ParseExtHandshake([]byte(payload)); !errors.Is(err,
			ProtocolError{RuleExtHandshake}) {
			t.Errorf("%s: got %+v, %v", name, h, err)
		}
	}
}

// TestExtensionsAreAdditive: a later handshake changes only what it names.
func TestExtensionsAreAdditive(t *testing.T) {
	var x Extensions
	for _, m := range []string{"d1:md11:ut_metadatai3e6:ut_pexi4eee", "d1:md6:ut_pexi0eee", "de",
		"d1:md12:ut_holepunchi9eee"} {
		h, err := ParseExtHandshake([]byte(m))
		if err != nil {
			t.Fatal(err)
		}
		x.Merge(h.Extensions)
	}
	for e, want := range map[Extension]uint8{ExtMetadata: 3, ExtPEX: 0, ExtHolepunch: 9,
		ExtDontHave: 0, 0: 0, 200: 0} {
		if got := x.Number(e); got != want || x.Has(e) != (want != 0) {
			t.Errorf("%v: %d, want %d", e, got, want)
		}
	}
	if Extension(0).Known() || !ExtUploadOnly.Known() || extensionEnd.Known() {
		t.Error("Known is wrong")
	}
	for e := Extension(1); e < extensionEnd; e++ {
		if e.String() == "unknown extension" {
			t.Errorf("extension %d has no name", e)
		}
	}
}

func FuzzParseExtHandshake(f *testing.F) {
	f.Add([]byte("d1:md11:ut_metadatai1e6:ut_pexi2ee13:metadata_sizei100e1:pi6881e4:reqqi500e1:v5:helloe"))
	f.Add([]byte("d4:ipv44:abcd4:ipv616:abcdefghijklmnop11:upload_onlyi1e6:yourip4:abcde"))
	f.Add([]byte("d1:mdee"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		h, err := ParseExtHandshake(payload)
		if err != nil {
			return
		}
		if h.Reqq < 1 || h.Reqq > ReqqMax || h.MetadataSize < 0 ||
			h.MetadataSize > MetadataSizeMax || len(h.Client) > ClientMax {
			t.Errorf("out of bounds: %+v", h)
		}
		b := AppendExtHandshake(nil, h)
		again, err := ParseExtHandshake(b)
		if err != nil || again != h {
			t.Errorf("%+v became %+v, %v", h, again, err)
		}
		if !bytes.Equal(b, AppendExtHandshake(nil, again)) {
			t.Error("appending is not stable")
		}
	})
}
