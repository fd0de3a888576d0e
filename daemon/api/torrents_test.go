package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"mime/multipart"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"swarmnode/daemon"
)

// A torrent goes through its life: added, listed, shown, changed, stopped, started, removed.
func TestLifeOfATorrent(t *testing.T) {
	r := newRig(t, nil)
	doc, hash := torrentOf(t, "music", map[string]int{"a.txt": 100, "b/c.txt": 5000})
	var added Added
	a := r.do("POST", "/torrents", bytes.NewReader(doc), "Content-Type", torrentType)
	r.want(a, http.StatusCreated, &added)
	if added.ID != 1 || added.Hash != hash || added.Name != "music" ||
		a.header.Get("Location") != Base+"/torrents/"+hash {
		t.Errorf("added %+v at %q", added, a.header.Get("Location"))
	}
	var problem Problem
	a = r.do("POST", "/torrents", Add{Metainfo: doc})
	r.want(a, http.StatusConflict, &problem)
	if problem.ID != 1 || problem.Hash != hash || a.header.Get("Content-Type") != problemType {
		t.Errorf("added again: %+v, %s", problem, a.header)
	}
	var list List
	r.want(r.do("GET", "/torrents", nil), 200, &list)
	if list.Total != 1 || len(list.Torrents) != 1 || list.Torrents[0].Hash != hash ||
		list.Torrents[0].Size != 5100 || list.Torrents[0].Files != 2 || list.Seq == 0 {
		t.Errorf("the list: %+v", list)
	}
	labels, down := []string{" linux ", "iso"}, int64(1000)
	var options Options
	r.want(r.do("PATCH", "/torrents/1", Patch{Labels: &labels, Down: &down,
		SeedRatio: &Goal{GoalOwn, 1.5}, SeedTime: &Goal{GoalOwn, 90}}), 200, &options)
	if !reflect.DeepEqual(options.Labels, []string{"linux", "iso"}) || options.Down != 1000 ||
		options.SeedRatio != (Goal{GoalOwn, 1.5}) || options.SeedTime != (Goal{GoalOwn, 90}) ||
		options.SeedIdle.Mode != GoalGlobal {
		t.Errorf("the options: %+v", options)
	}
	r.want(r.do("POST", "/torrents/"+hash+"/stop", nil), 204, nil)
	var details Details
	r.want(r.do("GET", "/torrents/"+hash, nil), 200, &details)
	if details.Torrent.Status != Stopped || details.V1 != hash ||
		!strings.HasPrefix(details.Magnet, "magnet:?xt=urn:btih:"+hash) {
		t.Errorf("the details: %+v", details)
	}
	got := r.do("GET", "/torrents/1/torrent", nil)
	if got.header.Get("Content-Type") != torrentType || !bytes.Equal(got.body, doc) {
		t.Errorf("another .torrent file: %q", got.body)
	}
	r.want(r.do("POST", "/torrents/1/start", Start{Now: true}), 204, nil)
	await(t, "the download", func() bool {
		r.want(r.do("GET", "/torrents/1", nil), 200, &details)
		return details.Torrent.Status == Downloading && details.Torrent.Forced
	})
	r.want(r.do("DELETE", "/torrents/1?data=true", nil), 204, nil)
	r.want(r.do("GET", "/torrents/1", nil), 404, &problem)
	r.want(r.do("GET", fmt.Sprint("/torrents?since=", list.Seq), nil), 200, &list)
	if !reflect.DeepEqual(list.Removed, []daemon.ID{1}) || len(list.Torrents) != 0 {
		t.Errorf("since then: %+v", list)
	}
}

// A .torrent file is named by the torrent, whatever letters that has.
func TestTorrentFileName(t *testing.T) {
	r := newRig(t, nil)
	const name = "ä \"b\"; c%.. +\u202e"
	doc, hash := torrentOf(t, "x", map[string]int{"a": 10})
	r.want(r.do("POST", "/torrents", Add{Metainfo: doc}), 201, nil)
	if err := r.daemon.Torrents()[0].Rename(t.Context(), "", name); err != nil {
		t.Fatal(err)
	}
	got := r.do("GET", "/torrents/1/torrent", nil).header.Get("Content-Disposition")
	kind, params, err := mime.ParseMediaType(got)
	if err != nil || kind != "attachment" || params["filename"] != name+".torrent" {
		t.Errorf("%s: %q, %v", got, params, err)
	}
	if !strings.Contains(got, `filename="`+hash+`.torrent"`) {
		t.Errorf("no name in ASCII: %s", got)
	}
}

