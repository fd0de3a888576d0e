package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"swarmnode/daemon"
)

// chunkBytes is how much of an answer is collected before it is sent.
const chunkBytes = 32 << 10

// A filter says which torrents are in a list.
type filter struct {
	ids      map[*daemon.Torrent]bool // nil for all
	statuses []string                 // nil for all
	label    *string
	search   string // in lower case
}

// filterOf reads the parameters of a list.
func (c *call) filter() (f filter, err error) {
	q := c.r.URL.Query()
	if q.Has("ids") {
		f.ids = make(map[*daemon.Torrent]bool)
		for name := range strings.SplitSeq(q.Get("ids"), ",") {
			if t := c.api.find(strings.TrimSpace(name)); t != nil {
				f.ids[t] = true
			}
		}
	}
	if s := q.Get("status"); s != "" {
		f.statuses = strings.Split(s, ",")
		for _, word := range f.statuses {
			if !slices.Contains(statuses[:], Status(word)) &&
				!slices.Contains([]string{"active", "stalled", "finished", "error"}, word) {
				return f, wrong("status", "there is no status %q", word)
			}
		}
	}
	if q.Has("label") {
		label := q.Get("label")
		f.label = &label
	}
	f.search = strings.ToLower(q.Get("search"))
	return f, nil
}

// isEmpty reports whether every torrent fits.
func (f *filter) isEmpty() bool {
	return f.ids == nil && f.statuses == nil && f.label == nil && f.search == ""
}

// takes reports whether a torrent fits.
func (f *filter) takes(v *view) bool {
	switch {
	case f.ids != nil && !f.ids[v.torrent]:
		return false
	case f.search != "" && !strings.Contains(strings.ToLower(v.state.Name), f.search):
		return false
	case f.label != nil && *f.label == "" && len(v.options.Labels) > 0,
		f.label != nil && *f.label != "" && !slices.Contains(v.options.Labels, *f.label):
		return false
	}
	return f.statuses == nil || slices.ContainsFunc(f.statuses, func(word string) bool {
		switch word {
		case "active":
			return v.state.DownRate > 0 || v.state.UpRate > 0
		case "stalled":
			return v.state.Stalled
		case "finished":
			return v.state.Finished
		case "error":
			return v.state.Error != ""
		}
		return string(statusWord(v.state.Status)) == word
	})
}

// news are what changed since some moment.
type news struct {
	seq      uint64
	reset    bool
	removed  []daemon.ID
	torrents []*daemon.Torrent
}

// changes returns what changed since a moment, which may be nothing; since 0 that is all
// torrents, by their IDs.
func (c *call) changes(since uint64) (news, error) {
	if since == 0 {
		n := news{seq: c.api.daemon.Seq()}
		n.torrents = c.api.daemon.Torrents()
		return n, nil
	}
	now, cancel := context.WithCancel(context.Background())
	cancel() // so that nothing is waited for
	changes, err := c.api.daemon.Subscribe(since).Next(now)
	switch {
	case err != nil && now.Err() != nil && !isClosed(err):
		return news{seq: since}, nil
	case err != nil:
		return news{}, err
	}
	n := news{seq: changes.Seq, reset: changes.Reset, removed: changes.Removed,
		torrents: make([]*daemon.Torrent, len(changes.Torrents))}
	for i, change := range changes.Torrents {
		n.torrents[i] = change.Torrent
	}
	return n, nil
}

