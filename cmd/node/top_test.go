package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"swarmnode/daemon"
	"swarmnode/daemon/api"
	"swarmnode/daemon/client"
)

// colourCodes matches what paints text.
var colourCodes = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// topWith returns a model with some torrents: the larger the number, the faster.
func topWith(n int) *topModel {
	m := newTopModel(&listFlags{sort: topBusy})
	m.apply(&client.Event{Kind: api.EventReset, Reset: api.Reset{Torrents: n}})
	for i := range n {
		m.apply(&client.Event{Kind: api.EventTorrent, Torrent: api.Torrent{ID: daemon.ID(i + 1),
			Name: fmt.Sprintf("name-%02d", i+1), DownRate: int64(i) * 1024, HaveInfo: true,
			Size: 1 << 20, Wanted: 1 << 20, Got: int64(i) << 10, Status: api.Downloading}})
	}
	return m
}

// keys presses keys, and returns what the last one asks for.
func (m *topModel) keys(keys ...string) (ask topAsk) {
	for _, k := range keys {
		m.draw(80, 10)
		ask = m.key(k)
	}
	return ask
}

// shows reports whether the screen has a text.
func (m *topModel) shows(text string) bool {
	return strings.Contains(strings.Join(m.draw(100, 24), "\n"), text)
}

// The lines fit into every size, whatever names and keys there are.
func TestTopFits(t *testing.T) {
	for _, colour := range []bool{false, true} {
		m := topWith(30)
		m.colour = colour
		m.apply(&client.Event{Kind: api.EventTorrent, Torrent: api.Torrent{ID: 31,
			Name: "日本語の名前 \x1b[2J\u202e" + strings.Repeat("x", 200), Error: "disk full",
			DownRate: 1 << 40}})
		for _, keys := range [][]string{nil, {"down", "down"}, {"/", "a", "b"}, {"enter", "esc"},
			{"d"}, {"?"}, {"esc", "enter"}} {
			m.keys(keys...)
			if m.mode == modeDetails {
				m.details(&api.Details{Torrent: *m.torrents[31],
					Magnet: strings.Repeat("magnet:日本", 100)})
			}
			for _, size := range [][2]int{{200, 50}, {80, 24}, {40, 10}, {20, 3}, {1, 1}, {3, 2}} {
				lines := m.draw(size[0], size[1])
				if len(lines) > size[1] {
					t.Errorf("%v: %d lines", size, len(lines))
				}
				for _, line := range lines {
					plain := colourCodes.ReplaceAllString(line, "")
					if n := cells(plain); n > size[0] {
						t.Errorf("%v, after %v: %d cells: %q", size, keys, n, plain)
					}
					if strings.ContainsAny(plain, "\x1b\u202e") {
						t.Errorf("%v: a name steers the terminal: %q", size, line)
					}
				}
			}
		}
	}
}

