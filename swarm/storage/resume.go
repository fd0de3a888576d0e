package storage

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"swarmnode/metainfo"
	"swarmnode/metainfo/bencode"
	"swarmnode/swarm/bits"
)

const (
	// resumeMagic opens every resume file; what follows it is the version.
	resumeMagic = "swarmnode resume "
	// resumeVersion is raised when an older node could misread the file.
	resumeVersion = "1"
	// ResumeSuffix ends the name of a resume file, after the info-hash.
	ResumeSuffix = ".resume"
	// ResumeBytesMax bounds a resume file: metainfo.FilesMax files of some 25
	// bytes each, metainfo.PiecesMax bits, and names.
	ResumeBytesMax = 32 << 20
)

// A Resume is the record that a Store left about the content of one torrent: the
// pieces that are verified and on stable storage, and the states of the files.
//
// In a file it is a line with the version, a bencoded dictionary, and the
// SHA-256 of both, so that a torn or damaged file is told from a whole one.
type Resume struct {
	Hash metainfo.Hash
	Path string    // of the content, as the Store saw it
	Have *bits.Set // pieces
	// Clean says that nothing was written after the record was made: the
	// Store was closed.
	Clean bool
	Files []FileState // in the order of the Layout
	// Partfile tells of the partfile; it is nil if that holds nothing.
	Partfile *PartfileState
}

// PartfileState is what the partfile holds: the bytes of unwanted files in pieces that
// they share with wanted ones.
type PartfileState struct {
	FileState
	// Head are the files whose bytes in their first piece are in the partfile, and
	// Tail those whose bytes in their last piece are, if that is another one. The
	// length of both sets is the number of files of the Layout.
	Head, Tail *bits.Set
}

// FileState is how a file was left.
type FileState struct {
	Size  int64 // bytes; -1 if there was no file
	Mtime int64 // time of the last change of the content, nanoseconds since 1970
	Ctime int64 // time of the last change of anything about the file; 0 if unknown
}

// Errors of ParseResume.
var (
	ErrResumeVersion = errors.New("resume file is of another version")
	ErrResumeDamaged = errors.New("resume file is damaged")
)

// Append appends r in the form of a resume file.
func (r *Resume) Append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, resumeMagic+resumeVersion+"\n"...)
	dst = bencode.AppendDict(dst, func(b []byte) []byte {
		clean := int64(0)
		if r.Clean {
			clean = 1
		}
		if r.Partfile != nil {
			b = bencode.AppendString(bencode.AppendString(b, "aside"),
				r.Partfile.Tail.AppendWire(r.Partfile.Head.AppendWire(nil)))
		}
		b = bencode.AppendInt(bencode.AppendString(b, "clean"), clean)
		b = bencode.AppendString(bencode.AppendString(b, "files"), appendFileStates(nil, r.Files))
		b = bencode.AppendString(bencode.AppendString(b, "hash"), r.Hash[:])
		b = bencode.AppendString(bencode.AppendString(b, "have"), r.Have.AppendWire(nil))
		if r.Partfile != nil {
			b = bencode.AppendString(bencode.AppendString(b, "parts"),
				appendFileStates(nil, []FileState{r.Partfile.FileState}))
		}
		b = bencode.AppendString(bencode.AppendString(b, "path"), r.Path)
		return bencode.AppendInt(bencode.AppendString(b, "pieces"), int64(r.Have.Len()))
	})
	sum := sha256.Sum256(dst[start:])
	return append(dst, sum[:]...)
}

// appendFileStates appends for each file its size + 1, or 0 if there is none, and then
// its times: Mtime as the difference to the Mtime of the file before, and
// Ctime as the difference to Mtime. Files of a torrent are written at about the same
// time, so a file takes some ten bytes.
func appendFileStates(b []byte, files []FileState) []byte {
	last := int64(0)
	for _, f := range files {
		b = binary.AppendUvarint(b, uint64(f.Size+1))
		if f.Size < 0 {
			continue
		}
		b = binary.AppendVarint(b, f.Mtime-last)
		b = binary.AppendVarint(b, f.Ctime-f.Mtime)
		last = f.Mtime
	}
	return b
}

