package daemon

import (
	"fmt"
	"time"

	"swarmnode/daemon/queue"
)

// A decider carries out the plans of the queue.
type decider struct {
	planner queue.Planner
	unsure  bool      // the plan may be another one now
	next    time.Time // when it may be another one if nothing changes; zero: never
	list    []queue.Torrent
	who     []*ward
}

// decide starts torrents and lets others rest.
func (d *decider) decide(now time.Time, order []*ward, set *Settings, urgent map[ID]bool) {
	if !d.unsure && (d.next.IsZero() || now.Before(d.next)) {
		return
	}
	d.list, d.who = d.list[:0], d.who[:0]
	for _, w := range order {
		if w.seen.wants && !w.held {
			d.list, d.who = append(d.list, w.queued), append(d.who, w)
		}
	}
	limits := queue.Limits{Downloads: set.QueueDown, Seeds: set.QueueSeed,
		Stalled: set.QueueStalled}
	plan := d.planner.Decide(now, limits, d.list)
	d.unsure, d.next = false, plan.Next
	for _, step := range plan.Steps {
		w := d.who[step.Torrent]
		if !step.Start {
			w.queued.Rest(now, step.Why)
			continue
		}
		w.queued.Start(now)
		when := inTurn
		if urgent[w.charge.ID()] {
			when = atOnce
		}
		w.why, w.seen.aims = "", true
		w.charge.wake(when)
	}
	reasons := [...]string{queue.Download: turnText(limits.Downloads, "download"),
		queue.Seed: turnText(limits.Seeds, "seed")}
	for _, w := range d.who {
		if !w.queued.Running {
			when := inTurn
			if urgent[w.charge.ID()] {
				when = atOnce
			}
			w.tell(reasons[w.queued.Kind], when)
		}
	}
}

// turnPrefix begins what is said of a torrent that waits for its turn.
const turnPrefix = "waiting for its turn"

// turnText says why a torrent waits for its turn.
func turnText(limit int, does string) string {
	if limit == 1 {
		return fmt.Sprintf(turnPrefix+": 1 torrent may %s at a time", does)
	}
	return fmt.Sprintf(turnPrefix+": %d torrents may %s at a time", limit, does)
}
