package stream

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"swarmnode/daemon"
	"swarmnode/daemon/control"
	"swarmnode/swarm"
)

// aboutShow are the files of most tests.
var aboutShow = map[string]int{"e 2.mkv": 300_000, "e 10.mp4": 200_001, "e 1.srt": 999,
	"extras/page.html": 5000, "extras/clip.webm": 40_000, "extras/empty.mp3": 0}

// wholeRig returns a rig that has all of a content, and the path of its files.
func wholeRig(t *testing.T, gate control.GateConfig) (*rig, *content, string) {
	t.Helper()
	c := makeContent(t, aboutShow)
	r := newRig(t, gate)
	add(t, r.daemon, daemon.AddSpec{Torrent: c.torrent, Complete: true,
		Options: daemon.Options{Dir: c.dir}})
	return r, c, FilesPath + c.torrent.Info().Hash().String() + "/"
}

// A file is served as a whole and in parts, by GET and by HEAD, as RFC 9110 demands.
func TestFile(t *testing.T) {
	r, c, base := wholeRig(t, control.GateConfig{})
	want := c.files["e 2.mkv"]
	path := base + fmt.Sprint(c.index(t, "e 2.mkv")) + "/e%202.mkv"
	answer, body := r.get(t, path)
	expect(t, answer, body, 200, want)
	for name, value := range map[string]string{
		"Content-Type": "video/matroska", "Content-Length": "300000", "Accept-Ranges": "bytes",
		"Content-Disposition":          `inline; filename="e 2.mkv"`,
		"X-Content-Type-Options":       "nosniff",
		"Cross-Origin-Resource-Policy": "same-origin", "Last-Modified": "",
	} {
		if got := answer.Header.Get(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
	if got := answer.Header.Get("Content-Security-Policy"); got != playPolicy {
		t.Errorf("the policy of a video is %q", got)
	}
	tag := answer.Header.Get("ETag")
	if !strings.HasPrefix(tag, `"`) {
		t.Errorf("the ETag is %q", tag)
	}
	for _, part := range []struct {
		asked, got string
		from, end  int
	}{
		{"bytes=0-0", "bytes 0-0/300000", 0, 1},
		{"bytes=32000-33000", "bytes 32000-33000/300000", 32000, 33001},
		{"bytes=-100", "bytes 299900-299999/300000", 299_900, 300_000},
		{"bytes=1-", "bytes 1-299999/300000", 1, 300_000},
	} {
		answer, body := r.get(t, path, "Range", part.asked, "If-Range", tag)
		expect(t, answer, body, 206, want[part.from:part.end])
		if got := answer.Header.Get("Content-Range"); got != part.got {
			t.Errorf("%s: %s, want %s", part.asked, got, part.got)
		}
	}
	answer, body = r.get(t, path, "Range", "bytes=300000-")
	expect(t, answer, body, 416, nil)
	if got := answer.Header.Get("Content-Range"); got != "bytes */300000" {
		t.Errorf("416 has the range %q", got)
	}
	answer, body = r.get(t, path, "If-None-Match", tag)
	expect(t, answer, body, 304, nil)
	answer, body = r.get(t, path, "If-Match", `"other"`)
	expect(t, answer, body, 412, nil)
	answer = r.open(t, http.MethodHead, path, "Range", "bytes=0-1")
	if answer.StatusCode != 200 || answer.ContentLength != int64(len(want)) {
		t.Errorf("HEAD: status %d, %d bytes", answer.StatusCode, answer.ContentLength)
	}
	answer = r.open(t, http.MethodPost, path)
	if answer.StatusCode != 405 || answer.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: status %d", answer.StatusCode)
	}
}

// Several ranges come as parts, each with its place.
func TestSeveralRanges(t *testing.T) {
	r, c, base := wholeRig(t, control.GateConfig{})
	want := c.files["e 2.mkv"]
	answer, body := r.get(t, base+fmt.Sprint(c.index(t, "e 2.mkv")), "Range",
		"bytes=-10,5-70000,0-2")
	expect(t, answer, body, 206, nil)
	kind, params, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/byteranges" || answer.ContentLength != int64(len(body)) {
		t.Fatalf("%s of %d bytes, %d came: %v", kind, answer.ContentLength, len(body), err)
	}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for _, s := range []span{{0, 3}, {5, 70_001}, {299_990, 300_000}} {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(part)
		if err != nil || !bytes.Equal(got, want[s.from:s.end]) ||
			part.Header.Get("Content-Range") != s.contentRange(300_000) {
			t.Errorf("part %v: %d bytes of %q: %v", s, len(got),
				part.Header.Get("Content-Range"), err)
		}
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Errorf("after the last part: %v", err)
	}
}

