package metainfo

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"path/filepath"
	"time"
	"unicode/utf8"
)

const (
	// PieceLengthMin is the smallest piece that Build makes, and the smallest
	// that v2 allows: one block.
	PieceLengthMin = BlockLength
	// InfoBytesMax bounds the info dictionaries that Build makes. Magnet links
	// only work if peers accept the dictionary from peers, and none accepts a larger one.
	InfoBytesMax = 16 << 20

	// Build chooses the smallest piece length that gives at most
	// autoPiecesMax pieces, so that an info dictionary stays a few blocks of
	// ut_metadata and a failed piece costs little; above autoPieceLengthMax the
	// number of pieces grows instead, up to 4 MiB of SHA-1, the largest dictionary
	// that libtorrent accepts from a peer.
	autoPiecesMax      = 2048
	autoPieceLengthMax = 16 << 20
	autoPiecesLimit    = 4 << 20 / len(Hash{})
)

// BuildOptions say what torrent Build makes. Only Path is required.
type BuildOptions struct {
	Path string // the file, or the folder with all its files
	Kind Kind   // V1 by default
	// PieceLength is in bytes, a power of two from PieceLengthMin to
	// PieceLengthMax; 0 chooses by the size of the content.
	PieceLength int
	// NoTailPadding leaves out the padding after the last file of a Hybrid.
	// Programs differ in this; the default is libtorrent's way.
	NoTailPadding bool

	// Hidden includes files and folders whose names start with a dot.
	Hidden bool
	// Include and Exclude choose among the files of a folder by glob: a file is
	// chosen if it matches some Include, or there is none, and it matches no Exclude.
	// See MatchGlob.
	Include, Exclude []string
	// Output is the path that the torrent will be written to. An existing file of that
	// path is left out of the torrent, since it will change.
	Output string
	// Skipped, unless nil, is called for each file that is left out for other reasons
	// than the options above: links that lead out of the folder, sockets and the
	// like. path is relative to Path.
	Skipped func(path string, why error)
	// SkippedHidden, unless nil, is called with the number of files and folders that
	// are left out because their names start with a dot, if any are.
	SkippedHidden func(n int)

	Name     string     // of the torrent; the name of Path if empty
	Private  bool       // BEP 27
	Source   string     // see Info.Source
	Trackers [][]string // the rest as in Torrent
	WebSeeds []string
	Nodes    []string
	Comment  string
	Creator  string
	Created  time.Time

	// Workers is the number of goroutines that read and hash; 0 chooses by the
	// number of processors.
	Workers int
	// Progress, unless nil, is called by Build's own goroutine at intervals
	// and at the end, with bytes of file content.
	Progress func(done, total int64)
}

// Build reads a file or folder and makes a torrent of it. Equal content and
// options give equal bytes. The names in the Layout of the result are those on
// disk, unchanged, so that the content can be served from where it lies;
// Renamed returns the names that other nodes will see changed. Build's memory does not
// depend on the size of the content, except for the names and the hashes
// themselves. It fails if a file changes meanwhile.
func Build(ctx context.Context, opt BuildOptions) (*Torrent, error) {
	t, err := build(ctx, &opt)
	if err != nil {
		return nil, fmt.Errorf("making a torrent: %w", err)
	}
	return t, nil
}

func build(ctx context.Context, opt *BuildOptions) (*Torrent, error) {
	if err := checkBuildOptions(opt); err != nil {
		return nil, err
	}
	src, err := scan(ctx, opt)
	if err != nil {
		return nil, err
	}
	defer src.close()
	if opt.SkippedHidden != nil && src.hidden > 0 {
		opt.SkippedHidden(src.hidden)
	}
	l, err := plan(opt, src)
	if err != nil {
		return nil, err
	}
	if err := checkInfoBytes(opt, src, l); err != nil {
		return nil, err
	}
	h := newHasher(opt, src, l)
	if err := h.run(ctx); err != nil {
		return nil, err
	}
	if err := src.checkPaths(ctx); err != nil {
		return nil, err
	}
	return h.torrent()
}

