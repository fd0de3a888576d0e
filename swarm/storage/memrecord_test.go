package storage

import (
	"errors"
	"io/fs"
	"syscall"
	"testing"
	"time"
)

// A memFolder is the folder of a record on a memDisk.
type memFolder struct {
	disk *memDisk
	dir  string
}

// newMemRecord returns a record on d, beside the content.
func newMemRecord(d *memDisk) *record {
	return &record{folder: memFolder{d, "state"}, name: "record"}
}

func (m memFolder) path(name string) string { return "/mem/" + m.dir + "/" + name }

func (m memFolder) read(name string, max int64) ([]byte, int64, error) {
	d := m.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("read", m.dir+"/"+name); err != nil {
		return nil, 0, err
	}
	f := d.files[m.dir+"/"+name]
	if f == nil {
		return nil, 0, fs.ErrNotExist
	}
	return append([]byte(nil), f.data[:min(int64(len(f.data)), max)]...), f.mtime, nil
}

func (m memFolder) write(name string, doc []byte) (fresh string, err error) {
	fresh = name + ".new"
	return fresh, m.fill(fresh, doc)
}

// fill leaves half of doc when it fails.
func (m memFolder) fill(name string, doc []byte) error {
	d := m.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	name = m.dir + "/" + name
	if err := d.begin("create", name); err != nil {
		return err
	}
	f := d.files[name]
	if f == nil {
		f = &memFile{disk: d, name: name}
		d.files[name] = f
	}
	f.data, f.mtime = nil, time.Now().UnixNano()
	if err := d.begin("write", name); err != nil {
		f.data = append(f.data, doc[:len(doc)/2]...)
		return err
	}
	if d.room >= 0 && len(doc) > d.room {
		f.data = append(f.data, doc[:d.room]...)
		return syscall.ENOSPC
	}
	f.data = append(f.data, doc...)
	if err := d.begin("sync", name); err != nil {
		return err
	}
	f.stable = append([]byte(nil), f.data...)
	return nil
}

func (m memFolder) rename(from, to string) error {
	d := m.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("rename", m.dir+"/"+from); err != nil {
		return err
	}
	d.replace(m.dir+"/"+from, m.dir+"/"+to)
	return nil
}

func (m memFolder) sync(parents bool) error {
	d := m.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("sync", m.dir); err != nil {
		return err
	}
	d.syncNames(m.dir)
	return nil
}

// recordedBy returns what a record says, nil if there is none, or one that was
// torn.
func recordedBy(t *testing.T, rec *record) *Resume {
	t.Helper()
	doc, _, err := rec.read()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := ParseResume(doc)
	if err != nil {
		return nil
	}
	return r
}
