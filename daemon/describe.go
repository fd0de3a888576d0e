package daemon

import (
	"cmp"
	"slices"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// describe makes r the record of a .torrent file.
func (r *record) describe(torrent *metainfo.Torrent) {
	known := namesOfInfo(torrent.Info())
	known.write(r)
	r.Trackers, r.WebSeeds = cloneTiers(torrent.Trackers), slices.Clone(torrent.WebSeeds)
	r.learn(torrent.Info())
}

// describeLink makes r the record of a magnet link.
func (r *record) describeLink(m *metainfo.Magnet) {
	known := namesOfMagnet(m)
	known.write(r)
	r.Magnet = m.String()
	r.Trackers = tiersOf(m)
	r.WebSeeds = slices.Clone(m.WebSeeds)
	r.Peers = slices.Clone(m.Peers)
	r.Shown.Name = cmp.Or(metainfo.DisplayName(m.Name), m.Hash().String())
}

// tiersOf returns the trackers of a link, each a tier by itself.
func tiersOf(m *metainfo.Magnet) [][]string {
	var tiers [][]string
	for _, url := range m.Trackers {
		tiers = append(tiers, []string{url})
	}
	return tiers
}

// learn puts into r what an info dictionary says. Everything counts as missing.
func (r *record) learn(info *metainfo.Info) {
	l, s := info.Layout(), &r.Shown
	s.HaveInfo, s.Private = true, info.Private()
	s.Name = info.Name()
	s.Pieces, s.PieceLength = int32(l.Pieces()), int32(l.PieceLength)
	s.Size, s.Wanted, s.Files, s.Entries = 0, 0, 0, int32(len(l.Files))
	if len(r.Options.Files) != len(l.Files) {
		r.Options.Files = nil
	}
	for i := range l.Files {
		if l.Files[i].Pad {
			continue
		}
		s.Files++
		s.Size += l.Files[i].Length
		if r.Options.Files == nil || r.Options.Files[i] != swarm.Unwanted {
			s.Wanted += l.Files[i].Length
		}
	}
	s.Left, s.Got, s.Have, s.PiecesHave = s.Wanted, 0, 0, 0
}

// prioritiesOf returns the priorities of the files that a link names (BEP 53), or nil if it
// names none.
func prioritiesOf(m *metainfo.Magnet, l *metainfo.Layout) []swarm.Priority {
	if len(m.Select) == 0 {
		return nil
	}
	list := make([]swarm.Priority, len(l.Files))
	for i := range m.Selected(len(l.Files)) {
		list[i] = swarm.Normal
	}
	return list
}

// progress puts into s what an open torrent has, and reports whether a list shows anything
// else than before.
func (s *shown) progress(now *swarm.State) (news bool) {
	before := *s
	s.Wanted, s.Got, s.Left, s.Have = now.Wanted, now.Got, now.Left, now.Have
	s.PiecesHave = int32(now.PiecesHave)
	s.setTotals(&now.Totals)
	after := *s
	after.Active, after.Seeding = before.Active, before.Seeding
	return after != before
}
