package stream

import (
	"time"

	"swarmnode/daemon/control"
	"swarmnode/metainfo"
)

// Only returns the file of a torrent that players play, if there is exactly one.
func Only(l *metainfo.Layout) (index int, ok bool) {
	all := playable(l, "")
	if len(all) != 1 {
		return 0, false
	}
	return all[0].index, true
}

// Link returns the path of a file with what lets a player in for a day that has no login, as who.
// If nobody needs a login it is the path alone.
func Link(g *control.Gate, who control.Identity, l *metainfo.Layout, hash metainfo.Hash,
	index int) string {
	link := pathOf(hash, index, nameOf(l, index))
	if g.NeedsLogin() {
		link += "?" + control.TicketParameter + "=" +
			g.Ticket(who, folderOf(hash, index), time.Now().Add(ticketTime))
	}
	return link
}
