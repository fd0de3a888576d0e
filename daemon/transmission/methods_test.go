package transmission

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"swarmnode/daemon"
	"swarmnode/metainfo"
)

type obj = map[string]any

// A torrent is added by its content, by a link, by a hash, by the URL of a server that wants
// cookies, and by the path of a file; adding it again is no error.
func TestAdd(t *testing.T) {
	b := newBench(t)
	_, one := makeTorrent(t, "one", 100, 200)
	_, two := makeTorrent(t, "two", 100)
	_, three := makeTorrent(t, "three", 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Cookie") != "pass=1" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		w.Write(two.Marshal())
	}))
	defer server.Close()
	path := filepath.Join(b.dir, "three.torrent")
	if err := os.WriteFile(path, three.Marshal(), 0o644); err != nil {
		t.Fatal(err)
	}
	content := base64.StdEncoding.EncodeToString(one.Marshal())
	const hash = "0123456789abcdef0123456789abcdef01234567"
	for i, arguments := range []obj{
		{"metainfo": content, "paused": true, "labels": []string{"tv"}, "files-unwanted": []int{1},
			"priority-high": []int{0}, "peer-limit": 7, "bandwidthPriority": 1,
			"download-dir": filepath.Join(b.dir, "sub")},
		{"filename": server.URL + "/t", "cookies": "pass=1", "paused": true},
		{"filename": path, "paused": 1},
		{"filename": "magnet:?xt=urn:btih:" + hash + "&dn=name", "paused": true},
		{"filename": strings.Repeat("89", 20), "paused": true},
	} {
		for _, key := range []string{"torrent-added", "torrent-duplicate"} {
			added, _ := b.call("torrent-add", arguments)[key].(obj)
			if added["id"] != float64(i+1) || len(fmt.Sprint(added["hashString"])) != 40 {
				t.Errorf("%.60v: %v", arguments, added)
			}
		}
	}
	for field, want := range map[string]string{"labels": "[tv]", "wanted": "[1 0]",
		"priorities": "[1 0]", "peer-limit": "7", "bandwidthPriority": "1", "status": "0",
		"downloadDir": filepath.Join(b.dir, "sub"), "sizeWhenDone": "100", "name": "one"} {
		if got := fmt.Sprint(b.get(1, field)); got != want {
			t.Errorf("%s is %s, want %s", field, got, want)
		}
	}
	// Where a torrent that is there would go does not matter.
	again := b.call("torrent-add", obj{"metainfo": content, "download-dir": "/etc"})
	if there, _ := again["torrent-duplicate"].(obj); there["id"] != 1.0 {
		t.Errorf("a torrent that is there, for a folder that is not allowed: %v", again)
	}
	_, four := makeTorrent(t, "four", 100)
	unknown := base64.StdEncoding.EncodeToString(four.Marshal())
	outside := filepath.Join(t.TempDir(), "three.torrent")
	os.WriteFile(outside, three.Marshal(), 0o644)
	link := filepath.Join(b.dir, "link.torrent")
	os.Symlink(outside, link)
	os.Mkdir(filepath.Join(b.dir, "folder"), 0o755)
	const bad = "invalid or corrupt torrent file"
	for _, c := range []struct {
		arguments obj
		want      string
	}{
		{obj{}, "no filename or metainfo specified"},
		{obj{"filename": "", "metainfo": ""}, "no filename or metainfo specified"},
		{obj{"metainfo": "!"}, bad}, {obj{"metainfo": 7}, bad},
		{obj{"metainfo": base64.StdEncoding.EncodeToString([]byte("d4:infodee"))}, bad},
		{obj{"filename": "magnet:?xt=x"}, bad}, {obj{"filename": "relative"}, bad},
		{obj{"filename": filepath.Join(b.dir, "nothing")}, bad},
		{obj{"filename": filepath.Join(b.dir, "folder")}, bad},
		{obj{"filename": outside}, "outside of the allowed folders"},
		{obj{"filename": link}, "outside of the allowed folders"},
		{obj{"filename": "/etc/passwd"}, "outside of the allowed folders"},
		{obj{"filename": server.URL + "/t"}, "403"},
		{obj{"filename": server.URL, "cookies": "a=1\r\nX: y"}, "one line"},
		{obj{"metainfo": content, "download-dir": "sub"}, "path is not absolute"},
		{obj{"metainfo": unknown, "download-dir": "/etc"}, "outside of the allowed folders"},
		{obj{"metainfo": unknown, "download-dir": b.dir + "/../x"}, "outside of the allowed"},
		{obj{"metainfo": content, "files-wanted": []int{2}}, "file index out of range"},
		{obj{"metainfo": content, "labels": []string{"a,b"}}, "comma"},
	} {
		if got := b.fails("torrent-add", c.arguments); !strings.Contains(got, c.want) {
			t.Errorf("%.80v: %q, want %q", c.arguments, got, c.want)
		}
	}
	if n := len(b.daemon.Torrents()); n != 5 {
		t.Errorf("%d torrents", n)
	}
}