// What could run is saved by browsers instead of shown, and everything is if they are asked to.
func TestDownloads(t *testing.T) {
	r, c, base := wholeRig(t, control.GateConfig{})
	page := base + fmt.Sprint(c.index(t, "extras/page.html"))
	answer, body := r.get(t, page+"/page.html")
	expect(t, answer, body, 200, c.files["extras/page.html"])
	if got := answer.Header.Get("Content-Disposition"); got !=
		`attachment; filename="page.html"` {
		t.Errorf("a page is %q", got)
	}
	if got := answer.Header.Get("Content-Security-Policy"); got != policy {
		t.Errorf("the policy of a page is %q", got)
	}
	// The name in the path changes nothing.
	answer, _ = r.get(t, base+fmt.Sprint(c.index(t, "e 10.mp4"))+"/x.html?download=1")
	if got := answer.Header.Get("Content-Disposition"); answer.Header.Get("Content-Type") !=
		"video/mp4" || got != `attachment; filename="e 10.mp4"` {
		t.Errorf("a video is %q", got)
	}
	answer, body = r.get(t, base+fmt.Sprint(c.index(t, "extras/empty.mp3")), "Range", "bytes=0-")
	expect(t, answer, body, 200, []byte{})
}

// Paths that name nothing are errors, in one sentence.
func TestNoSuchFile(t *testing.T) {
	r, c, base := wholeRig(t, control.GateConfig{})
	for _, path := range []string{base + "99/a", base + "x", base, FilesPath, "/stream/",
		FilesPath + strings.Repeat("0", 40) + "/0/a", base + "list.m3u?index=77",
		base + "list.m3u?path=nowhere"} {
		answer, body := r.get(t, path)
		expect(t, answer, body, 404, nil)
		if !bytes.Contains(body, []byte(`"detail":"`)) {
			t.Errorf("%s: %q", path, body)
		}
	}
	for _, path := range []string{VisitPath, VisitPath + "?magnet=x"} {
		answer, body := r.get(t, path)
		expect(t, answer, body, 422, nil)
	}
	// Pages of other sites start nothing: by a link, or by a picture in a browser that does not
	// say where a request comes from.
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"},
		{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate"},
		{"User-Agent", "Mozilla/5.0 (X11)", "Accept-Language", "de"},
	} {
		answer, body := r.get(t, VisitPath+"?magnet="+
			url.QueryEscape(c.torrent.Magnet().String()), headers...)
		expect(t, answer, body, 403, nil)
	}
	bare := add(t, r.daemon, daemon.AddSpec{Magnet: makeContent(t,
		map[string]int{"a.mp4": 9}).torrent.Magnet()})
	answer, body := r.get(t, FilesPath+bare.Hash().String()+"/0/a.mp4")
	expect(t, answer, body, 409, nil)
	if err := bare.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	answer, body = r.get(t, VisitPath+"?magnet="+url.QueryEscape("magnet:?xt=urn:btih:"+
		bare.Hash().String()))
	expect(t, answer, body, 409, nil)
	if !bytes.Contains(body, []byte("the torrent is stopped")) {
		t.Errorf("a visit of a link that is stopped: %s", body)
	}
}

// A playlist has what players play, in the order in which people watch.
func TestList(t *testing.T) {
	r, c, base := wholeRig(t, control.GateConfig{})
	entry := func(name, file string) string {
		return fmt.Sprintf("#EXTINF:-1,%s\n%s%s%d/%s\n", name, r.url, base, c.index(t, file),
			url.PathEscape(name))
	}
	const top = "#EXTM3U\n#EXTENC:UTF-8\n"
	extras := entry("clip.webm", "extras/clip.webm") + entry("empty.mp3", "extras/empty.mp3")
	for query, want := range map[string]string{
		"": entry("e 2.mkv", "e 2.mkv") + entry("e 10.mp4", "e 10.mp4") +
			extras,
		"?path=extras":                                  extras,
		"?path=show/extras/":                            extras,
		"?path=extras/clip.webm":                        entry("clip.webm", "extras/clip.webm"),
		fmt.Sprintf("?index=%d", c.index(t, "e 2.mkv")): entry("e 2.mkv", "e 2.mkv"),
	} {
		answer, body := r.get(t, base+"list.m3u"+query)
		expect(t, answer, body, 200, nil)
		if string(body) != top+want {
			t.Errorf("%s: %s\nwant %s", query, body, top+want)
		}
		if answer.Header.Get("Content-Type") != "audio/x-mpegurl" {
			t.Errorf("a list is %s", answer.Header.Get("Content-Type"))
		}
	}
}

