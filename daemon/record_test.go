package daemon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"swarmnode/swarm"
)

// fullRecord is a record whose fields all have values.
func fullRecord() *record {
	return &record{
		Version: recordVersion, ID: 7, V1: strings.Repeat("ab", 20), V2: strings.Repeat("cd", 32),
		Magnet: "magnet:?xt=urn:btih:" + strings.Repeat("ab", 20), WebSeeds: []string{"http://a/"},
		Trackers: [][]string{{"http://a/announce", "udp://b:1"}, {"http://c/"}},
		Peers:    []string{"127.0.0.1:1"}, Choose: []string{"*.txt"},
		Options: Options{
			Dir: "/content", Files: []swarm.Priority{0, 4, 7}, Sequential: true,
			Labels: []string{"a", "ü"}, Group: "g", Down: 1, Up: 2, Alone: true, Peers: 3, Rank: -1,
			Ratio: Goal[float64]{GoalOwn, 1.5}, Time: Goal[time.Duration]{GoalOwn, time.Hour},
			Idle: Goal[time.Duration]{Mode: GoalNone}, Trackers: [][]string{{"http://d/"}},
			WebSeeds: []string{"http://e/"}, Stopped: true, Forced: true,
			Notes: map[string]string{"a": "b"},
		},
		Due:   []string{"added"},
		Queue: 5, Finished: true, Goal: "reached", Place: "/incomplete", Whole: true,
		Temporary: true, Moving: "/moving", Top: "other", Naming: "naming", Renamed: true,
		Shown: shown{Name: "name", HaveInfo: true, Private: true, Size: 1, Wanted: 2, Got: 3,
			Left: 4, Have: 5, Files: 6, Entries: 7, Pieces: 8, PiecesHave: 9, PieceLength: 10,
			Down: 11, Up: 12, Wasted: 13, Active: 14, Seeding: 15, Added: 16, Completed: 17,
			Last: 18},
	}
}

// failIfEmpty fails the test if a field of a struct has its zero value, so that no field is
// forgotten.
func failIfEmpty(t *testing.T, v reflect.Value) {
	t.Helper()
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() && v.Field(i).IsZero() {
			t.Errorf("%v.%s has no value in this test", v.Type(), f.Name)
		}
	}
}

// TestRecordRoundTrip: what is written is read again, to the last field.
func TestRecordRoundTrip(t *testing.T) {
	want := fullRecord()
	failIfEmpty(t, reflect.ValueOf(*want))
	failIfEmpty(t, reflect.ValueOf(want.Options))
	failIfEmpty(t, reflect.ValueOf(want.Shown))
	doc, err := want.marshal()
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(doc) {
		t.Errorf("it is not JSON: %s", doc)
	}
	got, err := parseRecord(doc)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for _, lists := range []Options{{Dir: "/"}, {Dir: "/", Trackers: [][]string{},
		WebSeeds: []string{}}} {
		want.Options = lists
		doc, _ := want.marshal()
		got, err := parseRecord(doc)
		if err != nil || !reflect.DeepEqual(got.Options, lists) {
			t.Errorf("got %+v, %v, want %+v", got, err, lists)
		}
	}
}

// TestRecordOfLaterVersionKeepsItsKeys: keys that a later program of the same format adds
// survive a run of this one.
func TestRecordOfLaterVersionKeepsItsKeys(t *testing.T) {
	doc, err := fullRecord().marshal()
	if err != nil {
		t.Fatal(err)
	}
	object, err := unseal(doc, recordVersion)
	if err != nil {
		t.Fatal(err)
	}
	object = bytes.Replace(object, []byte(`"options":{`),
		[]byte(`"new":{"a":[1,2]},"options":{"newer":"x",`), 1)
	r, err := parseRecord(seal(object))
	if err != nil {
		t.Fatal(err)
	}
	r.Options.Labels = []string{"other"}
	again, err := r.marshal()
	if err != nil {
		t.Fatal(err)
	}
	r, err = parseRecord(again)
	if err != nil {
		t.Fatal(err)
	}
	if string(r.extra["new"]) != `{"a":[1,2]}` || string(r.extraOptions["newer"]) != `"x"` ||
		r.Options.Labels[0] != "other" {
		t.Errorf("%s", again)
	}
}

