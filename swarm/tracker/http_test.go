package tracker

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/guard"
)

func addrs(s ...string) (list []netip.AddrPort) {
	for _, a := range s {
		list = append(list, netip.MustParseAddrPort(a))
	}
	return list
}

func TestParseTracker(t *testing.T) {
	for _, raw := range []string{
		"", "tracker.example/announce", "ftp://x/announce", "http:///announce", "udp://x/announce",
		"wss://x/", "http://x:y/", "http://x/\x00",
		"http://x/" + strings.Repeat("a", guard.URLBytesMax),
	} {
		if _, err := ParseTracker(raw, true); !errors.Is(err, ErrURL) {
			t.Errorf("%.40q: got %v, want ErrURL", raw, err)
		}
	}
	secret := parse(t, "https://x.example:8443/0123456789/announce?passkey=1", true)
	if got, want := secret.String(), "https://x.example:8443"; got != want {
		t.Errorf("String is %q, want %q", got, want)
	}
}

func TestAnnounceURL(t *testing.T) {
	base, _ := url.Parse("http://x/announce.php?key=a+b#f")
	r := Request{
		InfoHash: hashB, PeerID: [20]byte([]byte("-SN0100-~~~~~~~~~~~~")), Port: 6881,
		Uploaded: 1, Downloaded: 2, Left: 3, Event: Started, Want: 50, Key: 0xABC, TrackerID: "i d",
	}
	want := "http://x/announce.php?key=a+b&info_hash=b%26%20%25%2B%00%FFbbbbbbbbbbbbb" +
		"&peer_id=-SN0100-~~~~~~~~~~~~&port=6881&uploaded=1&downloaded=2&left=3" +
		"&key=00000ABC&compact=1&no_peer_id=1&numwant=50&event=started&trackerid=i%20d"
	if got := announceURL(base, &r).String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := announceURL(base, &Request{Want: -1}).RawQuery; strings.Contains(got, "numwant") ||
		strings.Contains(got, "event") {
		t.Errorf("parameters that say nothing: %s", got)
	}
}

// BEP 48, "URL": the last element must start with "announce".
func TestScrapeURL(t *testing.T) {
	for announce, scrape := range map[string]string{
		"http://x/announce":          "http://x/scrape?info_hash=aaaaaaaaaaaaaaaaaaaa",
		"http://x/x/announce":        "http://x/x/scrape?info_hash=aaaaaaaaaaaaaaaaaaaa",
		"http://x/announce.php":      "http://x/scrape.php?info_hash=aaaaaaaaaaaaaaaaaaaa",
		"http://x/announce?x2%0644":  "http://x/scrape?x2%0644&info_hash=aaaaaaaaaaaaaaaaaaaa",
		"http://x/a":                 "",
		"http://x/announce?x=2/4":    "http://x/scrape?x=2/4&info_hash=aaaaaaaaaaaaaaaaaaaa",
		"http://x/x%064announce":     "",
		"http://x/announce/announce": "http://x/announce/scrape?info_hash=aaaaaaaaaaaaaaaaaaaa",
	} {
		base, err := url.Parse(announce)
		if err != nil {
			t.Fatal(err)
		}
		u, err := scrapeURL(base, []metainfo.Hash{hashA})
		switch {
		case scrape == "" && !errors.Is(err, ErrNoScrape):
			t.Errorf("%s: got %v, %v, want ErrNoScrape", announce, u, err)
		case scrape != "" && (err != nil || u.String() != scrape):
			t.Errorf("%s: got %v, %v, want %s", announce, u, err, scrape)
		}
	}
}

