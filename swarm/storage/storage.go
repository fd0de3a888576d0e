package storage

import (
	"cmp"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
)

// PartSuffix marks content that is not complete, when Config.Part asks for it.
const PartSuffix = ".part"

// Config says where the content of a torrent lies and who is told.
type Config struct {
	// Dir is the folder that the content lies in; it is made when it does not
	// exist, unless ReadOnly.
	Dir string
	// Name of the file or folder in Dir; that of the Layout when empty. It is
	// one element of a path.
	Name   string
	Layout *metainfo.Layout
	// Names is the rule by which files are called that are made. NamesNative is
	// that of the file system at hand. What is there already is found by any rule.
	Names metainfo.NameRule
	// Room reports whether that many bytes of memory may be taken for a moment. Nil
	// means that they may.
	Room func(bytes int64) bool
	// Workers do the work; they may be shared.
	Workers *Workers
	// Hash tells whose record in StateDir is whose.
	Hash metainfo.Hash
	// StateDir is the folder for the record of what is there, by which the next
	// Open knows what need not be hashed again. There is one for each torrent and
	// place of its content. None is kept when it is empty. It is made when the
	// first record is.
	StateDir string
	// StateReadOnly has the record read, and nothing in StateDir written.
	StateReadOnly bool
	// Warn is told what is worth a line to the user and stops nothing: a record
	// that cannot be used or written, data that cannot be synced. It may be nil
	// and is called by any goroutine.
	Warn func(error)
	// Results is called by a worker for each Result. It may block, which holds
	// up the worker, but not for ever once the Store is being closed.
	Results func(Result)
	// ReadOnly opens content that is only read: nothing is made, changed or
	// locked, and no right to write is needed.
	ReadOnly bool
	// Part gives the file or folder the suffix PartSuffix until Finish. Content
	// that lies under its own name already stays there.
	Part bool
	// Reserve takes room on disk for a whole file when its first byte is
	// written, so that a disk that is too small shows at once. Without it files
	// are sparse. Neither is faster than the other.
	Reserve bool
	// Wanted chooses files: it tells for each of Layout.Files whether it is
	// wanted; nil means all. It is copied. Other files are neither made nor
	// changed: data that lies in their places is read, and what comes for them
	// as a part of a wanted piece goes to the side file in StateDir. Without a
	// StateDir that file lies in a new folder for temporary files until Close, and
	// is lost with it.
	Wanted []bool

	// spaceOf is in place of that of the system.
	spaceOf func(path string) (system fileSystem, free int64, ok bool)

	sideDisk disk          // in place of StateDir, for the side file
	interval time.Duration // between checkpoints; checkpointInterval if 0
	bytesMax int64         // written before a checkpoint comes early; checkpointBytes if 0
	closeMax time.Duration // how long Close may sync; see closeSyncMax if 0
	record   *record       // in place of a file in StateDir
}

// A Result is what came of a Verify, or of a Write that failed.
//
// Every Verify has exactly one Result. The first failed Write of a piece has
// one too, and what is written to the piece after it is dropped, until Verify
// or Probe begins it anew; so a Verify that follows repeats the error.
type Result struct {
	Piece uint32
	OK    bool  // the piece is written and has the right hash
	Err   error // an *Error: the disk failed, and the hash was not compared
}

