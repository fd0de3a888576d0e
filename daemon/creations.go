package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"swarmnode/daemon/confine"
	"swarmnode/metainfo"
	"swarmnode/swarm"
)

const (
	// creatingMax is how many torrents are made at one time, and creationsMax how many are
	// remembered that were made, or are being made.
	creatingMax  = 4
	creationsMax = 64
	// commentBytesMax bounds the comment of a torrent that is made.
	commentBytesMax = 64 << 10
	// nameBytesMax bounds the name, as file systems do.
	nameBytesMax = 255
	// creationRoom is the memory that must be left for a torrent to be made: the hashes of the
	// largest one, and what the hashing of it needs.
	creationRoom = 32 << 20
)

// A CreationSpec describes a torrent to make of content on this machine.
type CreationSpec struct {
	Path string // of the file or folder, absolute
	// Name is that of the torrent; empty means that of Path.
	Name string
	// Kind and PieceLength are as in metainfo.BuildOptions.
	Kind        metainfo.Kind
	PieceLength int
	Private     bool
	Trackers    [][]string
	WebSeeds    []string
	Comment     string
	Creator     string
	Created     time.Time // zero: no date
	// Options are those of the torrent once it is made. Its Dir is that of Path.
	Options Options
}

// A CreationStatus is the word for how far a Creation has come.
type CreationStatus string

// The statuses.
const (
	CreationHashing   CreationStatus = "hashing"
	CreationDone      CreationStatus = "done"
	CreationFailed    CreationStatus = "failed"
	CreationCancelled CreationStatus = "cancelled"
)

// A Creation says how far a torrent has come that is being made.
type Creation struct {
	ID         int
	Path, Name string
	Status     CreationStatus
	// Hashed and Total are bytes of content.
	Hashed, Total int64
	// Skipped counts files and folders that were left out: hidden ones, links that lead out of
	// the folder, and what is neither a file nor a folder.
	Skipped int
	// Err says why it has failed.
	Err error
	// Torrent is the torrent once Status is CreationDone.
	Torrent *Torrent
}

// ErrNoCreation says that there is no creation of a number.
var ErrNoCreation = errors.New("there is no such creation")

// ErrCreating says that as many torrents are being made as can be at one time.
var ErrCreating = fmt.Errorf("%d torrents are being made, which is the most", creatingMax)

// creations are the torrents that are being made, and those that were. They are safe for
// concurrent use.
type creations struct {
	mu     sync.Mutex
	last   int
	list   []*creation // the oldest first
	active int
}

// A creation is one of them. creations.mu guards what changes.
type creation struct {
	now    Creation
	cancel context.CancelFunc
}

// Create begins to make a torrent of content and adds it once it is made: the content seeds from
// where it lies unless Options.Stopped is set, and is not hashed again. A torrent that is there
// already is taken. Whoever is confined (Confine) can use what lies in the allowed folders, and
// links do not lead out of these. The error is an *OptionError, a *PathError, ErrCreating,
// ErrClosed, swarm.ErrMemory, or that of the system.
func (d *Daemon) Create(ctx context.Context, spec CreationSpec) (Creation, error) {
	build, err := d.admitCreation(ctx, &spec)
	if err != nil {
		return Creation{}, err
	}
	if !swarm.MemoryRoom(creationRoom) {
		return Creation{}, swarm.ErrMemory
	}
	c := &d.creations
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.active >= creatingMax {
		return Creation{}, ErrCreating
	}
	making, cancel := context.WithCancel(d.ctx)
	one := &creation{now: Creation{ID: c.last + 1, Path: spec.Path,
		Name: cmp.Or(spec.Name, filepath.Base(spec.Path)), Status: CreationHashing}, cancel: cancel}
	if !d.start(func() { d.create(making, one, build, &spec) }) {
		cancel()
		return Creation{}, ErrClosed
	}
	c.last++
	c.active++
	c.list = append(c.list, one)
	c.forgetOld()
	return one.now, nil
}

// forgetOld forgets the oldest ones that have ended, if there are too many. c.mu is held.
func (c *creations) forgetOld() {
	for i := 0; len(c.list) > creationsMax && i < len(c.list); i++ {
		if c.list[i].now.Status != CreationHashing {
			c.list = slices.Delete(c.list, i, i+1)
			i--
		}
	}
}

