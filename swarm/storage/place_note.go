package storage

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"swarmnode/metainfo"
	"swarmnode/metainfo/bencode"
	"swarmnode/swarm/statefile"
)

const (
	// noteSuffix ends the name of a note in the folder for state, after the info-hash
	// and a key of the download folder.
	noteSuffix = ".place"
	// noteMagic opens a note; what follows it is the version.
	noteMagic = "swarmnode place 1\n"
	// noteBytesMax bounds a note: names of files that were renamed.
	noteBytesMax = 32 << 20
	// linkBytesMax bounds a note that is kept as a symbolic link.
	linkBytesMax = 4000
)

// A movePhase says how far a move has come. The words are those of the note.
type movePhase string

const (
	notMoving movePhase = ""
	// moveRename: the content at the top is being renamed, in one step.
	moveRename movePhase = "rename"
	// moveCopy: the content is being copied or linked to a name of its own, which gives
	// way to the right name in one step. Until then nothing of the original is touched.
	moveCopy movePhase = "copy"
	// moveSwitched: the content lies at the new place; the original may be gone in part.
	moveSwitched movePhase = "switched"
	// moveDone: nothing is left at the old place. The note leads to the new one.
	moveDone movePhase = "moved"
)

// A placeNote says where the content of a torrent lies that was last opened in one download
// folder: a move that is under way or done, and names that the user gave. There is one
// for each torrent and download folder.
type placeNote struct {
	phase movePhase
	to    string // the folder that the content is moved to
	// top is the name of the content before the move, and newTop afterwards. The final
	// names are those that complete content has.
	top, newTop     string
	final, newFinal string

	// back is the folder that content is being moved from, whose note says more. With
	// moveDone, content was moved in the other direction before.
	back string

	dir   string // that the note is about; write sets it
	name  string // final name that the user gave; "" if none
	asked string // Config.Name at that time
	// newAsked is the Config.Name to go with newFinal.
	newAsked string
	files    map[int]string // paths below the top of files that the user renamed
	// old is the path that the file with the index file is being renamed from; "" if none
	// is. If file is inFolder, it is that of a folder, which gets the path now.
	old, now string
	file     int
	kept     []int // files that other torrents used when the move began: the originals stay
}

// inFolder is placeNote.file while a folder is being renamed.
const inFolder = -1

// givenNames are the names that the user gave to content, as Open found them in a note.
type givenNames struct {
	asked string         // Config.Name, as the caller of Open gave it
	top   string         // in place of Config.Name, unless it is ""
	files map[int]string // see placeNote.files
}

// askedName returns Config.Name as the caller of Open gave it.
func (c *Config) askedName() string {
	if c.given == nil {
		return c.Name
	}
	return c.given.asked
}

// topName returns the final name of content for which there is no rule; "" if the rules say
// it.
func (c *Config) topName() string {
	if c.given == nil {
		return c.Name
	}
	return cmp.Or(c.given.top, c.Name)
}

// isEmpty reports whether p says nothing.
func (p *placeNote) isEmpty() bool {
	return p == nil || p.phase == notMoving && p.back == "" && p.name == "" && len(p.files) == 0 &&
		p.old == ""
}

// moves reports whether a move is under way.
func (p *placeNote) moves() bool {
	return p != nil && (p.phase == moveRename || p.phase == moveCopy || p.phase == moveSwitched)
}

// withoutMove returns p with nothing but the names that the user gave.
func (p *placeNote) withoutMove() *placeNote {
	if p == nil {
		return &placeNote{}
	}
	return &placeNote{name: p.name, asked: p.asked, files: p.files, final: p.final}
}

// afterMove returns the note about the content once the move that p tells of has ended.
func (p *placeNote) afterMove() *placeNote {
	names := p.withoutMove()
	names.final = p.newFinal
	if p.newFinal != p.final {
		names.name, names.asked = p.newFinal, p.newAsked
	}
	return names
}

// undone returns the note about a folder to which content was not moved in the end,
// as p says: that the content lies where it was, if the folder led to it before.
func (p *placeNote) undone() *placeNote {
	if p.phase != moveDone {
		return &placeNote{}
	}
	return &placeNote{phase: moveDone, to: p.back, top: p.newTop, newTop: p.top,
		final: p.newFinal, newFinal: p.final}
}

// isGone reports whether nothing is left of the content that p is about, so that p is of no
// use. A note about a move that has ended is for those who knew the old folder alone.
func (p *placeNote) isGone(hash metainfo.Hash) bool {
	if p.moves() || p.dir == "" {
		return false
	}
	for _, name := range contentNames(p.final, hash) {
		if p.phase != moveDone && existsAt(p.dir, name) {
			return false
		}
	}
	return true
}

