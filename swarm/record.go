package swarm

import (
	"iter"
	"strings"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/storage"
)

// RecordBytesMax bounds a file with a Record.
const RecordBytesMax = storage.ResumeBytesMax

// IsRecord reports whether a path has the name of a file with a Record.
func IsRecord(path string) bool { return strings.HasSuffix(path, storage.ResumeSuffix) }

// A Record says what an engine has of a torrent, as it is written in Config.StateDir.
type Record struct {
	Hash metainfo.Hash
	Path string // of the content, without the suffix of unfinished content
	// Closed says that nothing was written after the Record was made.
	Closed bool
	Pieces int // of the torrent
	Have   int // pieces that are verified and on disk
	Files  []RecordedFile
	// SideHead and SideTail are how many unwanted files have their first or last piece in
	// the partfile, because a wanted file shares it.
	SideHead, SideTail int

	have *bits.Set
}

// A RecordedFile is the state of a file at the time of a Record.
type RecordedFile struct {
	Exists  bool
	Size    int64     // in bytes
	Changed time.Time // when it was changed last
}

// ParseRecord reads the content of a file with a Record.
func ParseRecord(doc []byte) (*Record, error) {
	from, err := storage.ParseResume(doc)
	if err != nil {
		return nil, err
	}
	r := &Record{Hash: from.Hash, Path: from.Path, Closed: from.Clean, Pieces: from.Have.Len(),
		Have: from.Have.Count(), have: from.Have}
	for _, f := range from.Files {
		var file RecordedFile
		if f.Size >= 0 {
			file = RecordedFile{Exists: true, Size: f.Size, Changed: time.Unix(0, f.Mtime)}
		}
		r.Files = append(r.Files, file)
	}
	if from.Partfile != nil {
		r.SideHead, r.SideTail = from.Partfile.Head.Count(), from.Partfile.Tail.Count()
	}
	return r, nil
}

// Missing yields the runs of pieces that are not on disk, each by its first and last piece,
// in order.
func (r *Record) Missing() iter.Seq2[int, int] {
	return func(yield func(first, last int) bool) {
		for p := r.have.NextMissing(0); p >= 0; {
			next := r.have.Next(p)
			if next < 0 {
				next = r.Pieces
			}
			if !yield(p, next-1) {
				return
			}
			p = r.have.NextMissing(next)
		}
	}
}
