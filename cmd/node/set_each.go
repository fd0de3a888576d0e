package main

import (
	"context"
	"errors"
	"math"
	"path"
	"slices"
	"strings"

	"swarmnode/daemon"
	"swarmnode/daemon/api"
	"swarmnode/daemon/client"
	"swarmnode/metainfo"
)

// apply changes torrents: what is the same for each at once, and the rest one by one.
func (f *setFlags) apply(ctx context.Context, c *console, d *client.Client,
	chosen []api.Torrent) error {
	failed := make(map[daemon.ID]error)
	if p, some := f.patch(); some {
		for rest := chosen; len(rest) > 0; {
			part := rest[:min(len(rest), bulkMax)]
			rest = rest[len(part):]
			result, err := d.Bulk(ctx, api.Bulk{IDs: idsOf(part), Action: api.ActionSet, Patch: &p})
			if err != nil {
				return err
			}
			for _, x := range result.Failed {
				failed[x.ID] = remoteFailure("", x.Problem())
			}
		}
	}
	for i := range chosen {
		t := &chosen[i]
		if failed[t.ID] != nil {
			continue
		}
		if err := f.each(ctx, c, d, t); err != nil {
			if _, ok := errors.AsType[*api.Problem](err); !ok && !errors.Is(err, errNoFile) {
				return err
			}
			failed[t.ID] = remoteFailure("", err)
		}
	}
	if f.given("queue") {
		if err := f.enqueue(ctx, d, chosen); err != nil {
			return err
		}
	}
	return f.tell(c, chosen, string(api.ActionSet), failed)
}

// each changes what depends on the torrent.
func (f *setFlags) each(ctx context.Context, c *console, d *client.Client, t *api.Torrent) error {
	if f.given("add-label", "rm-label") {
		labels := f.labelsFor(t.Labels)
		if _, err := d.Set(ctx, t.ID, api.Patch{Labels: &labels}); err != nil {
			return err
		}
	}
	if f.given("files", "want", "skip", "priority") {
		if err := f.setFiles(ctx, c, d, t); err != nil {
			return err
		}
	}
	if err := f.setTrackers(ctx, d, t); err != nil {
		return err
	}
	if f.given("webseed", "own-webseeds") {
		if err := d.SetWebSeeds(ctx, t.ID, cleanURLs(f.webSeeds.items)); err != nil {
			return err
		}
	}
	for _, peer := range f.peers.items {
		if err := d.AddPeer(ctx, t.ID, peer); err != nil {
			return err
		}
	}
	return nil
}

// setTrackers changes the trackers of a torrent.
func (f *setFlags) setTrackers(ctx context.Context, d *client.Client, t *api.Torrent) error {
	if !f.given("tracker", "own-trackers", "add-tracker", "rm-tracker") {
		return nil
	}
	if f.ownTrackers {
		if err := d.SetTrackers(ctx, t.ID, nil); err != nil {
			return err
		}
		if !f.given("add-tracker", "rm-tracker") {
			return nil
		}
	}
	list := tiers(f.trackers.items)
	if !f.given("tracker") {
		now, err := d.Trackers(ctx, t.ID)
		if err != nil {
			return err
		}
		list = tiersOf(now)
	}
	return d.SetTrackers(ctx, t.ID, f.trackersAfter(list))
}

// tiersOf returns the URLs of trackers by their tiers.
func tiersOf(trackers []api.Tracker) (list [][]string) {
	last := -1
	for _, tr := range trackers {
		if tr.Tier != last || len(list) == 0 {
			list, last = append(list, nil), tr.Tier
		}
		list[len(list)-1] = append(list[len(list)-1], tr.URL)
	}
	return list
}

// trackersAfter returns tiers with the trackers that come, and without those that go. It is not
// nil, which would mean the trackers of the torrent.
func (f *setFlags) trackersAfter(now [][]string) [][]string {
	list := [][]string{}
	seen := make(map[string]bool)
	for _, tier := range slices.Concat(now, tiers(f.addTrackers.items)) {
		var kept []string
		for _, url := range tier {
			if !seen[url] && !slices.Contains(f.rmTrackers.items, url) {
				kept = append(kept, url)
			}
			seen[url] = true
		}
		if len(kept) > 0 {
			list = append(list, kept)
		}
	}
	return list
}

