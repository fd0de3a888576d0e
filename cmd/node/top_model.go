package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"swarmnode/daemon"
	"swarmnode/daemon/api"
	"swarmnode/daemon/client"
)

// topBusy is the order of top unless the user wants another: by the rates of both directions.
const topBusy = "-busy"

// What a key asks for, besides actions of package api.
const (
	askQuit      = "quit"
	askInterrupt = "interrupt"
	askSuspend   = "suspend"
	askDetails   = "details"
)

// A topAsk is what a key asks for; an empty verb is nothing.
type topAsk struct {
	verb string
	id   daemon.ID
}

// idsFor returns the torrents of an ask.
func idsFor(a topAsk) []daemon.ID { return []daemon.ID{a.id} }

// A topMode says what is shown and what keys mean.
type topMode uint8

const (
	modeList topMode = iota
	modeFilter
	modeConfirm // a removal
	modeDetails
	modeHelp
)

// filterMax bounds what is typed, in bytes.
const filterMax = 100

// A topModel is what top shows. It knows neither a terminal nor a daemon.
type topModel struct {
	torrents map[daemon.ID]*api.Torrent
	states   []string // of which one has to fit, as in --state
	labels   []string
	sort     string
	filter   string
	colour   bool

	mode     topMode
	selected daemon.ID
	// subject is the torrent of the details or of the question, and name its name: it stays when
	// the selection moves, because the selected one left the list.
	subject daemon.ID
	name    string
	at      int // where the selected one is in rows
	offset  int // the first row that is shown
	page    int // rows that fit
	rows    []*api.Torrent
	stale   bool // rows have to be made again
	loaded  bool // all torrents have come
	coming  int  // torrents that are still to come
	message string
	gone    string // why the daemon cannot be asked
	shown   *api.Details
	scroll  int // of the details
}

// newTopModel returns a model with the choice of flags.
func newTopModel(f *listFlags) *topModel {
	m := &topModel{torrents: make(map[daemon.ID]*api.Torrent), sort: string(f.sort),
		filter: f.name, labels: f.label.items, stale: true}
	for _, s := range f.state.items {
		m.states = append(m.states, strings.Split(s, ",")...)
	}
	return m
}

// apply takes an event of the feed.
func (m *topModel) apply(e *client.Event) {
	m.gone, m.stale = "", true
	switch e.Kind {
	case api.EventReset:
		clear(m.torrents)
		m.coming = e.Reset.Torrents
	case api.EventTorrent:
		t := e.Torrent
		m.torrents[t.ID] = &t
		m.coming = max(m.coming-1, 0)
	case api.EventRemoved:
		delete(m.torrents, e.Removed)
		if m.subject == e.Removed && (m.mode == modeDetails || m.mode == modeConfirm) {
			m.mode = modeList
		}
	}
	m.loaded = m.loaded || m.coming == 0
}

// away says that the feed is broken.
func (m *topModel) away(err error) { m.gone = err.Error() }

// say shows a message until the next key.
func (m *topModel) say(s string) { m.message = s }

// details shows the details of a torrent.
func (m *topModel) details(d *api.Details) {
	if d.Torrent.ID == m.subject { // the answer may be late
		m.shown = d
	}
}

// detailed returns the torrent whose details are shown, or 0.
func (m *topModel) detailed() daemon.ID {
	if m.mode != modeDetails {
		return 0
	}
	return m.subject
}

// takes reports whether a torrent is shown.
func (m *topModel) takes(t *api.Torrent) bool {
	if m.filter != "" && !strings.Contains(lower(t.Name), lower(m.filter)) {
		return false
	}
	if len(m.labels) > 0 && !slices.ContainsFunc(m.labels, func(label string) bool {
		return slices.Contains(t.Labels, label)
	}) {
		return false
	}
	return len(m.states) == 0 || slices.ContainsFunc(m.states, func(word string) bool {
		switch word {
		case "active":
			return t.DownRate > 0 || t.UpRate > 0
		case "stalled":
			return t.Stalled
		case "finished":
			return t.Finished
		case "error":
			return t.Error != ""
		}
		return string(t.Status) == word
	})
}

// arrange makes the rows, and keeps the selection where it is.
func (m *topModel) arrange() {
	if !m.stale {
		return
	}
	m.stale = false
	m.rows = m.rows[:0]
	for _, t := range m.torrents {
		if m.takes(t) {
			m.rows = append(m.rows, t)
		}
	}
	key, back := strings.CutPrefix(m.sort, "-")
	order := orders[key]
	slices.SortFunc(m.rows, func(a, b *api.Torrent) int {
		n := order(a, b)
		if back {
			n = -n
		}
		return cmp.Or(n, cmp.Compare(a.ID, b.ID))
	})
	for i, t := range m.rows {
		if t.ID == m.selected {
			m.at = i
		}
	}
	m.choose(m.at)
}