// Ids are numbers, hashes of any case, lists of both, and the word for those that have changed.
func TestIDs(t *testing.T) {
	b := newBench(t)
	for i := range byte(3) {
		b.add(daemon.AddSpec{Magnet: metainfo.Magnet{V1: metainfo.Hash{0xab, i}, HasV1: true},
			Options: daemon.Options{Stopped: true}})
	}
	hash := b.daemon.ByID(2).Hash().String()
	for ids, want := range map[string]string{
		`"ids":2,`: "[2]", `"ids":[3,1]`: "[3 1]", `"ids":"` + hash + `"`: "[2]",
		`"ids":["` + strings.ToUpper(hash) + `",2,1]`: "[2 1]", ``: "[1 2 3]", `"ids":[]`: "[]",
		`"ids":null`: "[]", `"ids":99`: "[]", `"ids":[-1,0,1e30,"x",{},[],null,true]`: "[]",
		`"ids":"recently-active"`: "[1 2 3]", `"ids":["recently_active",2]`: "[1 2 3]",
		`"ids":true`: "[]", `"ids":{}`: "[]",
	} {
		ids = strings.TrimSuffix(ids, ",")
		if ids != "" {
			ids = "," + ids
		}
		_, doc := b.post(`{"method":"torrent-get","arguments":{"fields":["id"]` + ids + `}}`)
		var a struct {
			Arguments struct{ Torrents []struct{ ID int } }
		}
		if err := json.Unmarshal(doc, &a); err != nil {
			t.Fatal(err)
		}
		got := []int{}
		for _, one := range a.Arguments.Torrents {
			got = append(got, one.ID)
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s: %v, want %s", ids, got, want)
		}
	}
}

// What torrent-set changes, torrent-get shows, also for a torrent that rests.
func TestSet(t *testing.T) {
	b := newBench(t)
	_, torrent := makeTorrent(t, "content", 100, 200, 300)
	torrent.Trackers = [][]string{{"http://127.0.0.1:1/announce"}}
	b.add(daemon.AddSpec{Torrent: torrent, Options: daemon.Options{Stopped: true}})
	b.call("torrent-set", obj{"ids": 1, "labels": []string{"a", "b"}, "downloadLimit": 50,
		"downloadLimited": true, "uploadLimit": 60, "seedRatioLimit": 2.5, "seedRatioMode": 1,
		"seedIdleLimit": 15, "seedIdleMode": 2, "peer-limit": 11, "honorsSessionLimits": false,
		"files-unwanted": []int{0}, "priority-low": []int{1}, "sequential_download": true,
		"trackerAdd": []string{"udp://127.0.0.1:2"}, "bandwidthPriority": -1})
	for field, want := range map[string]string{"labels": "[a b]", "downloadLimit": "50",
		"downloadLimited": "true", "uploadLimit": "60", "uploadLimited": "false",
		"seedRatioLimit": "2.5", "seedRatioMode": "1", "seedIdleLimit": "15", "seedIdleMode": "2",
		"peer-limit": "11", "honorsSessionLimits": "false", "wanted": "[0 1 1]",
		"priorities": "[0 -1 0]", "sequential_download": "true", "bandwidthPriority": "-1",
		"trackerList": "http://127.0.0.1:1/announce\n\nudp://127.0.0.1:2"} {
		if got := fmt.Sprint(b.get(1, field)); got != want {
			t.Errorf("%s is %s, want %s", field, got, want)
		}
	}
	if got := b.get(1, "editDate"); got == float64(0) {
		t.Error("no date of the edit")
	}
	b.call("torrent-set", obj{"ids": 1, "trackerReplace": []any{0, "http://127.0.0.1:3/a"},
		"trackerRemove": []int{1}})
	if got := b.get(1, "trackerList"); got != "http://127.0.0.1:3/a" {
		t.Errorf("trackers are %q", got)
	}
	b.call("torrent-set", obj{"ids": 1, "trackerList": ""})
	if got := b.get(1, "trackerList"); got != "" {
		t.Errorf("trackers are %q", got)
	}
	b.add(daemon.AddSpec{Magnet: metainfo.Magnet{V1: metainfo.Hash{7}, HasV1: true},
		Options: daemon.Options{Stopped: true}})
	for _, c := range []struct {
		arguments obj
		want      string
	}{
		{obj{"ids": 1, "files-wanted": []int{3}}, "file index out of range"},
		{obj{"ids": 2, "files-wanted": []int{0}}, "metadata is not known"},
		{obj{"ids": 1, "trackerAdd": []string{"x"}}, "error setting announce list"},
		{obj{"ids": 1, "trackerList": "x"}, "Invalid tracker list"},
		{obj{"ids": 1, "location": "x"}, "path is not absolute"},
		{obj{"ids": 1, "location": "/etc"}, "outside of the allowed folders"},
		{obj{"ids": 1, "seedRatioMode": 9}, "seedRatioMode is 0, 1 or 2"},
		{obj{"ids": 1, "sequential_download_from_piece": 99}, "outside pieces range"},
		{obj{"labels": []string{""}}, "labels cannot be empty"},
	} {
		if got := b.fails("torrent-set", c.arguments); !strings.Contains(got, c.want) {
			t.Errorf("%v: %q, want %q", c.arguments, got, c.want)
		}
	}
	b.call("torrent-set", obj{"ids": 99, "files-wanted": []int{3}}) // nobody
}