// append appends p in the form of a note.
func (p *placeNote) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, noteMagic...)
	dst = bencode.AppendDict(dst, func(b []byte) []byte {
		text := func(key, value string) {
			if value != "" {
				b = bencode.AppendString(bencode.AppendString(b, key), value)
			}
		}
		text("asked", p.asked)
		text("back", p.back)
		text("dir", p.dir)
		if p.old != "" {
			b = bencode.AppendInt(bencode.AppendString(b, "file"), int64(p.file))
		}
		if len(p.files) > 0 {
			b = bencode.AppendList(bencode.AppendString(b, "files"), func(b []byte) []byte {
				for _, i := range slices.Sorted(maps.Keys(p.files)) {
					b = bencode.AppendString(bencode.AppendInt(b, int64(i)), p.files[i])
				}
				return b
			})
		}
		text("final", p.final)
		if len(p.kept) > 0 {
			b = bencode.AppendList(bencode.AppendString(b, "kept"), func(b []byte) []byte {
				for _, i := range p.kept {
					b = bencode.AppendInt(b, int64(i))
				}
				return b
			})
		}
		text("name", p.name)
		text("new asked", p.newAsked)
		text("new final", p.newFinal)
		text("new top", p.newTop)
		text("now", p.now)
		text("old", p.old)
		text("phase", string(p.phase))
		text("to", p.to)
		text("top", p.top)
		return b
	})
	sum := sha256.Sum256(dst[start:])
	return append(dst, hex.EncodeToString(sum[:])...)
}

// errNote is why a note cannot be used.
var errNote = errors.New("the note about the place of the content is damaged")

// parseNote reads a note. The error wraps errNote.
func parseNote(doc []byte) (*placeNote, error) {
	end := len(doc) - 2*sha256.Size
	if !bytes.HasPrefix(doc, []byte(noteMagic)) || end < len(noteMagic) {
		return nil, fmt.Errorf("%w: it does not begin like one", errNote)
	}
	sum := sha256.Sum256(doc[:end])
	if hex.EncodeToString(sum[:]) != string(doc[end:]) {
		return nil, fmt.Errorf("%w: its checksum is wrong", errNote)
	}
	p := &placeNote{}
	texts := map[string]*string{"asked": &p.asked, "back": &p.back, "dir": &p.dir,
		"final": &p.final, "name": &p.name, "new asked": &p.newAsked, "new final": &p.newFinal,
		"new top": &p.newTop, "now": &p.now, "old": &p.old,
		"phase": (*string)(&p.phase), "to": &p.to,
		"top": &p.top}
	reader := bencode.NewReader(doc[len(noteMagic):end], bencode.Limits{DepthMax: 2})
	for key := range reader.Dict() {
		if text := texts[string(key)]; text != nil {
			*text = string(reader.Bytes())
		} else if string(key) == "files" {
			p.files = parseNoteFiles(reader)
		} else if string(key) == "kept" {
			for range reader.List() {
				p.kept = append(p.kept, int(reader.Int()))
			}
		} else if string(key) == "file" {
			p.file = int(reader.Int())
		}
	}
	if err := reader.Close(); err != nil {
		return nil, fmt.Errorf("%w: %w", errNote, err)
	}
	return p, p.check()
}

// parseNoteFiles reads pairs of the index of a file and its path.
func parseNoteFiles(reader *bencode.Reader) map[int]string {
	files := make(map[int]string)
	index, isPath := 0, false
	for range reader.List() {
		if isPath {
			files[index] = string(reader.Bytes())
		} else {
			index = int(reader.Int())
		}
		isPath = !isPath
	}
	return files
}

// check reports by its error whether the names in p stay within their folders.
func (p *placeNote) check() error {
	for _, name := range []string{p.top, p.newTop, p.final, p.newFinal, p.name, p.old, p.now} {
		if name != "" && (!fs.ValidPath(name) || name == ".") {
			return fmt.Errorf("%w: %q is not a name", errNote, name)
		}
	}
	for i, name := range p.files {
		if i < 0 || i >= metainfo.FilesMax || !fs.ValidPath(name) || name == "." {
			return fmt.Errorf("%w: %q is not a name", errNote, name)
		}
	}
	for _, dir := range []string{p.to, p.back, p.dir} {
		if dir != "" && !filepath.IsAbs(dir) {
			return fmt.Errorf("%w: %q is not a folder", errNote, dir)
		}
	}
	if p.old != "" && (p.file < inFolder || p.file == inFolder && p.now == "") {
		return fmt.Errorf("%w: nothing is renamed", errNote)
	}
	if (p.moves() || p.phase == moveDone) &&
		(p.to == "" || p.top == "" || p.newTop == "" || p.final == "" || p.newFinal == "") {
		return fmt.Errorf("%w: it is incomplete", errNote)
	}
	return nil
}

