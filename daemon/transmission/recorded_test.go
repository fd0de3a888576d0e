package transmission

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"swarmnode/daemon"
	"swarmnode/metainfo"
)

// A recorded request was sent by a real client to transmission-daemon 3.00. Reply is the
// answer with the names of JSON types in place of values.
type recorded struct {
	Client  string
	Type    string
	Path    string
	Request map[string]any
	Reply   map[string]any
}

func loadRecorded(t *testing.T) (list []recorded) {
	t.Helper()
	f, err := os.Open("testdata/recorded.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r recorded
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	if lines.Err() != nil || len(list) < 100 {
		t.Fatalf("%d requests: %v", len(list), lines.Err())
	}
	return list
}

// What real clients asked transmission-daemon 3.00, they get here in the same form: the same
// keys, of the same JSON types.
func TestRecordedRequests(t *testing.T) {
	dir := t.TempDir()
	other := t.TempDir()
	b := newBench(t, func(c *daemon.Config, _ *Config) {
		c.Settings.Dir, c.Settings.Roots = dir, []string{other}
	})
	r := &replay{bench: b, other: other}
	r.from, r.torrent = makeTorrent(t, "folder", 40_000, 20_000, 1000)
	r.torrent.Trackers = [][]string{{"http://127.0.0.1:1/announce"}}
	client := ""
	for _, request := range loadRecorded(t) {
		if request.Client != client {
			client = request.Client
			r.reset()
		}
		r.check(request)
	}
}

// A replay sends recorded requests. The ids and folders in them become those of the test.
type replay struct {
	*bench
	other   string // another folder that clients may use
	from    string // content of torrent
	torrent *metainfo.Torrent
	ids     []int
	added   int // torrents that were made for clients to add
}

// reset removes all torrents, and adds those that requests are about: the first one is whole,
// the second one a link, and the third one stopped.
func (r *replay) reset() {
	for _, t := range r.daemon.Torrents() {
		if err := t.Remove(r.t.Context(), false); err != nil {
			r.t.Fatal(err)
		}
	}
	r.ids = nil
	_, stopped := makeTorrent(r.t, "stopped", 5000)
	for _, spec := range []daemon.AddSpec{
		{Torrent: r.torrent, Complete: true, Options: daemon.Options{Dir: r.from}},
		{Magnet: metainfo.Magnet{V1: metainfo.Hash{7}, HasV1: true, Name: "link"}},
		{Torrent: stopped, Options: daemon.Options{Stopped: true}},
		{Magnet: metainfo.Magnet{V1: metainfo.Hash{8}, HasV1: true, Name: "another link"}},
	} {
		r.ids = append(r.ids, int(r.add(spec).ID()))
	}
}

// localized returns a value of a request with the ids, hashes, folders and port of the test.
func (r *replay) localized(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		local := make(map[string]any)
		for name, member := range v {
			local[name] = r.localized(name, member)
		}
		return local
	case []any:
		var local []any
		for _, element := range v {
			local = append(local, r.localized(key, element))
		}
		return local
	case float64:
		if n := int(v); key == "ids" && n >= 1 && n <= len(r.ids) {
			return r.ids[n-1]
		}
		if key == "peer-port" { // another one might be in use
			return r.daemon.Node().Addrs()[0].Port()
		}
	case string:
		switch {
		case v == "BASE64":
			r.added++
			_, fresh := makeTorrent(r.t, fmt.Sprintf("new%d", r.added), 1000)
			return base64.StdEncoding.EncodeToString(fresh.Marshal())
		case v == "/srv/downloads", v == "/downloads":
			return r.dir
		case v == "/srv/other":
			return r.other
		case strings.EqualFold(v, "325fbead2f1b408d9941f063d24925770483d44d"),
			strings.EqualFold(v, "2654d523c90a8606775939ec84be500e295ae983"):
			hash := r.torrent.Info().Hash().String()
			if strings.ToUpper(v) == v {
				return strings.ToUpper(hash)
			}
			return hash
		}
	}
	return v
}

// check sends a request, and compares the answer with what was recorded.
func (r *replay) check(request recorded) {
	r.t.Helper()
	body, err := json.Marshal(r.localized("", request.Request))
	if err != nil {
		r.t.Fatal(err)
	}
	base := r.url
	r.url = r.server.URL + request.Path
	response, doc := r.post(string(body), "Content-Type", request.Type)
	r.url = base
	name := fmt.Sprintf("%s: %.200s", request.Client, body)
	var got map[string]any
	if err := json.Unmarshal(doc, &got); err != nil || response.StatusCode != http.StatusOK {
		r.t.Errorf("%s: %s, %v", name, response.Status, err)
		return
	}
	if want := request.Reply["result"]; want == "success" && got["result"] != want {
		r.t.Errorf("%s: %v", name, got["result"])
		return
	} else if want != "success" {
		return // Transmission asked servers that the recording could not reach
	}
	if fmt.Sprint(got["tag"]) != fmt.Sprint(request.Reply["tag"]) {
		r.t.Errorf("%s: the tag is %v, want %v", name, got["tag"], request.Reply["tag"])
	}
	if fault := differs("arguments", got["arguments"], request.Reply["arguments"]); fault != "" {
		r.t.Errorf("%s: %s", name, fault)
	}
}

