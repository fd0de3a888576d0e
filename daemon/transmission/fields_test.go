package transmission

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"swarmnode/daemon"
	"swarmnode/swarm"
	"swarmnode/swarm/bits"
)

// Each name stands for one field, and all names are as the protocols write them.
func TestFieldNames(t *testing.T) {
	seen := make(map[string]int)
	for _, table := range fieldTables {
		for _, f := range table {
			for _, name := range slices.Compact(f.names[:]) {
				seen[name]++
			}
			if strings.ContainsAny(f.names[modern], "-") {
				t.Errorf("%s is no snake case", f.names[modern])
			}
		}
	}
	for name, n := range seen {
		if n != 1 || name == "" {
			t.Errorf("%q names %d fields", name, n)
		}
	}
	for _, table := range sessionTables {
		for _, row := range table {
			if strings.ToLower(row.names[modern]) != row.names[modern] ||
				strings.Contains(row.names[modern], "-") {
				t.Errorf("%s is no snake case", row.names[modern])
			}
		}
	}
	for _, m := range methods {
		if strings.ReplaceAll(m.names[legacy], "-", "_") != m.names[modern] {
			t.Errorf("%s and %s", m.names[legacy], m.names[modern])
		}
	}
}

func TestPlan(t *testing.T) {
	var kept plans
	fields := value(`["id","name","noSuchField",7,"hash_string"]`)
	p, err := kept.of(fields, false)
	if err != nil || len(p.fields) != 3 || p.needs != 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	if again, _ := kept.of(slices.Clone(fields), false); again != p {
		t.Error("the plan is not kept")
	}
	if table, _ := kept.of(fields, true); table == p || !table.table {
		t.Error("a table has the plan of objects")
	}
	if p, err = kept.of(value(`["files","eta"]`), false); err != nil ||
		p.needs != needFiles|needLayout|needOptions {
		t.Errorf("%+v, %v", p, err)
	}
	for _, none := range []string{`[]`, `["x"]`, `null`, `{}`, ``} {
		if _, err := kept.of(value(none), false); err == nil ||
			err.Error() != "no fields specified" {
			t.Errorf("%q: %v", none, err)
		}
	}
	many := `["id"` + strings.Repeat(`,"id"`, fieldsMax) + `]`
	if _, err := kept.of(value(many), false); err == nil {
		t.Error("too many fields are taken")
	}
	for i := range 3 * plansMax {
		kept.of(value(`["id"`+strings.Repeat(" ", i)+`]`), false)
	}
	if n := len(kept.kept[0]); n > plansMax {
		t.Errorf("%d plans are kept", n)
	}
}

// one returns what a field says in a dialect.
func oneField(t *testing.T, v *view, d dialect, name string) string {
	t.Helper()
	f := fieldsByName()[name]
	if f == nil {
		t.Fatalf("there is no field %s", name)
	}
	w := &writer{d: d}
	f.put(w, v)
	return string(w.b)
}

