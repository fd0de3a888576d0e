package storage

import (
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"swarmnode/metainfo"
)

// memDisk is a disk in memory that can fail, fill up, and lose what was not
// synced when the power goes.
type memDisk struct {
	mu     sync.Mutex
	rnd    *rand.Rand
	files  map[string]*memFile
	dirs   map[string]bool
	stable map[string]*memFile // names that outlast a loss of power
	// renames that a loss of power may undo, the last ones first
	renames []memRename
	locked  map[string]bool
	dead    bool
	cutIn   int                        // operations until the power goes; not if 0
	room    int                        // bytes that can still be written; below 0: any number
	fail    func(op, name string) bool // unless nil, says whether an operation fails
	failed  string                     // the operation that failed last

	syncTakes time.Duration // for each file; set before use

	rule metainfo.NameRule // what names it can hold; set before use
}

type memRename struct {
	from, to string
	replaced *memFile // what had the name to, nil if nothing did
	folder   bool
}

type memFile struct {
	disk   *memDisk
	name   string
	data   []byte
	stable []byte // as of the last sync
	mtime  int64
}

const (
	memPage     = 4096
	memSyncStep = 100 * time.Millisecond
)

func newMemDisk(seed uint64) *memDisk {
	return &memDisk{rnd: rand.New(rand.NewPCG(seed, 99)), files: map[string]*memFile{},
		dirs: map[string]bool{".": true}, stable: map[string]*memFile{}, locked: map[string]bool{},
		room: -1}
}

// begin is called at the start of every operation, with mu held.
func (d *memDisk) begin(op, name string) error {
	if d.cutIn > 0 {
		d.cutIn--
		d.dead = d.dead || d.cutIn == 0
	}
	if d.dead {
		return syscall.EIO
	}
	if d.fail != nil && d.fail(op, name) {
		d.failed = op + " " + name
		return syscall.EIO
	}
	return nil
}

// failIf makes operations fail that fail says so of, and returns the last one
// that has failed.
func (d *memDisk) failIf(fail func(op, name string) bool) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = fail
	return d.failed
}

// cut makes every operation fail from now on, as if the process had ended.
func (d *memDisk) cut() {
	d.mu.Lock()
	d.dead = true
	d.mu.Unlock()
}

func (d *memDisk) isDead() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dead
}

// uncounted calls f, of which no operation brings the power to go.
func (d *memDisk) uncounted(f func()) {
	d.mu.Lock()
	left := d.cutIn
	d.cutIn = 0
	d.mu.Unlock()
	f()
	d.mu.Lock()
	d.cutIn = left
	d.mu.Unlock()
}

// crash brings the disk up again as it may be after a loss of power: of what
// was not synced any page may be there or not, and new files may be gone.
func (d *memDisk) crash() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = false
	clear(d.locked)
	for keep := d.rnd.IntN(len(d.renames) + 1); len(d.renames) > keep; {
		last := d.renames[len(d.renames)-1]
		d.renames = d.renames[:len(d.renames)-1]
		d.undo(last)
	}
	for _, r := range d.renames {
		// the name was there before and after
		if f := d.files[r.to]; f != nil && r.replaced != nil {
			d.stable[r.to] = f
		}
	}
	d.renames = nil
	for name, f := range d.files {
		if d.stable[name] != f && d.rnd.IntN(2) == 0 {
			delete(d.files, name)
			continue
		}
		size := len(f.stable)
		if d.rnd.IntN(2) == 0 {
			size = len(f.data)
		}
		data := make([]byte, size)
		for at := 0; at < size; at += memPage {
			page := data[at:min(at+memPage, size)]
			from := f.data
			if d.rnd.IntN(2) == 0 {
				from = f.stable
			}
			if at < len(from) {
				copy(page, from[at:])
			}
		}
		f.data, f.stable = data, append([]byte(nil), data...)
		d.stable[name] = f
	}
}

func (d *memDisk) path(name string) string { return "/mem/" + name }
func (d *memDisk) close() error            { return nil }

func (d *memDisk) names() metainfo.NameRule { return d.rule }

func (d *memDisk) stat(name string) (fileStat, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("stat", name); err != nil {
		return fileStat{}, err
	}
	if d.dirs[name] {
		return fileStat{mode: fs.ModeDir}, nil
	}
	f := d.files[name]
	if f == nil {
		return fileStat{}, fs.ErrNotExist
	}
	return fileStat{size: int64(len(f.data)), mtime: f.mtime, sparse: true}, nil
}

func (d *memDisk) makeDir(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mkdir(name)
}

func (d *memDisk) mkdir(name string) error {
	if err := d.begin("mkdir", name); err != nil {
		return err
	}
	for ; name != "."; name = path.Dir(name) {
		d.dirs[name] = true
	}
	return nil
}

func (d *memDisk) open(name string, mode openMode) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("open", name); err != nil {
		return nil, err
	}
	f := d.files[name]
	if f == nil {
		if !mode.makes() {
			return nil, fs.ErrNotExist
		}
		if err := d.mkdir(path.Dir(name)); err != nil {
			return nil, err
		}
		f = &memFile{disk: d, name: name, mtime: time.Now().UnixNano()}
		d.files[name] = f
	}
	return f, nil
}

