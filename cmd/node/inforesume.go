package main

import (
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"swarmnode/swarm"
)

// resume: the record of a torrent in a resume file.
type resumeEvent struct {
	Path    string `json:"path"`    // of the resume file
	Torrent string `json:"torrent"` // info-hash
	// where it lies, without the suffix of unfinished content
	Content  string            `json:"content"`
	Recorded string            `json:"recorded"`
	Closed   bool              `json:"closed"` // nothing was written after it was recorded
	Pieces   int               `json:"pieces"`
	Have     int               `json:"have"`      // pieces on disk
	Missing  []string          `json:"missing"`   // runs of pieces that are not, as in "3-7"
	Files    []resumeFileEvent `json:"files"`     // in the order of the torrent
	SideHead int               `json:"side_head"` // files whose first piece is in the partfile
	SideTail int               `json:"side_tail"`
}

// resumeFile: the recorded state of a file.
type resumeFileEvent struct {
	Index   int    `json:"index"`
	Exists  bool   `json:"exists"`
	Bytes   int64  `json:"bytes"`
	Changed string `json:"changed,omitempty"` // time of the last change
}

// missingRunsMax bounds the runs of missing pieces that are shown: a torrent of
// two million pieces can have a million.
const missingRunsMax = 1000

// isResume reports whether an argument names a resume file.
func isResume(arg string) bool {
	return swarm.IsRecord(arg) && !strings.HasPrefix(strings.ToLower(arg),
		"magnet:") &&
		!strings.Contains(arg, "://")
}

// showResume prints what a resume file says.
func showResume(c *console, path string) error {
	doc, err := readInput(path, swarm.RecordBytesMax)
	if err != nil {
		return err
	}
	r, err := swarm.ParseRecord(doc)
	if err != nil {
		return fail(exitInput, path, err)
	}
	d := describeResume(path, r)
	if st, err := os.Stat(path); err == nil {
		d.Recorded = formatUTC(st.ModTime())
	}
	c.event("resume", d)
	for line := range strings.Lines(d.table()) {
		c.result(strings.TrimSuffix(line, "\n"))
	}
	return nil
}

func formatUTC(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// describeResume returns what r says.
func describeResume(path string, r *swarm.Record) resumeEvent {
	d := resumeEvent{
		Path: path, Torrent: r.Hash.String(), Content: r.Path, Closed: r.Closed,
		Pieces: r.Pieces, Have: r.Have, Missing: []string{}, Files: []resumeFileEvent{},
		SideHead: r.SideHead, SideTail: r.SideTail,
	}
	for first, last := range r.Missing() {
		if len(d.Missing) == missingRunsMax {
			break
		}
		run := fmt.Sprint(first)
		if last > first {
			run += fmt.Sprintf("-%d", last)
		}
		d.Missing = append(d.Missing, run)
	}
	for i, f := range r.Files {
		file := resumeFileEvent{Index: i, Exists: f.Exists, Bytes: f.Size}
		if f.Exists {
			file.Changed = formatUTC(f.Changed)
		}
		d.Files = append(d.Files, file)
	}
	return d
}

// table writes d for people, one line a field.
func (d *resumeEvent) table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name, value string) { fmt.Fprintf(w, "%s:\t%s\n", name, escape(value)) }
	row("Info-hash", d.Torrent)
	row("Content", d.Content)
	row("Pieces", fmt.Sprintf("%d of %d on disk", d.Have, d.Pieces))
	if n := len(d.Missing); n > 0 {
		shown := strings.Join(d.Missing[:min(n, missingShown)], " ")
		if n > missingShown {
			shown += " …"
		}
		row("Missing", shown)
	}
	there := 0
	for _, f := range d.Files {
		if f.Exists {
			there++
		}
	}
	row("Files", fmt.Sprintf("%d of %d exist", there, len(d.Files)))
	if d.SideHead+d.SideTail > 0 {
		row("Side file", fmt.Sprintf("%s of files that were not wanted",
			plural(d.SideHead+d.SideTail, "part")))
	}
	row("Recorded", d.Recorded)
	state := "yes: nothing needs to be checked"
	if !d.Closed {
		state = "no: what was written since has to be checked"
	}
	row("Closed", state)
	w.Flush()
	return b.String()
}

// missingShown is how many runs of missing pieces the table has room for.
const missingShown = 12
