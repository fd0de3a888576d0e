package transmission

import (
	"math"

	"swarmnode/daemon"
	"swarmnode/metainfo"
)

// idsMax bounds the ids of a request.
const idsMax = 100_000

// recently names the torrents that have changed within the last minute.
var recently = names{"recently-active", "recently_active"}

// A choice is the torrents that a request is about.
type choice struct {
	torrents []*daemon.Torrent
	recently bool
	removed  []daemon.ID // while recently is set
}

// choose returns the torrents that "ids" names: all without it, the one of a number or a
// hash, those of a list of such, or those that have changed lately. Ids that nobody has
// are left out, and so are ones that come a second time.
func (c *call) choose() (choice, error) {
	ids := c.params.get("ids")
	switch ids.kind() {
	case 0:
		return choice{torrents: c.h.daemon.Torrents()}, nil
	case '[':
		return c.chooseEach(ids)
	case '"':
		if s, _ := ids.text(); recently.is(s) {
			return c.chooseRecent(), nil
		}
	}
	if t := c.torrent(ids); t != nil {
		return choice{torrents: []*daemon.Torrent{t}}, nil
	}
	return choice{}, nil
}

func (c *call) chooseEach(ids value) (chosen choice, err error) {
	seen := make(map[daemon.ID]bool)
	n, looked := 0, false
	for id := range ids.elements() {
		if n++; n > idsMax {
			return choice{}, invalid("too many ids")
		}
		list := []*daemon.Torrent{c.torrent(id)}
		if s, _ := id.text(); recently.is(s) && !looked { // each look goes through all torrents
			looked, list = true, c.chooseRecent().torrents
		}
		for _, t := range list {
			if t != nil && !seen[t.ID()] {
				seen[t.ID()] = true
				chosen.torrents = append(chosen.torrents, t)
			}
		}
	}
	return chosen, nil
}

func (c *call) chooseRecent() choice {
	list, removed, gone := c.h.recent.look(c.h.now())
	c.h.facts.forget(gone)
	return choice{torrents: list, recently: true, removed: removed}
}

// torrent returns the torrent with an id or a hash, or nil.
func (c *call) torrent(id value) *daemon.Torrent {
	switch id.kind() {
	case '0':
		if n, ok := id.integer(); ok && n > 0 && n <= math.MaxInt32 {
			return c.h.daemon.ByID(daemon.ID(n))
		}
	case '"':
		s, _ := id.text()
		if hash, err := metainfo.ParseHash(s); err == nil {
			return c.h.daemon.Torrent(hash)
		}
	}
	return nil
}

// torrentGet answers with fields of torrents.
func torrentGet(c *call) error {
	format := c.params.text("format")
	plan, err := c.h.plans.of(c.params.get("fields"), format == "table")
	if err != nil {
		return err
	}
	chosen, err := c.choose()
	if err != nil {
		return err
	}
	w := c.out
	if chosen.recently {
		w.key("removed")
		w.open('[')
		for _, id := range chosen.removed {
			w.int(int64(id))
		}
		w.shut(']')
	}
	w.key("torrents")
	w.open('[')
	plan.head(w)
	settings := c.h.daemon.Settings()
	v := &view{h: c.h, ctx: c.ctx, now: c.h.now(), all: &settings}
	for _, t := range chosen.torrents {
		v.fill(t, plan.needs)
		plan.write(w, v)
		if err := c.room(); err != nil {
			return err
		}
		if err := w.pass(); err != nil {
			return err
		}
	}
	w.shut(']')
	return c.ctx.Err()
}
