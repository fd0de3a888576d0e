package storage

import (
	"context"
	"errors"
	"hash/maphash"
	"io/fs"
	"path"
	"sync"

	"swarmnode/swarm/block"
)

const (
	// copyChunk is how many bytes of a file are copied, and compared, at a time.
	copyChunk = 1 << 20
	// copyPasses bounds how often what was written meanwhile is copied while more is
	// written; then writes wait until the rest is copied.
	copyPasses = 4
	// copyRest is how many chunks are left to copy when writes begin to wait, unless the
	// last pass comes first.
	copyRest = 16
)

// soiledChunks are the parts of files that were written to while they are copied. It is
// safe for concurrent use.
type soiledChunks struct {
	mu    sync.Mutex
	files map[int]map[int64]struct{} // the chunks of each file
	count int
}

// add records that n bytes of file i were written from byte at on. It comes after the
// write, so that what is copied afterwards is new.
func (x *soiledChunks) add(i int, at int64, n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.files == nil {
		x.files = make(map[int]map[int64]struct{})
	}
	if x.files[i] == nil {
		x.files[i] = make(map[int64]struct{})
	}
	for k := at / copyChunk; k*copyChunk < at+int64(n); k++ {
		if _, is := x.files[i][k]; !is {
			x.files[i][k] = struct{}{}
			x.count++
		}
	}
}

// take returns the chunks that were written to since the last call.
func (x *soiledChunks) take() map[int]map[int64]struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	files := x.files
	x.files, x.count = nil, 0
	return files
}

// left returns how many chunks were written to since the last call of take.
func (x *soiledChunks) left() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.count
}

// A copier copies the files of a Store, which may be written to meanwhile, to another
// place. Where both are on one device, a file gets a second name instead. It is for one
// goroutine.
type copier struct {
	m        *mover
	s        *Store
	from, to disk
	top      string // of the original
	staging  string // of the copy
	progress func(done, total int64)

	soiled soiledChunks
	seed   maphash.Seed
	files  map[int]*copied // that exist
	chunk  []byte
	done   int64 // bytes read
	total  int64 // bytes to read, as far as it is known
}

// copied is what a copier knows of one file.
type copied struct {
	linked bool     // the copy is the same file under a second name
	mtime  int64    // of the original, before it was last read
	size   int64    // of the original then
	sums   []uint64 // of the chunks that were copied; 0 for the others
	fresh  bool     // not yet on stable storage and compared
}

// name returns the name of the original of file i, and copy that of its copy.
func (c *copier) name(i int) string { return c.s.names.nameIn(c.top, i) }
func (c *copier) copy(i int) string { return c.s.names.nameIn(c.staging, i) }

// stat returns the state of the original of file i; there is false if there is none that
// belongs to the torrent. Something else that lies there stays where it is.
func (c *copier) stat(i int) (st fileStat, there bool, err error) {
	if !hasPlace(c.s.layout, i) {
		return st, false, nil
	}
	st, err = c.from.stat(c.name(i))
	if errors.Is(err, fs.ErrNotExist) {
		return st, false, nil
	}
	if kindError(st.mode, false) != nil || IsInTheWay(err) {
		return st, false, nil
	}
	foreign := !c.s.wanted.file(i) && st.size > c.s.layout.Files[i].Length
	return st, err == nil && !foreign, err
}

// survey finds the files that exist, and how many bytes they take.
func (c *copier) survey(ctx context.Context) (room int64, err error) {
	for i := range c.s.layout.Files {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		st, there, err := c.stat(i)
		if err != nil {
			return 0, err
		}
		if there {
			room += min(st.size, st.room)
			c.files[i] = nil
		}
	}
	c.total = room
	return room, nil
}

