package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"swarmnode/daemon/control"
)

// reloadNothing is a Config.Reload.
func reloadNothing(context.Context) (Reloaded, error) {
	return Reloaded{Restart: []string{"port"}}, nil
}

// Settings are changed by the names of their flags, several at once or none.
func TestSettings(t *testing.T) {
	r := newRig(t, nil)
	var s Settings
	r.want(r.do("PATCH", "/settings", object{"down": 1000, "seed-time": 90.5,
		"root": []string{"/a"}, "dht": false, "notes": object{"x": "y"}}), 200, &s)
	if s.Down != 1000 || s.SeedTime != 90500*time.Millisecond ||
		!slices.Equal(s.Roots, []string{"/a"}) || s.Dir != r.dir || s.Notes["x"] != "y" {
		t.Errorf("the settings: %+v", s)
	}
	var problem Problem
	for name, value := range map[string]any{"down": "x", "up": -1, "dht": 1, "seed-time": "1h",
		"seed-idle": 1e300, "root": "a", "odd": 1, "dir": nil, "alt-schedule": "monday",
		"max-peers": 1.5} {
		r.want(r.do("PATCH", "/settings", object{"up": 77, name: value}), 422, &problem)
		if problem.Name != name {
			t.Errorf("%s = %v: %+v", name, value, problem)
		}
	}
	if s := r.daemon.Settings(); s.Up != 0 || s.Down != 1000 {
		t.Errorf("after mistakes: %+v", s)
	}
	r.want(r.do("PATCH", "/settings", strings.NewReader("[]")), 400, &problem)
	var session Session
	r.want(r.do("GET", "/session", nil), 200, &session)
	if !slices.Equal(session.Pinned, []string{"up"}) {
		t.Errorf("the pinned settings: %q", session.Pinned)
	}
}

// Over the network, nobody gets out of the folders that are allowed, and commands are not set.
func TestConfined(t *testing.T) {
	r := newRig(t, nil)
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(r.dir, "link")); err != nil {
		t.Fatal(err)
	}
	doc, hash := torrentOf(t, "x", map[string]int{"a": 10})
	for _, dir := range []string{outside, "/etc", r.dir + "/../x", r.dir + "/link/x", "relative",
		r.dir + "x", "/\x00"} {
		for _, ask := range []struct {
			path string
			body any
		}{
			{"/torrents", Add{Metainfo: doc, Dir: dir}},
			{"/torrents/bulk", Bulk{All: true, Action: ActionMove, Dir: dir}},
			{"/torrents/bulk", Bulk{All: true, Action: ActionLocate, Dir: dir}},
		} {
			if a := r.remote("POST", ask.path, ask.body); a.status != 403 && a.status != 422 {
				t.Errorf("%s %q: %d %s", ask.path, dir, a.status, a.body)
			}
		}
	}
	r.want(r.remote("POST", "/torrents", Add{Metainfo: doc, Dir: r.dir + "/below"}), 201, nil)
	if a := r.remote("GET", "/space?dir="+outside, nil); a.status != 403 {
		t.Errorf("space: %d %s", a.status, a.body)
	}
	var space Space
	r.want(r.remote("GET", "/space?dir="+r.dir+"/not/yet", nil), 200, &space)
	if space.Total == 0 {
		t.Errorf("space of a folder that does not exist yet: %+v", space)
	}
	for _, path := range []string{"move", "locate"} {
		a := r.remote("POST", "/torrents/"+hash+"/"+path, Folder{outside})
		if a.status != 403 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	a := r.remote("POST", "/torrents/"+hash+"/rename", Rename{"x", "../../y"})
	if a.status < 400 {
		t.Errorf("renamed upwards: %d %s", a.status, a.body)
	}
	for name, value := range map[string]any{"root": []string{"/"}, "dir": "/etc",
		"incomplete-dir": "/etc", "on-complete": []string{"/bin/sh"}, "watch": []string{"/"},
		"on-added": []string{"x"}, "on-error": []string{"x"}} {
		if a := r.remote("PATCH", "/settings", object{name: value}); a.status != 403 &&
			a.status != 422 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	r.want(r.remote("PATCH", "/settings", object{"up": 5}), 200, nil)
	// The owner may, on the socket.
	r.want(r.do("PATCH", "/settings", object{"root": []string{outside}}), 200, nil)
	r.want(r.remote("POST", "/torrents/"+hash+"/locate", Folder{outside}), 204, nil)
}

// Each scope may do what it says and no more.
func TestScopes(t *testing.T) {
	r := newLockedRig(t)
	for i := range routes {
		route := &routes[i]
		if route.name == "followEvents" || route.scope == control.None {
			continue
		}
		for scope, token := range r.tokens {
			a := r.remote(route.method, strings.Replace(route.path, "{id}", "99", 1), nil,
				"Authorization", "Bearer "+token)
			if (a.status == http.StatusForbidden) != (scope < route.scope) {
				t.Errorf("%s with %v: %d %s", route.name, scope, a.status, a.body)
			}
		}
		if a := r.remote(route.method, route.path, nil); a.status != 401 {
			t.Errorf("%s without a login: %d", route.name, a.status)
		}
	}
}

// Paths and methods that there are not are told apart.
func TestUnknown(t *testing.T) {
	r := newRig(t, nil)
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/nothing", 404, ""}, {"GET", "/torrents/0", 404, ""},
		{"GET", "/torrents/" + strings.Repeat("z", 40), 404, ""},
		{"GET", "/torrents/99999999999999999999", 404, ""},
		{"PUT", "/torrents", 405, "GET POST"}, {"DELETE", "/session", 405, "GET"},
		{"GET", "/torrents/1/start", 405, "POST"}, {"TRACE", "/torrents", 405, "GET POST"},
	} {
		a := r.do(c.method, c.path, nil)
		if a.status != c.status || strings.Join(a.header.Values("Allow"), " ") != c.allow ||
			a.header.Get("Content-Type") != problemType {
			t.Errorf("%s %s: %d %q %s", c.method, c.path, a.status, a.header.Values("Allow"),
				a.body)
		}
	}
}

