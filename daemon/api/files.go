package api

import (
	"cmp"
	"slices"
	"strings"

	"swarmnode/daemon"
	"swarmnode/swarm"
)

// A file is one of a torrent, padding left out.
type file struct {
	index int    // among all files, padding included
	path  string // from the top, with slashes
	swarm.FileState
}

// filesOf returns the files of a torrent, in its order, and how many there are with padding.
func (c *call) filesOf(t *daemon.Torrent) (files []file, count int, err error) {
	ctx := c.r.Context()
	states, err := t.Files(ctx)
	if err != nil {
		return nil, 0, err
	}
	layout, err := t.Layout(ctx)
	if err != nil {
		return nil, 0, err
	}
	now := t.State()
	files = make([]file, 0, len(states))
	for i, state := range states {
		if !state.Pad && i < len(layout.Files) {
			files = append(files, file{i, daemon.ShownPath(&now, layout, i, state.Path),
				state})
		}
	}
	return files, len(states), nil
}

// byPath sorts files by their paths.
func byPath(files []file) []file {
	slices.SortStableFunc(files, func(a, b file) int { return comparePaths(a.path, b.path) })
	return files
}

// inside returns the files that are path, or lie below it, in their order, in the place of files.
// For a single path it is cheaper than below.
func inside(files []file, path string) []file {
	if path == "" {
		return files
	}
	list := files[:0]
	for i := range files {
		rest, ok := strings.CutPrefix(files[i].path, path)
		if ok && (rest == "" || rest[0] == '/') {
			list = append(list, files[i])
		}
	}
	return list
}

// comparePaths orders paths so that everything in a folder is together: a slash comes before
// every other byte.
func comparePaths(a, b string) int {
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		switch {
		case x == y:
		case x == '/':
			return -1
		case y == '/':
			return 1
		default:
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}

// below returns the files that are path, or lie below it. The empty path is the top. files are
// sorted by their paths.
func below(files []file, path string) []file {
	path = strings.Trim(path, "/")
	if path == "" {
		return files
	}
	first, _ := slices.BinarySearchFunc(files, path, func(f file, path string) int {
		return comparePaths(f.path, path)
	})
	end := first
	for end < len(files) && (files[end].path == path ||
		strings.HasPrefix(files[end].path, path+"/")) {
		end++
	}
	return files[first:end]
}

// files shows a folder of a torrent, or all files.
func (c *call) files() error {
	t, err := c.torrent()
	if err != nil {
		return err
	}
	flat, err := c.yes("flat")
	if err != nil {
		return err
	}
	all, _, err := c.filesOf(t)
	if err != nil {
		return err
	}
	path := strings.Trim(c.query("path"), "/")
	list := inside(all, path)
	if path != "" && len(list) == 0 {
		return problemf(404, "there is no file or folder %q", path)
	}
	tree := FileTree{Path: path, Entries: []FileEntry{}}
	if flat {
		for i := range list {
			tree.Entries = append(tree.Entries, list[i].entry())
		}
	} else {
		tree.Entries = folder(list, path)
	}
	tree.Total = len(tree.Entries)
	offset, err := c.number("offset", 0, 1<<31-1)
	if err != nil {
		return err
	}
	limit, err := c.number("limit", filesPage, filesPage)
	if err != nil {
		return err
	}
	tree.Entries = tree.Entries[min(offset, len(tree.Entries)):]
	tree.Entries = tree.Entries[:min(limit, len(tree.Entries))]
	return c.ok(tree)
}

// filesPage is the most entries of a folder in one answer.
const filesPage = 10_000

// entry returns the entry of a file.
func (f *file) entry() FileEntry {
	index, priority := f.index, int(f.Priority)
	e := FileEntry{Name: f.path[strings.LastIndexByte(f.path, '/')+1:], Path: f.path,
		Index: &index, Size: f.Size, Have: f.Have, Priority: &priority}
	if f.Priority != swarm.Unwanted {
		e.Wanted = f.Size
	}
	return e
}

// folder returns the entries of a folder: its subfolders first, then its files. files are all
// that lie below it.
func folder(files []file, path string) []FileEntry {
	var folders, entries []FileEntry
	places := make(map[string]int) // in folders, by the name
	last, at := "", -1             // the folder of the file before, which is often the same one
	for i := range files {
		f := &files[i]
		rest := f.path
		if path != "" {
			if rest = strings.TrimPrefix(f.path[len(path):], "/"); rest == "" {
				entries = append(entries, f.entry()) // path is the file
				continue
			}
		}
		name, _, deeper := strings.Cut(rest, "/")
		if !deeper {
			entries = append(entries, f.entry())
			continue
		}
		if at < 0 || name != last {
			var ok bool
			if at, ok = places[name]; !ok {
				at = len(folders)
				places[name] = at
			}
			last = name
		}
		if at == len(folders) {
			priority := int(f.Priority)
			folders = append(folders, FileEntry{Name: name,
				Path: strings.TrimPrefix(path+"/"+name, "/"), Priority: &priority})
		}
		folders[at].count(f)
	}
	return append(byName(folders), byName(entries)...)
}

// byName sorts entries by their names, in any case.
func byName(entries []FileEntry) []FileEntry {
	type keyed struct {
		key   string
		entry FileEntry
	}
	list := make([]keyed, len(entries))
	for i := range entries {
		list[i] = keyed{strings.ToLower(entries[i].Name), entries[i]}
	}
	slices.SortStableFunc(list, func(a, b keyed) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.entry.Name, b.entry.Name))
	})
	for i := range list {
		entries[i] = list[i].entry
	}
	return entries
}

// count adds a file to its folder.
func (e *FileEntry) count(f *file) {
	e.Files++
	e.Size += f.Size
	e.Have += f.Have
	if f.Priority != swarm.Unwanted {
		e.Wanted += f.Size
	}
	if e.Priority != nil && *e.Priority != int(f.Priority) {
		e.Priority = nil
	}
}

// setFiles changes priorities.
func (c *call) setFiles() error {
	t, err := c.torrent()
	if err != nil {
		return err
	}
	var body FilePriorities
	if err := c.body(&body, false); err != nil {
		return err
	}
	all, count, err := c.filesOf(t)
	if err != nil {
		return err
	}
	all = byPath(all)
	changes := make(map[int]swarm.Priority)
	for _, set := range body.Set {
		if set.Priority < 0 || set.Priority > int(swarm.Highest) {
			return wrong("priority", "a priority is from 0 to %d", swarm.Highest)
		}
		if (set.Files == nil) == (set.Path == nil) {
			return wrong("files", "want either files or a path")
		}
		for _, i := range set.Files {
			if i < 0 || i >= count {
				return wrong("files", "there is no file %d", i)
			}
			changes[i] = swarm.Priority(set.Priority)
		}
		if set.Path == nil {
			continue
		}
		list := below(all, *set.Path)
		if len(list) == 0 {
			return wrong("path", "there is no file or folder %q", *set.Path)
		}
		for i := range list {
			changes[list[i].index] = swarm.Priority(set.Priority)
		}
	}
	err = t.Set(c.r.Context(), func(o *daemon.Options) {
		files := make([]swarm.Priority, count)
		for i := range files {
			files[i] = swarm.Normal
			if i < len(o.Files) {
				files[i] = o.Files[i]
			}
		}
		for i, p := range changes {
			files[i] = p
		}
		o.Files = files
	})
	if err != nil {
		return err
	}
	return c.done()
}