// run copies everything while it may be written to, until little is left.
func (c *copier) run(ctx context.Context) error {
	for i := range c.s.layout.Files {
		if _, exists := c.files[i]; !exists {
			continue
		}
		if err := c.bring(ctx, i); err != nil {
			return err
		}
	}
	if err := c.secure(ctx); err != nil {
		return err
	}
	for range copyPasses {
		if c.soiled.left() <= copyRest {
			break
		}
		if err := c.again(ctx); err != nil {
			return err
		}
		if err := c.secure(ctx); err != nil {
			return err
		}
	}
	return nil
}

// finish copies the rest. Nothing is written to the original meanwhile.
func (c *copier) finish(ctx context.Context) error {
	if err := c.again(ctx); err != nil {
		return err
	}
	folders := map[string]bool{path.Dir(c.staging): true}
	for i := range c.s.layout.Files {
		st, there, err := c.stat(i)
		if err != nil {
			return err
		}
		f := c.files[i]
		switch {
		case !there && f != nil:
			return &Error{"move", c.from.path(c.name(i)), ErrChanged}
		case !there:
			continue
		case f == nil, !f.linked && (f.mtime != st.mtime || f.size != st.size):
			if err := c.bring(ctx, i); err != nil {
				return err
			}
		}
		if !c.files[i].linked {
			keepAttributes(c.to, c.copy(i), st)
		}
		for dir := path.Dir(c.copy(i)); !folders[dir]; dir = path.Dir(dir) {
			folders[dir] = true
		}
	}
	if err := c.secure(ctx); err != nil {
		return err
	}
	for dir := range folders {
		if err := c.to.syncFolder(dir); err != nil {
			return err
		}
	}
	return nil
}

// hasLinked reports whether a copy is the original under a second name.
func (c *copier) hasLinked() bool {
	for _, f := range c.files {
		if f != nil && f.linked {
			return true
		}
	}
	return false
}

// again copies what was written to since it was last copied.
func (c *copier) again(ctx context.Context) error {
	for i, chunks := range c.soiled.take() {
		if i >= len(c.s.layout.Files) { // the partfile stays where it is
			continue
		}
		f := c.files[i]
		if f == nil {
			if err := c.bring(ctx, i); err != nil {
				return err
			}
			continue
		}
		if f.linked {
			continue
		}
		if err := c.copyChunks(ctx, i, chunks); err != nil {
			return err
		}
	}
	return nil
}

// bring makes the copy of file i.
func (c *copier) bring(ctx context.Context, i int) error {
	st, there, err := c.stat(i)
	if err == nil && !there {
		err = &Error{"move", c.from.path(c.name(i)), ErrChanged}
	}
	if err != nil {
		return err
	}
	f := &copied{mtime: st.mtime, size: st.size, fresh: true}
	if c.files[i] == nil && c.mayLink(i, st) &&
		linkAcross(c.from, c.name(i), c.to, c.copy(i)) == nil {
		f.linked, f.fresh = true, false
		c.m.staged = true
		c.files[i] = f
		return nil
	}
	c.files[i] = f
	f.sums = make([]uint64, (st.size+copyChunk-1)/copyChunk)
	return c.withBoth(i, func(from, to file) error {
		if err := c.m.take(c.staging); err != nil {
			return err
		}
		if err := errors.Join(to.resize(0), to.resize(st.size)); err != nil {
			return err
		}
		if cloneFile(to, from) {
			c.tell(min(st.size, st.room))
			return nil
		}
		if c.s.cfg.Reserve {
			if err := to.reserve(st.size); err != nil {
				return err
			}
		}
		for at := int64(0); at < st.size; at += copyChunk {
			if st.sparse {
				at = from.nextData(at, st.size) / copyChunk * copyChunk
			}
			if at >= st.size {
				break
			}
			if err := c.copyChunk(ctx, i, from, to, at/copyChunk, st.sparse); err != nil {
				return err
			}
		}
		return nil
	})
}

// mayLink reports whether the copy of file i, whose state is st, may be the same file.
func (c *copier) mayLink(i int, st fileStat) bool {
	return !st.link && c.s.cfg.reach("link") == nil &&
		(c.m.inUse == nil || !c.m.inUse(c.from.path(c.name(i))))
}