// While a torrent rests, what is there of a file is served, and the rest is an error that says
// why.
func TestFileAtRest(t *testing.T) {
	c := makeContent(t, map[string]int{"a.mkv": 200_000})
	r := newRig(t, control.GateConfig{})
	dir := t.TempDir()
	half := bytes.Clone(c.files["a.mkv"])
	clear(half[100_000:])
	if err := os.MkdirAll(filepath.Join(dir, "show"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "show/a.mkv"), half, 0o644); err != nil {
		t.Fatal(err)
	}
	torrent := add(t, r.daemon, daemon.AddSpec{Torrent: c.torrent,
		Options: daemon.Options{Dir: dir, Stopped: true}})
	if err := torrent.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	const there = 3 * 32 << 10 // whole pieces
	eventually(t, "the content is checked", func() bool {
		s := torrent.State()
		return s.Have == there && s.Status == daemon.Stopped
	})
	path := FilesPath + torrent.Hash().String() + "/0/a.mkv"
	answer, body := r.get(t, path, "Range", "bytes=1000-")
	expect(t, answer, body, 206, half[1000:there])
	if got := answer.Header.Get("Content-Range"); got != fmt.Sprintf("bytes 1000-%d/200000",
		there-1) {
		t.Errorf("the range is %s", got)
	}
	for _, asked := range []string{"bytes=150000-150001", "bytes=0-1,150000-150001", ""} {
		answer, body := r.get(t, path, "Range", asked)
		expect(t, answer, body, 409, nil)
		if !strings.Contains(string(body), "the torrent is stopped") {
			t.Errorf("%q: %s", asked, body)
		}
	}
}