// ParseResume reads a resume file. The error wraps ErrResumeVersion or
// ErrResumeDamaged.
func ParseResume(doc []byte) (*Resume, error) {
	line, _, ok := bytes.Cut(doc[:min(len(doc), 64)], []byte("\n"))
	version, magic := bytes.CutPrefix(line, []byte(resumeMagic))
	switch {
	case !ok || !magic:
		return nil, fmt.Errorf("%w: it does not begin like a resume file", ErrResumeDamaged)
	case string(version) != resumeVersion:
		return nil, fmt.Errorf("%w: %.20q, not %s", ErrResumeVersion, version, resumeVersion)
	case len(doc) > ResumeBytesMax:
		return nil, fmt.Errorf("%w: it is too long", ErrResumeDamaged)
	case len(doc) < len(line)+1+sha256.Size:
		return nil, fmt.Errorf("%w: it is too short", ErrResumeDamaged)
	}
	body, want := doc[:len(doc)-sha256.Size], doc[len(doc)-sha256.Size:]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], want) {
		return nil, fmt.Errorf("%w: its checksum is wrong", ErrResumeDamaged)
	}
	r, err := parseResumeDict(body[len(line)+1:])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrResumeDamaged, err)
	}
	return r, nil
}

func parseResumeDict(doc []byte) (*Resume, error) {
	r := &Resume{}
	var hash, have, files, aside, parts []byte
	pieces := int64(-1)
	reader := bencode.NewReader(doc, bencode.Limits{DepthMax: 2})
	for key := range reader.Dict() {
		switch string(key) {
		case "aside":
			aside = reader.Bytes()
		case "clean":
			r.Clean = reader.Int() == 1
		case "files":
			files = reader.Bytes()
		case "hash":
			hash = reader.Bytes()
		case "have":
			have = reader.Bytes()
		case "parts":
			parts = reader.Bytes()
		case "path":
			r.Path = string(reader.Bytes())
		case "pieces":
			pieces = reader.Int()
		}
	}
	if err := reader.Close(); err != nil {
		return nil, err
	}
	if len(hash) != len(r.Hash) {
		return nil, errors.New("it has no info-hash")
	}
	copy(r.Hash[:], hash)
	if pieces < 0 || pieces > metainfo.PiecesMax {
		return nil, fmt.Errorf("it has %d pieces", pieces)
	}
	var err error
	if r.Have, err = bits.FromWire(have, int(pieces)); err != nil {
		return nil, err
	}
	if r.Files, err = parseFileStates(files); err != nil || parts == nil && aside == nil {
		return r, err
	}
	r.Partfile, err = parsePartfile(parts, aside, len(r.Files))
	return r, err
}

// parsePartfile reads the state of the partfile of a torrent with that many files.
func parsePartfile(parts, aside []byte, files int) (*PartfileState, error) {
	states, err := parseFileStates(parts)
	if err != nil {
		return nil, err
	}
	if len(states) != 1 || len(aside)%2 != 0 {
		return nil, errors.New("the state of the partfile is incomplete")
	}
	state := &PartfileState{FileState: states[0]}
	if state.Head, err = bits.FromWire(aside[:len(aside)/2], files); err != nil {
		return nil, err
	}
	state.Tail, err = bits.FromWire(aside[len(aside)/2:], files)
	return state, err
}

func parseFileStates(b []byte) ([]FileState, error) {
	var files []FileState
	last := int64(0)
	for len(b) > 0 {
		if len(files) == metainfo.FilesMax {
			return nil, errors.New("it has too many files")
		}
		size, n := binary.Uvarint(b)
		if n <= 0 || size > metainfo.LengthMax+1 {
			return nil, errors.New("a size is wrong")
		}
		b = b[n:]
		f := FileState{Size: int64(size) - 1}
		if size > 0 {
			mtime, n := binary.Varint(b)
			ctime, m := binary.Varint(b[max(n, 0):])
			if n <= 0 || m <= 0 {
				return nil, errors.New("a time is wrong")
			}
			b = b[n+m:]
			f.Mtime = last + mtime // may wrap around; then it fits no file
			f.Ctime = f.Mtime + ctime
			last = f.Mtime
		}
		files = append(files, f)
	}
	return files, nil
}