// reals are the fields that may have a fraction, whatever they had in the recording.
var reals = []string{"percentDone", "metadataPercentComplete", "recheckProgress", "uploadRatio",
	"seedRatioLimit", "progress"}

// differs says where a value is not of the form that was recorded; "" if it is.
func differs(path string, got, form any) string {
	switch form := form.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s is %T, want an object", path, got)
		}
		for _, name := range slices.Sorted(maps.Keys(form)) {
			member, ok := object[name]
			if !ok {
				return path + " lacks " + name
			}
			if fault := differs(path+"."+name, member, form[name]); fault != "" {
				return fault
			}
		}
		return ""
	case []any:
		list, ok := got.([]any)
		switch {
		case !ok:
			return fmt.Sprintf("%s is %T, want an array", path, got)
		case len(form) == 0:
			return ""
		case slices.ContainsFunc(form, func(f any) bool { return isList(f) }):
			return "" // a table, see TestTable
		}
		for i, element := range list {
			if fault := differs(fmt.Sprintf("%s[%d]", path, i), element, form[0]); fault != "" {
				return fault
			}
		}
		return ""
	}
	return differsPlain(path, got, fmt.Sprint(form))
}

func isList(v any) bool {
	_, ok := v.([]any)
	return ok
}

// differsPlain is differs for what has no parts.
func differsPlain(path string, got any, form string) string {
	is := "nothing"
	switch got := got.(type) {
	case string:
		is = "str"
	case bool:
		is = "bool"
	case float64:
		is = "int"
		if got != math.Trunc(got) {
			is = "float"
		}
		if slices.Contains(reals, path[strings.LastIndexByte(path, '.')+1:]) {
			return ""
		}
	}
	if !slices.Contains(strings.Split(form, "|"), is) {
		return fmt.Sprintf("%s is %v, want %s", path, got, form)
	}
	return ""
}

// Clients get the fields that they ask for and no other ones, in a table in their order.
func TestTable(t *testing.T) {
	b := newBench(t)
	_, torrent := makeTorrent(t, "content", 100)
	b.add(daemon.AddSpec{Torrent: torrent, Options: daemon.Options{Stopped: true}})
	b.add(daemon.AddSpec{Magnet: metainfo.Magnet{V1: metainfo.Hash{7}, HasV1: true, Name: "x"}})
	b.want(2, "status", 4)
	fields := []string{"status", "nonsense", "name", "id"}
	got := b.call("torrent-get", map[string]any{"fields": fields, "format": "table"})
	want := `[["status","name","id"],[0,"content",1],[4,"x",2]]`
	if table, _ := json.Marshal(got["torrents"]); string(table) != want {
		t.Errorf("the table is %s, want %s", table, want)
	}
	got = b.call("torrent-get", map[string]any{"fields": fields, "ids": []int{2}})
	want = `[{"id":2,"name":"x","status":4}]`
	if list, _ := json.Marshal(got["torrents"]); string(list) != want {
		t.Errorf("the objects are %s, want %s", list, want)
	}
}

// All fields can be asked for in both dialects, of torrents of every kind.
func TestAllFields(t *testing.T) {
	b := newBench(t)
	from, torrent := makeTorrent(t, "content", 50_000, 0, 10)
	torrent.Comment, torrent.Creator = "a comment", "a creator"
	b.add(daemon.AddSpec{Torrent: torrent, Complete: true, Options: daemon.Options{Dir: from}})
	b.add(daemon.AddSpec{Magnet: metainfo.Magnet{V1: metainfo.Hash{7}, HasV1: true}})
	_, stopped := makeTorrent(t, "stopped", 9)
	b.add(daemon.AddSpec{Torrent: stopped, Options: daemon.Options{Stopped: true}})
	b.want(1, "status", 6)
	for d := range dialects {
		var fields []string
		for _, table := range fieldTables {
			for _, f := range table {
				fields = append(fields, f.names[d])
			}
		}
		list, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		body := fmt.Sprintf(`{"method":"torrent-get","arguments":{"fields":%s}}`, list)
		if d == modern {
			body = fmt.Sprintf(
				`{"jsonrpc":"2.0","id":1,"method":"torrent_get","params":{"fields":%s}}`, list)
		}
		_, doc := b.post(body)
		var got struct {
			Arguments, Result any
		}
		if err := json.Unmarshal(doc, &got); err != nil {
			t.Fatal(err)
		}
		object, _ := cmpOr(got.Arguments, got.Result).(map[string]any)
		torrents, _ := object["torrents"].([]any)
		if len(torrents) != 3 {
			t.Fatalf("%d torrents: %.300s", len(torrents), doc)
		}
		for i, one := range torrents {
			if n := len(one.(map[string]any)); n != len(fields) {
				t.Errorf("torrent %d has %d fields, want %d", i, n, len(fields))
			}
		}
		if first := torrents[0].(map[string]any); first["comment"] != "a comment" ||
			first["creator"] != "a creator" ||
			!bytes.Contains(doc, []byte(filepath.ToSlash("content/file1.mkv"))) {
			t.Errorf("the first torrent is %v", first)
		}
	}
}

// cmpOr returns a if it is an object, or b.
func cmpOr(a, b any) any {
	if _, ok := a.(map[string]any); ok {
		return a
	}
	return b
}
