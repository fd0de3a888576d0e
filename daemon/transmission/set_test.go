package transmission

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"swarmnode/daemon"
	"swarmnode/swarm"
)

// callWith returns a call of the legacy protocol with those arguments.
func callWith(t *testing.T, arguments string) *call {
	t.Helper()
	v, ok := parseValue([]byte(arguments))
	if !ok {
		t.Fatalf("%s is not JSON", arguments)
	}
	p, err := parseParams(v)
	if err != nil {
		t.Fatal(err)
	}
	return &call{params: p, out: &writer{d: legacy}}
}

// edited returns options after a request to set others.
func edited(t *testing.T, o daemon.Options, arguments string) daemon.Options {
	t.Helper()
	e, err := callWith(t, arguments).editOptions()
	if err != nil {
		t.Fatalf("%s: %v", arguments, err)
	}
	e.apply(&o)
	return o
}

// The number of a limit that is off is remembered, and comes into force with the switch.
func TestEditLimits(t *testing.T) {
	var o daemon.Options
	for _, step := range []struct {
		arguments string
		down      int64
		note      string
	}{
		{`{"downloadLimit":50}`, 0, "50"},
		{`{"downloadLimited":true}`, 50_000, "50"},
		{`{"download_limit":60}`, 60_000, "60"},
		{`{"downloadLimited":0}`, 0, "60"},
		{`{"downloadLimited":1,"downloadLimit":0.9765625}`, 976, "0.9765625"},
		{`{"downloadLimit":0}`, 1, "0"},
		{`{"downloadLimit":-5}`, 1, "0"},
		{`{"downloadLimit":1e300}`, 1e15, "1000000000000"},
		{`{"downloadLimited":false,"downloadLimit":7}`, 0, "7"},
		{`{"downloadLimit":"9"}`, 0, "9"},
		{`{"downloadLimit":[],"downloadLimited":"x"}`, 0, "9"},
	} {
		o = edited(t, o, step.arguments)
		if note := o.Notes["transmission.download_limit"]; o.Down != step.down ||
			note != step.note {
			t.Errorf("%s: %d bytes/s and the note %q, want %d and %q", step.arguments, o.Down, note,
				step.down, step.note)
		}
	}
	if o = edited(t, daemon.Options{}, `{"uploadLimited":true}`); o.Up != limitDefault*1000 {
		t.Errorf("a limit without a number is %d bytes/s", o.Up)
	}
	if o.Down != 0 {
		t.Errorf("the other limit is %d", o.Down)
	}
}

