package storage

import (
	"errors"
	"sync"
	"syscall"
)

const (
	// handlesMax bounds the files that are open at once. Far fewer are read and
	// written at the same time, and opening one again costs some ten
	// microseconds.
	handlesMax = 256
	// handlesMin is the least with which the Workers can go on.
	handlesMin = 4
	// descriptorsSpare is left to the process for descriptors that are neither
	// files of a torrent nor sockets of peers.
	descriptorsSpare = 16
	// descriptorsUnknown is the assumed limit of systems that do not say.
	descriptorsUnknown = 256
)

// A handle is an open file. It is open while it is in the table or pinned.
type handle struct {
	of       *contentFiles
	index    int // of the file in of
	file     file
	writable bool

	pins       int     // users; guarded by handles.mu
	out        bool    // of the table; guarded by handles.mu
	prev, next *handle // in the list of handles; guarded by handles.mu
}

// handles keeps the most recently used files of all Stores open. It is safe for
// concurrent use.
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

// pin returns an open handle of file i of s. The caller gives it back by unpin.
func (h *handles) pin(s *contentFiles, i int, how access) (*handle, error) {
	h.mu.Lock()
	if s.ended {
		h.mu.Unlock()
		return nil, ErrClosed
	}
	if x := s.handles[i]; x != nil && (x.writable || how == toRead) {
		x.pins++
		h.toFront(x)
		h.mu.Unlock()
		return x, nil
	}
	h.mu.Unlock()

	f, err := s.open(i, how)
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		h.shrink()
		f, err = s.open(i, how)
	}
	if err != nil {
		return nil, err
	}
	return h.add(&handle{of: s, index: i, file: f, writable: how == toWrite, pins: 1})
}

// add puts x, just opened, into the table, unless there is one by now.
func (h *handles) add(x *handle) (*handle, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := x.of
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
	if s.handles == nil {
		s.handles = make(map[int]*handle)
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

// closeAll closes the files of s.
func (h *handles) closeAll(s *contentFiles) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dropAll(s)
}

// end closes the files of s for good: none is opened again.
func (h *handles) end(s *contentFiles) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.ended = true
	h.dropAll(s)
}

// dropAll takes all handles of s out of the table. h.mu is held.
func (h *handles) dropAll(s *contentFiles) {
	for _, x := range s.handles {
		h.drop(x)
	}
}

// shrink closes the files that nobody uses, and lowers the limit from now on: the
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
	delete(x.of.handles, x.index)
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
