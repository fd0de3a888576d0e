package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"swarmnode/daemon/api"
	"swarmnode/daemon/client"
)

// viewCommand returns a command that shows something of each torrent that arguments name.
func viewCommand(cmd command, view func(*view) error,
	setup func(fs *pflag.FlagSet, v *view)) *command {
	cmd.args, cmd.argsMin, cmd.argsMax = "TORRENT...", 1, anyNumber
	cmd.long = strings.TrimSpace(cmd.long + "\n\n" + torrentHelp)
	cmd.setup = func(fs *pflag.FlagSet) action {
		v := new(viewing)
		if setup != nil {
			setup(fs, &v.view)
		}
		v.remote.register(fs)
		return v.remote.with(func(ctx context.Context, c *console, d *client.Client,
			args []string) error {
			v.ctx, v.c, v.d = ctx, c, d
			return v.each(args, view)
		})
	}
	return &cmd
}

// A viewing shows torrents, one after the other.
type viewing struct {
	remote remoteFlags
	view
}

// A view shows one torrent.
type view struct {
	ctx context.Context
	c   *console
	d   *client.Client
	t   *api.Torrent
	// several says that other torrents are shown, too; begun that one was.
	several, begun bool
	// flat and magnet are flags.
	flat   bool
	magnet bool
}

// each shows each torrent that args name.
func (v *viewing) each(args []string, show func(*view) error) error {
	chosen, err := pickTorrents(v.ctx, v.c, v.d, args)
	if err != nil {
		return err
	}
	for i := range chosen {
		v.t = &chosen[i]
		v.several = len(chosen) > 1
		if err := show(&v.view); err != nil {
			return remoteFailure(torrentText(v.t), err)
		}
	}
	return nil
}

// begin prints the heading of the torrent, if there are several.
func (v *view) begin() {
	if !v.several {
		return
	}
	if v.begun {
		v.c.result("")
	}
	v.begun = true
	v.c.result(fmt.Sprintf("%d  %s", v.t.ID, escape(nameOf(v.t))))
}

// nothing says that there is nothing to show.
func (v *view) nothing(what string) {
	if v.several {
		what = torrentText(v.t) + ": " + what
	}
	v.c.note("%s", what)
}

func showCommand() *command {
	return viewCommand(command{
		name:  "show",
		short: "show all that the daemon knows of torrents",
		long:  "What is unknown, or as usual, is left out.",
		examples: []example{
			{"node show 3", "one torrent"},
			{"node show --link all", "the magnet links of all torrents, one a line"},
		},
	}, showTorrent, func(fs *pflag.FlagSet, v *view) {
		fs.BoolVar(&v.magnet, "link", false, "print the magnet link alone")
	})
}

// shown: all that is known of a torrent.
type shownEvent struct{ api.Details }

func showTorrent(v *view) error {
	d, err := v.d.Torrent(v.ctx, v.t.ID)
	if err != nil {
		return err
	}
	v.c.event("shown", shownEvent{d})
	if v.magnet {
		v.c.result(d.Magnet)
		return nil
	}
	v.begin()
	var s sheet
	s.identity(&d)
	s.content(&d.Torrent)
	s.transfer(&d)
	s.options(&d.Options)
	width := 0
	for _, l := range s.lines {
		width = max(width, len(l.name))
	}
	for _, l := range s.lines {
		v.c.result(escape(fmt.Sprintf("%-*s  %s", width+1, l.name+":", l.text)))
	}
	return nil
}

// A sheet is a list of names with texts.
type sheet struct{ lines []sheetLine }

type sheetLine struct{ name, text string }

// add appends a line, unless its text is empty.
func (s *sheet) add(name, text string) {
	if text != "" {
		s.lines = append(s.lines, sheetLine{name, text})
	}
}

// identity says which torrent it is.
func (s *sheet) identity(d *api.Details) {
	t := &d.Torrent
	s.add("ID", strconv.Itoa(int(t.ID)))
	s.add("Name", t.Name)
	s.add("Hash", cmp.Or(d.V1, t.Hash))
	s.add("Hash v2", d.V2)
	s.add("Magnet", d.Magnet)
	state := stateOf(t)
	if t.Why != "" {
		state += ": " + t.Why
	}
	s.add("State", state)
	s.add("Error", t.Error)
	if d.Stuck != nil {
		s.add("Stuck", d.Stuck.Text+" "+d.Stuck.Advice)
	}
	s.add("Labels", strings.Join(t.Labels, ", "))
	s.add("Comment", d.Comment)
	s.add("Made by", d.Creator)
	s.add("Made", timeText(d.Created))
	if t.Private {
		s.add("Private", "yes: only its trackers may name peers")
	}
}