func TestStateFields(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	v := &view{now: now, all: &daemon.Settings{SeedRatio: 2, SeedIdle: 10 * time.Minute}}
	v.state = daemon.State{Status: daemon.Downloading, HaveInfo: true, Size: 1000, Wanted: 800,
		Left: 200, Have: 700, ETA: 90 * time.Second, Ratio: 0.5, Totals: swarm.Totals{Down: 900,
			Waste: map[string]int64{"late": 10, "bad piece": 90}, Active: time.Minute,
			Seeding: 20 * time.Second, LastActive: now.Add(-4 * time.Minute)}}
	for name, want := range map[string]string{"percentDone": "0.75", "percentComplete": "0.7",
		"downloadedEver": "800", "corruptEver": "90", "eta": "90", "etaIdle": "-1",
		"uploadRatio": "0.5", "secondsDownloading": "40", "secondsSeeding": "20", "error": "0",
		"errorString": `""`, "metadataPercentComplete": "1", "haveUnchecked": "0",
		"addedDate": "0", "doneDate": "0", "leftUntilDone": "200", "status": "4"} {
		if got := oneField(t, v, legacy, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	v.state.ETA = -1
	if got := oneField(t, v, legacy, "eta"); got != "-2" {
		t.Errorf("eta of a slow download is %s", got)
	}
	v.state.Status, v.state.Error, v.state.Ratio = daemon.Seeding, "disk full", -1
	for name, want := range map[string]string{"eta": "-2", "etaIdle": "360", "error": "3",
		"errorString": `"disk full"`, "uploadRatio": "-1"} {
		if got := oneField(t, v, legacy, name); got != want {
			t.Errorf("%s of a seed is %s, want %s", name, got, want)
		}
	}
	v.options.Ratio.Mode, v.options.Idle.Mode = daemon.GoalNone, daemon.GoalNone
	if eta, idle := oneField(t, v, legacy, "eta"), oneField(t, v, legacy, "etaIdle"); eta != "-1" ||
		idle != "-1" {
		t.Errorf("eta of a seed without goals is %s, and %s until it is idle", eta, idle)
	}
	v.state = daemon.State{Status: daemon.Downloading, ETA: -1, MetadataSize: 100, MetadataHave: 25}
	for name, want := range map[string]string{"percentDone": "0", "percentComplete": "0",
		"metadataPercentComplete": "0.25", "eta": "-1", "torrentFile": `""`} {
		if got := oneField(t, v, legacy, name); got != want {
			t.Errorf("%s of a link is %s, want %s", name, got, want)
		}
	}
}

func TestFileFields(t *testing.T) {
	dir := filepath.FromSlash("/srv/dl")
	v := &view{state: daemon.State{Dir: dir, Name: "top", Pieces: 10, PiecesHave: 4},
		ranks: map[int]int8{2: 1},
		files: []swarm.FileState{
			{Path: filepath.Join(dir, "top", "a", "b"), Size: 5, Have: 5, Priority: swarm.Normal},
			{Size: 3, Pad: true},
			{Path: filepath.Join(dir, "top", "c"), Size: 9, Have: 1, Priority: swarm.Unwanted},
			{Path: filepath.FromSlash("/elsewhere/d"), Size: 1, Priority: swarm.Lowest},
			{Size: 1, Priority: swarm.Highest},
		}}
	for name, want := range map[string]string{
		"wanted": "[1,1,0,1,1]", "priorities": "[0,0,1,-1,1]", "bytesCompleted": "[5,3,1,0,0]",
		"fileStats": `[{"bytesCompleted":5,"wanted":true,"priority":0},` +
			`{"bytesCompleted":3,"wanted":true,"priority":0},` +
			`{"bytesCompleted":1,"wanted":false,"priority":1},` +
			`{"bytesCompleted":0,"wanted":true,"priority":-1},` +
			`{"bytesCompleted":0,"wanted":true,"priority":1}]`,
		"pieces": `"AAA="`, "desiredAvailable": "0",
	} {
		if got := oneField(t, v, legacy, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if got := oneField(t, v, modern, "wanted"); got != "[true,true,false,true,true]" {
		t.Errorf("wanted is %s in JSON-RPC", got)
	}
	names := []string{"top/a/b", "", "top/c", "", ""}
	for i, want := range names {
		if got := nameOf(v, i); got != want {
			t.Errorf("file %d is %q, want %q", i, got, want)
		}
	}
	v.pieces = swarm.PiecesState{Have: bits.New(10), Availability: []uint16{3, 0, 1}}
	v.pieces.Have.Add(0)
	v.pieces.Have.Add(9)
	if got := oneField(t, v, legacy, "pieces"); got != `"gEA="` {
		t.Errorf("pieces are %s", got)
	}
	if got := oneField(t, v, legacy, "availability"); got != "[-1,0,1,0,0,0,0,0,0,-1]" {
		t.Errorf("availability is %s", got)
	}
	v.pieces, v.state.PiecesHave = swarm.PiecesState{}, 10
	if got := oneField(t, v, legacy, "pieces"); got != `"/8A="` {
		t.Errorf("pieces of a whole torrent that rests are %s", got)
	}
}

func TestPeerFields(t *testing.T) {
	v := &view{peers: []swarm.PeerState{
		{Addr: netip.MustParseAddrPort("[::ffff:10.0.0.1]:5"), Transport: swarm.TransportUTP,
			Source: swarm.PeerFromDHT, Client: "x", Interesting: true, Interested: true,
			Unchoked: true, Encrypted: true, Progress: 0.5, DownRate: 7, Outgoing: true},
		{Addr: netip.MustParseAddrPort("[2001:db8::1]:6"), Source: swarm.PeerFromIncoming},
		{URL: "http://web.example/", Source: swarm.PeerFromLink},
	}}
	if got, want := oneField(t, v, legacy, "peersFrom"), `{"fromCache":0,"fromDht":1,`+
		`"fromIncoming":1,"fromLpd":0,"fromLtep":0,"fromPex":0,"fromTracker":0}`; got != want {
		t.Errorf("peersFrom is %s, want %s", got, want)
	}
	got := oneField(t, v, legacy, "peers")
	for _, want := range []string{`"address":"10.0.0.1","port":5,"clientName":"x"`,
		`"flagStr":"TDUEH"`, `"progress":0.5`, `"rateToClient":7`, `"isUTP":true`,
		`"address":"2001:db8::1"`, `"flagStr":"KI"`, `"isDownloadingFrom":false`,
		`"clientIsChoked":false`} {
		if !strings.Contains(got, want) {
			t.Errorf("peers are %s, want %s in it", got, want)
		}
	}
	if strings.Contains(got, "web.example") {
		t.Error("a web seed is among the peers")
	}
	if got := oneField(t, v, modern, "peers"); !strings.Contains(got, `"is_utp":true`) {
		t.Errorf("peers of JSON-RPC are %s", got)
	}
}

func TestTrackerFields(t *testing.T) {
	at := time.Unix(1000, 0)
	v := &view{trackers: []swarm.TrackerState{
		{URL: "http://tracker.example.org:8080/announce?k=1", Status: swarm.TrackerWorking,
			LastAnnounce: at, NextAnnounce: at.Add(time.Hour), Seeds: 5, Leeches: 2, Downloaded: 9},
		{URL: "udp://10.0.0.1:5", Status: swarm.TrackerNotAsked, Seeds: -1, Leeches: -1,
			Downloaded: -1},
		{URL: "https://a.example.co.uk/x", Tier: 1, Status: swarm.TrackerFailing, LastAnnounce: at,
			Err: os.ErrDeadlineExceeded, Seeds: -1, Leeches: 7, Downloaded: -1},
		{URL: "http://b/announce", Tier: 1, Status: swarm.TrackerAnnouncing, LastAnnounce: at,
			Err: errors.New("refused"), Message: "go away", Seeds: -1, Leeches: -1, Downloaded: -1},
	}}
	if got, want := oneField(t, v, legacy, "trackerList"),
		`"http://tracker.example.org:8080/announce?k=1\nudp://10.0.0.1:5\n\n`+
			`https://a.example.co.uk/x\nhttp://b/announce"`; got != want {
		t.Errorf("trackerList is %s, want %s", got, want)
	}
	got := oneField(t, v, legacy, "trackerStats")
	for _, want := range []string{
		`"id":0,"scrape":"http://tracker.example.org:8080/scrape?k=1","sitename":"example","tier":0`,
		`"announceState":1,"downloadCount":9`, `"host":"tracker.example.org:8080"`,
		`"lastAnnounceResult":"Success"`, `"lastAnnounceTimedOut":true`,
		`"scrape":"udp://10.0.0.1:5","sitename":"10.0.0.1"`, `"isBackup":true`, `"isBackup":false`,
		`"host":"a.example.co.uk:443"`, `"sitename":"example","tier":1`,
		`"lastAnnounceResult":"go away"`, `"announceState":3`, `"nextAnnounceTime":4600`,
		`"lastScrapeTime":1000`, `"scrape":""`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("trackerStats are %s, want %s in it", got, want)
		}
	}
	for name, want := range map[string]string{"seeders": "5", "leechers": "7", "downloaders": "7",
		"timesCompleted": "9", "announceResponse": "0"} {
		if got := oneField(t, v, legacy, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	for url, want := range map[string]string{"": "", "http://%zz": "",
		"http://localhost:1/a": "localhost",
		"http://x.example.":    "x", "udp://[::1]:5": "::1"} {
		if got := siteName(url); got != want {
			t.Errorf("the site of %q is %q, want %q", url, got, want)
		}
	}
}

// The names of files are those of complete content, whatever is on the disk until then.
func TestFinishedPath(t *testing.T) {
	for _, c := range []struct{ path, name, want string }{
		{"Film/one", "Film", "Film/one"},
		{"Film.part/one", "Film", "Film/one"},
		{"Film.part/one.part", "Film", "Film/one.part"},
		{"Song.part", "Song", "Song"},
		{"Song.part", "Song.part", "Song.part"},
		{"Song.part.part", "Song.part", "Song.part"},
		{"Film.part/a/b", "Film.part", "Film.part/a/b"},
	} {
		if got := finishedPath(c.path, c.name); got != c.want {
			t.Errorf("%s of %s is %s, want %s", c.path, c.name, got, c.want)
		}
	}
}
