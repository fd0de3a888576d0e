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

func listCommand() *command {
	return &command{
		name:  "list",
		args:  "[TORRENT...]",
		short: "list the torrents of the daemon",
		long: `A star behind the number marks a torrent with an error, which node show explains.
The last line has the sums. ` + "\n\n" + torrentHelp,
		examples: []example{
			{"node list", "all torrents"},
			{"node list --state downloading,error --sort -down", "the fastest download first"},
			{"node list --json label:linux", "some of them, for a program"},
		},
		argsMax: anyNumber,
		setup: func(fs *pflag.FlagSet) action {
			f := new(listFlags)
			f.register(fs)
			return f.remote.with(f.run)
		},
	}
}

// listFlags choose what is listed.
type listFlags struct {
	remote remoteFlags
	sort   sortValue
	state  listValue
	label  listValue
	name   string
}

func (f *listFlags) register(fs *pflag.FlagSet) {
	f.sort = "id"
	fs.Var(&f.sort, "sort", "order: "+strings.Join(sortKeys(), ", ")+
		"; with - in front the other way round")
	f.state = listValue{kind: "STATE", check: checkState}
	fs.Var(&f.state, "state", "only torrents in one of these states: "+
		strings.Join(stateWords(), ", ")+"; with commas, or repeated")
	f.label = listValue{kind: "NAME"}
	fs.Var(&f.label, "label", "only torrents with one of these labels; may be repeated")
	fs.StringVar(&f.name, "name", "", "only torrents whose name has this `TEXT` in it")
	f.remote.register(fs)
}

// stateGroups are words for several statuses, as the daemon knows them.
var stateGroups = []string{"active", "stalled", "finished", "error"}

// stateWords are the words of --state.
func stateWords() []string {
	return slices.Concat([]string{string(api.Downloading), string(api.DownloadQueued),
		string(api.Seeding), string(api.SeedQueued), string(api.Checking), string(api.CheckQueued),
		string(api.Stopped)}, stateGroups)
}

// checkState checks a value of --state.
func checkState(s string) error {
	for word := range strings.SplitSeq(s, ",") {
		if !slices.Contains(stateWords(), word) {
			return fmt.Errorf("not one of %s", strings.Join(stateWords(), ", "))
		}
	}
	return nil
}

// A sortValue is a flag that says by what torrents are sorted.
type sortValue string

func (v *sortValue) Type() string   { return "KEY" }
func (v *sortValue) String() string { return string(*v) }
func (v *sortValue) Set(s string) error {
	if orders[strings.TrimPrefix(s, "-")] == nil {
		return fmt.Errorf("not one of %s", strings.Join(sortKeys(), ", "))
	}
	*v = sortValue(s)
	return nil
}

// orders are the ways to sort torrents.
var orders = map[string]func(a, b *api.Torrent) int{
	"id":    func(a, b *api.Torrent) int { return cmp.Compare(a.ID, b.ID) },
	"name":  func(a, b *api.Torrent) int { return cmp.Compare(lower(a.Name), lower(b.Name)) },
	"state": func(a, b *api.Torrent) int { return cmp.Compare(a.Status, b.Status) },
	"queue": func(a, b *api.Torrent) int { return cmp.Compare(a.Queue, b.Queue) },
	"size":  func(a, b *api.Torrent) int { return cmp.Compare(a.Wanted, b.Wanted) },
	"done":  func(a, b *api.Torrent) int { return cmp.Compare(doneShare(a), doneShare(b)) },
	"down":  func(a, b *api.Torrent) int { return cmp.Compare(a.DownRate, b.DownRate) },
	"up":    func(a, b *api.Torrent) int { return cmp.Compare(a.UpRate, b.UpRate) },
	"ratio": func(a, b *api.Torrent) int { return cmp.Compare(known(a.Ratio), known(b.Ratio)) },
	"eta":   func(a, b *api.Torrent) int { return cmp.Compare(known(a.ETA), known(b.ETA)) },
	"peers": func(a, b *api.Torrent) int { return cmp.Compare(a.Peers, b.Peers) },
	"busy": func(a, b *api.Torrent) int {
		return cmp.Compare(a.DownRate+a.UpRate, b.DownRate+b.UpRate)
	},
	"added": func(a, b *api.Torrent) int { return moment(a.Added).Compare(moment(b.Added)) },
}

// sortKeys are the words of --sort.
func sortKeys() []string { return slices.Sorted(maps.Keys(orders)) }

func lower(s string) string { return strings.ToLower(s) }

// known returns a number that may be unknown, which is less than all others.
func known(n *float64) float64 {
	if n == nil {
		return -1
	}
	return *n
}

func moment(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return *at
}

// doneShare is the share of the wanted bytes that are there.
func doneShare(t *api.Torrent) float64 {
	if t.Wanted <= 0 {
		return -1
	}
	return float64(t.Got) / float64(t.Wanted)
}

// sortTorrents sorts by a value of --sort, and then by number.
func sortTorrents(list []api.Torrent, by string) {
	key, back := strings.CutPrefix(by, "-")
	order := orders[key]
	slices.SortFunc(list, func(a, b api.Torrent) int {
		n := order(&a, &b)
		if back {
			n = -n
		}
		return cmp.Or(n, cmp.Compare(a.ID, b.ID))
	})
}

// listed: a torrent of the daemon.
type listedEvent struct{ api.Torrent }

// sum: all torrents of a list together.
type sumEvent struct {
	Torrents int   `json:"torrents"`
	Size     int64 `json:"size"`
	Have     int64 `json:"have"`
	DownRate int64 `json:"down-rate"`
	UpRate   int64 `json:"up-rate"`
}