// A Store holds the content of one torrent. It is safe for concurrent use.
type Store struct {
	cfg     Config
	layout  *metainfo.Layout
	workers *Workers
	disk    disk
	wanted  selection
	aside   atomic.Pointer[aside] // nil: nothing lies in the side file or ever will
	side    side

	// Guarded by workers.mu.
	open    map[int]*openPiece
	busy    int       // open pieces in the queue or with a worker
	idle    sync.Cond // busy is 0
	closing bool

	// Guarded by workers.files.mu.
	handles map[int]*handle
	ended   bool

	locked string // a path; guarded by workers.writers.mu

	journal
	naming

	taken atomic.Int64 // bytes written to the content since Check

	settling sync.Mutex   // serialises writable; taken before mu
	moving   sync.RWMutex // held while files get other names
	names    [4]string    // see contentNames; never changes

	mu       sync.Mutex
	diverted *bits.Set // pieces of which all that is not wanted lies aside
	putOff   lateSets  // see Late
	top      string    // name of the content in Dir as it is now
	lock     io.Closer // nil when nothing is locked
	have     *bits.Set
	stamps   []stamp // by file, and at sideIndex that of the side file
	readOnly bool
	// replaced: the record of an earlier run is about content that is gone.
	replaced bool
	// looking: what is there may be complete, and nothing was made, locked or
	// changed yet. wasThere: something had the name top when that was chosen.
	// twice: so has something the name of unfinished content, and top is the final
	// one.
	looking, wasThere, twice bool

	doubts int // how often a complete file was found changed
	broken int // a piece that could not be written, -1 if none
}

// Open prepares to keep the content of cfg.Layout. Files are made when their
// first byte is written. What is there, and what the record in StateDir knows
// of it, is found by Check, which comes before the first Write. Open fails when
// something else lies where the content belongs, or when another Store writes to the
// same content; the error is an *Error.
func Open(cfg Config) (*Store, error) {
	use := useMade
	if cfg.ReadOnly {
		use = useOwn
	}
	cfg, linked := followTop(cfg)
	d, err := cfg.Workers.disks.open(cfg.Dir, use)
	if err != nil {
		return nil, err
	}
	s, err := openOn(cfg, d)
	if err != nil {
		d.close()
		return nil, err
	}
	s.linked = linked
	return s, nil
}

// openOn opens a Store on d, which it closes in the end unless it fails.
func openOn(cfg Config, d disk) (*Store, error) {
	if cfg.Name != "" && !isName(cfg.Name) || !isName(cfg.Layout.Name) {
		return nil, &Error{"open", cmp.Or(cfg.Name, cfg.Layout.Name), ErrSpecial}
	}
	if cfg.Wanted != nil && len(cfg.Wanted) != len(cfg.Layout.Files) {
		return nil, &Error{"open", cmp.Or(cfg.Name, cfg.Layout.Name), ErrSelection}
	}
	s := &Store{
		cfg: cfg, layout: cfg.Layout, workers: cfg.Workers, disk: d,
		open: make(map[int]*openPiece), handles: make(map[int]*handle),
		have: bits.New(cfg.Layout.Pieces()), stamps: make([]stamp, len(cfg.Layout.Files)+1),
		broken: -1, diverted: bits.New(cfg.Layout.Pieces()),
		wanted: newSelection(cfg.Layout, cfg.Wanted),
		naming: naming{rule: cfg.Names},
	}
	if cfg.Names != metainfo.NamesNative && cfg.Layout.NamesVary() {
		s.made = cfg.Layout.Names(cfg.Names)
	}
	name := s.findTop()
	s.top = name
	s.readOnly = cfg.ReadOnly || s.wanted.none
	if s.wanted.files != nil {
		s.aside.Store(newAside(cfg.Layout))
	}
	s.cfg.Name = name
	s.names = contentNames(name, cfg.Hash)
	s.side.init(&s.cfg, stateStem(cfg.Hash, d.path(name)))
	s.dirty = make(map[int]struct{})
	s.durable = bits.New(cfg.Layout.Pieces())
	s.idle.L = &cfg.Workers.mu
	if err := s.claim(); err != nil {
		return nil, err
	}
	s.findFiles()
	s.record = cfg.record
	if s.record == nil && cfg.StateDir != "" {
		s.record = newRecord(cfg.StateDir, stateStem(cfg.Hash, d.path(name)))
		s.record.frozen = cfg.StateReadOnly
	}
	return s, nil
}