func TestParseAnnounce(t *testing.T) {
	none := Response{Seeds: -1, Leeches: -1, Completed: -1}
	with := func(f func(*Response)) Response { r := none; f(&r); return r }
	for _, c := range []struct {
		name, body string
		want       Response
	}{
		{"nothing", "de", none},
		{"bytes behind", "de<!-- served in 3 ms -->", none},
		{"compact peers", "d8:completei5e10:downloadedi3e10:incompletei7e8:intervali1800e12:min " +
			"intervali60e5:peers12:\x01\x02\x03\x04\x1a\xe1\x05\x06\x07\x08\x00\x50e",
			Response{Seeds: 5, Leeches: 7, Completed: 3, Interval: 30 * time.Minute,
				MinInterval: time.Minute, Peers: addrs("1.2.3.4:6881", "5.6.7.8:80")}},
		{"both families", "d5:peers6:\x01\x02\x03\x04\x00\x506:peers618:\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x1a\xe1e",
			with(func(r *Response) { r.Peers = addrs("1.2.3.4:80", "[2001:db8::1]:6881") })},
		{"peers as dictionaries, otherwise",
			"d5:peersld2:ip5:[::1]4:port2:80ed2:ip4:\x01\x02\x03\x044:porti-0e4:porti9eed2:ip9: " +
				"1.2.3.5\n4:porti080eed2:ip4:::1f4:porti9ee6:\x01\x02\x03\x06\x00\x505:abcde18:\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x50d2:ip9:fe80::1%14:porti80eeee",
			with(func(r *Response) {
				r.Peers = addrs("[::1]:80", "1.2.3.5:80", "[::1f]:9", "1.2.3.6:80",
					"[2001:db8::1]:80")
			})},
		{"a dictionary of dictionaries",
			"d5:peersd1:0d2:ip7:1.2.3.44:porti80ee1:1d4:port2:812:ip7:1.2.3.4ei2ed2:ip7:1.2.3.44:porti82eeee",
			with(func(r *Response) { r.Peers = addrs("1.2.3.4:80", "1.2.3.4:81", "1.2.3.4:82") })},
		{"a key twice", "d8:intervali60e8:intervali90e5:peers6:\x01\x02\x03\x04\x00\x505:peers6:\x09\x09\x09\x09\x00\x50e",
			with(func(r *Response) { r.Interval, r.Peers = time.Minute, addrs("1.2.3.4:80") })},
		{"a key twice, unsorted",
			"d5:peers6:\x01\x02\x03\x04\x00\x508:intervali60e5:peers0:8:intervali90ee",
			with(func(r *Response) { r.Interval, r.Peers = time.Minute, addrs("1.2.3.4:80") })},
		{"leading zeros", "d8:intervali060e5:peers06:\x01\x02\x03\x04\x00\x50e",
			with(func(r *Response) { r.Interval, r.Peers = time.Minute, addrs("1.2.3.4:80") })},
		{"minus zero", "d8:completei-0e10:incompletei-00e8:intervali60ee",
			with(func(r *Response) { r.Interval, r.Seeds, r.Leeches = time.Minute, 0, 0 })},
		{"fractions", "d8:completei1.0e8:intervali1800.5e12:min intervali60.9ee",
			with(func(r *Response) {
				r.Seeds, r.Interval, r.MinInterval = 1, 30*time.Minute,
					time.Minute
			})},
		{"numbers as strings",
			"d8:complete1:310:incomplete2:108:interval4:180012:min interval7:60.5000e",
			with(func(r *Response) {
				r.Seeds, r.Leeches, r.Interval, r.MinInterval = 3, 10,
					30*time.Minute, time.Minute
			})},
		{"blanks before", "\r\n\n d8:intervali60ee",
			with(func(r *Response) { r.Interval = time.Minute })},
		{"a byte order mark", "\xef\xbb\xbfd8:intervali60ee",
			with(func(r *Response) { r.Interval = time.Minute })},
		{"blanks between", "d\n8:interval i60e\n5:peers 6:\x01\x02\x03\x04\x00\x50\ne\n",
			with(func(r *Response) { r.Interval, r.Peers = time.Minute, addrs("1.2.3.4:80") })},
		{"no numbers", "d8:completeie8:intervali1x0e5:peers6:\x01\x02\x03\x04\x00\x50e",
			with(func(r *Response) { r.Peers = addrs("1.2.3.4:80") })},
		{"external ip as text", "d11:external ip7:1.2.3.4e",
			with(func(r *Response) { r.ExternalIP = netip.MustParseAddr("1.2.3.4") })},
		{"a part of a peer", "d5:peers8:\x01\x02\x03\x04\x00\x50xxe",
			with(func(r *Response) { r.Peers = addrs("1.2.3.4:80") })},
		{"peers as dictionaries",
			"d5:peersld2:ip7:1.2.3.44:porti80eed2:ip12:peer.invalid4:porti80eed2:ip3:::14:porti70000eei5ed2:ip3:::14:porti9eeee",
			with(func(r *Response) { r.Peers = addrs("1.2.3.4:80", "[::1]:9") })},
		{"no list of peers", "d5:peersi0ee", none},
		{"words and ids", "d11:external ip4:\x01\x02\x03\x0410:tracker id2:id15:warning " +
			"message13:mind\nthe \x1b[1me",
			with(func(r *Response) {
				r.ExternalIP, r.TrackerID, r.Warning = netip.MustParseAddr("1.2.3.4"), "id",
					"mind the [1m"
			})},
		{"an address of no family", "d11:external ip3:abce", none},
		{"wrong types", "d8:completele8:intervalde10:incomplete1:x10:tracker idi1e15:warning " +
			"messagelee", none},
		{"negative numbers", "d8:completei-5e8:intervali-1e12:min intervali-9223372036854775808ee",
			none},
		{"huge numbers", "d8:completei9223372036854775807e8:intervali9223372036854775807ee",
			with(func(r *Response) { r.Interval = intervalMax })},
	} {
		got, err := parseAnnounce([]byte(c.body))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\ngot  %+v, %v\nwant %+v", c.name, got, err, c.want)
		}
	}
}

