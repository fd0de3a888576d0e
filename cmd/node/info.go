package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"

	"swarmnode/metainfo"
)

func infoCommand() *command {
	return &command{
		name:  "info",
		args:  "SOURCE",
		short: "show what is in a .torrent file or a magnet link",
		long: `Of a magnet link, what it says itself is shown; with --fetch the metadata comes
from peers, and all that is in it is shown.`,
		examples: []example{
			{"node info some.torrent", "name, size, hashes, trackers"},
			{"node info --json some.torrent", "the same with all files, for a program"},
			{"node info 'magnet:?xt=urn:btih:…'", "what a link says"},
			{"node info ~/.local/state/swarmnode/resume/HASH-KEY.resume",
				"how far a fetch came"},
			{"node info --fetch --timeout 1m 'magnet:?xt=urn:btih:…'",
				"the torrent behind the link"},
		},
		argsMin: 1,
		argsMax: 1,
		setup: func(fs *pflag.FlagSet) action {
			var f peekFlags
			f.register(fs)
			return func(ctx context.Context, c *console, args []string) error {
				if isResume(args[0]) {
					return showResume(c, args[0])
				}
				src, err := parseSource(ctx, c, &f.flags.node.listen, f.flags.timeout,
					args[0])
				if err != nil {
					return err
				}
				if src, err = f.complete(ctx, c, src); err != nil {
					return err
				}
				d := describeMagnet(src.magnet)
				if src.torrent != nil {
					d = describe(src.torrent)
					tellTorrent(c, src.torrent, "")
				} else {
					c.event("torrent", d)
				}
				for line := range strings.Lines(d.table()) {
					c.result(strings.TrimSuffix(line, "\n"))
				}
				return nil
			}
		},
	}
}

// torrent: what a .torrent file or a magnet link holds.
type torrentEvent struct {
	Path        string          `json:"path,omitempty"` // of the .torrent file that was written
	Torrent     string          `json:"torrent"`
	Name        string          `json:"name"`
	DisplayName string          `json:"display_name,omitempty"`
	Magnet      string          `json:"magnet"`
	Kind        string          `json:"kind,omitempty"` // v1, v2, hybrid
	V1          string          `json:"v1,omitempty"`   // info-hash, hexadecimal
	V2          string          `json:"v2,omitempty"`
	InfoBytes   int             `json:"info_bytes,omitempty"`
	Bytes       int64           `json:"bytes,omitempty"`
	Pieces      int             `json:"pieces,omitempty"`
	PieceLength int             `json:"piece_length,omitempty"`
	Private     bool            `json:"private,omitempty"`
	Source      string          `json:"source,omitempty"`
	Created     string          `json:"created,omitempty"`
	Creator     string          `json:"creator,omitempty"`
	Comment     string          `json:"comment,omitempty"`
	Trackers    [][]string      `json:"trackers,omitempty"` // by tier
	WebSeeds    []string        `json:"webseeds,omitempty"`
	Nodes       []string        `json:"nodes,omitempty"`
	Peers       []string        `json:"peers,omitempty"`
	Select      []selectEvent   `json:"select,omitempty"`  // of a magnet link
	Renamed     []renamedEvent  `json:"renamed,omitempty"` // names that are not safe here
	Files       []listFileEvent `json:"files,omitempty"`

	files int // how many; of a .torrent file
}

// select: a run of the files that a magnet link asks for.
type selectEvent struct {
	First int `json:"first"`
	Last  int `json:"last"`
}

// renamed: a name in a torrent, and what it becomes on disk.
type renamedEvent struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// listFile: a file of a torrent, as ls lists it.
type listFileEvent struct {
	Index  int    `json:"index"`
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	Pieces [2]int `json:"pieces"` // first, and one behind the last

	Root       string `json:"root,omitempty"` // of the hash tree of a v2 file, hexadecimal
	Link       string `json:"link,omitempty"` // what a symbolic link stands for
	Executable bool   `json:"executable,omitempty"`
	Hidden     bool   `json:"hidden,omitempty"`
}

// tellTorrent emits the event that describes t; path is where it was written to, or
// empty.
func tellTorrent(c *console, t *metainfo.Torrent, path string) {
	if !c.json {
		return
	}
	d := describe(t)
	d.Path, d.Files = path, listFiles(t.Info().Layout())
	c.event("torrent", d)
}