// copyChunks copies chunks of file i again.
func (c *copier) copyChunks(ctx context.Context, i int, chunks map[int64]struct{}) error {
	st, there, err := c.stat(i)
	if err != nil || !there {
		return err
	}
	f := c.files[i]
	f.mtime, f.size, f.fresh = st.mtime, st.size, true
	for int64(len(f.sums))*copyChunk < st.size {
		f.sums = append(f.sums, 0)
	}
	return c.withBoth(i, func(from, to file) error {
		if err := to.resize(st.size); err != nil {
			return err
		}
		for k := range chunks {
			if err := c.copyChunk(ctx, i, from, to, k, false); err != nil {
				return err
			}
		}
		return nil
	})
}

// withBoth opens the original and the copy of file i, which is made if need be.
func (c *copier) withBoth(i int, do func(from, to file) error) error {
	from, err := c.from.open(c.name(i), openRead)
	if err != nil {
		return err
	}
	defer from.close()
	to, err := c.to.open(c.copy(i), makeMode(c.s.layout, i))
	if err != nil {
		return err
	}
	defer to.close()
	return wrap("move to", c.to.path(c.copy(i)), do(from, to))
}

// copyChunk copies chunk k of file i. Blocks of zeros are left out if the copy is new and
// the original has holes.
func (c *copier) copyChunk(ctx context.Context, i int, from, to file, k int64,
	skipZeros bool) error {
	f := c.files[i]
	if k*copyChunk >= f.size {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := c.s.cfg.reach("chunk"); err != nil {
		return err
	}
	data := c.chunk[:min(copyChunk, f.size-k*copyChunk)]
	if err := from.pread(data, k*copyChunk); err != nil {
		return wrap("read", c.from.path(c.name(i)), err)
	}
	for at := 0; at < len(data); {
		n := min(block.Size, len(data)-at)
		if skipZeros && isZero(data[at:at+n]) {
			at += n
			continue
		}
		end := at + n
		for end < len(data) && !(skipZeros && isZero(data[end:min(end+block.Size, len(data))])) {
			end = min(end+block.Size, len(data))
		}
		if err := to.pwritev([][]byte{data[at:end]}, k*copyChunk+int64(at)); err != nil {
			return err
		}
		at = end
	}
	startWriting(to, k*copyChunk, int64(len(data)))
	f.sums[k] = c.sum(data)
	c.tell(int64(len(data)))
	return nil
}

// sum returns a number by which two chunks are told apart; it is never 0.
func (c *copier) sum(data []byte) uint64 { return max(1, maphash.Bytes(c.seed, data)) }

func isZero(data []byte) bool {
	for _, b := range data {
		if b != 0 {
			return false
		}
	}
	return true
}

// tell reports that n more bytes were copied.
func (c *copier) tell(n int64) {
	c.done += n
	c.total = max(c.total, c.done)
	if c.progress != nil {
		c.progress(c.done, c.total)
	}
}

// secure puts new copies on stable storage, and then reads them from there and compares
// them with what was read from the original.
func (c *copier) secure(ctx context.Context) error {
	late := func() bool { return ctx.Err() != nil }
	for i, f := range c.files {
		if f == nil || !f.fresh {
			continue
		}
		if err := c.compare(ctx, i, f, late); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return wrap("move to", c.to.path(c.copy(i)), err)
		}
		f.fresh = false
	}
	return nil
}

// compare is secure for one file.
func (c *copier) compare(ctx context.Context, i int, f *copied, late func() bool) error {
	to, err := c.to.open(c.copy(i), openRead)
	if err != nil {
		return err
	}
	defer to.close()
	if err := to.sync(late); err != nil {
		return err
	}
	forgetCache(to)
	for k, sum := range f.sums {
		if sum == 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		data := c.chunk[:min(copyChunk, f.size-int64(k)*copyChunk)]
		if err := to.pread(data, int64(k)*copyChunk); err != nil {
			return err
		}
		if c.sum(data) != sum {
			return ErrBadCopy
		}
	}
	return nil
}