// admitCreation returns how the torrent is built, or what is wrong with a spec.
func (d *Daemon) admitCreation(ctx context.Context, spec *CreationSpec) (metainfo.BuildOptions,
	error) {
	build := metainfo.BuildOptions{Kind: spec.Kind, PieceLength: spec.PieceLength,
		Name: spec.Name, Private: spec.Private, Trackers: spec.Trackers, WebSeeds: spec.WebSeeds,
		Comment: spec.Comment, Creator: spec.Creator, Created: spec.Created}
	if !filepath.IsAbs(spec.Path) {
		return build, &OptionError{"path", fmt.Errorf("%q %w", spec.Path, confine.ErrRelative)}
	}
	spec.Path = filepath.Clean(spec.Path)
	if err := d.admit(ctx, spec.Path); err != nil {
		return build, err
	}
	if len(spec.Comment) > commentBytesMax {
		return build, &OptionError{"comment", fmt.Errorf("it has more than %d bytes",
			commentBytesMax)}
	}
	for _, c := range []struct {
		name string
		err  error
	}{
		{"trackers", swarm.CheckTrackers(spec.Trackers)},
		{"webseeds", swarm.CheckWebSeeds(spec.WebSeeds)},
		{"piece-length", checkPieceLength(spec.PieceLength)},
		{"name", checkContentName(spec.Name)},
	} {
		if c.err != nil {
			return build, &OptionError{c.name, c.err}
		}
	}
	path, err := confine.Resolve(spec.Path) // so that no link leads elsewhere afterwards
	if err != nil {
		return build, &OptionError{"path", err}
	}
	if _, err := os.Stat(path); err != nil {
		return build, &OptionError{"path", err}
	}
	spec.Options.Dir = filepath.Dir(path)
	spec.Options.Trackers = cloneTiers(spec.Trackers) // the user wrote them
	if err := spec.Options.check(); err != nil {
		return build, err
	}
	build.Path = path
	return build, nil
}

// checkPieceLength checks the length of pieces; 0 is one that fits.
func checkPieceLength(n int) error {
	if n != 0 && (n < metainfo.PieceLengthMin || n > metainfo.PieceLengthMax || n&(n-1) != 0) {
		return fmt.Errorf("%d is no power of two from %d to %d", n, metainfo.PieceLengthMin,
			metainfo.PieceLengthMax)
	}
	return nil
}

// checkContentName checks the name of a torrent; "" is that of the content.
func checkContentName(name string) error {
	switch {
	case name == "":
		return nil
	case len(name) > nameBytesMax:
		return fmt.Errorf("it has more than %d bytes", nameBytesMax)
	case !utf8.ValidString(name), name == ".", name == "..", strings.ContainsAny(name, "/\\\x00"):
		return fmt.Errorf("%q is no name of a file", name)
	}
	return nil
}

// create makes a torrent and adds it.
func (d *Daemon) create(ctx context.Context, one *creation, build metainfo.BuildOptions,
	spec *CreationSpec) {
	c := &d.creations
	build.Progress = func(done, total int64) {
		c.mu.Lock()
		one.now.Hashed, one.now.Total = done, total
		c.mu.Unlock()
	}
	skip := func(n int) {
		c.mu.Lock()
		one.now.Skipped += n
		c.mu.Unlock()
	}
	build.Skipped, build.SkippedHidden = func(string, error) { skip(1) }, skip
	t, err := d.made(ctx, build, spec)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.active--
	defer one.cancel()
	switch {
	case err == nil:
		one.now.Status, one.now.Torrent = CreationDone, t
	case ctx.Err() != nil:
		one.now.Status = CreationCancelled
	default:
		one.now.Status, one.now.Err = CreationFailed, err
		d.log.Warn("a torrent cannot be made", "path", spec.Path, "err", err)
	}
}

// made builds a torrent and returns it as it is in the daemon.
func (d *Daemon) made(ctx context.Context, build metainfo.BuildOptions, spec *CreationSpec) (
	*Torrent, error) {
	built, err := metainfo.Build(ctx, build)
	if err != nil {
		return nil, err
	}
	torrent, err := metainfo.ParseTorrent(built.Marshal()) // as the next run will read it
	if err != nil {
		return nil, err
	}
	if err := sameNames(built.Info().Layout(), torrent.Info().Layout()); err != nil {
		return nil, err
	}
	// The content was hashed here, whoever wants it.
	t, err := d.Add(ctx, AddSpec{Torrent: torrent, Options: spec.Options, Complete: true,
		Name: filepath.Base(build.Path), Source: "creation"})
	if there, ok := errors.AsType[*ExistsError](err); ok {
		return there.Torrent, nil
	}
	return t, err
}

// sameNames returns an error if content does not have the names on disk that a torrent gives it.
func sameNames(disk, torrent *metainfo.Layout) error {
	for i := range disk.Files {
		is, was := strings.Join(torrent.Files[i].Path, "/"), strings.Join(disk.Files[i].Path, "/")
		if is != was && !disk.Files[i].Pad {
			return fmt.Errorf("%q cannot be seeded under its name, which others write as %q: "+
				"rename it first", was, is)
		}
	}
	return nil
}

// Creations returns the torrents that are being made, and the last ones that were.
func (d *Daemon) Creations() []Creation {
	c := &d.creations
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]Creation, len(c.list))
	for i, one := range c.list {
		list[i] = one.now
	}
	slices.SortFunc(list, func(a, b Creation) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// Creation returns the one of a number, or ErrNoCreation.
func (d *Daemon) Creation(id int) (Creation, error) {
	c := &d.creations
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.list {
		if one.now.ID == id {
			return one.now, nil
		}
	}
	return Creation{}, ErrNoCreation
}

// CancelCreation ends the making of a torrent, or forgets one that was made, which stays. The
// error is ErrNoCreation.
func (d *Daemon) CancelCreation(id int) error {
	c := &d.creations
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, one := range c.list {
		if one.now.ID != id {
			continue
		}
		one.cancel()
		if one.now.Status != CreationHashing {
			c.list = slices.Delete(c.list, i, i+1)
		}
		return nil
	}
	return ErrNoCreation
}