func TestParseAnnounceBounds(t *testing.T) {
	many := strings.Repeat("\x01\x02\x03\x04\x00\x50", PeersMax+50)
	list := strings.Repeat("d2:ip7:1.2.3.44:porti80ee", PeersMax+50)
	for name, body := range map[string]string{
		"compact": fmt.Sprintf("d5:peers%d:%se", len(many), many),
		"long":    "d5:peersl" + list + "ee",
		"both":    fmt.Sprintf("d5:peersl%se6:peers60:e", list),
	} {
		r, err := parseAnnounce([]byte(body))
		if err != nil || len(r.Peers) != PeersMax {
			t.Errorf("%s: %d peers, %v; want %d", name, len(r.Peers), err, PeersMax)
		}
	}
	for _, body := range []string{"", "<html>", "i5e", "le", "d5:peers", "d8:interval",
		"d5:peersld2:ip", strings.Repeat("l", 1000)} {
		if _, err := parseAnnounce([]byte(body)); !errors.Is(err, ErrAnswer) {
			t.Errorf("%.20q: got %v, want ErrAnswer", body, err)
		}
	}
}

func TestParseFailure(t *testing.T) {
	for body, want := range map[string]Failure{
		"d14:failure " +
			"reason4:nonee": {Reason: "none"},
		"d14:failure reason4:none8:retry " +
			"in2:30e": {Reason: "none", Retry: 30 * time.Minute},
		"d14:failure " +
			"reason4:none8:retry ini5ee": {Reason: "none", Retry: 5 * time.Minute},
		"d14:failure reason4:none8:retry " +
			"in5:nevere": {Reason: "none", Never: true},
		"d14:failure reason4:none8:retry in7: " +
			"Never\re": {Reason: "none", Never: true},
		"d14:failure reason4:none8:retry " +
			"in3:30\ne": {Reason: "none", Retry: 30 * time.Minute},
		"d14:failure reason4:none8:retry " +
			"ini30.5ee": {Reason: "none", Retry: 30 * time.Minute},
		"\nd8:intervali-0e5:peers6:\x01\x02\x03\x04\x00\x5014:failure " +
			"reason4:nonee": {Reason: "none"},
		"d14:failure reason4:none8:retry in3:abce":         {Reason: "none"},
		"d14:failure reason4:none8:retry ini-9999999999ee": {Reason: "none"},
		"d14:failure reason0:5:peers6:\x01\x02\x03\x04xxe": {},
	} {
		_, err := parseAnnounce([]byte(body))
		var f *Failure
		if !errors.As(err, &f) || *f != want {
			t.Errorf("%q: got %+v, %v, want %+v", body, f, err, want)
		}
	}
}