func (d *memDisk) syncFolder(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("sync", name); err != nil {
		return err
	}
	d.syncNames(name)
	return nil
}

// syncNames makes the names in a folder, and the renames there, outlast a loss
// of power.
func (d *memDisk) syncNames(name string) {
	for file, f := range d.files {
		if path.Dir(file) == name {
			d.stable[file] = f
		}
	}
	d.renames = slices.DeleteFunc(d.renames, func(r memRename) bool {
		return path.Dir(r.to) == name
	})
}

func (d *memDisk) remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("remove", name); err != nil {
		return err
	}
	if d.dirs[name] {
		delete(d.dirs, name)
		return nil
	}
	if d.files[name] == nil {
		return fs.ErrNotExist
	}
	delete(d.files, name)
	return nil
}

func (d *memDisk) rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("rename", from); err != nil {
		return err
	}
	if d.files[to] != nil || d.dirs[to] {
		return ErrExists
	}
	d.renames = append(d.renames, memRename{from: from, to: to, folder: d.dirs[from]})
	d.move(from, to)
	return nil
}

// replace renames a file in place of another.
func (d *memDisk) replace(from, to string) {
	d.renames = append(d.renames, memRename{from: from, to: to, replaced: d.files[to]})
	d.move(from, to)
}

// move renames a file, or a folder with all that is in it.
func (d *memDisk) move(from, to string) {
	for name, f := range d.files {
		if rest, ok := strings.CutPrefix(name, from); ok && (rest == "" ||
			rest[0] == '/' && d.dirs[from]) {
			delete(d.files, name)
			f.name = to + rest
			d.files[to+rest] = f
			if d.stable[name] == f {
				delete(d.stable, name)
				d.stable[to+rest] = f
			}
		}
	}
	if !d.dirs[from] {
		return
	}
	for name := range d.dirs {
		if rest, ok := strings.CutPrefix(name, from); ok && (rest == "" || rest[0] == '/') {
			delete(d.dirs, name)
			d.dirs[to+rest] = true
		}
	}
}

// undo brings back what was before a rename.
func (d *memDisk) undo(r memRename) {
	if d.files[r.to] == nil && !d.dirs[r.to] { // it is gone meanwhile
		return
	}
	delete(d.files, r.from)
	d.move(r.to, r.from)
	if r.replaced != nil {
		d.files[r.to], d.stable[r.to] = r.replaced, r.replaced
	}
}

type memLock struct {
	disk *memDisk
	name string
}

func (d *memDisk) list(string, int) ([]fs.DirEntry, error) { return nil, nil }

func (d *memDisk) tryFolder(string) error { return nil }

func (d *memDisk) lock(name string, how lockKind) (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locked[name] {
		return nil, ErrInUse
	}
	if how == lockLook {
		return io.NopCloser(nil), nil
	}
	d.locked[name] = true
	return memLock{d, name}, nil
}

func (l memLock) Close() error {
	l.disk.mu.Lock()
	defer l.disk.mu.Unlock()
	delete(l.disk.locked, l.name)
	return nil
}

func (f *memFile) pwritev(bufs [][]byte, off int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	err := f.disk.begin("write", f.name)
	if f.disk.dead {
		return err
	}
	for _, b := range bufs {
		if f.disk.room >= 0 && len(b) > f.disk.room {
			b, err = b[:f.disk.room], syscall.ENOSPC
		}
		if end := int(off) + len(b); end > len(f.data) {
			f.data = append(f.data, make([]byte, end-len(f.data))...)
		}
		copy(f.data[off:], b) // of a write that fails, some of it may be there
		f.mtime = time.Now().UnixNano()
		off += int64(len(b))
		if f.disk.room >= 0 {
			f.disk.room -= len(b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *memFile) pread(p []byte, off int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.disk.begin("read", f.name); err != nil {
		return err
	}
	if off > int64(len(f.data)) || copy(p, f.data[off:]) < len(p) {
		return ErrShort
	}
	return nil
}

func (f *memFile) resize(size int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.disk.begin("resize", f.name); err != nil {
		return err
	}
	if n := int(size) - len(f.data); n > 0 {
		f.data = append(f.data, make([]byte, n)...)
	}
	f.data = f.data[:size]
	f.mtime = time.Now().UnixNano()
	return nil
}

func (f *memFile) reserve(size int64) error { return f.resize(size) }

func (f *memFile) sync(late func() bool) error {
	for left := f.disk.syncTakes; ; left -= memSyncStep {
		if late() {
			return os.ErrDeadlineExceeded
		}
		if left <= 0 {
			break
		}
		time.Sleep(memSyncStep)
	}
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.disk.begin("sync", f.name); err != nil {
		return err
	}
	f.stable = append(f.stable[:0], f.data...)
	return nil
}

func (f *memFile) nextData(off, size int64) int64 {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	for at := off; at < min(size, int64(len(f.data))); at++ {
		if f.data[at] != 0 {
			return max(off, at/memPage*memPage)
		}
	}
	return size
}

func (f *memFile) willRead(off, n int64) {}

func (f *memFile) stat() (fileStat, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.disk.begin("stat", f.name); err != nil {
		return fileStat{}, err
	}
	return fileStat{size: int64(len(f.data)), mtime: f.mtime, sparse: true}, nil
}

func (f *memFile) close() error { return nil }