// Forty columns have room for how far a torrent is, how fast, and for its name.
func TestTopNarrow(t *testing.T) {
	m := topWith(3)
	text := strings.Join(m.draw(40, 10), "\n")
	for _, want := range []string{"3 torrents", "Done", "Down", "name-03", "2.00 KiB/s"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// Keys select, sort, search and steer.
func TestTopKeys(t *testing.T) {
	m := topWith(12)
	if m.keys("down", "up"); m.selected != 12 {
		t.Errorf("the fastest is not the first: %d", m.selected)
	}
	for _, tt := range []struct {
		keys []string
		want daemon.ID
	}{
		{[]string{"down"}, 11}, {[]string{"end"}, 1}, {[]string{"down"}, 1}, {[]string{"home"}, 12},
		{[]string{"pagedown"}, 5}, {[]string{"pageup"}, 12}, {[]string{"S"}, 12},
		{[]string{"g"}, 1}, {[]string{"S", "g"}, 12}, {[]string{"/", "0", "3", "enter"}, 3},
		{[]string{"esc"}, 3},
		{[]string{"/", "z", "backspace", "1", "enter", "g"}, 12}, {[]string{"esc", "j", "k"}, 12},
	} {
		if m.keys(tt.keys...); m.selected != tt.want {
			t.Errorf("after %v: %d is selected, want %d", tt.keys, m.selected, tt.want)
		}
	}
	for key, want := range map[string]topAsk{"p": {"stop", 12}, "r": {"start", 12},
		"v": {"verify", 12}, "q": {verb: askQuit}, "ctrl-c": {verb: askInterrupt},
		"ctrl-z": {verb: askSuspend}, "x": {}, "d": {}} {
		if got := m.keys(key); got != want {
			t.Errorf("%s asks for %+v, want %+v", key, got, want)
		}
		m.mode = modeList
	}
	seen := make(map[string]bool)
	for range orders {
		m.keys("s")
		seen[strings.TrimPrefix(m.sort, "-")] = true
	}
	if len(seen) != len(orders) {
		t.Errorf("s sorts by %d keys of %d", len(seen), len(orders))
	}
}

// A removal is asked about first.
func TestTopRemoval(t *testing.T) {
	for key, want := range map[string]topAsk{"y": {"remove", 3}, "D": {"remove-data", 3}, "n": {},
		"enter": {}, "q": {}} {
		m := topWith(3)
		m.keys("d")
		if !m.shows("remove? y:") {
			t.Error("there is no question")
		}
		if got := m.key(key); got != want {
			t.Errorf("%s asks for %+v, want %+v", key, got, want)
		}
		if want.verb == "" && !m.shows("not removed") {
			t.Errorf("%s: nothing says that it stays", key)
		}
	}
	if m := topWith(0); m.keys("d") != (topAsk{}) || m.mode != modeList || !m.shows("no torrents") {
		t.Error("nothing can be removed")
	}
}

// The question and the details stay with their torrent, whatever becomes of the list meanwhile:
// nobody removes another one than they were asked about.
func TestTopKeepsItsSubject(t *testing.T) {
	for what, change := range map[string]func(m *topModel){
		"the list no longer has it": func(m *topModel) {
			m.apply(&client.Event{Kind: api.EventTorrent, Torrent: api.Torrent{ID: 3,
				Name: "name-03", Status: api.Stopped}})
		},
		"the feed begins again": func(m *topModel) {
			m.apply(&client.Event{Kind: api.EventReset, Reset: api.Reset{Torrents: 1}})
			m.apply(&client.Event{Kind: api.EventTorrent, Torrent: *topWith(1).torrents[1]})
		},
	} {
		for keys, want := range map[string]topAsk{"d D": {"remove-data", 3}, "d y": {"remove", 3},
			"enter p": {"stop", 3}, "enter v": {"verify", 3}} {
			m := topWith(3)
			m.states, m.stale = []string{"downloading"}, true
			first, second, _ := strings.Cut(keys, " ")
			m.keys(first)
			change(m)
			if m.shows("remove?") && !m.shows("name-03") {
				t.Errorf("%s: the question is about another torrent", what)
			}
			if got := m.keys(second); got != want {
				t.Errorf("%s: %s asks for %+v, want %+v", what, keys, got, want)
			}
		}
	}
	m := topWith(3)
	m.keys("d")
	m.apply(&client.Event{Kind: api.EventRemoved, Removed: 3})
	if got := m.keys("D"); got != (topAsk{}) || !m.shows("name-02") {
		t.Errorf("the torrent is gone, and D asks for %+v", got)
	}
	m.keys("enter")
	m.details(&api.Details{Torrent: *topWith(1).torrents[1], Magnet: "magnet:?late"})
	if m.shows("magnet:?late") {
		t.Error("the details are those of another torrent")
	}
}

// What the feed tells is shown: changes, removals, a break, and all torrents again.
func TestTopFollows(t *testing.T) {
	m := newTopModel(&listFlags{sort: "id", state: listValue{items: []string{"error,active"}}})
	if !m.shows("waiting for the daemon") {
		t.Error("an empty list before the first event")
	}
	m = topWith(3)
	m.keys("enter")
	m.details(&api.Details{Torrent: *m.torrents[3], Magnet: "magnet:?x"})
	if m.detailed() != 3 || !m.shows("magnet:?x") {
		t.Error("no details")
	}
	m.apply(&client.Event{Kind: api.EventRemoved, Removed: 3})
	if m.detailed() != 0 || m.shows("name-03") {
		t.Error("the torrent is still there")
	}
	m.away(errors.New("the daemon has gone"))
	if !m.shows("trying again: the daemon has gone") {
		t.Error("the break is not shown")
	}
	m.apply(&client.Event{Kind: api.EventReset})
	if m.shows("name-01") || m.shows("trying again") {
		t.Error("the old torrents are still there")
	}
	m.say("cannot")
	said := m.shows("cannot")
	if m.keys("down"); !said || m.shows("cannot") {
		t.Error("a message stays until the next key")
	}
}

// Keys come as characters and as sequences; what is unknown is passed over.
func TestParseKeys(t *testing.T) {
	for in, want := range map[string]string{"q": "q", "\x1b[A\x1b[B": "up down", "\x1b": "esc",
		"\x1bOH\x1b[4~": "home end", "\x1b[6~\x1b[5~": "pagedown pageup",
		"\r\x7f":       "enter backspace",
		"\x03\x1a\x0c": "ctrl-c ctrl-z ctrl-l", "é日": "é 日", "\x1b[99;5u": "", "\x1b[": "",
		"\xff": "", "\x1b[A\x1b": "up esc", "\x00\x01": ""} {
		if got := strings.Join(parseKeys([]byte(in)), " "); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// No bytes from a terminal make the view fail.
func FuzzTopKeys(f *testing.F) {
	f.Add([]byte("\x1b[Adjy/abc\r?qs\x1bS\x1b[5~"))
	f.Add([]byte("\x1b[1;\xff日\x1bO"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := topWith(5)
		for _, k := range parseKeys(b) {
			m.key(k)
			if lines := m.draw(33, 7); len(lines) != 7 {
				t.Fatalf("after %q: %d lines", k, len(lines))
			}
		}
	})
}

// A row of a torrent says what is known, and nothing that is not.
func TestTorrentRow(t *testing.T) {
	ratio, left := 1.5, 90.0
	for _, tt := range []struct {
		t    api.Torrent
		want []string
	}{
		{api.Torrent{ID: 7, Hash: "abc", Status: api.Downloading},
			[]string{"7", "-", "-", "-", "-", "-", "-", "metadata", "abc"}},
		{api.Torrent{ID: 8, Name: "n", HaveInfo: true, Wanted: 2048, Got: 1024, Left: 1024,
			Error: "e", DownRate: 1024, ETA: &left, Ratio: &ratio, Status: api.Downloading,
			Stalled: true}, []string{"8*", "50.0%", "2.00 KiB", "1m30s", "1.00 KiB/s", "-", "1.50",
			"downloading, stalled", "n"}},
		{api.Torrent{ID: 9, Name: "n", HaveInfo: true, Status: api.Stopped, Finished: true},
			[]string{"9", "100%", "0 B", "-", "-", "-", "-", "finished", "n"}},
		{api.Torrent{ID: 9, Name: "n", HaveInfo: true, Wanted: 10, Got: 10, Status: api.Checking,
			Checked: 5, CheckTotal: 10},
			[]string{"9", "100.0%", "10 B", "-", "-", "-", "-", "checking 50.0%", "n"}},
		{api.Torrent{ID: 9, Name: "n", HaveInfo: true, Wanted: 10, Got: 10, Moved: 5,
			MoveTotal: 10},
			[]string{"9", "100.0%", "10 B", "-", "-", "-", "-", "moving 50.0%", "n"}},
	} {
		if got := torrentRow(&tt.t); !slices.Equal(got, tt.want) {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