// TestDamagedRecords: no single change of a byte and no cut passes unseen.
func TestDamagedRecords(t *testing.T) {
	doc, err := fullRecord().marshal()
	if err != nil {
		t.Fatal(err)
	}
	for i := range doc {
		bad := bytes.Clone(doc)
		bad[i] ^= 1
		if _, err := parseRecord(bad); !errors.Is(err, errDamaged) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		if _, err := parseRecord(doc[:i]); !errors.Is(err, errDamaged) {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
	}
}

// TestSealedNonsense: a document with a right checksum is still looked at.
func TestSealedNonsense(t *testing.T) {
	for _, tt := range []struct {
		object string
		want   error
	}{
		{`{"version":2,"id":1}`, errLater},
		{`{"id":1,"version":999}`, errLater},
		{`{"version":1,"id":0,"v1":"` + strings.Repeat("ab", 20) + `"}`, errDamaged},
		{`{"version":1,"id":1}`, errDamaged},
		{`{"version":1,"id":1,"v1":"x"}`, errDamaged},
		{`{"version":1,"id":1,"v2":"ab"}`, errDamaged},
		{`{"version":1,"id":1,"v1":"` + strings.Repeat("ab", 20) + `","options":{"dir":"x"}}`,
			errDamaged},
		{`{"version":1,"id":"1"}`, errDamaged},
		{`{"version":1,"options":[]}`, errDamaged},
		{`{"version":0,"id":1}`, errDamaged},
		{`{"id":1}`, errDamaged},
		{`{"version":1,}`, errDamaged},
		{`{"version":1,"shown":{"size":-1}}`, errDamaged},
	} {
		if _, err := parseRecord(seal([]byte(tt.object))); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.object, err)
		}
	}
	if _, err := parseRecord([]byte(`{"version":2,"other":"seal"}`)); !errors.Is(err, errLater) {
		t.Errorf("a later version with another checksum: %v", err)
	}
}

// TestTotalsAreShown: what a list shows of totals is what they are, to the second.
func TestTotalsAreShown(t *testing.T) {
	all := swarm.Totals{Down: 1, Up: 2, Waste: map[string]int64{"a": 3, "b": 4}, Active: time.Hour,
		Seeding: time.Minute, Added: time.Unix(5, 0), Completed: time.Unix(6, 0),
		LastActive: time.Unix(7, 0)}
	var s shown
	s.setTotals(&all)
	got := s.totals()
	all.Waste = map[string]int64{wastedBefore: 7}
	if fmt.Sprint(got) != fmt.Sprint(all) {
		t.Errorf("got %v, want %v", got, all)
	}
	all.Added = time.Unix(100, 0)
	if s.setTotals(&all); s.Added != 5 {
		t.Errorf("it was added at %d", s.Added)
	}
	if got := (&shown{}).totals(); !reflect.DeepEqual(got, swarm.Totals{}) {
		t.Errorf("totals of nothing: %v", got)
	}
}

func FuzzRecord(f *testing.F) {
	doc, err := fullRecord().marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(doc)
	f.Add([]byte(`{"version":1,"id":1}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		parseRecord(doc) // must not panic
		object := doc
		if len(object) == 0 || object[0] != '{' {
			return
		}
		r, err := parseRecord(seal(object))
		if err != nil {
			return
		}
		again, err := r.marshal()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		second, err := parseRecord(again)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, again)
		}
		if third, err := second.marshal(); err != nil || !bytes.Equal(again, third) {
			t.Fatalf("it is written in two ways, %v:\n%s\n%s", err, again, third)
		}
	})
}
