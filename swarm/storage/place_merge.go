package storage

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"path"
	"slices"
)

// mergeSuffix ends the name of complete content while it is moved into a folder that
// several torrents share.
const mergeSuffix = ".moving"

// takeFinalName renames the content if it has the name of the unfinished. Several
// torrents may have the same name: content that is complete later joins the folder of
// content that was complete before.
func (p *place) takeFinalName() error {
	p.files.moving.Lock() // opening files by name waits
	defer p.files.moving.Unlock()
	top, final, aside := p.names.topName(), p.names.all[finalName], p.names.all[mergeName]
	if top != final {
		err := p.names.disk.rename(top, final)
		if errors.Is(err, ErrExists) && p.layout.Multi && aside != final {
			if there, _ := p.names.exists(final); there {
				// From here on it is known to be complete, also after a crash.
				if err = p.names.disk.rename(top, aside); err == nil {
					p.names.setTop(mergeName)
					err = p.merge()
				}
			}
		}
		if err != nil {
			return err
		}
	}
	if !p.layout.Multi {
		p.renamed(0, final)
	}
	p.names.mu.Lock()
	defer p.names.mu.Unlock()
	p.names.top, p.readOnly = final, true
	return nil
}

// renamed records that file i is called name now.
func (p *place) renamed(i int, name string) {
	if st, err := p.names.disk.stat(name); err == nil {
		p.known.renamed(i, st)
	}
}

// merge moves the files of complete content into the folder with its final name. Files
// that exist there stay. If one of them has the name of a file of the torrent, the
// latter is dropped if both hold the same, and otherwise the error is ErrExists.
func (p *place) merge() error {
	from, to := p.names.all[mergeName], p.names.all[finalName]
	if p.lock == nil {
		lock, err := p.names.disk.lock(from, lockWrite)
		if err != nil {
			return err
		}
		defer lock.Close()
	}
	folders := map[string]bool{from: true}
	for i := range p.layout.Files {
		if p.layout.Files[i].Pad {
			continue
		}
		old, name := p.names.nameIn(from, i), p.names.nameIn(to, i)
		st, err := p.names.disk.stat(old)
		if errors.Is(err, fs.ErrNotExist) { // moved before, or not wanted
			continue
		}
		if err == nil {
			err = kindError(st.mode, false)
		}
		if err == nil {
			err = p.names.disk.makeDir(path.Dir(name))
		}
		if err == nil {
			err = p.names.disk.rename(old, name)
		}
		if err == nil {
			p.renamed(i, name)
		}
		if errors.Is(err, ErrExists) && sameContent(p.names.disk, old, name) {
			err = p.names.disk.remove(old)
		}
		if err != nil {
			return wrap("rename", p.names.disk.path(old), err)
		}
		for dir := path.Dir(old); !folders[dir]; dir = path.Dir(dir) {
			folders[dir] = true
		}
	}
	removeFolders(p.names.disk, folders)
	return nil
}

// removeFolders removes folders whose files were moved, unless others have put
// something there.
func removeFolders(d disk, folders map[string]bool) {
	var names []string
	for name := range folders {
		names = append(names, name)
	}
	// the innermost first
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, name := range names {
		_ = d.remove(name)
	}
}

// sameContent reports whether two files hold the same.
func sameContent(d disk, a, b string) bool {
	var files [2]file
	var sizes [2]int64
	for i, name := range []string{a, b} {
		f, err := d.open(name, openRead)
		if err != nil {
			return false
		}
		defer f.close()
		st, err := f.stat()
		if err != nil {
			return false
		}
		files[i], sizes[i] = f, st.size
	}
	var chunks [2][]byte
	for at := int64(0); at < sizes[0] && sizes[0] == sizes[1]; at += checkChunk {
		for i, f := range files {
			if chunks[i] == nil {
				chunks[i] = make([]byte, checkChunk)
			}
			chunks[i] = chunks[i][:min(checkChunk, sizes[0]-at)]
			if f.pread(chunks[i], at) != nil {
				return false
			}
		}
		if !bytes.Equal(chunks[0], chunks[1]) {
			return false
		}
	}
	return sizes[0] == sizes[1]
}
