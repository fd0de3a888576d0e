package core

import (
	"time"

	"swarmnode/swarm/picker"
)

// SetPriorities ranks all pieces at once, as Prioritize ranks one. parts are the bytes of
// wanted files in each piece, which Snapshot counts; nil stands for all of them, and the
// Torrent keeps it. It does nothing before InfoReady, nor if priorities has not one entry for
// each piece. Complete may be given again when all wanted pieces are there again. Actions
// may follow.
func (t *Torrent) SetPriorities(now time.Time, priorities []picker.Priority, parts []int32) {
	t.advance(now)
	if t.pick == nil || t.cfg.MetadataOnly || len(priorities) != t.pick.Pieces() {
		return
	}
	t.command(ranksCommand(priorities))
	for piece, priority := range priorities {
		t.pick.SetPriority(uint32(piece), priority)
	}
	t.progress.want(parts)
	t.requests.withdrawUnwanted(t.now)
	if t.standing.unfinish(t.pick.Done()) {
		reopen(t)
	}
	recount(t)
	t.checkComplete()
	t.requests.refillSoon(t.now)
}

// missed goes back to fetching if a piece is the first to be missing after everything was
// there. One that is only being verified again is not missing.
func missed(t *Torrent) {
	if !t.pick.Done() && t.standing.lack() {
		reopen(t)
	}
}

// reopen goes back to fetching after everything that was wanted was there.
func reopen(t *Torrent) {
	t.peers.tellUploadOnly(&t.out, false)
	t.dialer.moved(t.now) // to the seeds that were dropped as useless
}

// recount counts again what is missing, and which peers have something for us.
func recount(t *Torrent) {
	t.progress.recount(t.pick.Have(), t.pick.Needed())
	for _, p := range t.peers.all() {
		if p.has.known() {
			p.has.recount(t.pick.Needed())
			t.showInterest(p)
		}
	}
}