// All forms of a body add the same torrent.
func TestFormsOfAdd(t *testing.T) {
	doc, hash := torrentOf(t, "x", map[string]int{"a": 10, "b": 20, "c": 30})
	form := func(parts ...string) (*bytes.Buffer, string) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		for i := 0; i < len(parts); i += 2 {
			p, err := w.CreateFormFile(parts[i], "name")
			if err != nil {
				t.Fatal(err)
			}
			p.Write([]byte(parts[i+1]))
		}
		w.Close()
		return &b, w.FormDataContentType()
	}
	whole, wholeType := form("options", `{"stopped":true,"files":[1]}`, "torrent", string(doc))
	twice, twiceType := form("torrent", string(doc), "torrent", string(doc))
	none, noneType := form("options", `{}`)
	other, otherType := form("else", "x")
	inBase64 := `{"stopped":true,"metainfo":"` + base64.StdEncoding.EncodeToString(doc) + `"}`
	for _, c := range []struct {
		name, kind string
		body       string
		status     int
	}{
		{"a file", torrentType, string(doc), 201},
		{"base64", "application/json", inBase64, 201},
		{"a form", wholeType, whole.String(), 201},
		{"a link", "application/json", `{"source":"magnet:?xt=urn:btih:` + hash + `"}`, 201},
		{"a hash", "", `{"source":"` + hash + `","stopped":true}`, 201},
		{"a v2 hash", "", `{"source":"` + strings.Repeat("ab", 32) + `"}`, 201},
		{"two files", twiceType, twice.String(), 422},
		{"no file", noneType, none.String(), 422},
		{"another part", otherType, other.String(), 422},
		{"a form cut off", wholeType, whole.String()[:whole.Len()-100], 400},
		{"a form of nothing", "multipart/form-data", "", 400},
		{"nothing", "", `{}`, 422},
		{"both", "", `{"source":"` + hash + `","metainfo":"AAAA"}`, 422},
		{"no torrent", torrentType, "hello", 422},
		{"no link", "", `{"source":"magnet:?dn=x"}`, 422},
		{"no hash", "", `{"source":"/etc/passwd"}`, 422},
		{"a hash of zeros", "", `{"source":"` + strings.Repeat("0", 40) + `"}`, 422},
		{"no peer", "", `{"source":"` + hash + `","peers":["localhost"]}`, 422},
		{"files of a link", "", `{"source":"` + hash + `","files":[0]}`, 422},
		{"a file too many", "", strings.Replace(inBase64, "{", `{"files":[3],`, 1), 422},
		{"an unknown field", "", `{"sauce":"x"}`, 422},
		{"a wrong type", "", `{"source":5}`, 422},
		{"no JSON", "", `{"source`, 400},
		{"more than JSON", "", `{} {}`, 400},
		{"another type", "text/plain", `{"source":"` + hash + `"}`, 415},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil)
			a := r.do("POST", "/torrents", strings.NewReader(c.body), "Content-Type", c.kind)
			if a.status != c.status {
				t.Fatalf("%d %s, want %d", a.status, a.body, c.status)
			}
			torrents := r.daemon.Torrents()
			if (len(torrents) == 1) != (c.status == 201) {
				t.Errorf("%d torrents", len(torrents))
			}
		})
	}
}

