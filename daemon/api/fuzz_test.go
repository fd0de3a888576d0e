package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"swarmnode"
	"swarmnode/daemon"
	"swarmnode/daemon/control"
	"swarmnode/daemon/tally"
)

// FuzzRequest sends requests of every shape: nothing makes the daemon fail, and each answer is
// JSON. Whatever the requests make the daemon ask for goes to a proxy that is not there.
func FuzzRequest(f *testing.F) {
	network, err := swarmnode.NewNetwork(swarmnode.NetworkConfig{Proxy: "socks5://127.0.0.1:1"})
	if err != nil {
		f.Fatal(err)
	}
	d, err := daemon.Start(f.Context(), daemon.Config{
		Node: swarmnode.Config{StateDir: f.TempDir(), Bootstrap: []string{}, NoPortmap: true,
			NoDHT: true, Network: network, Listen: []netip.AddrPort{loopback}, AnyPort: true},
		Settings: daemon.Settings{Dir: f.TempDir()}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { d.Close() })
	gate, err := control.NewGate(control.GateConfig{})
	if err != nil {
		f.Fatal(err)
	}
	counts := tally.New(d)
	f.Cleanup(counts.Close)
	handler := New(Config{Daemon: d, Gate: gate, Tally: counts, Network: network})
	for i := range routes {
		r := &routes[i]
		body := ""
		if r.body != nil {
			doc, err := json.Marshal(r.body)
			if err != nil {
				f.Fatal(err)
			}
			body = string(doc)
		}
		f.Add(r.method, strings.Replace(r.path, "{id}", "1", 1), "", "application/json", body)
	}
	f.Add("POST", "/torrents", "", "application/json",
		`{"source":"magnet:?xt=urn:btih:`+strings.Repeat("1", 40)+`","stopped":true}`)
	f.Add("POST", "/torrents", "", torrentType, "d4:infod6:lengthi1e4:name1:x12:piece length"+
		"i16384e6:pieces20:01234567890123456789ee")
	f.Add("POST", "/torrents", "", "multipart/form-data; boundary=x",
		"--x\r\nContent-Disposition: form-data; name=options\r\n\r\n{}\r\n--x--\r\n")
	f.Add("GET", "/torrents", "fields=id,name&sort=-name&limit=5&status=active&since=7", "", "")
	f.Add("GET", "/torrents/1/files", "path=x&flat", "", "")
	f.Add("PATCH", "/settings", "", "", `{"seed-time":1e9,"notes":{"a":"b"}}`)
	f.Fuzz(func(t *testing.T, method, path, query, kind, body string) {
		target := &url.URL{Scheme: "http", Host: "localhost", Path: Base + path, RawQuery: query}
		if method == "" || strings.Contains(path, "events") { // which stay open
			return
		}
		request, err := http.NewRequestWithContext(t.Context(), method, target.String(),
			strings.NewReader(body))
		if err != nil {
			return
		}
		request.RemoteAddr = "127.0.0.1:1"
		request.Header.Set("Content-Type", kind)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, request)
		if w.Code == http.StatusInternalServerError {
			t.Errorf("%s %s %q: %d %s", method, target, body, w.Code, w.Body)
		}
		media := w.Header().Get("Content-Type")
		if strings.HasSuffix(media, "json") && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %s: no JSON: %q", method, target, w.Body)
		}
	})
}

// FuzzSettings reads settings: what is read can be written and read again.
func FuzzSettings(f *testing.F) {
	f.Add([]byte(`{"down":5,"seed-time":1.5,"root":["/a"],"notes":{"x":"y"},"dht":true}`))
	f.Add([]byte(`{"seed-ratio":1e400}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		var s Settings
		if parse(doc, &s) != nil {
			return
		}
		written, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var again Settings
		if err := parse(written, &again); err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		if rewritten, _ := json.Marshal(again); string(rewritten) != string(written) {
			t.Errorf("%s becomes %s", written, rewritten)
		}
	})
}