// Write takes a block over and writes it later. Blocks of a piece may come in
// any order, and again. What lies outside of the piece is not written; it is
// answered by a Result with ErrRange, and a piece of which nothing is wanted by
// one with ErrUnwanted.
func (s *Store) Write(r block.Ref, buf *block.Buf) {
	index, begin, n := int(r.Piece), int64(r.Begin), int64(len(buf.Bytes()))
	if s.cfg.ReadOnly || index >= s.layout.Pieces() || n == 0 ||
		begin+n > int64(s.layout.PieceSize(index)) {
		buf.Release()
		err := ErrRange
		if s.cfg.ReadOnly {
			err = ErrReadOnly
		}
		s.results(Result{Piece: r.Piece, Err: &Error{"write", s.path(), err}})
		return
	}
	if !s.wanted.piece(index) {
		buf.Release()
		s.results(Result{Piece: r.Piece, Err: &Error{"write", s.path(), ErrUnwanted}})
		return
	}
	w := s.workers
	w.mu.Lock()
	if s.closing {
		w.mu.Unlock()
		buf.Release()
		return
	}
	p := w.open(s, index)
	p.pending = append(p.pending, write{int(begin), buf})
	w.schedule(p)
	w.mu.Unlock()
}

// Verify hashes a piece once everything that was handed to Write before is
// written, and posts a Result.
func (s *Store) Verify(piece uint32) {
	if int(piece) >= s.layout.Pieces() {
		s.results(Result{Piece: piece, Err: &Error{"verify", s.path(), ErrRange}})
		return
	}
	w := s.workers
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.closing {
		return
	}
	p := w.open(s, int(piece))
	p.verify = true
	w.schedule(p)
}

// results hands on what a worker has to say, unless nobody listens any more.
func (s *Store) results(r Result) {
	s.workers.mu.Lock()
	closing := s.closing
	s.workers.mu.Unlock()
	if s.cfg.Results != nil && !closing {
		s.cfg.Results(r)
	}
}

// Have returns a copy of the set of pieces that are verified and on disk, as
// far as Check and Verify have seen.
func (s *Store) Have() *bits.Set {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.have.Clone()
}

// Paths returns where the content lies now: one file or folder.
func (s *Store) Paths() []string {
	if s.linked != "" {
		return []string{s.linked}
	}
	return []string{s.path()}
}

func (s *Store) path() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.disk.path(s.top)
}

// filePath returns the path of file i, which may be sideIndex, as the user
// would write it.
func (s *Store) filePath(i int) string {
	if i == s.sideIndex() {
		return s.side.path()
	}
	return s.disk.path(s.fileName(i))
}

// fileName returns the name of file i on the disk.
func (s *Store) fileName(i int) string {
	return s.nameIn(s.topName(), i)
}

// nameIn returns the name of file i when the content is called top.
func (s *Store) nameIn(top string, i int) string {
	s.mu.Lock()
	other, is := s.paths[i]
	s.mu.Unlock()
	if is {
		return top + "/" + other
	}
	below := s.below(s.layout, i)
	n := len(top)
	for _, element := range below {
		n += 1 + len(element)
	}
	name := append(make([]byte, 0, n), top...)
	for _, element := range below {
		name = append(append(name, '/'), element...)
	}
	return string(name)
}

// Close waits until what was handed over is written, syncs and records what can
// be synced within about a second, and closes the files. No Result is posted
// after it has begun.
func (s *Store) Close() error {
	w := s.workers
	w.mu.Lock()
	if s.closing {
		w.mu.Unlock()
		return nil
	}
	s.closing = true
	for s.busy > 0 {
		s.idle.Wait()
	}
	for _, p := range s.open {
		w.forget(p)
	}
	w.mu.Unlock()
	w.rooms.claim(s, nil)
	err := s.closeJournal()
	w.files.closeAll(s, true)
	s.unlock()
	return errors.Join(err, s.side.close(), s.disk.close())
}
