package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"swarmnode/daemon"
	"swarmnode/daemon/stuck"
)

// torrentType is the content type of a .torrent file.
const torrentType = "application/x-bittorrent"

// isClosed reports whether an error says that the daemon is closed.
func isClosed(err error) bool { return errors.Is(err, daemon.ErrClosed) }

// describe returns a Torrent.
func describe(t *daemon.Torrent) Torrent {
	v := viewOf(t)
	s := &v.state
	d := Torrent{
		ID: t.ID(), Hash: t.Hash().String(), Name: s.Name, Status: statusWord(s.Status),
		Why: s.Why, Finished: s.Finished, Error: s.Error, Queue: s.Queue, Forced: s.Forced,
		Stalled: s.Stalled, Dir: s.Dir, HaveInfo: s.HaveInfo, Private: s.Private, Size: s.Size,
		Wanted: s.Wanted, Got: s.Got, Left: s.Left, Have: s.Have, Files: s.Files,
		Pieces: s.Pieces, PiecesHave: s.PiecesHave, PieceLength: s.PieceLength,
		MetadataSize: s.MetadataSize, MetadataHave: s.MetadataHave, Checked: s.Checked,
		CheckTotal: s.CheckTotal, Moved: s.Moved, MoveTotal: s.MoveTotal, DownRate: s.DownRate,
		UpRate: s.UpRate, Down: s.Totals.Down, Up: s.Totals.Up,
		Wasted: wasted(s.Totals.Waste), Active: s.Totals.Active.Seconds(),
		Seeding: s.Totals.Seeding.Seconds(), Added: at(s.Totals.Added),
		Completed: at(s.Totals.Completed), LastActive: at(s.Totals.LastActive),
		Started: at(s.Started), Peers: s.Swarm.PeersConnected, Seeds: s.Swarm.SeedsConnected,
		PeersKnown: s.Swarm.PeersKnown, Sending: s.Swarm.PeersServing,
		Receiving: s.Swarm.PeersUnchoked, Labels: listOf(v.options.Labels),
		Group: v.options.Group, Rank: v.options.Rank, Sequential: v.options.Sequential,
		Stuck: StuckReason(s.Stuck), Tracker: t.Tracker(),
		Temporary: s.Temporary,
	}
	if s.ETA >= 0 {
		eta := s.ETA.Seconds()
		d.ETA = &eta
	}
	if s.Ratio >= 0 {
		ratio := s.Ratio
		d.Ratio = &ratio
	}
	return d
}

