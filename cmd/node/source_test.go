package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"swarmnode/metainfo"
)

// A torrent URL is accepted as servers serve it: behind redirects with cookies, to magnet
// links, compressed, with wrong lengths, and as people copy it.
func TestTorrentURLsAsTheyAre(t *testing.T) {
	const magnet = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=a " +
		"b&tr=http://x/a b/announce"
	doc := []byte("d4:infod6:lengthi5e4:name1:x12:piece " +
		"lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee")
	want, err := metainfo.ParseTorrent(doc)
	if err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(doc)
	z.Close()
	lead := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
		}
	}
	body := func(b []byte, fields ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(fields); i += 2 {
				w.Header().Set(fields[i], fields[i+1])
			}
			w.Write(b)
		}
	}
	release := make(chan struct{})
	hold := func(b []byte) http.HandlerFunc { // announces more than it has, and stays
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(b)+50))
			w.Write(b)
			w.(http.Flusher).Flush()
			<-release
		}
	}
	mux := http.NewServeMux()
	for path, h := range map[string]http.HandlerFunc{
		"/plain":  body(doc),
		"/to":     lead("/plain"),
		"/magnet": lead(magnet),
		"/MAGNET": lead("  " + strings.Replace(magnet, "magnet:", "Magnet:", 1)),
		"/twice":  lead("/magnet"),
		"/body":   body([]byte(magnet + "\r\n")),
		"/bom":    body([]byte("\xef\xbb\xbf\n" + magnet)),
		"/bodygzip": body(func() []byte {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			z.Write([]byte(magnet))
			z.Close()
			return b.Bytes()
		}()),
		"/gzip": body(zipped.Bytes()),
		"/x-gzip": body(zipped.Bytes(), "Content-Encoding", "x-gzip", "Content-Type",
			"application/x-bittorrent"),
		"/long":     body(doc, "Content-Length", fmt.Sprint(len(doc)+50)),
		"/held":     hold(doc),
		"/heldlink": hold([]byte(magnet)),
		"/cut":      body(doc[:60], "Content-Length", fmt.Sprint(len(doc))),
		"/html":     body([]byte("<html>magnet:?xt=x</html>")),
		"/bad":      lead("magnet:?xt=urn:btih:xyz"),
		"/file":     lead("file:///etc/passwd"),
		"/loop":     lead("/loop"),
		"/cookie": func(w http.ResponseWriter, r *http.Request) {
			if c, err := r.Cookie("pass"); err == nil && c.Value == "1" {
				w.Write(doc)
				return
			}
			http.SetCookie(w, &http.Cookie{Name: "pass", Value: "1"})
			http.Redirect(w, r, "/cookie", http.StatusFound)
		},
		"/query": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("name") == "a b \u00fc" {
				w.Write(doc)
				return
			}
			http.Error(w, "what?", http.StatusNotFound)
		},
	} {
		mux.HandleFunc(path, h)
	}
	server := httptest.NewServer(mux)
	defer server.Close()
	defer close(release)
	c, _, _ := testConsole()
	for _, path := range []string{
		"/plain", "/to", "/gzip", "/x-gzip", "/long", "/held", "/cookie", "/query?name=a b \u00fc",
		"/query?name=a%20b%20%C3%BC",
	} {
		src, err := parseSource(context.Background(), c, &listenFlags{}, 0, server.URL+path)
		if err != nil || src.torrent == nil || src.hash() != want.Info().Hash() {
			t.Errorf("%s: got %+v, %v", path, src, err)
		}
	}
	for _, path := range []string{"/magnet", "/MAGNET", "/twice", "/body", "/bom", "/bodygzip",
		"/heldlink"} {
		src, err := parseSource(context.Background(), c, &listenFlags{}, 0, server.URL+path)
		if err != nil || src.torrent != nil || src.magnet.Name != "a b" ||
			len(src.magnet.Trackers) != 1 ||
			src.magnet.Trackers[0] != "http://x/a%20b/announce" {
			t.Errorf("%s: got %+v, %v", path, src, err)
		}
	}
	for path, code := range map[string]int{
		"/cut": exitNetwork, "/html": exitInput, "/bad": exitInput, "/file": exitNetwork,
		"/loop": exitNetwork, "/none": exitInput,
	} {
		src, err := parseSource(context.Background(), c, &listenFlags{}, 0, server.URL+path)
		if err == nil || exitCode(err) != code {
			t.Errorf("%s: got %+v, %v, want exit code %d", path, src, err, code)
		}
	}
}
