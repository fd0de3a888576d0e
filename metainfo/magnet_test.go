package metainfo

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const (
	hex40    = "0123456789abcdef0123456789abcdef01234567"
	base32ed = "AERUKZ4JVPG66AJDIVTYTK6N54ASGRLH"
	hex64    = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
)

func TestParseHash(t *testing.T) {
	for _, s := range []string{hex40, strings.ToUpper(hex40), base32ed, strings.ToLower(base32ed)} {
		h, err := ParseHash(s)
		if err != nil || h.String() != hex40 || h.Short() != hex40[:8] {
			t.Errorf("%s: %v, %v", s, h, err)
		}
	}
	for _, s := range []string{"", "x", hex40[1:], hex40 + "0", "g" + hex40[1:], base32ed[1:] + "1",
		base32ed + "=", hex64} {
		if h, err := ParseHash(s); err == nil || h != (Hash{}) {
			t.Errorf("%q: %v, %v", s, h, err)
		}
	}
}

func TestParseMagnet(t *testing.T) {
	for _, tt := range []struct{ link, want string }{
		{"magnet:?xt=urn:btih:" + hex40, "v1"},
		{"MAGNET:?XT=URN:BTIH:" + strings.ToUpper(hex40), "v1"},
		{"  magnet:?xt=urn:btih:" + base32ed + "\n", "v1"},
		{"magnet:xt=urn:btih:" + hex40, "v1"},
		{"magnet:?xt=urn%3Abtih%3A" + hex40, "v1"},
		{"magnet:?xt.1=urn:btih:" + hex40 + "&xt.2=urn:sha1:ABC", "v1"},
		{"magnet:?xt=urn:btih:" + hex40 + "&xt=urn:btih:" + base32ed, "v1"},
		{"magnet:?xt=urn:btmh:1220" + hex64, "v2"},
		{"magnet:?xt=urn:btmh:1220" + strings.ToUpper(hex64), "v2"},
		{"magnet:?xt=urn:btih:" + hex40 + "&xt=urn:btmh:1220" + hex64, "v1 v2"},
		{"magnet:?xt=urn:btih:" + hex40 + "&dn=a+b%20c", `v1 "a b c"`},
		{"magnet:?xt=urn:btih:" + hex40 + "&dn=100%+legal", `v1 "100%+legal"`},
		{"magnet:?xt=urn:btih:" + hex40 + "&dn=..%2Fetc%2Fpasswd", `v1 ".._etc_passwd"`},
		{"magnet:?xt=urn:btih:" + hex40 + "&dn=a%1b[31m", `v1 "a_[31m"`},
		{"magnet:?xt=urn:btih:" + hex40 + "&dn=..&dn=b", `v1 "b"`},
		{"magnet:?dn=x&xt=urn:btih:" + hex40 + "&tr=http%3A%2F%2Ft%2Fa%3Fb%3D1%262&tr.1=udp://u:80",
			`v1 "x" tr=[http://t/a?b=1&2 udp://u:80]`},
		{"magnet:?dn=x&amp;xt=urn:btih:" + hex40 + "&amp;tr=http://t/", `v1 "x" tr=[http://t/]`},
		{"magnet:?xt=urn:btih:" + hex40 +
			"&tr=http://t/a+b&tr=http://t/a+b&tr=nonsense&tr=%zz&tr=http://a%0ab/",
			"v1 tr=[http://t/a+b]"},
		{"magnet:?xt=urn:btih:" + hex40 + "&ws=http://w/&ws=", "v1 ws=[http://w/]"},
		{"magnet:?xt=urn:btih:" + hex40 +
			"&x.pe=1.2.3.4:5&x.pe=%5B::1%5D:6&x.pe=[fe80::2]:7&x.pe=host.example:8",
			"v1 pe=[1.2.3.4:5 [::1]:6 [fe80::2]:7 host.example:8]"},
		{"magnet:?xt=urn:btih:" + hex40 +
			"&x.pe=1.2.3.4&x.pe=1.2.3.4:0&x.pe=1.2.3.4:65536&x.pe=:5&x.pe=a " +
			"b:5&x.pe=::1:5&x.pe=[::1%25lo]:5&x.pe=[x:y]:5", "v1"},
		{"magnet:?xt=urn:btih:" + hex40 + "&so=0,2,4,6-8", "v1 so=0,2,4,6-8"},
		{"magnet:?xt=urn:btih:" + hex40 + "&so=,x,-1,3-,5-4,1e3,99999999999,7, 9 ,0-4294967295",
			"v1 so=7,9"},
		{"magnet:?xt=urn:btih:" + hex40 + "&so=5-2000000", "v1 so=5-1048575"},
		{"magnet:?xt=urn:btih:" + hex40 + "&unknown=1&&=&x", "v1"},
		{"magnet:?xt=urn:btih:" + hex40 + "#fragment", "v1"},
	} {
		m, err := ParseMagnet(tt.link)
		if err != nil {
			t.Errorf("%s: %v", tt.link, err)
			continue
		}
		if got := describe(m); got != tt.want {
			t.Errorf("%s\ngot  %s\nwant %s", tt.link, got, tt.want)
		}
		if again, err := ParseMagnet(m.String()); err != nil || fmt.Sprint(again) != fmt.Sprint(m) {
			t.Errorf("%s: written as %s, that is read as %v, %v", tt.link, m, again, err)
		}
	}
}