// at returns a time, or nil for none.
func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// listOf returns a list that is written as [] and not as null.
func listOf[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// optionsOf returns the options of a torrent.
func optionsOf(o *daemon.Options) Options {
	return Options{
		Dir: o.Dir, Sequential: o.Sequential, Labels: listOf(o.Labels), Group: o.Group,
		Down: o.Down, Up: o.Up, Alone: o.Alone, MaxPeers: o.Peers, Rank: o.Rank,
		SeedRatio: Goal{goalModes[o.Ratio.Mode%3], o.Ratio.At},
		SeedTime:  Goal{goalModes[o.Time.Mode%3], o.Time.At.Seconds()},
		SeedIdle:  Goal{goalModes[o.Idle.Mode%3], o.Idle.At.Seconds()},
		Stopped:   o.Stopped, Forced: o.Forced,
	}
}

// goalModes are the words by the numbers of package daemon.
var goalModes = [...]GoalMode{daemon.GoalGlobal: GoalGlobal, daemon.GoalOwn: GoalOwn,
	daemon.GoalNone: GoalNone}

// details shows a torrent.
func (c *call) details() error {
	t, err := c.torrent()
	if err != nil {
		return err
	}
	options := t.Options()
	d := Details{Torrent: describe(t), Options: optionsOf(&options), Magnet: t.Magnet().String(),
		Trackers: trackersOf(t), WebSeeds: webSeedsOf(t), Waste: t.State().Totals.Waste}
	if torrent, err := t.Metainfo(c.r.Context()); err == nil {
		info := torrent.Info()
		d.Comment, d.Creator = torrent.Comment, torrent.Creator
		d.Created = at(torrent.Created)
		if hash, ok := info.HashV1(); ok {
			d.V1 = hash.String()
		}
		if hash, ok := info.HashV2(); ok {
			d.V2 = hash.String()
		}
	}
	d.Stuck = stuckOf(c.r.Context(), t)
	return c.ok(d)
}

// stuckOf says why a torrent does not get on; nil if it does.
func stuckOf(ctx context.Context, t *daemon.Torrent) *Stuck {
	v := t.Stuck(ctx)
	if v.Reason == stuck.Moving {
		return nil
	}
	return &Stuck{StuckReason(v.Reason), v.Text, v.Advice, v.Values}
}

// goal returns the goal of package daemon, or what is wrong with it.
func goal[T float64 | time.Duration](name string, g Goal, unit float64) (daemon.Goal[T], error) {
	for mode, word := range goalModes {
		if word != g.Mode {
			continue
		}
		var at T
		if daemon.GoalMode(mode) == daemon.GoalOwn {
			if !(g.At >= 0 && g.At*unit < 1<<62) {
				return daemon.Goal[T]{}, wrong(name, "%s: %v is out of range", name, g.At)
			}
			at = T(g.At * unit)
		}
		return daemon.Goal[T]{Mode: daemon.GoalMode(mode), At: at}, nil
	}
	return daemon.Goal[T]{}, wrong(name, "%s: the mode is global, own or none", name)
}

// goals are those of a Patch.
type goals struct {
	ratio      daemon.Goal[float64]
	time, idle daemon.Goal[time.Duration]
}

// goals reads the goals of a patch.
func (p *Patch) goals() (g goals, err error) {
	if p.SeedRatio != nil {
		if g.ratio, err = goal[float64]("seed-ratio", *p.SeedRatio, 1); err != nil {
			return g, err
		}
	}
	if p.SeedTime != nil {
		g.time, err = goal[time.Duration]("seed-time", *p.SeedTime, float64(time.Second))
		if err != nil {
			return g, err
		}
	}
	if p.SeedIdle != nil {
		g.idle, err = goal[time.Duration]("seed-idle", *p.SeedIdle, float64(time.Second))
	}
	return g, err
}

// apply changes options.
func (p *Patch) apply(o *daemon.Options, g *goals) {
	set(&o.Sequential, p.Sequential)
	set(&o.Group, p.Group)
	set(&o.Down, p.Down)
	set(&o.Up, p.Up)
	set(&o.Alone, p.Alone)
	set(&o.Peers, p.MaxPeers)
	set(&o.Rank, p.Rank)
	if p.Labels != nil {
		o.Labels = labelsOf(*p.Labels)
	}
	if p.SeedRatio != nil {
		o.Ratio = g.ratio
	}
	if p.SeedTime != nil {
		o.Time = g.time
	}
	if p.SeedIdle != nil {
		o.Idle = g.idle
	}
}

// labelsOf returns labels without spaces around them.
func labelsOf(list []string) []string {
	var labels []string
	for _, label := range list {
		labels = append(labels, strings.TrimSpace(label))
	}
	return labels
}

// set sets a value if there is a new one.
func set[T any](value, to *T) {
	if to != nil {
		*value = *to
	}
}

// patch changes options.
func (c *call) patch() error {
	t, err := c.torrent()
	if err != nil {
		return err
	}
	var p Patch
	if err := c.body(&p, false); err != nil {
		return err
	}
	if err := c.setOptions(t, &p); err != nil {
		return err
	}
	options := t.Options()
	return c.ok(optionsOf(&options))
}

// setOptions changes options of a torrent.
func (c *call) setOptions(t *daemon.Torrent, p *Patch) error {
	g, err := p.goals()
	if err != nil {
		return err
	}
	return t.Set(c.r.Context(), func(o *daemon.Options) { p.apply(o, &g) })
}

// remove removes a torrent.
func (c *call) remove() error {
	t, err := c.torrent()
	if err != nil {
		return err
	}
	data, err := c.yes("data")
	if err != nil {
		return err
	}
	if err := t.Remove(c.r.Context(), data); err != nil {
		return err
	}
	return c.done()
}

// metainfo returns the .torrent file.
func (c *call) metainfo() error {
	t, err := c.torrent()
	if err != nil {
		return err
	}
	torrent, err := t.Metainfo(c.r.Context())
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", torrentType)
	// RFC 6266 has the name in UTF-8 beside one for programs that know ASCII alone.
	name := strings.ReplaceAll(url.QueryEscape(t.State().Name), "+", "%20")
	c.w.Header().Set("Content-Disposition", `attachment; filename="`+t.Hash().String()+
		`.torrent"; filename*=UTF-8''`+name+".torrent")
	c.w.WriteHeader(http.StatusOK)
	c.w.Write(torrent.Marshal())
	return nil
}