// A public tracker cannot know peers in our own network.
func TestSift(t *testing.T) {
	public, lan := netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("192.168.0.9")
	all := addrs("1.2.3.4:1", "1.2.3.4:1", "127.0.0.1:6379", "10.0.0.1:80", "[fe80::1]:1",
		"1.2.3.4:0", "0.0.0.0:1", "224.0.0.1:1", "1.2.3.4:2")
	if got, want := sift(append([]netip.AddrPort(nil), all...), public),
		addrs("1.2.3.4:1", "1.2.3.4:2"); !reflect.DeepEqual(got, want) {
		t.Errorf("of a public tracker: got %v, want %v", got, want)
	}
	if got, want := sift(append([]netip.AddrPort(nil), all...), lan),
		addrs("1.2.3.4:1", "127.0.0.1:6379", "10.0.0.1:80", "[fe80::1]:1",
			"1.2.3.4:2"); !reflect.DeepEqual(got, want) {
		t.Errorf("of a tracker on the LAN: got %v, want %v", got, want)
	}
}

func TestAnnounceHTTP(t *testing.T) {
	var seen url.Values
	answer := func(w http.ResponseWriter) {
		io.WriteString(w, "d8:intervali60e5:peers6:\x7f\x00\x00\x01\x00\x50e")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/announce", func(w http.ResponseWriter, r *http.Request) {
		seen = r.URL.Query()
		answer(w)
	})
	mux.HandleFunc("/announce.gz", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		io.WriteString(z, "d8:intervali60e5:peers6:\x7f\x00\x00\x01\x00\x50e")
		z.Close()
	})
	mux.HandleFunc("/announce.moved", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/announce?"+r.URL.RawQuery, http.StatusFound)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	c := newClient(t)
	want := Response{Interval: time.Minute, Seeds: -1, Leeches: -1, Completed: -1,
		Peers: addrs("127.0.0.1:80")}
	for _, path := range []string{"/announce", "/announce.gz", "/announce.moved"} {
		got, err := c.Announce(t.Context(), parse(t, server.URL+path, true),
			Request{InfoHash: hashB, Port: 1}, guard.Any)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v; want %+v", path, got, err, want)
		}
	}
	if got := seen.Get("info_hash"); got != string(hashB[:]) {
		t.Errorf("the tracker saw info_hash %q", got)
	}
}

func TestAnnounceHTTPFaults(t *testing.T) {
	bomb := func(w http.ResponseWriter) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		zeros := make([]byte, 1<<20)
		for range 20 {
			z.Write(zeros)
		}
		z.Close()
	}
	answers := map[string]func(http.ResponseWriter){
		"html": func(w http.ResponseWriter) { io.WriteString(w, "<html>welcome</html>") },
		"not found": func(w http.ResponseWriter) {
			http.Error(w, "d5:peers0:e", http.StatusNotFound)
		},
		"huge": func(w http.ResponseWriter) { w.Write(make([]byte, BodyMax+1)) },
		"bomb": bomb,
		"cut": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "d8:intervali60e")
		},
	}
	c := newClient(t)
	for name, answer := range answers {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			answer(w)
		}))
		r, err := c.Announce(t.Context(), parse(t, server.URL+"/announce", false),
			Request{InfoHash: hashA}, guard.Any)
		server.Close()
		if err == nil {
			t.Errorf("%s: taken for an answer: %+v", name, r)
		}
		if err != nil && strings.Contains(err.Error(), "info_hash") {
			t.Errorf("%s: the error shows the request: %v", name, err)
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, "d14:failure reason4:nonee")
	}))
	defer server.Close()
	var f *Failure
	_, err := c.Announce(t.Context(), parse(t, server.URL+"/announce", false), Request{}, guard.Any)
	if !errors.As(err, &f) || f.Reason != "none" {
		t.Errorf("a failure with a status of its own: %v", err)
	}
}

// A tracker that never finishes its answer ends with the context at the latest.
func TestAnnounceHTTPSlow(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "d8:interval")
		w.(http.Flusher).Flush()
		<-release
	}))
	defer server.Close()
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := newClient(t).Announce(ctx, parse(t, server.URL+"/announce", false), Request{},
		guard.Any); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// A torrent's URL must not act on services of this machine or network, but trackers here
