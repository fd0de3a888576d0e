package storage

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"runtime"
	"sync"
	"sync/atomic"

	"swarmnode/metainfo"
)

// An access says what a file is opened for.
type access bool

const (
	toRead  access = false
	toWrite access = true // the file is made if it does not exist
)

// contentFiles are the files of the content of one Store, by their index in the
// Layout. The partfile counts as one more, with the index after the last. It is
// safe for concurrent use.
//
// It knows where files lie and which are open, and nothing of pieces.
type contentFiles struct {
	layout *metainfo.Layout
	names  *naming // and the disk
	wanted *selection
	table  *handles // of the Workers: all open files
	room   *roomClaim
	parts  partOpener
	// writable makes the content one that may be written to. It is called before a
	// file is opened to be written to.
	writable func() error
	// watch hears of each write.
	watch writeWatcher
	// mayTake returns an error if n bytes more may not be written to file i.
	mayTake func(i, n int) error

	// moving is held while files get other names.
	moving sync.RWMutex
	// soiled hears which parts of files were written to while they are copied; it is nil
	// at all other times.
	soiled atomic.Pointer[soiledChunks]

	// Guarded by table.mu.
	handles map[int]*handle // nil until the first
	ended   bool
}

// A partOpener opens the partfile.
type partOpener interface {
	openFile(how access) (file, error)
	path() string
}

// A writeWatcher is told of writes to files.
type writeWatcher interface {
	// beginWriting is called before a write.
	beginWriting()
	// wrote is called after n bytes of file i were written, or some of them.
	wrote(i, n int)
}

// partfileIndex stands for the partfile where files have their index.
func partfileIndex(l *metainfo.Layout) int { return len(l.Files) }

func (c *contentFiles) isPartfile(i int) bool { return i == partfileIndex(c.layout) }

// path returns the path of file i as the user would write it.
func (c *contentFiles) path(i int) string {
	if c.isPartfile(i) {
		return c.parts.path()
	}
	return c.names.disk.path(c.names.fileName(i))
}

// read fills p from byte at of file i.
func (c *contentFiles) read(i int, p []byte, at int64) error {
	h, err := c.pin(i, toRead)
	if err == nil {
		err = h.file.pread(p, at)
		c.table.unpin(h)
	}
	if err != nil {
		return wrap("read", c.path(i), err)
	}
	return nil
}

// write writes bufs one after the other from byte at of file i on.
func (c *contentFiles) write(i int, bufs [][]byte, at int64) error {
	n := 0
	for _, b := range bufs {
		n += len(b)
	}
	if err := c.mayTake(i, n); err != nil {
		return wrap("write", c.path(i), err)
	}
	c.watch.beginWriting()
	h, err := c.pin(i, toWrite)
	if err == nil {
		err = h.file.pwritev(bufs, at)
		c.table.unpin(h)
		c.room.taken.Add(int64(n))
		c.watch.wrote(i, n) // also when it failed: some of it may be there
		if soiled := c.soiled.Load(); soiled != nil {
			soiled.add(i, at, n)
		}
	}
	if err != nil {
		return wrap("write", c.path(i), err)
	}
	return nil
}

// copyRange copies n bytes from one file to another. An error of writing, and not of
// reading, is a *writeError.
func (c *contentFiles) copyRange(from int, fromAt int64, to int, toAt int64, n int) error {
	chunk := make([]byte, min(n, checkChunk))
	for n > 0 {
		data := chunk[:min(n, len(chunk))]
		if err := c.read(from, data, fromAt); err != nil {
			return err
		}
		if err := c.write(to, [][]byte{data}, toAt); err != nil {
			return &writeError{err}
		}
		n -= len(data)
		fromAt += int64(len(data))
		toAt += int64(len(data))
	}
	return nil
}

// A writeError is an error of writing in copyRange.
type writeError struct{ error }

func (e *writeError) Unwrap() error { return e.error }

// stat returns what lies under the name of file i.
func (c *contentFiles) stat(i int) (fileStat, error) {
	return c.names.disk.stat(c.names.fileName(i))
}

// statOpen opens file i, and returns its state.
func (c *contentFiles) statOpen(i int) (fileStat, error) {
	h, err := c.pin(i, toRead)
	if err != nil {
		return fileStat{}, err
	}
	defer c.table.unpin(h)
	return h.file.stat()
}

// toSync is how a file is opened whose data is put on stable storage. Windows does that for
// writers alone.
const toSync = access(runtime.GOOS == "windows")

