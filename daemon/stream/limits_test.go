package stream

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"swarmnode/daemon"
	"swarmnode/daemon/control"
)

// What viewers on other machines get counts for the limit of uploads.
func TestUploadLimitHoldsForViewers(t *testing.T) {
	const rate = 32 << 10
	c := makeContent(t, map[string]int{"film.mkv": 4 * rate})
	seed := startDaemon(t, c.dir)
	torrent := add(t, seed, daemon.AddSpec{Torrent: c.torrent, Complete: true,
		Options: daemon.Options{Dir: c.dir, Up: rate}})
	r := rigOf(t, seed, control.GateConfig{})
	url := fmt.Sprintf("/files/%v/0/film.mkv", torrent.Hash())
	start := time.Now()
	answer, body := r.get(t, url, "X-Forwarded-For", "192.0.2.7")
	expect(t, answer, body, http.StatusOK, c.files["film.mkv"])
	// A second's worth may be sent at once.
	if took := time.Since(start); took < 2*time.Second {
		t.Errorf("%d bytes at %d a second took %v", len(body), rate, took)
	}
}

// Viewers on the machine itself use none of it: what they get goes over no network.
func TestViewersOfThisMachineUseNoUpload(t *testing.T) {
	c := makeContent(t, map[string]int{"film.mkv": 1 << 20})
	seed := startDaemon(t, c.dir)
	torrent := add(t, seed, daemon.AddSpec{Torrent: c.torrent, Complete: true,
		Options: daemon.Options{Dir: c.dir, Up: 1 << 10}}) // would take a quarter of an hour
	r := rigOf(t, seed, control.GateConfig{})
	answer, body := r.get(t, fmt.Sprintf("/files/%v/0/film.mkv", torrent.Hash()))
	expect(t, answer, body, http.StatusOK, c.files["film.mkv"])
}

func TestFarViewers(t *testing.T) {
	for _, test := range []struct {
		from, header string
		far          bool
	}{
		{"127.0.0.1:5000", "", false},
		{"[::1]:5000", "", false},
		{"@", "", false}, // the socket
		{"192.0.2.7:5000", "", true},
		{"[::ffff:192.0.2.7]:5000", "", true},
		{"127.0.0.1:5000", "Forwarded", true},
		{"127.0.0.1:5000", "Via", true},
		{"@", "X-Forwarded-For", true},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.RemoteAddr = test.from
		if test.header != "" {
			r.Header.Set(test.header, "x")
		}
		if isFar(r) != test.far {
			t.Errorf("%s with %q: far is %v", test.from, test.header, !test.far)
		}
	}
}