// The table of fields and the type of a torrent say the same, in the same order.
func TestFieldsAreThoseOfTorrent(t *testing.T) {
	typ := reflect.TypeFor[Torrent]()
	var names []string
	for i := range typ.NumField() {
		name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	var have []string
	for _, f := range torrentFields {
		have = append(have, f.name)
	}
	if !reflect.DeepEqual(names, have) {
		t.Fatalf("the fields are %q, the type has %q", have, names)
	}
	r := newRig(t, nil)
	doc, _ := torrentOf(t, "quote\"<ü>", map[string]int{"a.txt": 100})
	labels := []string{"a\\b", "ä"}
	r.want(r.do("POST", "/torrents", Add{Metainfo: doc, Stopped: new(bool),
		Options: Patch{Labels: &labels}}), 201, nil)
	torrent := r.daemon.ByID(1)
	await(t, "a moment without changes", func() bool {
		v := viewOf(torrent)
		written := everything.append(nil, &v)
		described, err := json.Marshal(describe(torrent))
		if err != nil {
			t.Fatal(err)
		}
		var one, two map[string]any
		if err := json.Unmarshal(written, &one); err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		if err := json.Unmarshal(described, &two); err != nil {
			t.Fatal(err)
		}
		// How long it runs changes all the time.
		delete(one, "active")
		delete(two, "active")
		return reflect.DeepEqual(one, two)
	})
}

// Lists are filtered, sorted and cut into pages.
func TestLists(t *testing.T) {
	r := newRig(t, nil)
	for i, name := range []string{"beta", "Alpha", "gamma", "delta"} {
		doc, _ := torrentOf(t, name, map[string]int{"f": 100 * (i + 1)})
		add := Add{Metainfo: doc, Stopped: new(i != 3)}
		if i == 0 {
			add.Options.Labels = &[]string{"old"}
		}
		r.want(r.do("POST", "/torrents", add), 201, nil)
	}
	names := func(query string) string {
		t.Helper()
		var list List
		r.want(r.do("GET", "/torrents?"+query, nil), 200, &list)
		var names []string
		for _, torrent := range list.Torrents {
			names = append(names, torrent.Name)
		}
		return fmt.Sprintf("%d%v", list.Total, names)
	}
	for query, want := range map[string]string{
		"":                                "4[beta Alpha gamma delta]",
		"sort=name":                       "4[Alpha beta delta gamma]",
		"sort=-size&limit=2":              "4[delta gamma]",
		"sort=-size&limit=2&offset=2":     "4[Alpha beta]",
		"offset=10":                       "4[]",
		"label=old":                       "1[beta]",
		"label=":                          "3[Alpha gamma delta]",
		"search=ALP":                      "1[Alpha]",
		"ids=2,1,99":                      "2[beta Alpha]",
		"ids=":                            "0[]",
		"status=stopped":                  "3[beta Alpha gamma]",
		"status=stopped,error&search=gam": "1[gamma]",
		"fields=name&sort=-id":            "4[delta gamma Alpha beta]",
	} {
		if got := names(query); got != want {
			t.Errorf("%q: %s, want %s", query, got, want)
		}
	}
	for _, query := range []string{"status=odd", "sort=odd", "fields=id,odd", "limit=-1",
		"offset=x", "since=x", "odd=1"} {
		if a := r.do("GET", "/torrents?"+query, nil); a.status != 422 {
			t.Errorf("%q: %d %s", query, a.status, a.body)
		}
	}
	a := r.do("GET", "/torrents?fields=size,name", nil)
	if want := `"torrents":[{"id":1,"size":100,"name":"beta"},`; !strings.Contains(string(a.body),
		want) {
		t.Errorf("with two fields: %s", a.body)
	}
	// While nothing changes, a list costs nothing.
	await(t, "quiet", func() bool {
		tag := r.do("GET", "/torrents", nil).header.Get("ETag")
		a := r.do("GET", "/torrents", nil, "If-None-Match", tag)
		return a.status == http.StatusNotModified && len(a.body) == 0
	})
}

// One request does the same to many torrents, and says for which it failed.
func TestBulk(t *testing.T) {
	r := newRig(t, nil)
	for i := range 3 {
		doc, _ := torrentOf(t, fmt.Sprint("t", i), map[string]int{"f": 100})
		r.want(r.do("POST", "/torrents", Add{Metainfo: doc, Stopped: new(true)}), 201, nil)
	}
	var result BulkResult
	r.want(r.do("POST", "/torrents/bulk", Bulk{IDs: []daemon.ID{1, 9, 3},
		Action: ActionSet, Patch: &Patch{Labels: &[]string{"x"}}}), 200, &result)
	if result.Done != 2 || len(result.Failed) != 1 || result.Failed[0].ID != 9 ||
		result.Failed[0].Problem().Status != 404 {
		t.Errorf("set: %+v", result)
	}
	var list List
	r.want(r.do("GET", "/torrents?label=x&fields=id", nil), 200, &list)
	if list.Total != 2 {
		t.Errorf("%d have the label", list.Total)
	}
	for _, body := range []Bulk{{All: true, Action: "dance"}, {Action: ActionStop},
		{All: true, IDs: []daemon.ID{1}, Action: ActionStop}, {All: true, Action: ActionSet},
		{All: true, Action: ActionStop, Dir: "/x"}, {All: true, Action: ActionMove},
		{IDs: make([]daemon.ID, bulkMax+1), Action: ActionStop},
		{All: true, Action: ActionSet, Patch: &Patch{SeedRatio: &Goal{Mode: "odd"}}}} {
		a := r.do("POST", "/torrents/bulk", body)
		if body.Patch != nil && body.Patch.SeedRatio != nil {
			r.want(a, 200, &result)
			if len(result.Failed) != 3 || result.Failed[0].Status != 422 {
				t.Errorf("%+v: %+v", body, result)
			}
		} else if a.status != 422 {
			t.Errorf("%s of %d: %d %s", body.Action, len(body.IDs), a.status, a.body)
		}
	}
	r.want(r.do("POST", "/torrents/bulk", Bulk{IDs: []daemon.ID{3}, Action: ActionQueueTop}), 200,
		&result)
	r.want(r.do("GET", "/torrents?sort=queue&fields=id", nil), 200, &list)
	if result.Done != 1 || list.Torrents[0].ID != 3 || list.Torrents[1].ID != 1 {
		t.Errorf("at the top of the queue: %+v %+v", result, list.Torrents)
	}
	r.want(r.do("POST", "/torrents/bulk", Bulk{All: true, Action: ActionRemove}), 200, &result)
	if result.Done != 3 || len(r.daemon.Torrents()) != 0 {
		t.Errorf("removed %+v, left %d", result, len(r.daemon.Torrents()))
	}
}