// choose selects a row.
func (m *topModel) choose(at int) {
	m.at = min(max(at, 0), max(len(m.rows)-1, 0))
	m.selected = 0
	if len(m.rows) > 0 {
		m.selected = m.rows[m.at].ID
	}
}

// key handles a key.
func (m *topModel) key(k string) topAsk {
	m.arrange()
	m.message = ""
	switch k {
	case "ctrl-c":
		return topAsk{verb: askInterrupt}
	case "ctrl-z":
		return topAsk{verb: askSuspend}
	case "ctrl-l":
		return topAsk{}
	}
	switch m.mode {
	case modeFilter:
		m.typed(k)
		return topAsk{}
	case modeConfirm:
		m.mode = modeList
		switch k {
		case "y":
			return topAsk{string(api.ActionRemove), m.subject}
		case "D":
			return topAsk{string(api.ActionRemoveData), m.subject}
		}
		m.say("not removed")
		return topAsk{}
	case modeHelp:
		m.mode = modeList
		return topAsk{}
	case modeDetails:
		return m.detailKey(k)
	}
	return m.listKey(k)
}

// typed handles a key while the filter is typed.
func (m *topModel) typed(k string) {
	switch k {
	case "enter":
		m.mode = modeList
	case "esc":
		m.mode, m.filter = modeList, ""
	case "backspace":
		_, n := utf8.DecodeLastRuneInString(m.filter)
		m.filter = m.filter[:len(m.filter)-n]
	default:
		if utf8.RuneCountInString(k) == 1 && len(m.filter)+len(k) <= filterMax {
			m.filter += k
		}
	}
	m.stale = true
}

// detailKey handles a key while details are shown.
func (m *topModel) detailKey(k string) topAsk {
	switch k {
	case "esc", "enter", "left", "h":
		m.mode = modeList
	case "up", "k":
		m.scroll = max(m.scroll-1, 0)
	case "down", "j":
		m.scroll++
	case "q":
		return topAsk{verb: askQuit}
	default:
		return steerKey(k, m.subject)
	}
	return topAsk{}
}

// listKey handles a key while the list is shown.
func (m *topModel) listKey(k string) topAsk {
	switch k {
	case "q":
		return topAsk{verb: askQuit}
	case "up", "k":
		m.choose(m.at - 1)
	case "down", "j":
		m.choose(m.at + 1)
	case "pageup":
		m.choose(m.at - max(m.page, 1))
	case "pagedown", " ":
		m.choose(m.at + max(m.page, 1))
	case "home", "g":
		m.choose(0)
	case "end", "G":
		m.choose(len(m.rows) - 1)
	case "s":
		m.nextSort()
	case "S":
		m.sort, m.stale = turned(m.sort), true
	case "/":
		m.mode = modeFilter
	case "?":
		m.mode = modeHelp
	case "esc":
		m.filter, m.stale = "", true
	default:
		return m.torrentKey(k)
	}
	return topAsk{}
}

// torrentKey handles a key that is about the selected torrent.
func (m *topModel) torrentKey(k string) topAsk {
	if m.selected == 0 {
		return topAsk{}
	}
	switch k {
	case "enter", "right", "l":
		m.mode, m.shown, m.scroll = modeDetails, nil, 0
		m.subject, m.name = m.selected, nameOf(m.rows[m.at])
		return topAsk{askDetails, m.subject}
	case "d":
		m.mode = modeConfirm
		m.subject, m.name = m.selected, nameOf(m.rows[m.at])
	}
	return steerKey(k, m.selected)
}

// steerKey returns what a key that steers a torrent asks for.
func steerKey(k string, id daemon.ID) topAsk {
	switch k {
	case "p":
		return topAsk{string(api.ActionStop), id}
	case "r":
		return topAsk{string(api.ActionStart), id}
	case "v":
		return topAsk{string(api.ActionVerify), id}
	}
	return topAsk{}
}

// turned returns the other direction of an order.
func turned(sort string) string {
	if key, back := strings.CutPrefix(sort, "-"); back {
		return key
	}
	return "-" + sort
}

// nextSort sorts by the next key. Those of numbers begin with the largest.
func (m *topModel) nextSort() {
	keys := sortKeys()
	key := strings.TrimPrefix(m.sort, "-")
	key = keys[(slices.Index(keys, key)+1)%len(keys)]
	m.sort, m.stale = key, true
	switch key {
	case "id", "name", "state", "queue", "eta":
	default:
		m.sort = "-" + key
	}
	m.say(fmt.Sprintf("sorted by %s", key))
}