// are asked.
func TestStrangersTrackersHere(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		io.WriteString(w, "de")
	}))
	defer server.Close()
	c := newClient(t)
	refused := []string{
		"/", "/shutdown", "/xannounce", "/announce?cmd=1", "/announce/../reboot",
		"/announce?info_hash=x&cmd=1",
		"/announce/%2e%2e/reboot", "/announce/..%2freboot", "/announce/..;/reboot",
		"/announce/..%5creboot", "/announce/%252e%252e/reboot",
		"/announce?passkey=1&cmd=reboot", "/announce?url=http://x/0123456789abcdef",
		"/announce?reboot", "/announce?passkey=a%0d%0ab",
	}
	for _, path := range refused {
		_, err := c.Announce(t.Context(), parse(t, server.URL+path, true), Request{}, guard.Any)
		var why *NotAskedError
		if !errors.Is(err, guard.ErrRefused) || !errors.As(err, &why) {
			t.Errorf("%s of a stranger: got %v, want a NotAskedError", path, err)
		}
		if _, err := c.Announce(t.Context(), parse(t, server.URL+path, false), Request{},
			guard.Any); err != nil {
			t.Errorf("%s of the user: %v", path, err)
		}
	}
	if asked != len(refused) {
		t.Errorf("the server was asked %d times, want %d", asked, len(refused))
	}
	for _, path := range []string{
		"/announce", "/key/announce", "/announce/swarm", "/announce/", "/x/announce.php/0123",
		"/Announce", "/scrape", "/announce//x",
		"/announce?passkey=abc", "/announce.php?passkey=0123456789abcdef0123456789abcdef",
		"/announce?uid=5&key=A_b-1",
		"/announce?0123456789abcdef", "/announce?torrentkey=0123456789ABCDEF",
		"/announce?credential=aWQ9MQ-_", "/announce?x=c29tZSBsb25nIGtleQ_1",
		"/tracker/announce?id=7",
	} {
		if _, err := c.Announce(t.Context(), parse(t, server.URL+path, true), Request{},
			guard.Any); err != nil {
			t.Errorf("%s, a stranger's tracker here: %v", path, err)
		}
	}
	withPassword := strings.Replace(server.URL, "http://", "http://me:secret@", 1)
	if _, err := c.Announce(t.Context(), parse(t, withPassword+"/announce", true), Request{},
		guard.Any); !errors.Is(err, guard.ErrRefused) {
		t.Errorf("with a password: %v", err)
	}
}

// CheckLink says whether nodes that get a link will ask its tracker.
func TestCheckLink(t *testing.T) {
	for url, want := range map[string]string{
		"http://1.2.3.4/x":                       "",
		"http://10.0.0.5:8080/announce/swarm":    "",
		"http://10.0.0.5:8080/announce?passkey=": "",
		"http://10.0.0.5:8080/swarm": "it leads to the private address " +
			"10.0.0.5:8080, and no element of its path begins with announce or scrape",
		"http://127.0.0.1/announce?reboot=1": "it leads to the loopback address 127.0.0.1:80, " +
			"and its query holds more than a key",
		"http://10.0.0.5:88/announce": "it leads to the private address 10.0.0.5:88, and of " +
			"the ports below 1024 only 80 and 443 are allowed there",
		"https://me@[fd00::1]/announce": "it leads to the private address [fd00::1]:443, and " +
			"its URL holds a password",
		"udp://169.254.1.1:6969": "it leads to the link-local address 169.254.1.1:6969, where " +
			"only you may send a node",
		"udp://10.0.0.5:6969":     "",
		"http://name.invalid/x":   "",
		"http://localhost:8080/x": "it leads to the loopback address",
	} {
		err := parse(t, url, false).CheckLink(t.Context(), nil)
		if want == "" && err != nil || want != "" && (err == nil ||
			!strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", url, err, want)
		}
	}
}

func TestParseScrape(t *testing.T) {
	body := "d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei1e10:downloadedi2e10:incompletei3ee3:xyzi1eee"
	got, err := parseScrape([]byte(body), []metainfo.Hash{hashB, hashA})
	want := []Counts{{-1, -1, -1}, {Seeds: 1, Leeches: 3, Completed: 2}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	var f *Failure
	if _, err := parseScrape([]byte("d14:failure reason2:noe"), nil); !errors.As(err, &f) {
		t.Errorf("a failure: %v", err)
	}
	if _, err := parseScrape([]byte("<html>"), nil); !errors.Is(err, ErrAnswer) {
		t.Errorf("no scrape: %v", err)
	}
}
