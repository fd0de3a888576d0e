package metainfo

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// A FileChoice names files of a torrent, as users do: by a list of indices or by a glob.
type FileChoice struct {
	Text   string  // as the user wrote it
	Glob   string  // for MatchGlob; empty for a list of indices
	Ranges []Range // of indices, padding included
}

// ParseFileChoice reads a list of indices such as "0,2-5", or a glob. A glob that ends with a
// slash stands for everything in a folder.
func ParseFileChoice(s string) (FileChoice, error) {
	c := FileChoice{Text: s}
	if strings.Trim(s, "0123456789,-") == "" && s != "" {
		for part := range strings.SplitSeq(s, ",") {
			first, last, run := strings.Cut(part, "-")
			if !run {
				last = first
			}
			from, err := parseFileIndex(first)
			to, err2 := parseFileIndex(last)
			if err != nil || err2 != nil || from > to {
				return FileChoice{}, errors.New("not a list of files such as 0,2-5")
			}
			c.Ranges = append(c.Ranges, Range{First: from, Last: to})
		}
		return c, nil
	}
	c.Glob = s
	if strings.HasSuffix(s, "/") {
		c.Glob += "**"
	}
	return c, CheckGlob(c.Glob)
}

// parseFileIndex reads the index of a file.
func parseFileIndex(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil || n >= FilesMax {
		return 0, fmt.Errorf("%q is not the index of a file", s)
	}
	return int(n), nil
}

// Mark marks the files of l that c names in wanted, which has an item for each, and reports
// whether there is one. Padding is no file. A glob is compared both with the path that begins
// with the torrent's name and with the path below that name.
func (c *FileChoice) Mark(l *Layout, wanted []bool) bool {
	some := false
	add := func(i int) {
		if !l.Files[i].Pad {
			wanted[i], some = true, true
		}
	}
	for _, r := range c.Ranges {
		for i := r.First; i <= r.Last && i < len(l.Files); i++ {
			add(i)
		}
	}
	if c.Glob == "" {
		return some
	}
	for i := range l.Files {
		below := path.Join(l.Files[i].Path...)
		if MatchGlob(c.Glob, l.FilePath(i)) || below != "" && MatchGlob(c.Glob, below) {
			add(i)
		}
	}
	return some
}