// list answers with torrents.
func (c *call) list() error {
	p, err := planOf(c.query("fields"))
	if err != nil {
		return err
	}
	f, err := c.filter()
	if err != nil {
		return err
	}
	var since uint64
	if text := c.query("since"); text != "" {
		if since, err = strconv.ParseUint(text, 10, 64); err != nil {
			return wrong("since", "since: want the seq of an earlier answer")
		}
	}
	changes, err := c.changes(since)
	if err != nil {
		return err
	}
	tag := fmt.Sprintf(`W/"%d"`, changes.seq)
	c.w.Header().Set("ETag", tag)
	c.w.Header().Set("Cache-Control", "private, no-cache")
	if c.r.Header.Get("If-None-Match") == tag {
		c.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	by, down, err := c.sorting()
	if err != nil {
		return err
	}
	list, total := changes.torrents, 0
	if by.name == "id" && f.isEmpty() { // nothing has to be looked at
		list, total, err = c.pageByID(list, since == 0, down)
	} else {
		list, total, err = c.pageOf(f.rows(list, by), down)
	}
	if err != nil {
		return err
	}
	c.writeList(p, &changes, since, total, list)
	return nil
}

// A row is a torrent of a list with what the list is sorted by. The view of a torrent is many
// times as large, so it is made again when the torrent is shown.
type row struct {
	torrent *daemon.Torrent
	number  float64
	text    string
}

// rows returns those torrents of a list that fit, with what they are sorted by.
func (f *filter) rows(list []*daemon.Torrent, by *field) []row {
	rows := make([]row, 0, len(list))
	v := new(view) // one for all
	for _, t := range list {
		if *v = viewOf(t); f.takes(v) {
			rows = append(rows, by.row(v))
		}
	}
	return rows
}

// row returns the row of a torrent in a list that is sorted by f.
func (f *field) row(v *view) row {
	r := row{torrent: v.torrent}
	if f.number != nil {
		r.number = f.number(v)
	} else {
		r.text = strings.ToLower(f.text(v))
	}
	return r
}

// sorting returns the field to sort by, and whether the largest come first.
func (c *call) sorting() (by *field, down bool, err error) {
	name, down := strings.CutPrefix(c.query("sort"), "-")
	if by = fieldNamed(cmp.Or(name, "id")); by == nil || by.number == nil && by.text == nil {
		return nil, false, wrong("sort", "torrents cannot be sorted by %q", name)
	}
	return by, down, nil
}

// cut returns which part of a list of n is the page that is asked for.
func (c *call) cut(n int) (from, to int, err error) {
	offset, err := c.number("offset", 0, 1<<31-1)
	if err != nil {
		return 0, 0, err
	}
	limit, err := c.number("limit", n, 1<<31-1)
	if err != nil {
		return 0, 0, err
	}
	from = min(offset, n)
	return from, from + min(limit, n-from), nil
}

// pageOf sorts a list and returns the page that is asked for, and the length of the list.
func (c *call) pageOf(rows []row, down bool) (page []*daemon.Torrent, total int, err error) {
	from, to, err := c.cut(len(rows))
	if err != nil {
		return nil, 0, err
	}
	slices.SortFunc(rows, func(a, b row) int {
		n := cmp.Or(cmp.Compare(a.number, b.number), strings.Compare(a.text, b.text))
		if down {
			n = -n
		}
		return cmp.Or(n, int(a.torrent.ID())-int(b.torrent.ID()))
	})
	for _, row := range rows[from:to] {
		page = append(page, row.torrent)
	}
	return page, len(rows), nil
}

// pageByID is pageOf for torrents that need no more than their IDs for it, which may be sorted
// by these.
func (c *call) pageByID(list []*daemon.Torrent, sorted, down bool) (page []*daemon.Torrent,
	total int, err error) {
	from, to, err := c.cut(len(list))
	if err != nil {
		return nil, 0, err
	}
	if !sorted {
		slices.SortFunc(list, func(a, b *daemon.Torrent) int { return int(a.ID()) - int(b.ID()) })
	}
	if down {
		slices.Reverse(list)
	}
	return list[from:to], len(list), nil
}

// writeList sends a List, a part at a time.
func (c *call) writeList(p plan, changes *news, since uint64, total int,
	list []*daemon.Torrent) {
	c.w.Header().Set("Content-Type", "application/json")
	b := make([]byte, 0, chunkBytes+8<<10)
	b = append(b, `{"seq":`...)
	b = strconv.AppendUint(b, changes.seq, 10)
	b = append(b, `,"total":`...)
	b = strconv.AppendInt(b, int64(total), 10)
	if since != 0 && changes.reset {
		b = append(b, `,"reset":true`...)
	}
	if since != 0 && len(changes.removed) > 0 {
		b = append(b, `,"removed":[`...)
		for i, id := range changes.removed {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, int64(id), 10)
		}
		b = append(b, ']')
	}
	b = append(b, `,"torrents":[`...)
	var v view
	for i, t := range list {
		if i > 0 {
			b = append(b, ',')
		}
		v = viewOf(t)
		b = p.append(b, &v)
		if len(b) >= chunkBytes {
			if _, err := c.w.Write(b); err != nil {
				return // the reader has gone
			}
			b = b[:0]
		}
	}
	c.w.Write(append(b, "]}\n"...))
}