// errNoFile says that a choice of files is empty.
var errNoFile = &failure{code: exitInput, why: errors.New("no file matches")}

// setFiles changes the priorities of the files of a torrent.
func (f *setFlags) setFiles(ctx context.Context, c *console, d *client.Client,
	t *api.Torrent) error {
	files, err := d.Files(ctx, t.ID)
	if err != nil {
		return err
	}
	changes, vain := f.prioritiesFor(files)
	for _, s := range vain {
		c.warn("%s: %s matches no file", torrentText(t), quoteSource(s))
	}
	if len(changes.Set) == 0 {
		if len(vain) > 0 {
			return errNoFile
		}
		return nil
	}
	return d.SetFiles(ctx, t.ID, changes)
}

// priorityNormal is the priority of a file that comes to be wanted.
const priorityNormal = 4

// prioritiesFor returns the changes of the priorities of files, and the values of flags that
// match no file.
func (f *setFlags) prioritiesFor(files []api.FileEntry) (changes api.FilePriorities,
	vain []string) {
	now := make(map[int]int) // priorities by index
	after := make(map[int]int)
	for i := range files {
		if e := &files[i]; e.Index != nil && e.Priority != nil {
			now[*e.Index], after[*e.Index] = *e.Priority, *e.Priority
		}
	}
	give := func(s string, which chosen, level func(index int) int) {
		some := false
		for i := range files {
			if e := &files[i]; e.Index != nil && takesEntry(&which, e) {
				after[*e.Index], some = level(*e.Index), true
			}
		}
		if !some {
			vain = append(vain, s)
		}
	}
	wanted := func(i int) int {
		if now[i] == 0 {
			return priorityNormal
		}
		return now[i]
	}
	if len(f.files.items) > 0 {
		for i := range after {
			after[i] = 0
		}
	}
	for _, s := range f.files.items {
		which, _ := parseChosen(s) // the flag has checked it
		give(s, which, wanted)
	}
	if n := len(f.files.items); n > 0 && len(vain) == n {
		return changes, vain // otherwise a slip would deselect every file
	}
	for _, s := range f.want.items {
		which, _ := parseChosen(s)
		give(s, which, wanted)
	}
	for _, s := range f.skip.items {
		which, _ := parseChosen(s)
		give(s, which, func(int) int { return 0 })
	}
	for _, s := range f.priority.items {
		which, level, _ := parsePriority(s)
		give(s, which, func(int) int { return level })
	}
	// One entry for each priority that is given.
	for level := range priorities {
		var indices []int
		for i, p := range after {
			if p == level && now[i] != p {
				indices = append(indices, i)
			}
		}
		if slices.Sort(indices); len(indices) > 0 {
			changes.Set = append(changes.Set, api.FilePriority{Files: indices, Priority: level})
		}
	}
	return changes, vain
}

// takesEntry reports whether a value of --files stands for a file of the daemon. A glob is compared
// both with the path that begins with the torrent's name and with the path below that name.
func takesEntry(c *chosen, e *api.FileEntry) bool {
	for _, r := range c.Ranges {
		if *e.Index >= r.First && *e.Index <= r.Last {
			return true
		}
	}
	if c.Glob == "" {
		return false
	}
	_, below, _ := strings.Cut(path.Clean(e.Path), "/")
	return metainfo.MatchGlob(c.Glob, e.Path) || below != "" && metainfo.MatchGlob(c.Glob, below)
}

// enqueue changes the places of torrents in the queue. They keep their order among themselves.
func (f *setFlags) enqueue(ctx context.Context, d *client.Client, chosen []api.Torrent) error {
	list := slices.Clone(chosen)
	sortTorrents(list, "queue")
	if f.queue.word == "down" {
		slices.Reverse(list)
	}
	for i := range list {
		to := f.queue.place - 1 + i
		switch f.queue.word {
		case "top":
			to = i
		case "up":
			to = max(list[i].Queue-1, i)
		case "down":
			to = list[i].Queue + 1
		case "bottom":
			to = math.MaxInt32
		}
		if err := d.Enqueue(ctx, list[i].ID, to); err != nil {
			return remoteFailure(torrentText(&list[i]), err)
		}
	}
	return nil
}