// content says what the torrent contains, and what of it is there.
func (s *sheet) content(t *api.Torrent) {
	s.add("Folder", t.Dir)
	if !t.HaveInfo {
		if t.MetadataSize > 0 {
			s.add("Metadata", formatOf(int64(t.MetadataHave), int64(t.MetadataSize)))
		}
		return
	}
	s.add("Files", strconv.Itoa(t.Files))
	s.add("Size", formatBytes(t.Size))
	if t.Wanted != t.Size {
		s.add("Wanted", formatBytes(t.Wanted))
	}
	s.add("Done", formatPercent(t.Got, t.Wanted)+", "+formatBytes(t.Left)+" left")
	s.add("Pieces", fmt.Sprintf("%d/%d of %s", t.PiecesHave, t.Pieces,
		formatBytes(int64(t.PieceLength))))
	if t.CheckTotal > 0 {
		s.add("Checked", formatOf(t.Checked, t.CheckTotal))
	}
	if t.MoveTotal > 0 {
		s.add("Moved", formatOf(t.Moved, t.MoveTotal))
	}
}

// transfer says what was moved, and how fast.
func (s *sheet) transfer(d *api.Details) {
	t := &d.Torrent
	s.add("Down", formatBytes(t.Down)+", "+formatRate(t.DownRate))
	s.add("Up", formatBytes(t.Up)+", "+formatRate(t.UpRate))
	if t.Wasted > 0 {
		s.add("Wasted", formatBytes(t.Wasted)+wasteText(d.Waste))
	}
	if t.Ratio != nil {
		s.add("Ratio", strconv.FormatFloat(*t.Ratio, 'f', 2, 64))
	}
	if eta := etaOf(t); eta != "-" {
		s.add("Time left", eta)
	}
	s.add("Peers", fmt.Sprintf("%d connected, %d of them with everything, %d known", t.Peers,
		t.Seeds, t.PeersKnown))
	s.add("Added", timeText(t.Added))
	s.add("Completed", timeText(t.Completed))
	s.add("Last active", timeText(t.LastActive))
	if t.Active > 0 {
		s.add("Ran", formatDuration(seconds(t.Active))+", as a seed "+
			formatDuration(seconds(t.Seeding)))
	}
	s.add("Queue", strconv.Itoa(t.Queue+1))
	for _, tr := range d.Trackers {
		s.add("Tracker", tr.URL)
	}
	for _, w := range d.WebSeeds {
		s.add("Web seed", w.URL)
	}
}

// options says what the user has set.
func (s *sheet) options(o *api.Options) {
	if o.Down > 0 {
		s.add("Down limit", formatRate(o.Down))
	}
	if o.Up > 0 {
		s.add("Up limit", formatRate(o.Up))
	}
	if o.Alone {
		s.add("Global limits", "do not count for it")
	}
	if o.MaxPeers > 0 {
		s.add("Peer limit", strconv.Itoa(o.MaxPeers))
	}
	s.add("Group", o.Group)
	if o.Rank != 0 {
		s.add("Priority", rankText(o.Rank))
	}
	if o.Sequential {
		s.add("Order", "from the first piece to the last")
	}
	if o.Forced {
		s.add("Starts", "outside of the queue")
	}
	s.add("Ratio goal", goalText(o.SeedRatio, func(at float64) string {
		return strconv.FormatFloat(at, 'f', -1, 64)
	}))
	lasting := func(at float64) string { return formatDuration(seconds(at)) }
	s.add("Time goal", goalText(o.SeedTime, lasting))
	s.add("Idle goal", goalText(o.SeedIdle, lasting))
}

// seconds returns a number of seconds as a duration.
func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// goalText describes a goal; that of the settings is nothing special.
func goalText(g api.Goal, text func(float64) string) string {
	switch g.Mode {
	case api.GoalOwn:
		return text(g.At)
	case api.GoalNone:
		return "none"
	}
	return ""
}

// ranks are the words for priorities among torrents.
var ranks = []string{"low", "normal", "high"}

func rankText(rank int) string { return ranks[min(max(rank+1, 0), len(ranks)-1)] }

// wasteText lists waste by its reasons.
func wasteText(waste map[string]int64) string {
	var list []string
	for _, why := range slices.Sorted(maps.Keys(waste)) {
		if waste[why] > 0 {
			list = append(list, why+" "+formatBytes(waste[why]))
		}
	}
	if len(list) == 0 {
		return ""
	}
	return " (" + strings.Join(list, ", ") + ")"
}

// timeText writes a moment in the local time.
func timeText(at *time.Time) string {
	if at == nil || at.IsZero() {
		return ""
	}
	return at.Local().Format("2006-01-02 15:04:05")
}