// placeNotes are the notes about the places of one torrent.
//
// They lie in the folder for state. Without one, a note about a move lies in both download
// folders until the move has ended: as the text of a symbolic link, since no torrent can
// make one, and a file of that name might be the content of one. What other users can write
// to is not trusted.
type placeNotes struct {
	stateDir string
	frozen   bool // stateDir is only read
	hash     metainfo.Hash
	layout   *metainfo.Layout
	beside   func(path string) (inUse func(path string) bool) // Config.Beside
}

// notes returns the notes about the places of the torrent of cfg.
func (c *Config) notes() placeNotes {
	return placeNotes{c.StateDir, c.StateReadOnly, c.Hash, c.Layout, c.Beside}
}

// keeps reports whether notes outlast a move.
func (n *placeNotes) keeps() bool { return n.stateDir != "" && !n.frozen }

// record returns where the note about dir is kept in the folder for state.
func (n *placeNotes) record(dir string) *record {
	return &record{folder: stateFolder(n.stateDir), name: stateStem(n.hash, dir) + noteSuffix}
}

// readNote returns the note whose name in a folder for state begins with stem.
func readNote(stateDir, stem string) (*placeNote, error) {
	doc, _, err := stateFolder(stateDir).read(stem+noteSuffix, noteBytesMax)
	if err != nil {
		return nil, err
	}
	return parseNote(doc)
}

// link returns the path of the symbolic link in dir that is the note about it.
func (n *placeNotes) link(dir string) string {
	return filepath.Join(dir, "."+n.hash.String()+noteSuffix)
}

// read returns the note about dir; one that says nothing if there is none. The error is
// about one that cannot be used.
func (n *placeNotes) read(dir string) (*placeNote, error) {
	if n.stateDir != "" {
		r := n.record(dir)
		doc, _, err := r.folder.read(r.name, noteBytesMax)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil || statefile.Shared(n.stateDir):
			return &placeNote{}, err
		default:
			p, err := parseNote(doc)
			if err != nil {
				return &placeNote{}, &Error{"read", r.path(), err}
			}
			return p, nil
		}
	}
	doc, err := os.Readlink(n.link(dir))
	if err != nil || statefile.Shared(dir) {
		return &placeNote{}, nil
	}
	p, err := parseNote([]byte(doc))
	if err != nil {
		return &placeNote{}, &Error{"read", n.link(dir), err}
	}
	return p, nil
}

// write makes p the note about dir, and returns when that is on stable storage. A note that
// says nothing is removed.
func (n *placeNotes) write(dir string, p *placeNote) error {
	if p.isEmpty() {
		return n.remove(dir)
	}
	p.dir = dir
	if n.keeps() {
		r := n.record(dir)
		return wrap("write", r.path(), r.replace(p.append(nil)))
	}
	if !p.moves() && p.back == "" {
		return n.remove(dir) // nothing is kept
	}
	text, name := p.append(nil), n.link(dir)
	if len(text) > linkBytesMax {
		return nil
	}
	err := os.Symlink(string(text), name)
	if fresh := name + statefile.TemporarySuffix; errors.Is(err, fs.ErrExist) {
		_ = os.Remove(fresh) // of a process that was killed
		err = os.Symlink(string(text), fresh)
		if err == nil {
			err = os.Rename(fresh, name)
		}
		_ = os.Remove(fresh) // unless it was renamed
	}
	if err == nil {
		err = syncPath(dir)
	}
	return wrap("write", name, err)
}

// remove removes the note about dir.
func (n *placeNotes) remove(dir string) error {
	if n.keeps() {
		r := n.record(dir)
		if err := os.Remove(r.path()); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(wrap("remove", r.path(), err), syncPath(n.stateDir))
		}
	}
	name := n.link(dir)
	if _, err := os.Readlink(name); err != nil {
		return nil // there is none
	}
	_ = os.Remove(name + statefile.TemporarySuffix) // of a process that was killed
	return errors.Join(wrap("remove", name, os.Remove(name)), syncPath(dir))
}
