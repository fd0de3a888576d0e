package storage

import (
	"errors"
	"sync"
	"syscall"
)

const (
	// handlesMax bounds the files that are open at once. It is far more than
	// are read and written at the same time, and opening one again costs some
	// ten microseconds.
	handlesMax = 256
	// handlesMin is what is needed to get on at all.
	handlesMin = 4
	// descriptorsSpare is left to the process for what is neither a file of a
	// torrent nor a socket of a peer.
	descriptorsSpare = 16
	// descriptorsUnknown is taken for the limit of a system that tells none.
	descriptorsUnknown = 256
)

// A handle is an open file. It is open while it is in the table or pinned.
type handle struct {
	store    *Store
	index    int // of the file, in the Layout
	file     file
	writable bool

	pins       int // users; guarded by handles.mu
	out        bool
	prev, next *handle // in the list of handles; guarded by handles.mu
}

// handles keeps the most recently used files of all Stores open. It is safe
// for concurrent use.
//
// Invariant: open <= max, or every handle but the pinned ones is closed.
type handles struct {
	mu   sync.Mutex
	max  int
	open int
	list handle // ring of the open handles, the most recently used first
}

func (h *handles) init() {
	h.list.prev, h.list.next = &h.list, &h.list
	h.max = min(max(descriptorsLimit()/2-descriptorsSpare, handlesMin), handlesMax)
}

// pin returns an open handle of file i of s, which may be written to if write
// is set. It is to be given back by unpin.
func (h *handles) pin(s *Store, i int, write bool) (*handle, error) {
	h.mu.Lock()
	if s.ended {
		h.mu.Unlock()
		return nil, ErrClosed
	}
	if x := s.handles[i]; x != nil && (x.writable || !write) {
		x.pins++
		h.toFront(x)
		h.mu.Unlock()
		return x, nil
	}
	h.mu.Unlock()

	f, err := s.openFile(i, write)
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		h.shrink()
		f, err = s.openFile(i, write)
	}
	if err != nil {
		return nil, err
	}
	return h.add(&handle{store: s, index: i, file: f, writable: write, pins: 1})
}

// add puts x, just opened, into the table, unless there is one by now.
func (h *handles) add(x *handle) (*handle, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := x.store
	if s.ended {
		x.file.close()
		return nil, ErrClosed
	}
	if old := s.handles[x.index]; old != nil {
		if old.writable || !x.writable {
			x.file.close()
			old.pins++
			return old, nil
		}
		h.drop(old)
	}
	s.handles[x.index] = x
	x.next, x.prev = h.list.next, &h.list
	x.next.prev, x.prev.next = x, x
	h.open++
	h.evict(h.max)
	return x, nil
}

// unpin ends the use of x.
func (h *handles) unpin(x *handle) {
	h.mu.Lock()
	defer h.mu.Unlock()
	x.pins--
	if x.out && x.pins == 0 {
		x.file.close() // the data is with the kernel; errors of writing it show in sync
	}
}

// closeAll closes the files of s; ended makes sure that none is opened again.
func (h *handles) closeAll(s *Store, ended bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.ended = s.ended || ended
	for _, x := range s.handles {
		h.drop(x)
	}
}

// shrink closes what it can and is content with fewer files from now on: the
// process has run out of descriptors.
func (h *handles) shrink() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.max = max(handlesMin, min(h.max, h.open)/2)
	h.evict(h.max)
}

// evict closes the least recently used handles until keep are left.
func (h *handles) evict(keep int) {
	for x := h.list.prev; x != &h.list && h.open > keep; {
		prev := x.prev
		if x.pins == 0 {
			h.drop(x)
		}
		x = prev
	}
}

// drop takes x out of the table and closes it as soon as nobody uses it.
func (h *handles) drop(x *handle) {
	delete(x.store.handles, x.index)
	x.prev.next, x.next.prev = x.next, x.prev
	h.open--
	x.out = true
	if x.pins == 0 {
		x.file.close()
	}
}

func (h *handles) toFront(x *handle) {
	x.prev.next, x.next.prev = x.next, x.prev
	x.next, x.prev = h.list.next, &h.list
	x.next.prev, x.prev.next = x, x
}
