package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
)

// foreignEntriesMax bounds the names that are looked at to see whether a folder with
// the name of unfinished content is another torrent's or program's. A folder with more
// is assumed to be.
const foreignEntriesMax = 10_000

// errForeign warns of something that has the name of unfinished content.
var errForeign = errors.New("holds no sound piece of this torrent, and is left alone")

// mayBeForeign reports whether data under a name of this content, none of which is
// right, may be something else: neither a record nor its name says that an earlier run
// wrote it. recorded says that there is a record.
func (p *place) mayBeForeign(recorded bool) bool {
	p.names.mu.Lock()
	defer p.names.mu.Unlock()
	top, names := p.names.top, &p.names.all
	known := recorded && !(p.replaced && top == names[partName])
	return p.cfg.Part && !p.readOnly && p.looking && !known && top != names[ownName]
}

// foreign reports whether the data that lies there is something else, given that none
// of it is right. Zeros are not: other programs fill files with them before they fetch.
func (p *place) foreign(ctx context.Context, recorded bool) bool {
	return p.mayBeForeign(recorded) && (!p.files.onlyZeros(ctx) ||
		p.names.hasName(partName) && p.layout.Multi && p.holdsOthers())
}

// passForeign returns errAgain in place of err, which says that something lies in the
// way, if that was mistaken for unfinished content of an earlier run: then the content
// goes under another name.
func (p *place) passForeign(err error, recorded bool) error {
	if p.mayBeForeign(recorded) && p.names.hasName(partName) && IsInTheWay(err) &&
		p.leaveForeign() == nil {
		return errAgain
	}
	return err
}

// leaveForeign leaves foreign data where it is. Unfinished content goes under another
// name, and so does a torrent that shares its folder with others. There is only one
// final name, so otherwise the error is an *Error with ErrExists.
func (p *place) leaveForeign() error {
	if p.names.hasName(finalName) && p.sharesFolder() && p.takeOwnName() {
		return nil
	}
	if !p.names.hasName(partName) || p.names.all[partName] == p.names.all[finalName] {
		return &Error{"open", p.names.path(), ErrExists}
	}
	lock, err := p.names.disk.lock(p.names.topName(), lockLook)
	switch {
	case err == nil:
		lock.Close()
	case errors.Is(err, fs.ErrNotExist): // another Store has just finished it
		return p.claim()
	case errors.Is(err, ErrInUse) && !p.isOthersFolder():
		return err
	}
	if !p.takeOwnName() {
		return &Error{"open", p.names.path(), ErrExists}
	}
	if !errors.Is(err, ErrInUse) { // the folder of another torrent is no reason to warn
		p.warnForeign()
	}
	return nil
}

// sharesFolder reports whether the folder with the final name may belong to other
// torrents that have files in common with this one: it has other files, lacks some of
// this torrent, and those that it has are of the right length. Whether those are the
// same shows only when the content is complete, since pieces span files.
func (p *place) sharesFolder() bool {
	if !p.layout.Multi || !p.holdsOthers() {
		return false
	}
	lacks := false
	for i := range p.layout.Files {
		if !hasPlace(p.layout, i) {
			continue
		}
		st, err := p.names.disk.stat(p.names.nameIn(p.names.all[finalName], i))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			lacks = true
		case err != nil || kindError(st.mode, false) != nil || st.size != p.layout.Files[i].Length:
			return false
		}
	}
	return lacks
}

// warnForeign warns that the content goes under another name than usual.
func (p *place) warnForeign() {
	p.cfg.warn(&Error{"open", p.names.disk.path(p.names.all[partName]),
		fmt.Errorf("%w: fetching into %q", errForeign, p.names.all[ownName])})
}

// holdsOthers reports whether the folder at the top has files that do not belong to
// this torrent.
func (p *place) holdsOthers() bool { return p.holdsOthersIn(p.names.topName()) }

// holdsOthersIn is holdsOthers for the top or a folder below it.
func (p *place) holdsOthersIn(folder string) bool {
	top := p.names.topName()
	ours := make(map[string]bool)
	for i := range p.layout.Files {
		if !p.layout.Files[i].Pad {
			ours[p.names.nameIn(top, i)] = true
		}
	}
	seen := 0
	for folders := []string{folder}; len(folders) > 0; {
		folder := folders[len(folders)-1]
		folders = folders[:len(folders)-1]
		entries, err := p.names.disk.list(folder, foreignEntriesMax+1-seen)
		if seen += len(entries); err != nil || seen > foreignEntriesMax {
			return true
		}
		for _, entry := range entries {
			name := path.Join(folder, entry.Name())
			switch {
			case entry.IsDir():
				folders = append(folders, name)
			case !ours[name]:
				return true
			}
		}
	}
	return false
}
