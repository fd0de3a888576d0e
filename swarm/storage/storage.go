package storage

import (
	"cmp"
	"context"
	"errors"
	"path"
	"path/filepath"
	"strings"
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
	// Names is the rule that names new files. NamesNative is that of the file system
	// at hand. Existing files are found by any rule.
	Names metainfo.NameRule
	// Room reports whether that many bytes of memory may be used briefly. If
	// it is nil, they may.
	Room func(bytes int64) bool
	// Workers do the work; they may be shared.
	Workers *Workers
	// Hash tells apart the records in StateDir.
	Hash metainfo.Hash
	// StateDir is the folder for the record, by which the next Open knows which
	// pieces need not be hashed again. There is one record for each torrent and
	// place of its content. The folder is made with the first record. If StateDir is
	// empty, nothing is recorded.
	StateDir string
	// StateReadOnly says that the record is read, and nothing in StateDir written.
	StateReadOnly bool
	// Warn is told of faults that are worth a line to the user and stop nothing: a
	// record that cannot be used or written, data that cannot be synced. It may be nil
	// and is called by any goroutine.
	Warn func(error)
	// Results is called by a worker for each Result. It may block, which holds
	// up the worker, but not for ever once the Store is being closed.
	Results func(Result)
	// ReadOnly opens content that is only read: nothing is made, changed or
	// locked, and no right to write is needed.
	ReadOnly bool
	// Hold is called before each part of a Check or Recheck, and may hold it up until ctx
	// ends; its error ends the check. Select and Keep do not call it. It is called by several
	// goroutines at once. It may be nil.
	Hold func(ctx context.Context) error
	// Part gives the file or folder the suffix PartSuffix until Finish. Content
	// that lies under its own name already stays there.
	Part bool
	// Reserve takes room on disk for a whole file when its first byte is
	// written, so that a disk that is too small shows at once. Without it files
	// are sparse. Neither is faster than the other.
	Reserve bool
	// Wanted chooses files: it says for each of Layout.Files whether it is
	// wanted; nil means all of them. It is copied. Other files are neither made nor
	// changed: data that lies in their places is read, and bytes that come for them
	// as a part of a wanted piece go to the partfile in StateDir. Without a
	// StateDir the partfile lies in a new folder for temporary files until Close, and
	// is lost with it.
	Wanted []bool
	// Beside returns a function that reports whether a file, given by its absolute path,
	// belongs to another torrent as well, for content that lies at path. Move copies such
	// files and leaves the originals where they are. It is called by Open and Move, and may
	// be nil.
	Beside func(path string) (inUse func(path string) bool)

	// spaceOf is called in place of the function of the system, unless it is nil.
	spaceOf func(path string) (system fileSystem, free int64, ok bool)

	given *givenNames // by the user; nil if there are none

	// moving is called with the name of each step that Move reaches, unless it is nil.
	moving func(step string) error

	partDisk disk          // in place of StateDir, for the partfile
	interval time.Duration // between checkpoints; checkpointInterval if 0
	bytesMax int64         // written before a checkpoint comes early; checkpointBytes if 0
	closeMax time.Duration // how long Close may sync; see closeSyncMax if 0
	record   *record       // in place of a file in StateDir
}

// reach tells tests that a move has come to a step. An error fails it.
func (c *Config) reach(step string) error {
	if c.moving == nil {
		return nil
	}
	return c.moving(step)
}

// warn tells the user of err, which stops nothing.
func (c *Config) warn(err error) {
	if c.Warn != nil {
		c.Warn(err)
	}
}

// A Result is the outcome of a Verify, or of a Write that failed.
//
// Every Verify has exactly one Result. The first failed Write of a piece has
// one too, and blocks that are written to the piece after it are dropped, until Verify
// or Probe restarts the piece; so a Verify that follows repeats the error.
type Result struct {
	Piece uint32
	OK    bool  // the piece is written and has the right hash
	Err   error // an *Error: the disk failed, and the hash was not compared
}

// A Store holds the content of one torrent. It is safe for concurrent use.
//
// Each concern of it is a type that knows the ones before it: names, files, what is
// known of both, the place, the partfile, the journal, and the content, which is all of
// them seen as pieces.
type Store struct {
	cfg     Config
	layout  *metainfo.Layout
	workers *Workers
	wanted  selection
	room    roomClaim

	disk    movableDisk // that the content lies on
	names   naming
	files   contentFiles
	known   ledger
	place   place
	parts   partfile
	journal journal
	pieces  contentPieces

	// Guarded by workers.mu.
	open     map[int]*openPiece // nil until the first
	busy     int                // open pieces in the queue or with a worker
	idle     sync.Cond          // busy is 0, or taken is false
	taken    bool               // somebody has the turn: see takeTurn
	closing  bool
	held     bool         // workers leave the pieces alone: see holdWrites
	arranged *arrangement // that is under way, or nil

	broken atomic.Int64 // a piece that could not be written, -1 if none
}

