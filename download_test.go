package swarmnode

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"swarmnode/metainfo"
)

// A URL leads to a torrent or a link, or the error says whether the network is to blame.
func TestDownload(t *testing.T) {
	_, torrent := makeTorrent(t, 100<<10)
	doc, link := torrent.Marshal(), torrent.Magnet().String()
	mux := http.NewServeMux()
	serve := func(path string, f http.HandlerFunc) { mux.HandleFunc(path, f) }
	serve("/torrent", func(w http.ResponseWriter, _ *http.Request) { w.Write(doc) })
	serve("/link", func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("\ufeff " + link + "\n"))
	})
	serve("/redirect", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, link, http.StatusFound)
	})
	serve("/junk", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) })
	serve("/long", func(w http.ResponseWriter, _ *http.Request) {
		piece := []byte(strings.Repeat("x", 1<<20))
		for range metainfo.TorrentBytesMax>>20 + 1 {
			w.Write(piece)
		}
	})
	serve("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100000")
		w.Write(doc[:len(doc)/2])
	})
	serve("/extra", func(w http.ResponseWriter, _ *http.Request) { // whole, and then cut
		w.Header().Set("Content-Length", "100000")
		w.Write(doc)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	for _, path := range []string{"/torrent", "/link", "/redirect", "/extra"} {
		got, err := (*Network)(nil).Download(t.Context(), server.URL+path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		hash := got.Magnet.Hash()
		if got.Torrent != nil {
			hash = got.Torrent.Info().Hash()
		}
		if hash != torrent.Info().Hash() {
			t.Errorf("%s leads to %v, want %v", path, hash, torrent.Info().Hash())
		}
	}
	for url, network := range map[string]bool{server.URL + "/junk": false,
		server.URL + "/nothing": false, server.URL + "/long": false, server.URL + "/cut": true,
		"http://": false, "http://127.0.0.1:1/": true} {
		_, err := (*Network)(nil).Download(t.Context(), url)
		wrong, ok := errors.AsType[*DownloadError](err)
		if !ok || wrong.Network != network || wrong.Error() == "" {
			t.Errorf("%s: %v", url, err)
		}
		if errors.Is(err, ErrTooLong) != strings.HasSuffix(url, "/long") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// Cookies go to the host that the user named, also after a redirect, and to no other host.
func TestDownloadCookies(t *testing.T) {
	_, torrent := makeTorrent(t, 100<<10)
	var got []string
	mux := http.NewServeMux()
	mux.HandleFunc("/torrent", func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("Cookie"))
		w.Write(torrent.Marshal())
	})
	var server *httptest.Server
	mux.HandleFunc("/here", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/torrent", http.StatusFound)
	})
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, strings.Replace(server.URL, "127.0.0.1", "localhost", 1)+"/torrent",
			http.StatusFound)
	})
	server = httptest.NewServer(mux)
	defer server.Close()
	opt := DownloadOptions{Cookies: " uid=7; pass=x%3Dy;"}
	for _, path := range []string{"/torrent", "/here", "/away"} {
		if _, err := (*Network)(nil).DownloadWith(t.Context(), server.URL+path, opt); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	want := []string{"uid=7; pass=x%3Dy", "uid=7; pass=x%3Dy", ""}
	if !slices.Equal(got, want) {
		t.Errorf("cookies %q, want %q", got, want)
	}
	opt.Cookies = "no cookie"
	_, err := (*Network)(nil).DownloadWith(t.Context(), server.URL+"/torrent", opt)
	if fault, ok := errors.AsType[*DownloadError](err); !ok || fault.Network {
		t.Errorf("cookies that nobody can send: %v, want a DownloadError", err)
	}
}