func TestEditGoals(t *testing.T) {
	var o daemon.Options
	for _, step := range []struct {
		arguments string
		ratio     daemon.Goal[float64]
		idle      daemon.Goal[time.Duration]
	}{
		{`{"seedRatioLimit":2.5}`, daemon.Goal[float64]{}, daemon.Goal[time.Duration]{}},
		{`{"seedRatioMode":1,"seedIdleLimit":10,"seedIdleMode":1}`,
			daemon.Goal[float64]{Mode: daemon.GoalOwn, At: 2.5},
			daemon.Goal[time.Duration]{Mode: daemon.GoalOwn, At: 10 * time.Minute}},
		{`{"seed_ratio_limit":0,"seed_idle_mode":2}`,
			daemon.Goal[float64]{Mode: daemon.GoalOwn},
			daemon.Goal[time.Duration]{Mode: daemon.GoalNone}},
		{`{"seedRatioMode":0,"seedIdleMode":1}`, daemon.Goal[float64]{},
			daemon.Goal[time.Duration]{Mode: daemon.GoalOwn, At: 10 * time.Minute}},
	} {
		o = edited(t, o, step.arguments)
		if o.Ratio != step.ratio || o.Idle != step.idle {
			t.Errorf("%s: %+v and %+v, want %+v and %+v", step.arguments, o.Ratio, o.Idle,
				step.ratio, step.idle)
		}
	}
	for _, bad := range []string{`{"seedRatioMode":3}`, `{"seedIdleMode":-1}`,
		`{"seedRatioMode":"x"}`} {
		if _, err := callWith(t, bad).editOptions(); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

func TestEditOthers(t *testing.T) {
	o := edited(t, daemon.Options{}, `{"labels":[" tv ","tv","hd",7],"group":"g",
		"bandwidthPriority":5,"honorsSessionLimits":false,"peer-limit":20,
		"sequential_download":true,"sequential_download_from_piece":3}`)
	want := daemon.Options{Labels: []string{"tv", "hd"}, Group: "g", Rank: 1, Alone: true,
		Peers: 20, Sequential: true,
		Notes: map[string]string{"transmission.sequential_download_from_piece": "3"}}
	if !reflect.DeepEqual(o, want) {
		t.Errorf("got  %+v\nwant %+v", o, want)
	}
	if o = edited(t, o, `{"labels":[],"bandwidthPriority":-1,"peer-limit":0}`); o.Labels == nil ||
		len(o.Labels) > 0 || o.Rank != -1 || o.Peers != 1 {
		t.Errorf("got %+v", o)
	}
	for _, bad := range []string{`{"labels":[""]}`, `{"labels":["a,b"]}`,
		`{"labels":["` + strings.Repeat("x", labelBytesMax+1) + `"]}`} {
		if _, err := callWith(t, bad).editOptions(); err == nil {
			t.Errorf("%.60s is taken", bad)
		}
	}
}

// Notes of options are never changed in place: others may be reading them.
func TestNotesAreCopied(t *testing.T) {
	before := map[string]string{"transmission.download_limit": "1"}
	o := edited(t, daemon.Options{Notes: before}, `{"downloadLimit":2}`)
	if before["transmission.download_limit"] != "1" ||
		o.Notes["transmission.download_limit"] != "2" {
		t.Errorf("before %v, after %v", before, o.Notes)
	}
}

// files shows a choice in a picture: a letter for each file, h, n or l for one that is wanted,
// and in capital letters for one that is not.
func picture(c *fileChoice) string {
	var b strings.Builder
	for i, wanted := range c.wanted {
		letter := "lnh"[c.priority[i]+1 : c.priority[i]+2]
		if !wanted {
			letter = strings.ToUpper(letter)
		}
		b.WriteString(letter)
	}
	return b.String()
}

func TestFileEdits(t *testing.T) {
	choice := newFileChoice(4, nil, "")
	note := ""
	var files []swarm.Priority
	for _, step := range []struct{ arguments, want string }{
		{`{}`, "nnnn"},
		{`{"priority-high":[0],"priority_low":[1,3]}`, "hlnl"},
		{`{"files-unwanted":[0,1]}`, "HLnl"},
		{`{"files-wanted":[1]}`, "Hlnl"},
		{`{"files-unwanted":[]}`, "HLNL"},
		{`{"priority-normal":[3],"files-wanted":[0]}`, "hLNN"},
		{`{"files-unwanted":[0],"files-wanted":[]}`, "hlnn"},
		{`{"priority-high":[]}`, "hhhh"},
		{`{"files-unwanted":null,"priority-normal":"x"}`, "hhhh"},
	} {
		edits, err := callWith(t, step.arguments).fileEdits()
		if err != nil {
			t.Fatalf("%s: %v", step.arguments, err)
		}
		if err := choice.apply(edits); err != nil {
			t.Fatalf("%s: %v", step.arguments, err)
		}
		if got := picture(&choice); got != step.want {
			t.Errorf("%s: %s, want %s", step.arguments, got, step.want)
		}
		files, note = choice.result()
		again := newFileChoice(4, files, note)
		if got := picture(&again); got != step.want {
			t.Errorf("%s: kept as %v and %q it is %s, want %s", step.arguments, files, note, got,
				step.want)
		}
	}
	for _, bad := range []string{`{"files-wanted":[4]}`, `{"files-wanted":[-1]}`,
		`{"priority-high":["x"]}`, `{"files-unwanted":[1e12]}`} {
		edits, err := callWith(t, bad).fileEdits()
		if err == nil {
			err = choice.apply(edits)
		}
		if err == nil || err.Error() != "file index out of range" {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if c := newFileChoice(2, []swarm.Priority{0, 0}, "0:1,x,1:9,7:1,:,1:-1"); picture(&c) != "HL" {
		t.Errorf("a strange note gives %s", picture(&c))
	}
}

// The note of priorities is bounded, however many files there are.
func TestFileNoteIsBounded(t *testing.T) {
	c := newFileChoice(50_000, nil, "")
	if err := c.apply(fileEdits{{priority: 1}, {unwanted: true}}); err != nil {
		t.Fatal(err)
	}
	if _, note := c.result(); len(note) > rankNoteBytesMax+16 {
		t.Errorf("the note has %d bytes", len(note))
	}
}

func TestTrackerEdits(t *testing.T) {
	tiers := [][]string{{"http://a.example/announce", "http://b.example/announce"},
		{"udp://c.example:1"}}
	for _, step := range []struct{ arguments, want string }{
		{`{"trackerAdd":["https://d.example/x","http://a.example/announce"]}`,
			"a b|c|d"},
		{`{"trackerRemove":[0]}`, "b|c"},
		{`{"trackerRemove":[2,99]}`, "a b"},
		{`{"trackerRemove":[0,1,2]}`, ""},
		{`{"trackerReplace":[1,"http://e.example/announce"]}`, "a e|c"},
		{`{"tracker_replace":[0,"http://e.example/announce",2,"udp://f.example:2"]}`, "e b|f"},
		{`{"trackerAdd":["http://d.example/"],"trackerRemove":[1]}`, "a|c|d"},
		{`{"trackerList":"http://x.example/announce\nudp://y.example:1\n\n\n http://z.example/ "}`,
			"x y|z"},
		{`{"tracker_list":""}`, ""},
	} {
		e, err := callWith(t, step.arguments).trackerEdit()
		if err != nil || e == nil {
			t.Errorf("%s: %v", step.arguments, err)
			continue
		}
		got, err := e.apply(tiers)
		if err != nil || got == nil {
			t.Errorf("%s: %v, %v", step.arguments, got, err)
		}
		var pictures []string
		for _, tier := range got {
			var hosts []string
			for _, url := range tier {
				hosts = append(hosts, siteOfHost(url))
			}
			pictures = append(pictures, strings.Join(hosts, " "))
		}
		if picture := strings.Join(pictures, "|"); picture != step.want {
			t.Errorf("%s: %q, want %q", step.arguments, picture, step.want)
		}
	}
	for _, bad := range []string{`{"trackerAdd":["x"]}`, `{"trackerAdd":["ftp://a.example/"]}`,
		`{"trackerAdd":[1]}`, `{"trackerReplace":["http://a.example/"]}`,
		`{"trackerReplace":[9,"http://a.example/"]}`, `{"trackerReplace":[0,"x"]}`,
		`{"trackerList":"http://a.example/\nx"}`, `{"trackerList":"wss://a.example/"}`} {
		e, err := callWith(t, bad).trackerEdit()
		if err == nil {
			_, err = e.apply(tiers)
		}
		if err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
	if e, err := callWith(t, `{"trackerAdd":7}`).trackerEdit(); e != nil || err != nil {
		t.Errorf("no list: %v, %v", e, err)
	}
}

// siteOfHost returns the first label of the host of a URL.
func siteOfHost(url string) string {
	_, host, _ := strings.Cut(url, "://")
	label, _, _ := strings.Cut(host, ".")
	return label
}

// What trackerList writes can be read again.
func TestTrackerListRoundTrip(t *testing.T) {
	for _, tiers := range [][][]string{{}, {{"http://a.example/"}},
		{{"http://a.example/", "udp://b.example:1"}, {"http://c.example/"}}} {
		got, err := parseTrackerList(trackerList(tiers))
		if err != nil || !reflect.DeepEqual(got, tiers) {
			t.Errorf("%v becomes %v, %v", tiers, got, err)
		}
	}
}
