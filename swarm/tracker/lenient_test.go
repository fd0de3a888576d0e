package tracker

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"reflect"
	"testing"
	"time"

	"swarmnode/internal/rawhttp"
	"swarmnode/metainfo"
	"swarmnode/swarm/guard"
)

func gzipped(t *testing.T, text []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(text)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func deflated(t *testing.T, text []byte, bare bool) []byte {
	var b bytes.Buffer
	var z io.WriteCloser = zlib.NewWriter(&b)
	if bare {
		var err error
		if z, err = flate.NewWriter(&b, flate.BestCompression); err != nil {
			t.Fatal(err)
		}
	}
	z.Write(text)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Trackers in use send these answers, each wrong in one way, over real sockets. libtorrent
// 2.0.8 cannot read eight of them: leading blanks and the byte order mark, the fraction,
// the dictionary of dictionaries, the port as a string, undeclared gzip, and both kinds
// of deflate.
func TestTrackersAsTheyAre(t *testing.T) {
	good := []byte("d8:intervali1800e5:peers6:\x7f\x00\x00\x01\x00\x50e")
	want := Response{Interval: 30 * time.Minute, Seeds: -1, Leeches: -1, Completed: -1,
		Peers: addrs("127.0.0.1:80")}
	head := func(length int, fields string) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n", fields, length)
	}
	whole := func(body []byte, fields string) []byte {
		return append([]byte(head(len(body), fields)), body...)
	}
	chunk := fmt.Appendf([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
		"%x\r\n%s\r\n", len(good), good)
	for _, tt := range []struct {
		name   string
		answer []byte
		hold   bool
	}{
		{"plain", whole(good, ""), false},
		{"HTTP/1.0 without a length", append([]byte("HTTP/1.0 200 OK\r\n\r\n"), good...), false},
		{"a blank line before", whole(append([]byte("\r\n"), good...), ""), false},
		{"a byte order mark", whole(append([]byte("\xef\xbb\xbf"), good...), ""), false},
		{"a page behind", whole(append(bytes.Clone(good), "<html>"...), ""), false},
		{"a key twice", whole(
			[]byte("d8:intervali1800e8:intervali60e5:peers6:\x7f\x00\x00\x01\x00\x505:peers0:e"),
			""), false},
		{"unsorted", whole([]byte("d5:peers6:\x7f\x00\x00\x01\x00\x508:intervali1800ee"), ""),
			false},
		{"leading zeros", whole([]byte("d8:intervali01800e5:peers06:\x7f\x00\x00\x01\x00\x50e"),
			""), false},
		{"a fraction", whole([]byte("d8:intervali1800.5e5:peers6:\x7f\x00\x00\x01\x00\x50e"), ""),
			false},
		{"an interval as a string",
			whole([]byte("d8:interval4:18005:peers6:\x7f\x00\x00\x01\x00\x50e"), ""), false},
		{"a list of dictionaries",
			whole([]byte("d8:intervali1800e5:peersld2:ip9:127.0.0.14:porti80eeee"), ""), false},
		{"a dictionary of dictionaries",
			whole([]byte("d8:intervali1800e5:peersd1:0d2:ip9:127.0.0.14:porti80eeee"), ""), false},
		{"a port as a string",
			whole([]byte("d8:intervali1800e5:peersld2:ip9:127.0.0.14:port2:80eee"), ""), false},
		{"a name among the peers",
			whole([]byte("d8:intervali1800e5:peersld2:ip12:peer.invalid4:porti80eed2:ip9:127.0.0.14:porti80eeee"), ""), false},
		{"gzip", whole(gzipped(t, good), "Content-Encoding: gzip\r\n"), false},
		{"x-gzip", whole(gzipped(t, good), "Content-Encoding: x-gzip\r\n"), false},
		{"gzip that is not said", whole(gzipped(t, good), ""), false},
		{"gzip that is none", whole(good, "Content-Encoding: gzip\r\n"), false},
		{"deflate", whole(deflated(t, good, false), "Content-Encoding: deflate\r\n"), false},
		{"deflate without the header", whole(deflated(t, good, true),
			"Content-Encoding: deflate\r\n"), false},
		{"longer than it is", append([]byte(head(len(good)+100, "")), good...), false},
		{"longer than it is, and kept open", append([]byte(head(len(good)+100, "")), good...),
			true},
		{"chunks without an end", chunk, false},
		{"chunks without an end, and kept open", chunk, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tracker := parse(t, rawhttp.Serve(t, tt.answer, tt.hold)+"/announce", true)
			got, err := newClient(t).Announce(t.Context(), tracker,
				Request{InfoHash: hashA, Port: 1}, guard.Any)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v, want %+v", got, err, want)
			}
		})
	}
}

// The answer to a scrape is read as leniently.
func TestScrapesAsTheyAre(t *testing.T) {
	body := "\r\nd5:filesd20:aaaaaaaaaaaaaaaaaaaad8:complete1:110:downloadedi02e10:incompletei3.0eee5:filesdee"
	got, err := parseScrape([]byte(body), []metainfo.Hash{hashA})
	if want := (Counts{Seeds: 1, Leeches: 3, Completed: 2}); err != nil || got[0] != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}
