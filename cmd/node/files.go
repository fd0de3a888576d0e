package main

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"swarmnode/daemon/api"
)

func filesCommand() *command {
	return viewCommand(command{
		name:  "files",
		short: "show the files of torrents of the daemon as a tree",
		long: `The number in front of a file is its index, which node set --files takes. A priority
is none (the file is not wanted), lowest, lower, low, normal, high, higher or highest.`,
		examples: []example{
			{"node files 3", "the files of one torrent, and what of them is there"},
			{"node files --flat 3", "their paths, in the order of the torrent"},
		},
	}, showFiles, func(fs *pflag.FlagSet, v *view) {
		fs.BoolVar(&v.flat, "flat", false, "whole paths in place of a tree")
	})
}

// entry: a file of a torrent of the daemon.
type entryEvent struct {
	Torrent string `json:"torrent"`
	api.FileEntry
}

func showFiles(v *view) error {
	files, err := v.d.Files(v.ctx, v.t.ID)
	if err != nil {
		return err
	}
	v.c.together(func() {
		for _, f := range files {
			v.c.event("entry", entryEvent{v.t.Hash, f})
		}
	})
	if !v.c.json {
		v.begin()
		v.c.table(fileTable(files, v.flat))
	}
	return nil
}

// priorities are the words for priorities of files.
var priorities = []string{"none", "lowest", "lower", "low", "normal", "high", "higher", "highest"}

// priorityText returns the word for a priority.
func priorityText(p int) string {
	if p < 0 || p >= len(priorities) {
		return strconv.Itoa(p)
	}
	return priorities[p]
}

// fileTable returns a table of files, as a tree or flat.
func fileTable(files []api.FileEntry, flat bool) *table {
	t := &table{columns: []column{{head: "Index", right: true}, {head: "Done", right: true},
		{head: "Size", right: true}, {head: "Priority"}, {head: "Name", soft: true}}}
	row := func(f *api.FileEntry, name string) {
		index, priority := "", ""
		if f.Index != nil {
			index = strconv.Itoa(*f.Index)
		}
		if f.Priority != nil {
			priority = priorityText(*f.Priority)
		}
		done := formatPercent(f.Have, f.Size)
		if f.Size == 0 {
			done = "100%"
		}
		t.add(index, done, formatBytes(f.Size), priority, name)
	}
	if flat {
		for i := range files {
			row(&files[i], files[i].Path)
		}
		return t
	}
	for _, e := range tree(files) {
		name := e.Name
		if e.Index == nil {
			name += "/"
		}
		row(&e, strings.Repeat("  ", strings.Count(e.Path, "/"))+name)
	}
	return t
}

// tree returns files and the folders that they are in, each folder before what it contains.
func tree(files []api.FileEntry) []api.FileEntry {
	folders := make(map[string]*api.FileEntry)
	for i := range files {
		f := &files[i]
		for dir := path.Dir(f.Path); dir != "." && dir != "/"; dir = path.Dir(dir) {
			e := folders[dir]
			if e == nil {
				e = &api.FileEntry{Name: path.Base(dir), Path: dir, Priority: f.Priority}
				folders[dir] = e
			}
			e.Files++
			e.Size, e.Have, e.Wanted = e.Size+f.Size, e.Have+f.Have, e.Wanted+f.Wanted
			if e.Priority != nil && f.Priority != nil && *e.Priority != *f.Priority {
				e.Priority = nil
			}
		}
	}
	all := slices.Clone(files)
	for _, e := range folders {
		all = append(all, *e)
	}
	slices.SortFunc(all, func(a, b api.FileEntry) int {
		return slices.Compare(strings.Split(a.Path, "/"), strings.Split(b.Path, "/"))
	})
	return all
}
