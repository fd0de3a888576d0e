package storage

import (
	"fmt"
	"syscall"
	"testing"

	"swarmnode/swarm/block"
)

// fewDescriptors is a disk of a process that may hold only so many.
type fewDescriptors struct {
	disk
	handles *handles
	max     int
}

func (d fewDescriptors) open(name string, mode openMode) (file, error) {
	d.handles.mu.Lock()
	open := d.handles.open
	d.handles.mu.Unlock()
	if open >= d.max {
		return nil, syscall.EMFILE
	}
	return d.disk.open(name, mode)
}

// When there are no descriptors left, fewer files are kept open from then on.
func TestOutOfDescriptors(t *testing.T) {
	var files []tfile
	for i := range 50 {
		files = append(files, tfile{fmt.Sprint("f", i), 10_000, false})
	}
	layout, data := makeLayout(t, "x", 16<<10, files...)
	w := NewWorkers(1)
	defer w.Close()
	const max = 20
	r := &rig{t: t, layout: layout, data: data, pool: block.NewPool(1 << 20),
		results: make(chan Result, layout.Pieces())}
	var err error
	r.store, err = openOn(Config{Layout: layout, Workers: w, Results: func(x Result) {
		r.results <- x
	}},
		fewDescriptors{newMemDisk(1), &w.files, max})
	if err != nil {
		t.Fatal(err)
	}
	r.all()
	if w.files.max >= max || w.files.open > w.files.max {
		t.Errorf("%d files are open, at most %d", w.files.open, w.files.max)
	}
	r.back()
}

// A file that is in use is not closed, and one that was pushed out while it
// was in use is closed by its last user.
func TestPinnedFilesStayOpen(t *testing.T) {
	layout, data := makeLayout(t, "x", 16<<10, tfile{"a", 1000, false}, tfile{"b", 1000, false},
		tfile{"c", 1000, false})
	w := NewWorkers(1)
	defer w.Close()
	w.files.max = 1
	r := newRig(t, Config{Layout: layout, Workers: w}, data)
	r.all()
	a, err := w.files.pin(&r.store.files, 0, toRead)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		b, err := w.files.pin(&r.store.files, i, toRead)
		if err != nil {
			t.Fatal(err)
		}
		w.files.unpin(b)
	}
	if err := a.file.pread(make([]byte, 10), 0); err != nil {
		t.Error("a pinned file was closed:", err)
	}
	r.store.Close()
	if err := a.file.pread(make([]byte, 10), 0); err != nil {
		t.Error("Close closed a pinned file:", err)
	}
	w.files.unpin(a)
	if err := a.file.pread(make([]byte, 10), 0); err == nil {
		t.Error("the last user did not close the file")
	}
}