// A viewer gets content as it comes; several do at once. When one goes, nothing of it stays.
func TestFileWhileItComes(t *testing.T) {
	c := makeContent(t, map[string]int{"a.mkv": 2 << 20, "b.mkv": 1 << 20})
	seed := c.seed(t, 0)
	r := newRig(t, control.GateConfig{})
	torrent := add(t, r.daemon, daemon.AddSpec{Torrent: c.torrent,
		Peers:   []string{seed.Node().Addrs()[0].String()},
		Options: daemon.Options{Files: []swarm.Priority{swarm.Unwanted, swarm.Unwanted}}})
	base := FilesPath + torrent.Hash().String() + "/"
	leaves := r.open(t, http.MethodGet, base+"0")
	if _, err := io.ReadFull(leaves.Body, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	answer, body := r.get(t, base+fmt.Sprint(c.index(t, "b.mkv")), "Range", "bytes=1000000-")
	expect(t, answer, body, 206, c.files["b.mkv"][1_000_000:])
	answer, body = r.get(t, base+fmt.Sprint(c.index(t, "a.mkv")))
	expect(t, answer, body, 200, c.files["a.mkv"])
	leaves.Body.Close()
	eventually(t, "all viewers are gone", func() bool { return len(r.handler.stand.list()) == 0 })
}

// A viewer of a torrent that is stopped or removed meanwhile is cut off.
func TestViewerIsCutOff(t *testing.T) {
	c := makeContent(t, map[string]int{"a.mkv": 4 << 20})
	r := newRig(t, control.GateConfig{})
	seed := c.seed(t, 64<<10)
	torrent := add(t, r.daemon, daemon.AddSpec{Torrent: c.torrent,
		Peers: []string{seed.Node().Addrs()[0].String()}})
	path := FilesPath + torrent.Hash().String() + "/0"
	for _, end := range []func() error{
		func() error { return torrent.Stop(t.Context()) },
		func() error { return torrent.Remove(t.Context(), true) },
	} {
		answer := r.open(t, http.MethodGet, path)
		if answer.StatusCode != 200 || answer.ContentLength != 4<<20 {
			t.Fatalf("status %d", answer.StatusCode)
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, answer.Body); err == nil {
			t.Errorf("all %d bytes came", n)
		}
		if err := torrent.Start(t.Context(), daemon.InTurn); err != nil &&
			err != daemon.ErrRemoved {
			t.Fatal(err)
		}
	}
}

// A link that nobody has added is read like a file, from its seeds.
func TestVisit(t *testing.T) {
	c := makeContent(t, map[string]int{"a.mp4": 300_000, "b.txt": 400_000, "c/d.mkv": 100_000})
	seed := c.seed(t, 0)
	r := newRig(t, control.GateConfig{})
	link := VisitPath + "?magnet=" + url.QueryEscape(c.link(seed).String())
	for query, want := range map[string]string{"": "a.mp4", "&path=c/d.mkv": "c/d.mkv",
		"&path=show/b.txt": "b.txt", fmt.Sprintf("&index=%d", c.index(t, "b.txt")): "b.txt"} {
		answer, body := r.get(t, link+query)
		expect(t, answer, body, 307, nil)
		answer, body = r.get(t, answer.Header.Get("Location"))
		expect(t, answer, body, 200, c.files[want])
	}
	for _, query := range []string{"&index=9", "&path=e"} {
		answer, body := r.get(t, link+query)
		expect(t, answer, body, 404, nil)
	}
	torrent := r.daemon.Torrent(c.torrent.Info().Hash())
	if torrent == nil || !torrent.State().Temporary {
		t.Error("the torrent is not a temporary one")
	}
	if head := r.open(t, http.MethodHead, link); head.StatusCode != 405 {
		t.Errorf("HEAD: %d", head.StatusCode)
	}
}

// Without a login, nothing is served. A playlist has tickets, which are good for its files alone.
func TestLogin(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passwords")
	logins := make(map[control.Scope]string)
	for _, scope := range []control.Scope{control.Read, control.Control} {
		token, hash := control.NewToken()
		err := control.SetPassword(file, control.Entry{Name: scope.String(), Scope: scope,
			Hash: hash})
		if err != nil {
			t.Fatal(err)
		}
		logins[scope] = "Bearer " + token
	}
	r, c, base := wholeRig(t, control.GateConfig{Passwords: file})
	path := base + fmt.Sprint(c.index(t, "e 10.mp4"))
	link := VisitPath + "?magnet=" + url.QueryEscape(c.torrent.Magnet().String())
	for _, path := range []string{path, base + "list.m3u", link} {
		answer, body := r.get(t, path)
		expect(t, answer, body, 401, nil)
	}
	reads := []string{"Authorization", logins[control.Read]}
	answer, body := r.get(t, path, reads...)
	expect(t, answer, body, 200, c.files["e 10.mp4"])
	answer, body = r.get(t, link, reads...)
	expect(t, answer, body, 403, nil)
	answer, body = r.get(t, link, "Authorization", logins[control.Control])
	expect(t, answer, body, 307, nil)
	answer, body = r.get(t, answer.Header.Get("Location"))
	expect(t, answer, body, 200, c.files["e 2.mkv"])

	_, list := r.get(t, base+"list.m3u?index="+fmt.Sprint(c.index(t, "e 10.mp4")), reads...)
	line := strings.TrimPrefix(strings.Split(string(list), "\n")[3], r.url)
	answer, body = r.get(t, line)
	expect(t, answer, body, 200, c.files["e 10.mp4"])
	_, ticket, _ := strings.Cut(line, "?")
	other := base + fmt.Sprint(c.index(t, "e 2.mkv"))
	for _, path := range []string{base + "list.m3u?", other + "?", path + "0?", link + "&"} {
		answer, body := r.get(t, path+ticket)
		expect(t, answer, body, 401, nil)
	}
}

// More viewers than there may be are told to come again.
func TestManyViewers(t *testing.T) {
	c := makeContent(t, map[string]int{"a.mkv": 4 << 20})
	r := newRig(t, control.GateConfig{})
	torrent := add(t, r.daemon, daemon.AddSpec{Torrent: c.torrent})
	path := FilesPath + torrent.Hash().String() + "/0"
	for range viewersEach {
		if answer := r.open(t, http.MethodGet, path); answer.StatusCode != 200 {
			t.Fatalf("status %d", answer.StatusCode)
		}
	}
	for range 100 {
		answer, body := r.get(t, path)
		expect(t, answer, body, 503, nil)
		if answer.Header.Get("Retry-After") != "10" {
			t.Errorf("Retry-After: %q", answer.Header.Get("Retry-After"))
		}
	}
	r.handler.Close()
	eventually(t, "all viewers are gone", func() bool { return len(r.handler.stand.list()) == 0 })
}