// Open prepares to keep the content of cfg.Layout. Files are made when their
// first byte is written. Check, which comes before the first Write, finds out which
// content exists, and what the record in StateDir knows of it. Open fails when
// something else lies where the content belongs, or when another Store writes to the
// same content; the error is an *Error.
func Open(cfg Config) (*Store, error) {
	use := useMade
	if cfg.ReadOnly {
		use = useOwn
	}
	cfg, err := findPlace(cfg)
	if err != nil {
		return nil, err
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
	s.names.linked = linked
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
		cfg: cfg, layout: cfg.Layout, workers: cfg.Workers,
	}
	s.wanted.init(cfg.Layout, cfg.Wanted)
	s.broken.Store(-1)
	s.idle.L = &cfg.Workers.mu
	s.assemble(d)
	if err := s.place.claim(); err != nil {
		return nil, err
	}
	s.names.findFiles(s.place.couldExist())
	return s, nil
}

// assemble makes the parts of a Store, which lies on d, known to each other.
func (s *Store) assemble(d disk) {
	cfg, layout, w := &s.cfg, s.layout, s.workers
	s.disk.exchange(d)
	s.names.init(cfg, &s.disk)
	s.known.init(layout)
	s.files = contentFiles{layout: layout, names: &s.names, wanted: &s.wanted,
		table: &w.files, room: &s.room, parts: &s.parts, writable: s.place.writable,
		watch: &s.journal, mayTake: s.mayTake}
	s.place = place{cfg: cfg, layout: layout, names: &s.names, wanted: &s.wanted,
		files: &s.files, known: &s.known, writers: &w.writers,
		readOnly: cfg.ReadOnly || s.wanted.none(), dormant: s.wanted.none()}
	s.parts = partfile{cfg: cfg, wanted: &s.wanted, files: &s.files, known: &s.known,
		place: &s.place}
	s.known.partPieces = s.parts.pieces
	s.journal = journal{cfg: cfg, known: &s.known, files: &s.files, parts: &s.parts,
		place: &s.place, record: cfg.record}
	s.pieces = contentPieces{layout: layout, wanted: &s.wanted, files: &s.files,
		parts: &s.parts, known: &s.known, place: &s.place, chunks: w.chunks}
	stem := stateStem(cfg.Hash, s.names.finalPath())
	if s.journal.record == nil && cfg.StateDir != "" {
		s.journal.record = newRecord(cfg.StateDir, stem)
		s.journal.record.frozen = cfg.StateReadOnly
		stem = strings.TrimSuffix(s.journal.record.name, ResumeSuffix) // one text in memory
	}
	s.parts.recorded = s.journal.record != nil
	s.parts.init(stem)
}