func checkBuildOptions(opt *BuildOptions) error {
	n := opt.PieceLength
	if n != 0 && (n < PieceLengthMin || n > PieceLengthMax || bits.OnesCount(uint(n)) != 1) {
		return fmt.Errorf("piece length %d: not a power of two from %d to %d", n, PieceLengthMin,
			PieceLengthMax)
	}
	for _, list := range [][]string{opt.Include, opt.Exclude} {
		for _, pattern := range list {
			if err := CheckGlob(pattern); err != nil {
				return err
			}
		}
	}
	return nil
}

// contentName returns the name of a torrent of path.
func contentName(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	name := filepath.Base(abs)
	if name == string(filepath.Separator) || name == filepath.VolumeName(abs) {
		return "", errors.New("the root of a file system has no name")
	}
	if !utf8.ValidString(name) {
		return "", fmt.Errorf("name %q is not valid UTF-8", name)
	}
	return name, nil
}

// plan lays out the files that were found: which pieces there are, and where
// padding goes.
func plan(opt *BuildOptions, src *sources) (*Layout, error) {
	if src.total == 0 {
		return nil, fmt.Errorf("%s: there is no content", opt.Path)
	}
	if src.total > LengthMax {
		return nil, fmt.Errorf("%s: too large", opt.Path)
	}
	l := &Layout{Name: src.name, Multi: src.multi, PieceLength: opt.PieceLength, kind: opt.Kind}
	if l.PieceLength == 0 {
		l.PieceLength = choosePieceLength(opt.Kind, src)
	}
	if n := countPieces(opt.Kind, src, int64(l.PieceLength)); n > PiecesMax {
		return nil, fmt.Errorf("pieces of %d bytes are too small: there would be %d", l.PieceLength,
			n)
	}
	room := len(src.files)
	if l.kind == Hybrid {
		room *= 2 // padding after each
	}
	l.Files = make([]File, 0, room)
	tail := len(src.files) > 1 && !opt.NoTailPadding
	for i := range src.files {
		if src.files[i].size > 0 {
			l.align()
		}
		f := File{Offset: l.Length, Length: src.files[i].size, Executable: src.files[i].program}
		if src.multi {
			f.Path = src.path(i)
		}
		l.Length += f.Length
		l.Files = append(l.Files, f)
		if tail && l.kind == Hybrid {
			l.align()
		}
	}
	if len(l.Files) > FilesMax {
		return nil, fmt.Errorf("%s: more than %d files, padding included", opt.Path, FilesMax)
	}
	l.setPieces()
	return l, nil
}

// align moves the end of the content to the next offset where a file may start.
func (l *Layout) align() {
	gap := (int64(l.PieceLength) - l.Length%int64(l.PieceLength)) % int64(l.PieceLength)
	if l.kind == V1 || gap == 0 {
		return
	}
	if l.kind == Hybrid {
		l.Files = append(l.Files, padFile(l.Length, gap))
	}
	l.Length += gap
}

func choosePieceLength(kind Kind, src *sources) int {
	n := int64(PieceLengthMin)
	count := countPieces(kind, src, n)
	for count > autoPiecesMax && n < PieceLengthMax {
		if n >= autoPieceLengthMax && count <= int64(autoPiecesLimit) {
			break
		}
		double := countPieces(kind, src, 2*n)
		if count <= int64(autoPiecesLimit) && double > count/4*3 {
			break // v2: most files are smaller than a piece already
		}
		n, count = 2*n, double
	}
	return int(n)
}

// countPieces returns the number of pieces of n bytes.
func countPieces(kind Kind, src *sources, n int64) int64 {
	if kind == V1 {
		return (src.total + n - 1) / n
	}
	var count int64
	for i := range src.files {
		count += (src.files[i].size + n - 1) / n
	}
	return count
}