// sse reads events.
type sse struct {
	lines *bufio.Reader
	close func()
}

// event is one event: its name and data, and the moment, which comes alone.
type event struct{ name, data, id string }

// follow opens a feed.
func (r *rig) follow(query string, headers ...string) *sse {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), within)
	url := "http://daemon" + Base + "/events" + query
	request, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := r.socket.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	if response.StatusCode != 200 {
		body, _ := io.ReadAll(response.Body)
		r.t.Fatalf("%s %s", response.Status, body)
	}
	r.t.Cleanup(cancel)
	return &sse{bufio.NewReader(response.Body), cancel}
}

// next returns the next event, or moment.
func (s *sse) next(t *testing.T) (e event) {
	t.Helper()
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "event":
			e.name = value
		case "data":
			e.data = value
		case "id":
			e.id = value
		case "":
			if e != (event{}) {
				return e
			}
		}
	}
}

// batch returns the events up to the next moment.
func (s *sse) batch(t *testing.T) (events []event, id string) {
	t.Helper()
	for {
		e := s.next(t)
		if e.id != "" {
			return events, e.id
		}
		events = append(events, e)
	}
}

// A feed tells everything first, and then what changes; after a break it goes on from there.
func TestFeed(t *testing.T) {
	r := newRig(t, nil)
	for i := range 3 {
		r.want(r.do("POST", "/torrents", Add{Source: strings.Repeat(strconv.Itoa(i+1), 40),
			Stopped: new(true)}), 201, nil)
	}
	feed := r.follow("?fields=name,status")
	events, _ := feed.batch(t)
	if len(events) < 4 || events[0] != (event{EventReset, `{"torrents":3}`, ""}) ||
		events[1].name != EventTorrent || !strings.HasPrefix(events[1].data, `{"id":1,"name":`) {
		t.Fatalf("at first: %q", events)
	}
	r.want(r.do("PATCH", "/torrents/2", Patch{Labels: &[]string{"x"}}), 200, nil)
	events, id := feed.batch(t)
	if len(events) != 1 || !strings.HasPrefix(events[0].data, `{"id":2,`) {
		t.Fatalf("after a change: %q", events)
	}
	feed.close()
	r.want(r.do("DELETE", "/torrents/1", nil), 204, nil)
	r.want(r.do("PATCH", "/settings", object{"up": 1}), 200, nil)
	feed = r.follow("", "Last-Event-ID", id)
	seen := make(map[string]string)
	for seen[EventRemoved] == "" || seen[EventSettings] == "" {
		events, _ = feed.batch(t)
		for _, e := range events {
			seen[e.name] = e.data
		}
	}
	// The positions of the other torrents change, too.
	if seen[EventRemoved] != `{"id":1}` || seen[EventSettings] != "{}" {
		t.Errorf("after a break: %q", seen)
	}
	feed.close()
	feed = r.follow("?since=1&stats=true")
	events, _ = feed.batch(t)
	if events[0].name != EventReset {
		t.Errorf("from a moment of another run: %q", events)
	}
	e := feed.next(t)
	var stats Stats
	if err := json.Unmarshal([]byte(e.data), &stats); e.name != EventStats || err != nil {
		t.Errorf("the stats: %q, %v", e, err)
	}
	if a := r.do("GET", "/events?since=x", nil); a.status != 422 {
		t.Errorf("a wrong moment: %d", a.status)
	}
}

