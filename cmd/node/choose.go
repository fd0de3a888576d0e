package main

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"swarmnode/metainfo"
)

// A chosen is one value of --files: a glob, or else a list of indices as "node
// ls" shows them.
type chosen struct {
	text   string
	glob   string
	ranges []metainfo.Range
}

// parseChosen reads a list of indices such as "0,2-5", or a glob. A glob that ends with a
// slash stands for everything in a folder.
func parseChosen(s string) (chosen, error) {
	c := chosen{text: s}
	if strings.Trim(s, "0123456789,-") == "" && s != "" {
		for part := range strings.SplitSeq(s, ",") {
			first, last, run := strings.Cut(part, "-")
			if !run {
				last = first
			}
			from, err := parseIndex(first)
			to, err2 := parseIndex(last)
			if err != nil || err2 != nil || from > to {
				return chosen{}, errors.New("not a list of files such as 0,2-5")
			}
			c.ranges = append(c.ranges, metainfo.Range{First: from, Last: to})
		}
		return c, nil
	}
	c.glob = s
	if strings.HasSuffix(s, "/") {
		c.glob += "**"
	}
	return c, metainfo.CheckGlob(c.glob)
}

// parseIndex reads the index of a file.
func parseIndex(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil || n >= metainfo.FilesMax {
		return 0, fmt.Errorf("%q is not the index of a file", s)
	}
	return int(n), nil
}

// checkFiles checks a value of --files.
func checkFiles(s string) error {
	_, err := parseChosen(s)
	return err
}

// mark marks the files of l that c stands for in wanted, and reports whether there is
// one. A glob is compared both with the path that begins with the torrent's name and with
// the path below that name.
func (c *chosen) mark(l *metainfo.Layout, wanted []bool) bool {
	some := false
	add := func(i int) {
		if !l.Files[i].Pad {
			wanted[i], some = true, true
		}
	}
	for _, r := range c.ranges {
		for i := r.First; i <= r.Last && i < len(l.Files); i++ {
			add(i)
		}
	}
	if c.glob == "" {
		return some
	}
	for i := range l.Files {
		below := path.Join(l.Files[i].Path...)
		if metainfo.MatchGlob(c.glob, l.FilePath(i)) ||
			below != "" && metainfo.MatchGlob(c.glob, below) {
			add(i)
		}
	}
	return some
}

// A choice says which files of a torrent are wanted.
type choice struct {
	wanted []bool   // by index; nil for all
	vain   []string // values of --files that no file matches
	files  int      // wanted
	all    int      // in the torrent, without padding
	bytes  int64    // of the wanted files
}

// choose applies --files to a torrent, or else the choice that a magnet link makes (BEP
// 53).
func choose(l *metainfo.Layout, files []string, m metainfo.Magnet) choice {
	var c choice
	switch {
	case len(files) > 0:
		c.wanted = make([]bool, len(l.Files))
		for _, s := range files {
			if v, err := parseChosen(s); err != nil || !v.mark(l, c.wanted) {
				c.vain = append(c.vain, s)
			}
		}
	case len(m.Select) > 0:
		c.wanted = make([]bool, len(l.Files))
		for i := range m.Selected(len(l.Files)) {
			c.wanted[i] = !l.Files[i].Pad
		}
	}
	for i := range l.Files {
		if l.Files[i].Pad {
			continue
		}
		c.all++
		if c.has(i) {
			c.files++
			c.bytes += l.Files[i].Length
		}
	}
	return c
}

// has reports whether file i is wanted.
func (c *choice) has(i int) bool { return c.wanted == nil || c.wanted[i] }

// part reports whether some file is not wanted.
func (c *choice) part() bool { return c.files < c.all }

// errNoneChosen is why a torrent without a wanted file cannot be added.
var errNoneChosen = errors.New("none of its files is chosen")

// noneChosen returns the failure with that reason.
func noneChosen(name string) error {
	return failWithHint(exitInput, name, errNoneChosen, program+" ls, which lists them")
}
