package api

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"swarmnode/swarm/limit"
)

// A model is what a reader of deltas knows.
type model struct {
	t    *testing.T
	rows map[int]object
	last string // the moment
}

// take takes what a feed told up to the next moment.
func (m *model) take(feed *sse) {
	m.t.Helper()
	events, id := feed.batch(m.t)
	m.last = id
	for _, e := range events {
		switch e.name {
		case EventReset:
			clear(m.rows)
		case EventRemoved:
			var gone Gone
			m.read(e.data, &gone)
			delete(m.rows, int(gone.ID))
		case EventRows:
			var rows []object
			m.read(e.data, &rows)
			for _, row := range rows {
				id := int(row["id"].(float64))
				if m.rows[id] == nil {
					m.rows[id] = zeros()
				}
				maps.Copy(m.rows[id], row)
			}
		case EventSettings:
		default:
			m.t.Fatalf("an event %s", e.name)
		}
	}
}

// read parses JSON.
func (m *model) read(doc string, into any) {
	m.t.Helper()
	if err := json.Unmarshal([]byte(doc), into); err != nil {
		m.t.Fatalf("%s: %v", doc, err)
	}
}

// zeros returns a torrent of which nothing was told.
func zeros() object {
	row := make(object)
	for i := range torrentFields {
		var value any
		if json.Unmarshal([]byte(torrentFields[i].zero), &value) == nil {
			row[torrentFields[i].name] = value
		}
	}
	return row
}

// listing returns all torrents as the list shows them.
func (m *model) listing(r *rig) map[int]object {
	m.t.Helper()
	var list struct{ Torrents []object }
	m.read(string(r.do("GET", "/torrents", nil).body), &list)
	all := make(map[int]object)
	for _, row := range list.Torrents {
		id := int(row["id"].(float64))
		all[id] = zeros()
		maps.Copy(all[id], row)
	}
	return all
}

// same reads a feed until the model is the listing.
func (m *model) same(r *rig, feed *sse) {
	m.t.Helper()
	for {
		want := m.listing(r)
		if reflect.DeepEqual(m.rows, want) {
			return
		}
		m.take(feed) // fails the test if nothing more comes in time
	}
}

// A reader that applies deltas has the listing, whatever happens: after breaks, and while
// there is no memory for what was told.
func TestDeltas(t *testing.T) {
	r := newRig(t, nil)
	r.api.every = time.Millisecond
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	ids := []int{}
	next := 0
	add := func() {
		next++
		var added Added
		r.want(r.do("POST", "/torrents", Add{Source: fmt.Sprintf("%040d", next),
			Stopped: new(true)}), 201, &added)
		ids = append(ids, int(added.ID))
	}
	step := func() {
		if len(ids) == 0 || random.IntN(4) == 0 {
			add()
			return
		}
		i := random.IntN(len(ids))
		path := "/torrents/" + strconv.Itoa(ids[i])
		switch random.IntN(4) {
		case 0:
			labels := make([]string, random.IntN(3))
			for i := range labels {
				labels[i] = strconv.Itoa(i) + "<b>é"
			}
			r.want(r.do("PATCH", path, Patch{Labels: &labels}), 200, nil)
		case 1:
			rank := random.IntN(3) - 1
			r.want(r.do("PATCH", path, Patch{Rank: &rank, Sequential: new(rank == 0)}), 200, nil)
		case 2:
			r.want(r.do("POST", path+"/queue", Enqueue{random.IntN(len(ids))}), 204, nil)
		case 3:
			r.want(r.do("DELETE", path, nil), 204, nil)
			ids = append(ids[:i], ids[i+1:]...)
		}
	}
	m := &model{t: t, rows: make(map[int]object)}
	for round := range 4 {
		query := "?delta=true"
		if round > 0 {
			query += "&since=" + m.last
		}
		if round == 3 { // no memory
			r.api.told.memory = limit.NewMemory(func() (int64, int64) { return 100, 100 })
		}
		for range 8 {
			step()
		}
		feed := r.follow(query)
		m.take(feed)
		for range 8 {
			step()
		}
		m.same(r, feed)
		feed.close()
		await(t, "the end of the feed", func() bool { return r.api.feeds.Load() == 0 })
	}
	if n := r.api.told.taken.Load(); n != 0 {
		t.Errorf("%d bytes are kept of feeds that are gone", n)
	}
}

