package tally

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"swarmnode"
	"swarmnode/daemon"
	"swarmnode/metainfo"
)

// start starts a daemon on loopback.
func start(t *testing.T) *daemon.Daemon {
	t.Helper()
	d, err := daemon.Start(t.Context(), daemon.Config{
		Node: swarmnode.Config{StateDir: t.TempDir(), Bootstrap: []string{}, AnyPort: true,
			NoPortmap: true, Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}},
		Settings: daemon.Settings{Dir: t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// add adds a link.
func add(t *testing.T, d *daemon.Daemon, digit string, stopped bool) *daemon.Torrent {
	t.Helper()
	link, err := metainfo.ParseMagnet("magnet:?xt=urn:btih:" + strings.Repeat(digit, 40))
	if err != nil {
		t.Fatal(err)
	}
	added, err := d.Add(t.Context(), daemon.AddSpec{Magnet: link,
		Options: daemon.Options{Stopped: stopped}})
	if err != nil {
		t.Fatal(err)
	}
	return added
}

// Torrents are counted as they come, change and go; nothing remains of those that are gone.
func TestCounts(t *testing.T) {
	d := start(t)
	counts := New(d)
	defer counts.Close()
	await := func(what string, want func(Sum) bool) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); !want(counts.Sum()); {
			if time.Now().After(deadline) {
				t.Fatalf("waiting for %s: %+v", what, counts.Sum())
			}
			select {
			case <-t.Context().Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	one := add(t, d, "1", true)
	two := add(t, d, "2", false)
	await("two torrents", func(s Sum) bool {
		return s.Torrents == 2 && s.Status[daemon.Stopped] == 1 &&
			s.Status[daemon.Downloading] == 1
	})
	if err := two.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	await("both to stop", func(s Sum) bool { return s.Status[daemon.Stopped] == 2 })
	for _, gone := range []*daemon.Torrent{one, two} {
		if err := gone.Remove(t.Context(), false); err != nil {
			t.Fatal(err)
		}
	}
	await("none", func(s Sum) bool {
		return reflect.DeepEqual(s, Sum{Wasted: map[string]int64{}})
	})
}

// Whatever is added is taken away again.
func TestPartsCancelOut(t *testing.T) {
	c := newTally(nil, time.Unix(0, 0))
	parts := []part{
		{status: daemon.Seeding, stalled: true, peers: 3, utp: 1, seeds: 2, size: 10, have: 10},
		{status: daemon.Downloading, error: true, size: 7, left: 7,
			waste: map[string]int64{"late": 5}},
	}
	for i := range parts {
		c.replace(daemon.ID(i), &parts[i])
	}
	s := c.Sum()
	if s.Torrents != 2 || s.Size != 17 || s.Left != 7 || s.Peers != 3 || s.Stalled != 1 ||
		s.Errors != 1 || s.Wasted["late"] != 5 {
		t.Errorf("the sum is %+v", s)
	}
	c.replace(0, &parts[1])
	if s := c.Sum(); s.Torrents != 2 || s.Size != 14 || s.Status[daemon.Seeding] != 0 {
		t.Errorf("after a change: %+v", s)
	}
	c.replace(0, nil)
	c.replace(1, nil)
	if s := c.Sum(); !reflect.DeepEqual(s, Sum{Wasted: map[string]int64{}}) {
		t.Errorf("something is left: %+v", s)
	}
}

// The history has a value for each second of a minute, and means for an hour.
func TestHistory(t *testing.T) {
	start := time.Unix(1000, 0)
	c := newTally(nil, start)
	var down, up int64
	for i := 1; i <= 2*3600+5; i++ {
		down += int64(i)
		up += 2
		c.speed(start.Add(time.Duration(i)*time.Second), down, up)
		seconds, minutes := c.History()
		if len(seconds) != min(i, secondsMax) || len(minutes) != min(i/minuteOf, minutesMax) {
			t.Fatalf("after %d s: %d and %d values", i, len(seconds), len(minutes))
		}
		last := seconds[len(seconds)-1]
		if last.Down != int64(i) || last.Up != 2 || last != c.Rate() {
			t.Fatalf("after %d s: %+v", i, last)
		}
		if i%minuteOf == 0 && minutes[len(minutes)-1].Up != 2 {
			t.Fatalf("after %d s: a mean of %+v", i, minutes[len(minutes)-1])
		}
	}
	seconds, minutes := c.History()
	if gap := seconds[len(seconds)-1].Time.Sub(seconds[0].Time); gap != 59*time.Second {
		t.Errorf("the seconds reach back %v", gap)
	}
	if gap := minutes[len(minutes)-1].Time.Sub(minutes[0].Time); gap != time.Hour-10*time.Second {
		t.Errorf("the minutes reach back %v", gap)
	}
	c.speed(start, 0, 0) // the clock does not go back
	if again, _ := c.History(); len(again) != len(seconds) {
		t.Error("a time before the last one was taken")
	}
}