func (f *listFlags) run(ctx context.Context, c *console, d *client.Client, args []string) error {
	list, err := f.list(ctx, c, d, args)
	if err != nil {
		return err
	}
	sortTorrents(list, string(f.sort))
	f.show(c, list)
	return nil
}

// show prints a list.
func (f *listFlags) show(c *console, list []api.Torrent) {
	sum := sumOf(list)
	if c.json {
		c.together(func() {
			for _, t := range list {
				c.event("listed", listedEvent{t})
			}
		})
		c.event("sum", sum)
		return
	}
	if len(list) == 0 {
		c.note("no torrents")
		return
	}
	c.table(torrentTable(list, &sum))
}

// list returns the torrents that the flags and args choose.
func (f *listFlags) list(ctx context.Context, c *console, d *client.Client, args []string) (
	[]api.Torrent, error) {
	picks, err := parsePicks(c, args)
	if err != nil {
		return nil, err
	}
	query := client.Query{Search: f.name}
	for _, s := range f.state.items {
		query.Status = append(query.Status, strings.Split(s, ",")...)
	}
	if !c.json {
		query.Fields = tableFields
	}
	found, err := d.ListAll(ctx, query)
	if err != nil {
		return nil, err
	}
	list := found.Torrents
	if len(picks) > 0 {
		chosen, err := pickTorrents(ctx, c, d, args)
		if err != nil {
			return nil, err
		}
		ids := idsOf(chosen)
		list = slices.DeleteFunc(list, func(t api.Torrent) bool {
			_, ok := slices.BinarySearch(ids, t.ID)
			return !ok
		})
	}
	if len(f.label.items) > 0 {
		list = slices.DeleteFunc(list, func(t api.Torrent) bool {
			return !slices.ContainsFunc(f.label.items, func(label string) bool {
				return slices.Contains(t.Labels, label)
			})
		})
	}
	return list, nil
}

// tableFields are what a table needs of a torrent, with its order and the choice by labels. To
// read all fields of thousands of torrents takes half as long again.
var tableFields = []string{"hash", "name", "status", "finished", "error", "queue", "stalled",
	"have-info", "size", "wanted", "got", "left", "have", "checked", "check-total", "moved",
	"move-total", "down-rate", "up-rate", "eta", "ratio", "added", "peers", "labels"}

// sumOf returns the sums of a list.
func sumOf(list []api.Torrent) sumEvent {
	sum := sumEvent{Torrents: len(list)}
	for i := range list {
		t := &list[i]
		sum.Size, sum.Have = sum.Size+t.Size, sum.Have+t.Have
		sum.DownRate, sum.UpRate = sum.DownRate+t.DownRate, sum.UpRate+t.UpRate
	}
	return sum
}

// torrentTable returns a table of torrents, with sums.
func torrentTable(list []api.Torrent, sum *sumEvent) *table {
	t := &table{columns: []column{{head: "ID"}, {head: "Done", right: true},
		{head: "Size", right: true}, {head: "ETA", right: true}, {head: "Down", right: true},
		{head: "Up", right: true}, {head: "Ratio", right: true}, {head: "State"},
		{head: "Name", soft: true}}}
	for i := range list {
		t.add(torrentRow(&list[i])...)
	}
	if sum != nil {
		t.foot = []string{"Sum", formatPercent(sum.Have, sum.Size), formatBytes(sum.Size), "",
			rateOrNone(sum.DownRate), rateOrNone(sum.UpRate), "", "",
			plural(sum.Torrents, "torrent")}
	}
	return t
}

// torrentRow returns the cells of a torrent.
func torrentRow(t *api.Torrent) []string {
	id := strconv.Itoa(int(t.ID))
	if t.Error != "" {
		id += "*"
	}
	done, size := "-", "-"
	if t.HaveInfo {
		done, size = formatPercent(t.Got, t.Wanted), formatBytes(t.Wanted)
		if t.Wanted == 0 && t.Left == 0 {
			done = "100%"
		}
	}
	ratio := "-"
	if t.Ratio != nil {
		ratio = strconv.FormatFloat(*t.Ratio, 'f', 2, 64)
	}
	return []string{id, done, size, etaOf(t), rateOrNone(t.DownRate), rateOrNone(t.UpRate), ratio,
		stateOf(t), nameOf(t)}
}

// etaOf returns the time that is left, "-" if it is unknown.
func etaOf(t *api.Torrent) string {
	switch {
	case t.ETA == nil:
		return "-"
	case *t.ETA > etaMax.Seconds():
		return "-"
	}
	return formatDuration(time.Duration(*t.ETA * float64(time.Second)))
}

// rateOrNone returns a rate, "-" for nothing.
func rateOrNone(rate int64) string {
	if rate <= 0 {
		return "-"
	}
	return formatRate(rate)
}

// stateOf returns what a torrent does, in a word or two.
func stateOf(t *api.Torrent) string {
	switch {
	case t.MoveTotal > 0:
		return "moving " + formatPercent(t.Moved, t.MoveTotal)
	case t.Status == api.Checking:
		return "checking " + formatPercent(t.Checked, t.CheckTotal)
	case t.Status == api.Downloading && !t.HaveInfo:
		return "metadata"
	case t.Status == api.Stopped && t.Finished:
		return "finished"
	case t.Stalled && (t.Status == api.Downloading || t.Status == api.Seeding):
		return string(t.Status) + ", stalled"
	}
	return string(t.Status)
}

// nameOf returns the name of a torrent, or its hash if there is none yet.
func nameOf(t *api.Torrent) string { return cmp.Or(t.Name, t.Hash) }