// Content is moved, found elsewhere, and gets another name.
func TestPlace(t *testing.T) {
	b := newBench(t)
	from, torrent := makeTorrent(t, "content", 30_000, 200)
	if err := os.CopyFS(b.dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	b.add(daemon.AddSpec{Torrent: torrent, Complete: true})
	b.want(1, "status", 6)
	to := filepath.Join(b.dir, "moved")
	b.call("torrent-set-location", obj{"ids": 1, "location": to, "move": true})
	b.eventually("the content is moved", func() bool {
		_, err := os.Stat(filepath.Join(to, "content", "file0.mkv"))
		return err == nil && b.get(1, "downloadDir") == to
	})
	got := b.call("torrent-rename-path", obj{"ids": 1, "path": "content", "name": "renamed"})
	if fmt.Sprint(got) != "map[id:1 name:renamed path:content]" {
		t.Errorf("the renaming answers %v", got)
	}
	b.want(1, "name", "renamed")
	if err := os.CopyFS(filepath.Join(b.dir, "third"), os.DirFS(to)); err != nil {
		t.Fatal(err)
	}
	b.call("torrent-set-location", obj{"ids": 1, "location": filepath.Join(b.dir, "third")})
	b.want(1, "downloadDir", filepath.Join(b.dir, "third"))
	b.want(1, "leftUntilDone", 0)
	for _, c := range []struct {
		method    string
		arguments obj
		want      string
	}{
		{"torrent-set-location", obj{"ids": 1}, "no location"},
		{"torrent-set-location", obj{"ids": 1, "location": "x"},
			"new location path is not absolute"},
		{"torrent-set-location", obj{"ids": 1, "location": "/etc"}, "outside of the allowed"},
		{"torrent-set-location", obj{"ids": 1, "location": b.dir + "/../x", "move": true},
			"outside of the allowed"},
		{"torrent-rename-path", obj{"ids": 99, "path": "a", "name": "b"}, "requires 1 torrent"},
		{"torrent-rename-path", obj{"path": "nothing", "name": "b"}, ""},
		{"torrent-rename-path", obj{"ids": 1, "path": "renamed", "name": "a/b"}, ""},
		{"torrent-rename-path", obj{"ids": 1, "path": "renamed", "name": ".."}, ""},
	} {
		if got := b.fails(c.method, c.arguments); !strings.Contains(got, c.want) {
			t.Errorf("%s %v: %q, want %q", c.method, c.arguments, got, c.want)
		}
	}
}

// Torrents change their places in the queue, and keep their order among each other.
func TestQueue(t *testing.T) {
	b := newBench(t)
	for i := range byte(5) {
		b.add(daemon.AddSpec{Magnet: metainfo.Magnet{V1: metainfo.Hash{i + 1}, HasV1: true},
			Options: daemon.Options{Stopped: true}})
	}
	for _, step := range []struct {
		method string
		ids    []int
		want   string
	}{
		{"queue-move-top", []int{4, 2}, "2 4 1 3 5"},
		{"queue-move-bottom", []int{4, 2}, "1 3 5 2 4"},
		{"queue-move-up", []int{2, 1}, "1 3 2 5 4"},
		{"queue-move-down", []int{4, 1, 5}, "3 1 2 5 4"},
		{"queue-move-down", []int{3}, "1 3 2 5 4"},
		{"queue-move-up", []int{}, "1 3 2 5 4"},
	} {
		b.call(step.method, obj{"ids": step.ids})
		if got := b.queue(); got != step.want {
			t.Errorf("%s %v: %s, want %s", step.method, step.ids, got, step.want)
		}
	}
	b.call("torrent-set", obj{"ids": 4, "queuePosition": 0})
	if got := b.queue(); got != "4 1 3 2 5" {
		t.Errorf("with a number: %s", got)
	}
}

// queue returns the ids of the torrents in the order of the queue.
func (b *bench) queue() string {
	order := make([]string, len(b.daemon.Torrents()))
	for _, t := range b.daemon.Torrents() {
		order[t.State().Queue] = fmt.Sprint(t.ID())
	}
	return strings.Join(order, " ")
}

func TestFreeSpace(t *testing.T) {
	b := newBench(t)
	got := b.call("free-space", obj{"path": b.dir})
	free, _ := got["size-bytes"].(float64)
	total, _ := got["total_size"].(float64)
	if got["path"] != b.dir || free <= 0 || total < free {
		t.Errorf("the room is %v", got)
	}
	for path, want := range map[string]string{"": "missing", "x": "directory path is not absolute",
		"/etc": "outside of the allowed folders"} {
		if got := b.fails("free-space", obj{"path": path}); !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %s", path, got, want)
		}
	}
}