// Deltas have the fields that were asked for, and no torrent of which none of these changed.
func TestDeltasAreSmall(t *testing.T) {
	r := newRig(t, nil)
	r.api.every = time.Millisecond
	r.want(r.do("POST", "/torrents", Add{Source: strings.Repeat("1", 40), Stopped: new(true)}),
		201, nil)
	feed := r.follow("?delta=true&fields=labels,rank,ratio")
	events, _ := feed.batch(t)
	if len(events) != 3 || events[1] != (event{EventRows, `[{"id":1}]`, ""}) {
		t.Errorf("at first: %q", events)
	}
	for _, c := range []struct {
		patch Patch
		want  string
	}{
		{Patch{Labels: &[]string{"x"}}, `[{"id":1,"labels":["x"]}]`},
		{Patch{Rank: new(1), Labels: &[]string{"x"}}, `[{"id":1,"rank":1}]`},
		{Patch{Sequential: new(true)}, ""},
		{Patch{Rank: new(0), Labels: &[]string{}}, `[{"id":1,"labels":[],"rank":0}]`},
	} {
		r.want(r.do("PATCH", "/torrents/1", c.patch), 200, nil)
		if c.want == "" {
			continue // the next batch shows that none came
		}
		events, _ := feed.batch(t)
		for len(events) == 0 {
			events, _ = feed.batch(t)
		}
		if len(events) != 1 || events[0].data != c.want {
			t.Errorf("%q, want %s", events, c.want)
		}
	}
	if a := r.do("GET", "/events?delta=x", nil); a.status != 422 {
		t.Errorf("no boolean: %d", a.status)
	}
}

// A feed is packed for those who take that, and what is told comes at once.
func TestFeedIsPacked(t *testing.T) {
	r := newRig(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, "GET", r.url+"/events?delta=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept-Encoding", "br, gzip;q=0.5")
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if coding := response.Header.Get("Content-Encoding"); coding != "gzip" {
		t.Fatalf("the coding %q", coding)
	}
	unpacked, err := gzip.NewReader(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	feed := &sse{bufio.NewReader(unpacked), cancel}
	feed.batch(t)
	r.want(r.do("POST", "/torrents", Add{Source: strings.Repeat("1", 40), Stopped: new(true)}),
		201, nil)
	events, _ := feed.batch(t)
	if len(events) != 1 || events[0].name != EventRows {
		t.Errorf("a packed feed: %q", events)
	}
}

// Long answers are packed for those who take that, short ones are not.
func TestAnswersArePacked(t *testing.T) {
	r := newRig(t, nil)
	get := func(path, takes string) (answer, string) {
		t.Helper()
		a := r.do("GET", path, nil, "Accept-Encoding", takes)
		return a, a.header.Get("Content-Encoding")
	}
	plain, coding := get("/openapi.json", "identity")
	if coding != "" || plain.header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("the coding %q", coding)
	}
	for takes, want := range map[string]string{"gzip": "gzip", "deflate, GZIP ; q=1": "gzip",
		"gzip;q=0": "", "gzip;q=x": "", "br": ""} {
		a, coding := get("/openapi.json", takes)
		if coding != want {
			t.Errorf("%s: the coding %q", takes, coding)
		}
		if coding == "" {
			continue
		}
		unpacked, err := gzip.NewReader(strings.NewReader(string(a.body)))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(unpacked)
		if err != nil || string(body) != string(plain.body) {
			t.Errorf("%d bytes of %d, %v", len(body), len(plain.body), err)
		}
	}
	if a, coding := get("/torrents", "gzip"); coding != "" || a.status != 200 {
		t.Errorf("a short answer: %d, %q", a.status, coding)
	}
	if a, coding := get("/torrents?sort=x", "gzip"); coding != "" || a.status != 422 {
		t.Errorf("an error: %d, %q", a.status, coding)
	}
	r.api.packers.out.Add(packersMax)
	if a, coding := get("/openapi.json", "gzip"); coding != "" ||
		string(a.body) != string(plain.body) {
		t.Errorf("one too many: %q", coding)
	}
	r.api.packers.out.Add(-packersMax)
	await(t, "all writers", func() bool { return r.api.packers.out.Load() == 0 })
}

// Routes whose answers hold secrets that last are not packed: what else is in an answer could
// then tell them by its length (BREACH).
func TestSecretsAreNotPacked(t *testing.T) {
	for _, name := range []string{"getSettings", "setSettings", "getTorrent", "getMetainfo",
		"listTrackers", "setTrackers", "listWebSeeds", "setWebSeeds", "getLog", "getSession",
		"login"} {
		if routeNamed(t, name).packs {
			t.Errorf("the answer of %s is packed", name)
		}
	}
}
