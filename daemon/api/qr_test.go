package api

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"rsc.io/qr"

	"swarmnode/metainfo"
)

// modules reads the dark modules of a picture, without its frame.
func modules(t *testing.T, picture []byte) (dark map[[2]int]bool, side int) {
	t.Helper()
	var svg struct {
		ViewBox string `xml:"viewBox,attr"`
		Paths   []struct {
			D string `xml:"d,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal(picture, &svg); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(svg.ViewBox, "0 0 %d", &side); err != nil || len(svg.Paths) != 2 {
		t.Fatalf("the picture: %.200s", picture)
	}
	dark = make(map[[2]int]bool)
	for stroke := range strings.SplitSeq(strings.TrimPrefix(svg.Paths[1].D, "M"), "M") {
		var x, y, n int
		if _, err := fmt.Sscanf(stroke, "%d %d.5h%d", &x, &y, &n); err != nil {
			t.Fatalf("%q: %v", stroke, err)
		}
		for i := range n {
			dark[[2]int{x + i - qrQuiet, y - qrQuiet}] = true
		}
	}
	return dark, side
}

// The picture has the modules of the code, inside of a white frame.
func TestQRPicture(t *testing.T) {
	for _, n := range []int{1, 60, qrEasy, qrEasy + 1, qrBytesMax} {
		text := strings.Repeat("x", n)
		picture, err := qrPicture(text)
		if err != nil {
			t.Fatal(n, err)
		}
		dark, side := modules(t, picture)
		level := qr.M
		if n > qrEasy {
			level = qr.L
		}
		code, err := qr.Encode(text, level)
		if err != nil || side != code.Size+2*qrQuiet {
			t.Fatalf("%d bytes: a side of %d for %d modules, %v", n, side, code.Size, err)
		}
		for y := range code.Size {
			for x := range code.Size {
				if dark[[2]int{x, y}] != code.Black(x, y) {
					t.Fatalf("%d bytes: the module %d,%d is wrong", n, x, y)
				}
			}
		}
	}
	if _, err := qrPicture(strings.Repeat("x", qrBytesMax+1)); err == nil {
		t.Error("a text that does not fit was drawn")
	}
}

// A link that is too long loses what others find without it, and is refused only then.
func TestQRText(t *testing.T) {
	m := metainfo.Magnet{HasV1: true, V1: metainfo.Hash{1}, Name: "name"}
	short := m.String()
	m.Trackers = []string{"http://tracker.example/announce"}
	tracked := m.String()
	m.WebSeeds = []string{"http://web.example/" + strings.Repeat("a", qrBytesMax)}
	if got, err := qrText(m); err != nil || got != tracked {
		t.Errorf("with long web seeds: %.100q, %v", got, err)
	}
	m.Trackers = append(m.Trackers, m.WebSeeds...)
	if got, err := qrText(m); err != nil || got != short {
		t.Errorf("with long trackers: %.100q, %v", got, err)
	}
	m.Name = strings.Repeat("n", qrBytesMax)
	bare := metainfo.Magnet{HasV1: true, V1: metainfo.Hash{1}}
	if got, err := qrText(m); err != nil || got != bare.String() {
		t.Errorf("with a long name: %.100q, %v", got, err)
	}
}

// The picture of a torrent is one that cannot run anything.
func TestQRCode(t *testing.T) {
	r := newRig(t, nil)
	r.want(r.do("POST", "/torrents", Add{Source: "magnet:?xt=urn:btih:" +
		strings.Repeat("5", 40) + "&dn=%3Cscript%3E"}), http.StatusCreated, nil)
	a := r.do("GET", "/torrents/1/qr.svg", nil)
	if a.status != 200 || a.header.Get("Content-Type") != svgType ||
		a.header.Get("X-Content-Type-Options") != "nosniff" ||
		!strings.Contains(a.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%d %v", a.status, a.header)
	}
	if dark, _ := modules(t, a.body); len(dark) == 0 {
		t.Error("the picture is empty")
	}
	r.want(r.do("GET", "/torrents/2/qr.svg", nil), http.StatusNotFound, nil)
}

// The speeds of a torrent that has moved nothing are empty lists.
func TestTorrentSpeed(t *testing.T) {
	r := newRig(t, nil)
	r.want(r.do("POST", "/torrents", Add{Source: strings.Repeat("6", 40)}), http.StatusCreated,
		nil)
	a := r.do("GET", "/torrents/1/speed", nil)
	if got := strings.TrimSpace(string(a.body)); got != `{"seconds":[],"minutes":[]}` {
		t.Errorf("%d %s", a.status, got)
	}
}
