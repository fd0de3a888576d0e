package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"swarmnode/daemon/api"
)

// next returns the next event whose kind is one of kinds.
func next(t *testing.T, f *Feed, kinds ...string) Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	for {
		e, err := f.Next(ctx)
		if err != nil {
			t.Fatalf("waiting for %v: %v", kinds, err)
		}
		for _, kind := range kinds {
			if e.Kind == kind {
				return e
			}
		}
	}
}

// A feed begins with all torrents, tells what changes, and goes on after a break.
func TestFeed(t *testing.T) {
	r := newRig(t, "")
	first := r.add(r.torrent("one"))
	f := r.socket.Feed(0)
	defer f.Close()
	if e := next(t, f, api.EventReset); e.Reset.Torrents != 1 {
		t.Errorf("reset: %+v", e)
	}
	if e := next(t, f, api.EventTorrent); e.Torrent.ID != first || e.Torrent.Name != "one" {
		t.Errorf("the first torrent: %+v", e)
	}
	second := r.add(r.torrent("two"))
	for {
		if e := next(t, f, api.EventTorrent); e.Torrent.ID == second {
			break
		}
	}
	if err := r.socket.Remove(t.Context(), first, false); err != nil {
		t.Fatal(err)
	}
	if e := next(t, f, api.EventRemoved); e.Removed != first {
		t.Errorf("removed: %+v", e)
	}
	// The daemon listens again at the same place, as after a restart of the network.
	r.server.Close()
	for {
		if _, err := f.Next(t.Context()); err != nil {
			break
		}
	}
	if _, err := f.Next(t.Context()); !NoDaemon(err) {
		t.Errorf("without a daemon: %v", err)
	}
	r.listen()
	third := r.add(r.torrent("three"))
	for {
		e := next(t, f, api.EventTorrent, api.EventReset)
		if e.Kind == api.EventReset {
			t.Fatal("the feed began again, though it knew where it was")
		}
		if e.Torrent.ID == third {
			break
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for {
		if _, err := f.Next(ctx); errors.Is(err, context.Canceled) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// The end of a connection is an error, and a stream that is none as well.
func TestFeedErrors(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"page": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "data: {}\n\n") },
		"end": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, ": hello\n\nevent: torrent\ndata: {\"id\"")
		},
		"JSON": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "event: torrent\ndata: []\n\n")
		},
		"long": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for range eventMax/1024 + 2 {
				if _, err := fmt.Fprintf(w, "data: %s\n", strings.Repeat("x", 1024)); err != nil {
					return
				}
			}
		},
		"refusal": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"detail": "too many feeds"}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(handler)
			defer server.Close()
			c, err := New(Config{URL: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			f := c.Feed(7)
			defer f.Close()
			_, err = f.Next(t.Context())
			_, away := errors.AsType[*UnreachableError](err)
			if name == "refusal" {
				if status(err) != http.StatusServiceUnavailable {
					t.Errorf("error %v", err)
				}
			} else if !away {
				t.Errorf("error %v", err)
			}
		})
	}
}

// readAllEvents reads a stream to its end.
func readAllEvents(s string) (list []string) {
	r := bufio.NewReaderSize(strings.NewReader(s), 16)
	for {
		kind, id, data, err := readEvent(r)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, errLongEvent) {
				panic(err)
			}
			return list
		}
		list = append(list, fmt.Sprintf("%s %s %s", kind, id, data))
	}
}

// Events are read as the standard says.
func TestReadEvent(t *testing.T) {
	for s, want := range map[string]string{
		"":                                    "",
		": comment\n\n":                       "message  ",
		"data: a\n\n":                         "message  a",
		"data:a\r\ndata: b\r\n\r\n":           "message  a\nb",
		"event: x\nid: 7\ndata: {}\n\n":       "x 7 {}",
		"id: 1\x002\ndata: a\n\n":             "message  a",
		"data\n\nretry: 10\n\n":               "message  |message  ",
		"data: a":                             "",
		"unknown: " + strings.Repeat("x", 99): "",
		"data: " + strings.Repeat("x", 99) + "\n\n": "message  " +
			strings.Repeat("x", 99),
	} {
		if got := strings.Join(readAllEvents(s), "|"); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

// No stream makes the reader of events fail, and what it returns was in the stream.
func FuzzReadEvent(f *testing.F) {
	f.Add("event: torrent\nid: 3\ndata: {\"id\": 1}\n\n")
	f.Add(": \r\n\r\ndata\ndata:\n\n")
	f.Fuzz(func(t *testing.T, s string) {
		total := 0
		for _, e := range readAllEvents(s) {
			total += len(e)
		}
		if total > 2*len(s)+16*strings.Count(s, "\n") {
			t.Errorf("%d bytes of %d", total, len(s))
		}
	})
}
