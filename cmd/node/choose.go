package main

import (
	"errors"

	"swarmnode/metainfo"
)

// A chosen is one value of --files: a glob, or else a list of indices as "node
// ls" shows them.
type chosen = metainfo.FileChoice

func parseChosen(s string) (chosen, error) { return metainfo.ParseFileChoice(s) }

// checkFiles checks a value of --files.
func checkFiles(s string) error {
	_, err := parseChosen(s)
	return err
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
			if v, err := parseChosen(s); err != nil || !v.Mark(l, c.wanted) {
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
