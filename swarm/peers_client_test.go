package swarm

import (
	"strings"
	"testing"
	"unicode"
)

// The names of programs in peer ids as they are seen (BEP 20).
func TestClientOf(t *testing.T) {
	for id, want := range map[string]string{
		"-TR3000-abcdefghijkl": "Transmission 3.00",
		"-TR2940-abcdefghijkl": "Transmission 2.94",
		"-TR4060-abcdefghijkl": "Transmission 4.0.6",
		"-qB4520-abcdefghijkl": "qBittorrent 4.5.2",
		"-LT2080-abcdefghijkl": "libtorrent 2.0.8",
		"-LT20B0-abcdefghijkl": "libtorrent 2.0.11",
		"-lt0D80-abcdefghijkl": "rTorrent 0.13.8",
		"-DE13F1-abcdefghijkl": "Deluge 1.3.15.1",
		"-UT355W-abcdefghijkl": "µTorrent 3.5.5",
		"-WW0102-abcdefghijkl": "WebTorrent 0.1.0.2",
		"-SN0100-abcdefghijkl": "swarmnode 0.1.0",
		"-GT0003-abcdefghijkl": "anacrolix/torrent 0.0.0.3",
		"-qB45!0-abcdefghijkl": "qBittorrent",
		"A2-1-36-0-abcdefghij": "aria2 1.36.0",
		"A2-1-37-0-1-2-3-4-5-": "aria2 1.37.0",
		"A2-12345-0-abcdefghi": "",
		"M7-10-5--abcdefghijk": "BitTorrent 7.10.5",
		"M---------abcdefghij": "",
		"Mxyz-1-2-abcdefghijk": "",
		"-ZZ1000-abcdefghijkl": "",
		"-TR3000xabcdefghijkl": "",
		"--------------------": "",
		"abcdefghijklmnopqrst": "",
	} {
		if got := clientOf([20]byte([]byte(id))); got != want {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
	if got := clientOf([20]byte{}); got != "" {
		t.Errorf("no id: %q", got)
	}
}

// No id breaks the reader, and what it returns can be shown.
func FuzzClientOf(f *testing.F) {
	f.Add([]byte("-TR3000-abcdefghijkl"))
	f.Add([]byte("A2-1-36-0-abcdefghij"))
	f.Add([]byte("M7-10-5--abcdefghijk"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var id [20]byte
		copy(id[:], b)
		name := clientOf(id)
		if len(name) > 40 || strings.ContainsFunc(name,
			func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q: %q", b, name)
		}
	})
}
