package daemon

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"swarmnode/metainfo"
	"swarmnode/swarm"
	"swarmnode/swarm/storage"
)

// Rename gives a file or folder of the content another name. path is that of the file or folder
// below Options.Dir, with slashes, by the names that the user has given or else by those of the
// torrent; "" is the top. The swarm never hears of it. The error is an *OptionError, ErrNoInfo,
// or that of swarm.Torrent.Rename.
func (t *Torrent) Rename(ctx context.Context, path, name string) error {
	defer t.need()()
	run, err := t.openRecorded(ctx)
	if err != nil {
		return err
	}
	t.daemon.hands.push(t, atOnce)
	info := run.Info()
	if info == nil {
		return ErrNoInfo
	}
	file, depth, err := t.placeOf(run, info.Layout(), strings.Trim(path, "/"))
	if err != nil {
		return err
	}
	if file == -1 {
		err = t.renameTop(run, name)
	} else {
		err = t.renameBelow(run, file, depth, name)
	}
	if err != nil {
		return err
	}
	t.changed(swarm.ChangedFiles | swarm.ChangedSettings | swarm.ChangedState)
	return nil
}

// renameTop gives the file or folder at the top another name, and records that before and after:
// if the process dies in between, the next one sees which name it has.
func (t *Torrent) renameTop(run *swarm.Torrent, name string) error {
	t.mu.Lock()
	t.drive.renames++
	t.rec.Naming = name
	t.edited(0)
	t.mu.Unlock()
	_ = t.daemon.saver.saveNow(t) // the user was told
	err := run.Rename(-1, name)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drive.renames--
	t.rec.Naming = ""
	if err == nil {
		t.rec.Shown.Name = name
	}
	t.edited(0)
	return err
}

// renameBelow gives a file another name, or the folder that holds it and is depth levels below the
// top. The engine alone knows the name.
func (t *Torrent) renameBelow(run *swarm.Torrent, file, depth int, name string) error {
	t.mu.Lock()
	if !t.rec.Renamed {
		t.rec.Renamed = true
		t.edited(0)
	}
	t.mu.Unlock()
	_ = t.daemon.saver.saveNow(t) // the user was told
	if depth > 0 {
		return run.RenameFolder(file, depth, name)
	}
	return run.Rename(file, name)
}

// learnName takes over the name that the last process was giving to the top when it died, if the
// content of an open torrent has that name.
func (t *Torrent) learnName(run *swarm.Torrent, dir string) {
	t.mu.Lock()
	name := t.rec.Naming
	pending := name != "" && t.drive.renames == 0
	t.mu.Unlock()
	if !pending || dir == "" {
		return
	}
	has := false
	for _, f := range run.Files() {
		rel, err := filepath.Rel(dir, f.Path)
		if f.Pad || err != nil {
			continue
		}
		top, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
		has = top == name ||
			strings.HasPrefix(top, name+".") && strings.HasSuffix(top, storage.PartSuffix)
		break
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rec.Naming != name || t.drive.renames > 0 {
		return
	}
	t.rec.Naming = ""
	if has {
		t.rec.Shown.Name = name
	}
	t.edited(0)
}

// placeOf returns the file with that path, -1 for the top; or a file in the folder with that
// path, and how many levels the folder is below the top.
func (t *Torrent) placeOf(run *swarm.Torrent, l *metainfo.Layout, path string) (file, depth int,
	err error) {
	now := t.State()
	if path == "" || path == now.Name || path == l.Name {
		return -1, 0, nil
	}
	states := run.Files()
	shown := func(i int) string { return ShownPath(&now, l, i, states[i].Path) }
	for _, pathOf := range []func(i int) string{shown, l.FilePath} {
		for i := range min(len(l.Files), len(states)) {
			if l.Files[i].Pad {
				continue
			}
			switch is := pathOf(i); {
			case is == path:
				return i, 0, nil
			case strings.HasPrefix(is, path+"/"):
				return i, strings.Count(path, "/"), nil
			}
		}
	}
	return 0, 0, &OptionError{"path", fmt.Errorf("%q is no file or folder of the torrent", path)}
}

// ShownPath returns the path of file i for users, below the folder of the torrent and with
// slashes, by the names that the user has given: that of the top as s has it, since unfinished
// content has another one on disk, and those below it as they are on disk. disk is the path of the
// file there, or "" if it is not known.
func ShownPath(s *State, l *metainfo.Layout, i int, disk string) string {
	if !l.Multi {
		return s.Name
	}
	if rest, ok := plainRest(s.Dir, disk); ok {
		return s.Name + rest
	}
	below := strings.Join(l.Files[i].Path, "/")
	if disk == "" {
		return s.Name + "/" + below
	}
	rel, err := filepath.Rel(s.Dir, disk)
	if _, rest, ok := strings.Cut(filepath.ToSlash(rel), "/"); err == nil && ok &&
		filepath.IsLocal(rel) {
		below = rest
	}
	return s.Name + "/" + below
}

// plainRest returns what follows the first element of disk below dir, with its slash, if it takes
// no more than looking at the two, as is the rule; the paths of large torrents are many.
func plainRest(dir, disk string) (string, bool) {
	rel, ok := strings.CutPrefix(disk, dir)
	if !ok || filepath.Separator != '/' || strings.HasSuffix(dir, "/") || len(rel) < 2 ||
		rel[0] != '/' || strings.Contains(rel, "//") || strings.Contains(rel, "/.") ||
		rel[len(rel)-1] == '/' {
		return "", false
	}
	end := strings.IndexByte(rel[1:], '/')
	if end < 0 {
		return "", false
	}
	return rel[1+end:], true
}
