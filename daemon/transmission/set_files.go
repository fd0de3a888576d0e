package transmission

import (
	"strconv"
	"strings"

	"swarmnode/daemon"
	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// The priorities of files as Transmission counts, in ours.
const (
	filesLow  = swarm.Priority(2)
	filesHigh = swarm.Priority(6)
)

// A fileEdit chooses some files, or gives them a priority.
type fileEdit struct {
	files    []int // all of them if it is empty
	wanted   bool  // files are wanted,
	unwanted bool  // or not,
	priority int   // or have this priority: -1, 0 or 1
}

type fileEdits []fileEdit

// fileEdits reads the parameters that are lists of files.
func (c *call) fileEdits() (edits fileEdits, err error) {
	for _, p := range []struct {
		names names
		edit  fileEdit
	}{
		{names{"files-unwanted", "files_unwanted"}, fileEdit{unwanted: true}},
		{names{"files-wanted", "files_wanted"}, fileEdit{wanted: true}},
		{names{"priority-high", "priority_high"}, fileEdit{priority: 1}},
		{names{"priority-low", "priority_low"}, fileEdit{priority: -1}},
		{names{"priority-normal", "priority_normal"}, fileEdit{}},
	} {
		list := c.params.get(p.names[:]...)
		if list.kind() != '[' {
			continue
		}
		for element := range list.elements() {
			n, ok := element.integer()
			if !ok || n < 0 || n >= metainfo.FilesMax || len(p.edit.files) == metainfo.FilesMax {
				return nil, &fault{code: codeFileRange}
			}
			p.edit.files = append(p.edit.files, int(n))
		}
		edits = append(edits, p.edit)
	}
	return edits, nil
}

// A fileChoice says of each file whether it is wanted, and its priority. Ours are one number,
// so the priorities of files that are not wanted are kept in a note.
type fileChoice struct {
	wanted   []bool
	priority []int8
}

// rankNote is the name of that note: FILE:PRIORITY, separated by commas.
const rankNote = "unwanted_priorities"

// rankNoteBytesMax bounds the note. Priorities that do not fit are forgotten.
const rankNoteBytesMax = 16 << 10

// newFileChoice returns the choice that is in force for n files.
func newFileChoice(n int, files []swarm.Priority, note string) fileChoice {
	c := fileChoice{make([]bool, n), make([]int8, n)}
	for i := range n {
		p := swarm.Normal
		if i < len(files) {
			p = files[i]
		}
		c.wanted[i], c.priority[i] = p != swarm.Unwanted, int8(priorityOf(p))
	}
	for i, priority := range ranksIn(note) {
		if i < n && !c.wanted[i] {
			c.priority[i] = priority
		}
	}
	return c
}

// ranksIn returns the priorities in a note by their files.
func ranksIn(note string) map[int]int8 {
	if note == "" {
		return nil
	}
	ranks := make(map[int]int8)
	for entry := range strings.SplitSeq(note, ",") {
		file, priority, _ := strings.Cut(entry, ":")
		i, err := strconv.Atoi(file)
		p, err2 := strconv.ParseInt(priority, 10, 8)
		if err == nil && err2 == nil && i >= 0 && p >= -1 && p <= 1 {
			ranks[i] = int8(p)
		}
	}
	return ranks
}

// apply changes the choice. The fault is that of a file that the torrent does not have.
func (c *fileChoice) apply(edits fileEdits) error {
	for _, e := range edits {
		files := e.files
		if len(files) == 0 {
			for i := range c.wanted {
				c.change(i, e)
			}
		}
		for _, i := range files {
			if i >= len(c.wanted) {
				return &fault{code: codeFileRange}
			}
			c.change(i, e)
		}
	}
	return nil
}

func (c *fileChoice) change(i int, e fileEdit) {
	switch {
	case e.wanted:
		c.wanted[i] = true
	case e.unwanted:
		c.wanted[i] = false
	default:
		c.priority[i] = int8(e.priority)
	}
}

// result returns the priorities as ours, and the note.
func (c *fileChoice) result() (files []swarm.Priority, note string) {
	files = make([]swarm.Priority, len(c.wanted))
	var b strings.Builder
	for i, wanted := range c.wanted {
		switch {
		case !wanted && c.priority[i] != 0 && b.Len() < rankNoteBytesMax:
			if b.Len() > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strconv.Itoa(i) + ":" + strconv.Itoa(int(c.priority[i])))
		case !wanted:
		case c.priority[i] < 0:
			files[i] = filesLow
		case c.priority[i] > 0:
			files[i] = filesHigh
		default:
			files[i] = swarm.Normal
		}
	}
	return files, b.String()
}

// chooseFiles returns the change of the options of a torrent that edits of its files make. The
// error is that of a file that it does not have: none is known before the metadata is.
func (c *call) chooseFiles(t *daemon.Torrent, edits fileEdits) (func(o *daemon.Options), error) {
	states, err := t.Files(c.ctx)
	if err != nil {
		return nil, err
	}
	if len(states) == 0 {
		return nil, &fault{code: codeFileRange, text: daemon.ErrNoInfo.Error()}
	}
	now := make([]swarm.Priority, len(states))
	for i := range states {
		now[i] = states[i].Priority
	}
	choice := newFileChoice(len(states), now, t.Options().Notes[notePrefix+rankNote])
	if err := choice.apply(edits); err != nil {
		return nil, err
	}
	files, note := choice.result()
	return func(o *daemon.Options) {
		o.Files = files
		setNote(&o.Notes, rankNote, note)
	}, nil
}