// Write takes a block over and writes it later. Blocks of a piece may come in
// any order, and more than once. A block that lies outside of the piece is not written;
// it is answered by a Result with ErrRange. A block of a piece of which nothing is wanted
// is written, too: to the partfile if several files share the piece, and otherwise to the
// file that it belongs to, which is made if need be.
func (s *Store) Write(r block.Ref, buf *block.Buf) {
	index, begin, n := int(r.Piece), int64(r.Begin), int64(len(buf.Bytes()))
	if s.cfg.ReadOnly || index >= s.layout.Pieces() || n == 0 ||
		begin+n > int64(s.layout.PieceSize(index)) {
		buf.Release()
		err := ErrRange
		if s.cfg.ReadOnly {
			err = ErrReadOnly
		}
		s.results(Result{Piece: r.Piece, Err: &Error{"write", s.names.path(), err}})
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

// Verify hashes a piece once all blocks that were handed to Write before are
// written, and posts a Result.
func (s *Store) Verify(piece uint32) {
	if int(piece) >= s.layout.Pieces() {
		s.results(Result{Piece: piece, Err: &Error{"verify", s.names.path(), ErrRange}})
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

// results hands on the Result of a worker, unless the Store is being closed.
func (s *Store) results(r Result) {
	if s.cfg.Results != nil && !s.isClosing() {
		s.cfg.Results(r)
	}
}

// isClosing reports whether Close has begun.
func (s *Store) isClosing() bool {
	s.workers.mu.Lock()
	defer s.workers.mu.Unlock()
	return s.closing
}

// ReadAt fills p from the content, from byte begin of the piece on; p lies
// within the piece, padding at its end included. Padding reads as zeros. A
// file that is missing or too short, or cannot be read, is an *Error.
//
// A piece that was only taken from a record is hashed before it is first read
// from, and so is one in a complete file that has changed since; when it is not
// right, the error is an *Error with ErrChanged and the piece is no longer in
// Have.
func (s *Store) ReadAt(p []byte, piece, begin uint32) error {
	if int64(piece) >= int64(s.layout.Pieces()) ||
		int64(begin)+int64(len(p)) > int64(s.layout.PieceSizePadded(int(piece))) {
		return &Error{"read", s.names.path(), ErrRange}
	}
	return s.pieces.readProven(p, int(piece), int64(begin))
}

// Probe tries whether the disk takes data again after a failed write: it fills
// the piece that could not be written with zeros, since the blocks of it are
// lost. It returns nil when that works or nothing has failed.
func (s *Store) Probe() error {
	if err := s.takeTurn(context.Background()); err != nil {
		return err
	}
	defer s.giveTurn()
	index := int(s.broken.Load())
	if index < 0 {
		return nil
	}
	if err := s.pieces.writeZeros(index); err != nil {
		return err
	}
	s.broken.Store(-1)
	w := s.workers
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range s.open {
		switch {
		case p.busy: // err is its worker's
			p.revived = true
		case p.err != nil:
			w.forget(p)
		}
	}
	return nil
}

// Have returns a copy of the set of pieces that are verified and on disk, as
// far as Check and Verify have seen.
func (s *Store) Have() *bits.Set { return s.known.pieces() }

// Has reports whether a piece is verified and on disk.
func (s *Store) Has(piece int) bool { return s.known.has(piece) }

// Dir returns the folder that the content lies in now: that of Config, unless Move has
// moved the content, in this run or in an earlier one.
func (s *Store) Dir() string {
	if linked := s.names.link(); linked != "" {
		return filepath.Dir(linked)
	}
	return s.disk.path(".")
}

// Paths returns where the content lies now: one file or folder.
func (s *Store) Paths() []string {
	if linked := s.names.link(); linked != "" {
		return []string{linked}
	}
	return []string{s.names.path()}
}

// FileName returns what file i of the Layout is called on disk, below Dir, with
// slashes: the name that it was found under or will be made by.
func (s *Store) FileName(i int) string {
	name, linked := s.names.fileName(i), s.names.link()
	if linked == "" {
		return name
	}
	_, below, _ := strings.Cut(name, "/")
	return path.Join(filepath.Base(linked), below)
}

// FilePath returns the path of file i of the Layout as it is now.
func (s *Store) FilePath(i int) string {
	linked := s.names.link()
	if linked == "" {
		return s.files.path(i)
	}
	return filepath.Join(filepath.Dir(linked), filepath.FromSlash(s.FileName(i)))
}

// FileSize returns the length of file i as it is on disk. The error is fs.ErrNotExist
// if there is no file, or says what is wrong with what lies there.
func (s *Store) FileSize(i int) (int64, error) {
	st, err := s.files.stat(i)
	if err == nil {
		err = kindError(st.mode, false)
	}
	return st.size, wrap("open", s.files.path(i), err)
}

// FileReadable reports whether file i can be opened for reading.
func (s *Store) FileReadable(i int) bool {
	f, err := s.names.disk.open(s.names.fileName(i), openRead)
	if err != nil {
		return false
	}
	f.close()
	return true
}

// Close waits until all blocks are written, syncs and records what can be synced within
// about a second, and closes the files. No Result is posted after it has begun.
func (s *Store) Close() error {
	w := s.workers
	w.mu.Lock()
	if s.closing {
		w.mu.Unlock()
		return nil
	}
	s.closing = true
	w.mu.Unlock()
	s.stopArranging()
	w.mu.Lock()
	for s.busy > 0 {
		s.idle.Wait()
	}
	for _, p := range s.open {
		w.forget(p)
	}
	w.mu.Unlock()
	w.rooms.release(&s.room)
	err := s.journal.close()
	s.files.end()
	s.place.unlock()
	return errors.Join(err, s.parts.close(), s.names.disk.close())
}
