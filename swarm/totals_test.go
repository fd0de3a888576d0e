package swarm

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/metainfo/bencode"
	"swarmnode/swarm/core"
)

var totalsWhole = Totals{Down: 5_000_000_000, Up: 7, Waste: map[string]int64{"late": 3,
	"a reason of a later version": 9}, Active: 90 * time.Minute, Seeding: time.Hour,
	Added: time.Unix(1_600_000_000, 0), Completed: time.Unix(1_600_000_100, 0),
	LastActive: time.Unix(1_600_000_200, 0)}

func TestTotalsRecord(t *testing.T) {
	hash := metainfo.Hash{1, 2}
	for _, want := range []Totals{{}, {Down: 1}, totalsWhole} {
		got, err := parseTotals(appendTotals(nil, hash, &want), hash)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
}

// A record that is damaged in any byte, of another torrent, or with numbers that make no
// sense is not used. Keys of later versions do no harm.
func TestTotalsRecordDamaged(t *testing.T) {
	hash := metainfo.Hash{1, 2}
	doc := appendTotals(nil, hash, &totalsWhole)
	for i := range doc {
		bad := bytes.Clone(doc)
		bad[i] ^= 1
		if _, err := parseTotals(bad, hash); !errors.Is(err, errTotals) {
			t.Fatalf("byte %d is wrong: %v", i, err)
		}
		if _, err := parseTotals(doc[:i], hash); !errors.Is(err, errTotals) {
			t.Fatalf("%d bytes: %v", i, err)
		}
	}
	if _, err := parseTotals(doc, metainfo.Hash{3}); !errors.Is(err, errTotals) {
		t.Errorf("of another torrent: %v", err)
	}
	signed := func(body string) []byte {
		text := totalsMagic + totalsVersion + "\n" + body
		sum := sha256.Sum256([]byte(text))
		return append([]byte(text), sum[:]...)
	}
	owned := string(bencode.AppendString(bencode.AppendString(nil, "hash"), hash[:]))
	for body, good := range map[string]bool{
		"d4:downi3e" + owned + "e":                          true,
		"d4:downi3e" + owned + "5:laterli1eee":              true,
		"d4:downi-3e" + owned + "e":                         false,
		"d4:down1:x" + owned + "e":                          false,
		"d6:activei9223372036854775807e" + owned + "e":      false,
		"d6:activei1000000000000e" + owned + "e":            false,
		"d" + owned + "5:wasted4:latei-1eee":                false,
		"d" + owned + "5:wastei1ee":                         false,
		"d4:downi3e" + owned + "e" + strings.Repeat(" ", 9): false,
	} {
		if _, err := parseTotals(signed(body), hash); (err == nil) != good {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func FuzzTotalsRecord(f *testing.F) {
	hash := metainfo.Hash{1, 2}
	doc := appendTotals(nil, hash, &totalsWhole)
	f.Add(doc[len(totalsMagic+totalsVersion)+1 : len(doc)-sha256.Size])
	f.Fuzz(func(t *testing.T, body []byte) {
		text := append([]byte(totalsMagic+totalsVersion+"\n"), body...)
		sum := sha256.Sum256(text)
		all, err := parseTotals(append(text, sum[:]...), hash)
		if err != nil {
			return
		}
		again, err := parseTotals(appendTotals(nil, hash, &all), hash)
		if err != nil || !reflect.DeepEqual(again, all) {
			t.Fatalf("%+v is written and read as %+v, %v", all, again, err)
		}
	})
}

// Totals grow by what changed from one state to the next, and keep what earlier runs did.
func TestTotalsGrow(t *testing.T) {
	at := time.Unix(1_700_000_000, 5)
	before := &State{Phase: Downloading}
	before.Down, before.Up = 100, 10
	before.Waste = map[core.Reason]int64{core.WasteLate: 2}
	now := &State{Phase: Seeding}
	now.Down, now.Up = 150, 10
	now.Waste = map[core.Reason]int64{core.WasteLate: 5, core.WasteDuplicate: 1}
	got := totalsWhole.after(before, now, 3*time.Second, at)
	if got.Down != totalsWhole.Down+50 || got.Up != totalsWhole.Up ||
		got.Active != totalsWhole.Active+3*time.Second || got.Seeding != totalsWhole.Seeding ||
		!got.LastActive.Equal(time.Unix(1_700_000_000, 0)) ||
		!got.Completed.Equal(totalsWhole.Completed) ||
		!maps.Equal(got.Waste, map[string]int64{"late": 6, "duplicate block": 1,
			"a reason of a later version": 9}) {
		t.Errorf("%+v", got)
	}
	if totalsWhole.Waste["late"] != 3 {
		t.Error("the earlier totals were changed")
	}
	later := got.after(now, now, time.Second, at.Add(time.Hour))
	if later.Seeding != got.Seeding+time.Second || !later.LastActive.Equal(got.LastActive) {
		t.Errorf("an idle second of a seed: %+v", later)
	}
	paused := *now
	paused.Paused = true
	if rest := later.after(&paused, now, time.Hour, at); rest.Active != later.Active {
		t.Error("a paused torrent is active")
	}
	fresh := Totals{}.after(before, now, 0, at)
	if !fresh.Completed.Equal(time.Unix(1_700_000_000, 0)) {
		t.Errorf("completed at %v", fresh.Completed)
	}
}

// A change is saved a minute later, an idle torrent once an hour, and one without a file
// never.
func TestTotalsAreSavedNowAndThen(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	k := &totalsKeeper{writes: true, saved: at}
	if got := k.next(); !got.Equal(at.Add(totalsIdle)) || k.due(got.Add(-1)) {
		t.Errorf("although nothing has changed, saved at %v", got)
	}
	k.change(at)
	k.change(at.Add(30 * time.Second))
	if got := k.next(); !got.Equal(at.Add(totalsEvery)) || k.due(got.Add(-1)) || !k.due(got) {
		t.Errorf("saved at %v", got)
	}
	if k.change(at.Add(totalsEvery)); k.due(at.Add(3 * totalsEvery)) {
		t.Error("two are written at once")
	}
	k.saving.Store(false)
	if !k.due(at.Add(5*totalsEvery)) || k.due(at.Add(6*totalsEvery)) {
		t.Error("not saved once after the first has been written")
	}
	k.saving.Store(false)
	if got := k.next(); !got.Equal(at.Add(5*totalsEvery+totalsIdle)) || !k.due(got) {
		t.Errorf("an idle torrent is saved at %v", got)
	}
	none := &totalsKeeper{}
	if none.change(at); !none.next().IsZero() || none.due(at.Add(time.Hour)) {
		t.Error("a torrent without a file is saved")
	}
}