// describe returns what is in t, without the list of its files.
func describe(t *metainfo.Torrent) torrentEvent {
	info := t.Info()
	l := info.Layout()
	d := torrentEvent{
		Torrent: info.Hash().String(), Name: info.Name(), DisplayName: t.DisplayName,
		Magnet: t.Magnet().String(),
		Kind:   info.Kind().String(), InfoBytes: len(info.Raw()), Bytes: l.Size(),
		Pieces: l.Pieces(), PieceLength: l.PieceLength,
		Private: info.Private(), Source: info.Source(), Creator: t.Creator, Comment: t.Comment,
		Trackers: t.Trackers, WebSeeds: t.WebSeeds, Nodes: t.Nodes, files: countFiles(l),
	}
	for _, r := range info.Renamed(metainfo.NamesNative) {
		d.Renamed = append(d.Renamed, renamedEvent{r.From, r.To})
	}
	if h, ok := info.HashV1(); ok {
		d.V1 = h.String()
	}
	if h, ok := info.HashV2(); ok {
		d.V2 = h.String()
	}
	if !t.Created.IsZero() {
		d.Created = t.Created.UTC().Format("2006-01-02T15:04:05Z")
	}
	return d
}

// describeMagnet returns what m says.
func describeMagnet(m metainfo.Magnet) torrentEvent {
	d := torrentEvent{
		Torrent: m.Hash().String(), Name: metainfo.DisplayName(m.Name), Magnet: m.String(),
		WebSeeds: m.WebSeeds, Peers: m.Peers,
	}
	for _, url := range m.Trackers {
		d.Trackers = append(d.Trackers, []string{url})
	}
	for _, r := range m.Select {
		d.Select = append(d.Select, selectEvent{r.First, r.Last})
	}
	if m.HasV1 {
		d.V1 = m.V1.String()
	}
	if m.HasV2 {
		d.V2 = hex.EncodeToString(m.V2[:])
	}
	return d
}

// countFiles counts the files of l without padding.
func countFiles(l *metainfo.Layout) int {
	n := 0
	for i := range l.Files {
		if !l.Files[i].Pad {
			n++
		}
	}
	return n
}

// listFiles lists the files of l without padding.
func listFiles(l *metainfo.Layout) []listFileEvent {
	files := make([]listFileEvent, 0, countFiles(l))
	for i := range l.Files {
		if f := &l.Files[i]; !f.Pad {
			first, end := l.FilePieces(i)
			e := listFileEvent{
				Index: i, Path: l.FilePath(i), Bytes: f.Length, Pieces: [2]int{first, end},
				Executable: f.Executable, Hidden: f.Hidden,
			}
			if f.Root != (metainfo.Hash256{}) {
				e.Root = f.Root.String()
			}
			if f.Link != nil {
				e.Link = l.Name + "/" + strings.Join(f.Link, "/")
			}
			files = append(files, e)
		}
	}
	return files
}

// table writes d for people, one line a field.
func (d *torrentEvent) table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s:\t%s\n", name, escape(value))
		}
	}
	row("Name", d.Name)
	row("Display name", d.DisplayName)
	row("Info-hash v1", d.V1)
	row("Info-hash v2", d.V2)
	if d.Pieces > 0 {
		row("Kind", d.Kind)
		row("Size", fmt.Sprintf("%s (%d bytes)", formatBytes(d.Bytes), d.Bytes))
		row("Pieces", fmt.Sprintf("%d of %s", d.Pieces, formatBytes(int64(d.PieceLength))))
		row("Files", fmt.Sprint(d.files))
	}
	if d.Private {
		row("Private", "yes")
	}
	row("Source", d.Source)
	row("Created", d.Created)
	row("Created by", d.Creator)
	row("Comment", d.Comment)
	for i, tier := range d.Trackers {
		row(fmt.Sprintf("Tracker %d", i+1), strings.Join(tier, " "))
	}
	for _, s := range d.WebSeeds {
		row("Web seed", s)
	}
	for _, s := range d.Nodes {
		row("DHT node", s)
	}
	for _, s := range d.Peers {
		row("Peer", s)
	}
	for _, r := range d.Select {
		row("Chosen files", fmt.Sprintf("%d to %d", r.First, r.Last))
	}
	for _, r := range d.Renamed[:min(len(d.Renamed), renamedMax)] {
		row("Name changed", fmt.Sprintf("%q to %q", r.From, r.To))
	}
	if n := len(d.Renamed) - renamedMax; n > 0 {
		row("Names changed", fmt.Sprintf("%d more, see --json", n))
	}
	row("Magnet", d.Magnet)
	w.Flush()
	return b.String()
}