// A client that asks for the first time hears only of what has changed within a minute.
func TestRecentlyActive(t *testing.T) {
	b := newBench(t)
	b.add(daemon.AddSpec{Magnet: metainfo.Magnet{V1: metainfo.Hash{1}, HasV1: true},
		Options: daemon.Options{Stopped: true}})
	began := time.Now()
	b.h.now = func() time.Time { return began }
	if got := b.recentlyActive(); got != "[1]" {
		t.Errorf("at once it is %s", got)
	}
	b.h.now = func() time.Time { return time.Now().Add(time.Hour) }
	if got := b.recentlyActive(); got != "[]" {
		t.Errorf("an hour later it is %s", got)
	}
	b.h.now = func() time.Time { return began }
	b.call("torrent-set", obj{"ids": 1, "labels": []string{"new"}})
	if got := b.recentlyActive(); got != "[1]" {
		t.Errorf("after another change it is %s", got)
	}
}

// recentlyActive returns the ids of the torrents that have changed lately.
func (b *bench) recentlyActive() string {
	b.t.Helper()
	got := b.call("torrent-get", obj{"ids": "recently-active", "format": "table",
		"fields": []string{"id"}})
	ids := []any{}
	for _, row := range got["torrents"].([]any)[1:] {
		ids = append(ids, row.([]any)[0])
	}
	return fmt.Sprint(ids)
}

// Nobody has tried to reach a node on loopback, so it is not known whether peers can.
func TestPortTest(t *testing.T) {
	b := newBench(t)
	a := b.ask(obj{"method": "port-test", "arguments": obj{"ip_protocol": "ipv4"}})
	if _, known := a.Arguments["port-is-open"]; a.Arguments["ip_protocol"] != "ipv4" ||
		(a.Result == "success") != known {
		t.Errorf("%+v", a)
	}
	if got := b.fails("port-test", obj{"ip_protocol": "x"}); got != "invalid ip protocol string" {
		t.Errorf("%s", got)
	}
}

func TestRemove(t *testing.T) {
	b := newBench(t)
	from, torrent := makeTorrent(t, "content", 100)
	os.CopyFS(b.dir, os.DirFS(from))
	b.add(daemon.AddSpec{Torrent: torrent, Complete: true})
	b.want(1, "status", 6)
	b.call("torrent-get", obj{"ids": "recently-active", "fields": []string{"id", "comment"}})
	b.call("torrent-remove", obj{"ids": 1, "delete-local-data": 1})
	if _, err := os.Stat(filepath.Join(b.dir, "content")); !os.IsNotExist(err) {
		t.Errorf("the content stays: %v", err)
	}
	got := b.call("torrent-get", obj{"ids": "recently-active", "fields": []string{"id"}})
	if fmt.Sprint(got["removed"], got["torrents"]) != "[1] []" {
		t.Errorf("recently active: %v", got)
	}
	if b.h.facts.mu.Lock(); len(b.h.facts.kept) != 0 {
		t.Errorf("facts of %d torrents are kept", len(b.h.facts.kept))
	}
	b.h.facts.mu.Unlock()
}