func describe(m Magnet) string {
	var parts []string
	if m.HasV1 {
		parts = append(parts, "v1")
		if m.V1.String() != hex40 || m.Hash() != m.V1 {
			parts = append(parts, "wrong")
		}
	}
	if m.HasV2 {
		parts = append(parts, "v2")
		if m.V2.String() != hex64 || !m.HasV1 && m.Hash().String() != hex64[:40] {
			parts = append(parts, "wrong")
		}
	}
	if m.Name != "" {
		parts = append(parts, fmt.Sprintf("%q", m.Name))
	}
	for _, l := range []struct {
		key  string
		list []string
	}{{"tr", m.Trackers}, {"ws", m.WebSeeds}, {"pe", m.Peers}} {
		if len(l.list) > 0 {
			parts = append(parts, fmt.Sprintf("%s=%v", l.key, l.list))
		}
	}
	if len(m.Select) > 0 {
		parts = append(parts, "so="+formatSelection(m.Select))
	}
	return strings.Join(parts, " ")
}

func TestParseMagnetRefuses(t *testing.T) {
	for _, tt := range []struct{ link, want string }{
		{"", "does not start"},
		{"magnet", "does not start"},
		{"http://x/", "does not start"},
		{"magnet:", "no exact topic"},
		{"magnet:?dn=x", "no exact topic"},
		{"magnet:?xt=", "no exact topic"},
		{"magnet:?xt=urn:sha1:ABCD", "not a BitTorrent topic"},
		{"magnet:?xt=urn:btih:", "found 0"},
		{"magnet:?xt=urn:btih:" + hex40[2:], "found 38"},
		{"magnet:?xt=urn:btih:" + hex40 + "00", "found 42"},
		{"magnet:?xt=urn:btih:z" + hex40[1:], "hexadecimal"},
		{"magnet:?xt=urn:btih:1" + base32ed[1:], "base32"},
		{"magnet:?xt=urn:btih:" + hex64, "found 64"},
		{"magnet:?xt=urn:btih:" + hex40[:38] + "%zz", "percent-escape"},
		{"magnet:?xt=urn:btih:" + hex40 + "&xt=urn:btih:" + strings.Repeat("0", 40),
			"two different"},
		{"magnet:?xt=urn:btmh:1220" + hex64 + "&xt=urn:btmh:1220" + strings.Repeat("0", 64),
			"two different"},
		{"magnet:?xt=urn:btmh:", "malformed"},
		{"magnet:?xt=urn:btmh:zz", "not hexadecimal"},
		{"magnet:?xt=urn:btmh:1220" + hex64[2:], "malformed"},
		{"magnet:?xt=urn:btmh:1220" + hex64 + "00", "malformed"},
		{"magnet:?xt=urn:btmh:1114" + hex40, "SHA2-256"},
		{"magnet:?xt=urn:btmh:1214" + hex40, "SHA2-256"},
		{"magnet:?xt=urn:btmh:ffffffffffffffffffffff20" + hex64, "malformed"},
		{"magnet:?xt=urn:btmh:" + strings.Repeat("12", 1000), "too long"},
		{"magnet:?xt=urn:btih:" + hex40 + strings.Repeat("&a=b", 2000), "more than"},
		{"magnet:?xt=urn:btih:" + hex40 + "&dn=" + strings.Repeat("x", MagnetBytesMax),
			"longer than"},
	} {
		_, err := ParseMagnet(tt.link)
		if err == nil || !strings.Contains(err.Error(), tt.want) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%.100s: got %v, want ...%s...", tt.link, err, tt.want)
		}
	}
}

func TestMagnetFloods(t *testing.T) {
	var b strings.Builder
	b.WriteString("magnet:?xt=urn:btih:" + hex40)
	for i := range 300 {
		fmt.Fprintf(&b, "&tr=http://t%d/&x.pe=h:%d&ws=http://w%d/", i, i+1, i)
	}
	b.WriteString("&so=" + strings.Repeat("0-1048575,", 2000))
	m, err := ParseMagnet(b.String())
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Trackers) != TrackersMax || len(m.Peers) != PeersMax ||
		len(m.WebSeeds) != WebSeedsMax || len(m.Select) != selectRangesMax {
		t.Errorf("kept %d %d %d %d", len(m.Trackers), len(m.Peers), len(m.WebSeeds), len(m.Select))
	}
	n := 0
	for range m.Selected(10) {
		n++
	}
	if n != 10 {
		t.Errorf("selected %d of 10", n)
	}
}

func TestSelected(t *testing.T) {
	m := Magnet{Select: []Range{{6, 8}, {0, 0}, {7, 20}, {2, 2}}}
	if got := fmt.Sprint(slices.Collect(m.Selected(10))); got != "[0 2 6 7 8 9]" {
		t.Errorf("got %s", got)
	}
	for i := range m.Selected(10) {
		if i == 2 {
			break
		}
	}
	if got := slices.Collect(Magnet{}.Selected(10)); len(got) != 0 {
		t.Errorf("no selection gives %v", got)
	}
}

func FuzzParseMagnet(f *testing.F) {
	f.Add("magnet:?xt=urn:btih:" + hex40 +
		"&dn=a+b&tr=http://t/&x.pe=[::1]:5&ws=http://w/&so=1,3-5")
	f.Add("magnet:?xt=urn:btmh:1220" + hex64)
	f.Add("magnet:?xt.1=urn%3Abtih%3A" + base32ed + "&dn=%zz")
	f.Fuzz(func(t *testing.T, link string) {
		m, err := ParseMagnet(link)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: the error has several lines: %v", link, err)
			}
			return
		}
		again, err := ParseMagnet(m.String())
		if err != nil || fmt.Sprint(again) != fmt.Sprint(m) {
			t.Errorf("%q: read as %v, written as %s, read as %v, %v", link, m, m, again, err)
		}
	})
}