// sync puts the data of file i on stable storage, unless late says to give up.
func (c *contentFiles) sync(i int, late func() bool) error {
	if late() { // before a file is opened for it
		return os.ErrDeadlineExceeded
	}
	h, err := c.pin(i, toSync)
	if err == nil {
		err = h.file.sync(late)
		c.table.unpin(h)
	}
	return wrap("sync", c.path(i), err)
}

// syncFolders puts the names in the folder of file i and in those above it on stable
// storage, except for the folders in done, to which it adds them.
func (c *contentFiles) syncFolders(i int, done map[string]bool) error {
	c.moving.RLock()
	defer c.moving.RUnlock()
	folder := path.Dir(c.names.fileName(i))
	for ; !done[folder]; folder = path.Dir(folder) {
		done[folder] = true
		if err := c.names.disk.syncFolder(folder); err != nil {
			return err
		}
	}
	return nil
}

// pin returns an open handle of file i; table.unpin gives it back.
func (c *contentFiles) pin(i int, how access) (*handle, error) { return c.table.pin(c, i, how) }

// unpin ends the use of h.
func (c *contentFiles) unpin(h *handle) { c.table.unpin(h) }

// closeAll closes all files. They are opened again when they are needed.
func (c *contentFiles) closeAll() { c.table.closeAll(c) }

// end closes all files. None is opened again.
func (c *contentFiles) end() { c.table.end(c) }

// open opens file i. If it does not exist and is opened to write, open makes it, with
// its final length.
func (c *contentFiles) open(i int, how access) (file, error) {
	if c.isPartfile(i) {
		return c.parts.openFile(how)
	}
	if how == toRead {
		c.moving.RLock() // Finish may be renaming it
		defer c.moving.RUnlock()
		return c.names.disk.open(c.names.fileName(i), openRead)
	}
	if linked := c.names.link(); linked != "" {
		return nil, &Error{"open", linked, ErrLink}
	}
	if err := c.writable(); err != nil {
		return nil, err
	}
	c.wanted.open(i)
	name := c.names.fileName(i)
	f, err := c.names.disk.open(name, makeMode(c.layout, i))
	if err != nil {
		return nil, err
	}
	if err := c.giveLength(f, c.layout.Files[i].Length); err != nil {
		f.close()
		return nil, wrap("open", c.names.disk.path(name), err)
	}
	return f, nil
}

// giveLength makes f as long as the torrent says.
func (c *contentFiles) giveLength(f file, length int64) error {
	st, err := f.stat()
	switch {
	case err != nil:
		return err
	case st.size > length:
		return ErrLonger
	case st.size < length && c.names.cfg.Reserve:
		return f.reserve(length)
	case st.size < length:
		return f.resize(length)
	}
	return nil
}

// makeMode returns how file i is opened to be made: an executable file of the
// torrent may be executed (BEP 47). The attribute "hidden" has no meaning here:
// where names hide files, the name says it.
func makeMode(l *metainfo.Layout, i int) openMode {
	if l.Files[i].Executable {
		return openProgram
	}
	return openCreate
}

// makeEmpty makes file i, which has no content.
func (c *contentFiles) makeEmpty(i int) error {
	st, err := c.stat(i)
	if err == nil && kindError(st.mode, false) == nil && st.size == 0 { // it need not be writable
		return nil
	}
	return c.touch(i)
}

// touch makes file i with its final length, unless it exists and has it.
func (c *contentFiles) touch(i int) error {
	f, err := c.open(i, toWrite)
	if err != nil {
		return err
	}
	return f.close()
}

// onlyZeros reports whether the files hold nothing but zeros.
func (c *contentFiles) onlyZeros(ctx context.Context) bool {
	chunk := make([]byte, checkChunk)
	for i := range c.layout.Files {
		if !hasPlace(c.layout, i) || c.layout.Files[i].Length == 0 {
			continue
		}
		if !c.fileOnlyZeros(ctx, i, chunk) {
			return false
		}
	}
	return true
}

// fileOnlyZeros reports whether file i holds nothing but zeros, or does not exist. A
// file that cannot be read may hold anything.
func (c *contentFiles) fileOnlyZeros(ctx context.Context, i int, chunk []byte) bool {
	h, err := c.pin(i, toRead)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer c.unpin(h)
	st, err := h.file.stat()
	if err != nil {
		return false
	}
	step := int64(len(chunk))
	for at := h.file.nextData(0, st.size); at < st.size; at = h.file.nextData(at+step, st.size) {
		part := chunk[:min(step, st.size-at)]
		if ctx.Err() != nil || h.file.pread(part, at) != nil {
			return false
		}
		for _, b := range part {
			if b != 0 {
				return false
			}
		}
	}
	return true
}