// Feeds are bounded, and one whose reader is gone makes room.
func TestFeedsAreBounded(t *testing.T) {
	r := newRig(t, nil)
	var feeds []*sse
	for range feedsMax {
		feeds = append(feeds, r.follow(""))
	}
	if a := r.do("GET", "/events", nil); a.status != 503 {
		t.Errorf("one too many: %d", a.status)
	}
	for _, feed := range feeds {
		feed.close()
	}
	await(t, "room", func() bool { return r.api.feeds.Load() == 0 })
	r.follow("").batch(t)
}

// HEAD takes no place among the feeds: it is answered at once, and the connection goes on.
func TestHeadOfFeed(t *testing.T) {
	r := newRig(t, nil)
	c, err := net.Dial("unix", r.server.Socket())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(within))
	fmt.Fprintf(c, "HEAD %[1]s/events HTTP/1.1\r\nHost: x\r\n\r\n"+
		"GET %[1]s/stats HTTP/1.1\r\nHost: x\r\n\r\n", Base)
	answers := bufio.NewReader(c)
	for _, want := range []struct{ method, kind string }{
		{"HEAD", "text/event-stream"}, {"GET", "application/json"}} {
		answer, err := http.ReadResponse(answers, &http.Request{Method: want.method})
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if kind := answer.Header.Get("Content-Type"); answer.StatusCode != 200 ||
			kind != want.kind {
			t.Errorf("%s: %s %q", want.method, answer.Status, kind)
		}
	}
}

// A reader that takes nothing is cut off, and holds nobody up.
func TestSlowReader(t *testing.T) {
	r := newRig(t, nil)
	r.api.patience = 200 * time.Millisecond
	c, err := net.Dial("unix", r.server.Socket())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET %s/events HTTP/1.1\r\nHost: x\r\n\r\n", Base)
	await(t, "the feed", func() bool { return r.api.feeds.Load() == 1 })
	labels := []string{}
	for i := range 100 {
		labels = append(labels, strconv.Itoa(i)+strings.Repeat("x", 200))
	}
	for i := range 60 { // more than the buffers of the system hold
		r.want(r.do("POST", "/torrents", Add{Source: fmt.Sprintf("%040d", i+1),
			Stopped: new(true), Options: Patch{Labels: &labels}}), 201, nil)
	}
	await(t, "the end of the feed", func() bool { return r.api.feeds.Load() == 0 })
}

// The last lines of the log can be read, and read on.
func TestLog(t *testing.T) {
	l := new(Log)
	var all bytes.Buffer
	next := slog.NewTextHandler(&all, &slog.HandlerOptions{Level: slog.LevelWarn})
	log := slog.New(l.Handler(next, slog.LevelInfo)).With("torrent", "abc").WithGroup("g")
	log.Debug("hidden")
	log.Info("first", "bytes", 5)
	log.Warn("second\n"+strings.Repeat("x", 2*lineBytes), "err", io.EOF)
	page := l.After(0, 10)
	if len(page.Lines) != 2 || page.Next != 2 || page.Lines[0].Text != "first" ||
		page.Lines[0].Values["torrent"] != "abc" || page.Lines[0].Values["g.bytes"] != "5" ||
		page.Lines[1].Level != "warn" || len(page.Lines[1].Text) > lineBytes+10 {
		t.Errorf("the log: %+v", page)
	}
	if strings.Contains(all.String(), "first") || !strings.Contains(all.String(), "second") {
		t.Errorf("the next handler got %q", all.String())
	}
	for range 3 * logLines {
		log.Info("more")
	}
	page = l.After(page.Next, logLines)
	if len(page.Lines) != logLines || page.Lines[0].Seq != 2*logLines+3 {
		t.Errorf("%d lines from %d", len(page.Lines), page.Lines[0].Seq)
	}
	for range 3 * logLines {
		log.Info(strings.Repeat("x", lineBytes))
	}
	if l.bytes > logBytes || len(l.lines) >= logLines {
		t.Errorf("%d bytes in %d lines", l.bytes, len(l.lines))
	}
	if page := l.After(1<<60, 5); len(page.Lines) != 5 {
		t.Errorf("after a number of another run: %d lines", len(page.Lines))
	}
}
