package transmission

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"swarmnode/daemon"
	"swarmnode/metainfo"
)

// longRequests are requests with answers that are sent in parts, once there are manyAdded
// torrents.
var longRequests = func() []string {
	get := `{"jsonrpc":"2.0","method":"torrent_get","params":{"fields":["id","name","labels"],` +
		`"format":"table"},"id":1}`
	return []string{
		`{"method":"torrent-get","arguments":{"fields":["id","hashString","labels"]},"tag":3}`,
		get, `[` + get + `,{"jsonrpc":"2.0","method":"session_get"},` + get + `]`,
	}
}()

const manyAdded = 300

// addMany adds torrents with long labels.
func addMany(b *bench) {
	label := strings.Repeat("x", 250)
	for i := range manyAdded {
		b.add(daemon.AddSpec{Magnet: metainfo.Magnet{HasV1: true,
			V1: metainfo.Hash{1, byte(i >> 8), byte(i)}}, Options: daemon.Options{Stopped: true,
			Labels: []string{label + "1", label + "2", label + "3"}}})
	}
}

// A long answer is sent in parts, and says the same as one that is sent at once.
func TestLongAnswers(t *testing.T) {
	b := newBench(t)
	addMany(b)
	for _, request := range longRequests {
		want, err := b.h.answer(b.ctx(t), []byte(request), nil, nil)
		if err != nil || len(want) < manyAdded*750 {
			t.Fatalf("%d bytes, %v", len(want), err)
		}
		for _, coding := range []string{"identity", "gzip"} {
			response, got := b.post(request, "Accept-Encoding", coding)
			if response.ContentLength >= 0 {
				t.Errorf("%s: it has a length: %d", coding, response.ContentLength)
			}
			if coding == "gzip" {
				z, err := gzip.NewReader(bytes.NewReader(got))
				if err == nil {
					got, err = io.ReadAll(z)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s, %.60s: %d bytes, want %d", coding, request, len(got), len(want))
			}
		}
	}
}

// An answer that cannot be sent to its end is not ended as if it were whole.
func TestCutAnswers(t *testing.T) {
	b := newBench(t)
	addMany(b)
	for _, request := range longRequests {
		_, err := b.h.answer(b.ctx(t), []byte(request), nil, func([]byte) error {
			return errors.New("the client is gone")
		})
		if !errors.Is(err, errCut) {
			t.Errorf("%.60s: %v", request, err)
		}
		ctx, cancel := context.WithCancel(b.ctx(t))
		_, err = b.h.answer(ctx, []byte(request), nil, func([]byte) error {
			cancel()
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%.60s: %v at the end of the daemon", request, err)
		}
	}
	for _, coding := range []string{"identity", "gzip"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter,
			r *http.Request) {
			s := &sender{w: w, r: r}
			if err := s.part([]byte(fmt.Sprintf("%d", make([]int, gzipMin)))); err != nil {
				t.Error(err)
			}
			s.cut()
		}))
		r, err := http.NewRequest("GET", server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Encoding", coding)
		response, err := server.Client().Do(r)
		if err == nil {
			_, err = io.ReadAll(response.Body)
			response.Body.Close()
		}
		if err == nil {
			t.Errorf("%s: the answer seems to be whole", coding)
		}
		server.Close()
	}
}
