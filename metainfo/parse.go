package metainfo

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"

	"swarmnode/metainfo/bencode"
)

var documentLimits = bencode.Limits{DepthMax: documentDepthMax, ValuesMax: documentValuesMax}

// An infoParser reads an info dictionary in place within a document, and
// keeps views of the document until finish. The first error is in err; while reading, an
// error of the encoding is in r.
type infoParser struct {
	doc   []byte // what r reads
	r     *bencode.Reader
	start int // offset of the dictionary in doc
	end   int
	err   error
	rule  NameRule // resolved

	namesOnly bool // only the names of the layout are needed

	name           string // as received
	hasName        bool
	pieceLength    int64
	hasPieceLength bool
	pieces         []byte // SHA-1 of the pieces; nil when the key is missing
	piecesAt       int    // offset of pieces in doc
	single         File   // v1: the only file
	hasLength      bool
	list           []File // v1, multi-file
	hasList        bool
	tree           leaves           // v2
	treeLinks      map[int][]string // v2: targets of symbolic links
	hasTree        bool
	oddTree        bool   // the file tree is not a dictionary
	title          string // the torrent's name, if name is that of its file; as received
	version        int64  // "meta version"
	oddVersion     bool   // the version is not a number
	private        bool
	source         string

	varied        bool            // some rule gives other names
	originals     map[int]string  // paths that cleaning changed, by index of file
	listOriginals map[int]string  // those of list
	treeOriginals map[int]string  // those of tree
	scratch       [][]byte        // elements of the path being read
	last          []string        // path of the file before, whose folders are shared
	twin          []string        // hybrid: path of the same file in tree
	named         int             // files of list without padding
	arena         []string        // where paths are cut from
	text          strings.Builder // where names are cut from; a full one is replaced
}

func (p *infoParser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

// failed reports whether reading can stop.
func (p *infoParser) failed() bool { return p.err != nil || p.r.Err() != nil }

// readInfo reads the next dictionary of r, the reader of doc. rule names the files.
func readInfo(doc []byte, r *bencode.Reader, rule NameRule) *infoParser {
	p := &infoParser{doc: doc, r: r, start: r.Offset(), rule: rule.resolve()}
	p.readKeys()
	p.end = r.Offset()
	if err := r.Err(); err != nil {
		p.err = err
	}
	return p
}

func (p *infoParser) readKeys() {
	var nameUTF8 []byte
	for key := range p.r.Dict() {
		switch string(key) {
		case "name":
			p.name, p.hasName = string(p.r.Bytes()), true
		case "name.utf-8":
			nameUTF8, _ = p.r.TryBytes()
		case "piece length":
			p.pieceLength, p.hasPieceLength = p.r.Int(), true
		case "pieces":
			p.pieces = p.r.Bytes()
			p.piecesAt = p.r.Offset() - len(p.pieces)
		case "length":
			p.single.Length, p.hasLength = p.r.Int(), true
		case "attr":
			p.readAttributes(&p.single)
		case "files":
			p.hasList = true
			p.readFiles()
			p.listOriginals, p.originals = p.originals, nil
		case "file tree":
			if p.hasTree = p.r.Kind() == bencode.Dict; !p.hasTree {
				p.oddTree = true
				p.r.Skip()
				continue
			}
			p.readTree(make([][]byte, 0, PathDepthMax+1))
			p.treeOriginals, p.originals = p.originals, nil
		case "meta version":
			n, ok := p.r.TryInt()
			p.version, p.oddVersion = n, !ok
		case "private":
			n, _ := p.r.TryInt()
			p.private = n != 0
		case "source":
			b, _ := p.r.TryBytes()
			p.source = string(b)
		}
		if p.failed() {
			return
		}
	}
	if len(nameUTF8) > 0 && utf8.Valid(nameUTF8) {
		p.name, p.hasName = string(nameUTF8), true
	}
}

// readAttributes reads the "attr" of BEP 47.
func (p *infoParser) readAttributes(f *File) (link bool) {
	b, _ := p.r.TryBytes()
	for _, c := range b {
		switch c {
		case 'p':
			f.Pad = true
		case 'x':
			f.Executable = true
		case 'h':
			f.Hidden = true
		case 'l':
			link = true
		}
	}
	return link
}

// readFiles reads the "files" of a v1 torrent.
func (p *infoParser) readFiles() {
	p.list = make([]File, 0, p.expectFiles())
	for i := range p.r.List() {
		if p.failed() {
			return
		}
		if i == FilesMax {
			p.fail("more than %d files", FilesMax)
			return
		}
		if err := p.readFile(i); err != nil {
			p.fail("file %d: %w", i, err)
			return
		}
	}
}

// expectFiles guesses the number of files by a key that each has, so that their list is
// allocated once.
func (p *infoParser) expectFiles() int {
	return min(bytes.Count(p.doc[p.r.Offset():], []byte("4:path")), FilesMax)
}

func (p *infoParser) readFile(i int) error {
	var f File
	var path, pathUTF8 [][]byte
	var hasLength, link bool
	p.scratch = p.scratch[:0]
	for key := range p.r.Dict() {
		switch string(key) {
		case "length":
			f.Length, hasLength = p.r.Int(), true
		case "attr":
			link = p.readAttributes(&f)
		case "path":
			path = p.readPath()
		case "path.utf-8":
			pathUTF8 = p.tryPath()
		case "symlink path":
			f.Link = p.cleanLink(p.tryPath())
		}
		if p.failed() {
			return nil
		}
	}
	if len(pathUTF8) > 0 && !slices.ContainsFunc(pathUTF8, func(b []byte) bool {
		return !utf8.Valid(b)
	}) {
		path = pathUTF8
	}
	if !link {
		f.Link = nil
	} else {
		f.Length, hasLength = 0, true // a link takes up no content (BEP 47)
	}
	if !link && len(path) > 0 && isPaddingName(path[len(path)-1]) {
		f.Pad = true
	}
	if !hasLength {
		return errors.New("has no length")
	}
	if f.Length < 0 || f.Length > LengthMax {
		return fmt.Errorf("length %d is out of range", f.Length)
	}
	if !f.Pad && p.named < p.tree.count {
		p.twin = p.tree.at(p.named).path
		p.named++
	}
	if err := p.setPath(&f, i, path); err != nil {
		return err
	}
	if link && len(f.Link) == 0 {
		f.Link = f.Path
	}
	p.twin = nil
	p.list = append(p.list, f)
	return nil
}

// readPath reads a list of strings onto the end of scratch.
func (p *infoParser) readPath() [][]byte {
	start := len(p.scratch)
	for i := range p.r.List() {
		if i == PathDepthMax {
			p.fail("%w", errNameDepth)
			break
		}
		p.scratch = append(p.scratch, p.r.Bytes())
	}
	return p.scratch[start:]
}

// tryPath reads a list of strings onto the end of scratch, for a key that nothing
// depends on: a value of another form, or a list that is too long, is ignored.
func (p *infoParser) tryPath() [][]byte {
	start, sound := len(p.scratch), p.r.Kind() == bencode.List
	if !sound {
		p.r.Skip()
	} else {
		for i := range p.r.List() {
			element, ok := p.r.TryBytes()
			if sound = sound && ok && i < PathDepthMax; sound {
				p.scratch = append(p.scratch, element)
			}
		}
	}
	if !sound {
		p.scratch = p.scratch[:start]
	}
	return p.scratch[start:]
}

// setPath cleans path into f, the file with index i. Folders
// that it has in common with the file before share their strings.
func (p *infoParser) setPath(f *File, i int, path [][]byte) error {
	if len(path) == 0 && f.Pad {
		return nil
	}
	if cap(p.arena)-len(p.arena) < len(path) {
		p.arena = make([]string, 0, max(len(path), 1024))
	}
	start, size, changed := len(p.arena), 0, false
	for d, raw := range path {
		element, known := p.known(d, raw)
		switch {
		case known:
		case isPlain(raw):
			element = p.keep(raw)
		default:
			var err error
			if element, err = cleanElement(string(raw), p.rule); err != nil {
				return err
			}
			changed = changed || element == "" || element != string(raw)
			p.varied = p.varied || len(raw) > 0 && !isPortable(string(raw))
		}
		if element != "" {
			p.arena = append(p.arena, element)
			size += len(element) + 1
		}
	}
	f.Path = p.arena[start:len(p.arena):len(p.arena)]
	if len(f.Path) > 0 && slices.Equal(f.Path, p.twin) {
		f.Path, p.arena = p.twin, p.arena[:start] // one list of names for both halves
	}
	switch {
	case len(f.Path) == 0:
		return errNameEmpty
	case len(f.Path) > PathDepthMax:
		return errNameDepth
	case size > PathBytesMax:
		return errNameLong
	}
	p.last = f.Path
	if changed && !f.Pad {
		p.noteOriginal(i, joinPath(path))
	}
	return nil
}

// textBytes is how much room for names is allocated at a time: one allocation for each
// name would burden the garbage collector.
const textBytes = 32 << 10

// keep returns a plain name as a string. It shares its memory with other names.
func (p *infoParser) keep(raw []byte) string {
	if p.text.Cap()-p.text.Len() < len(raw) {
		p.text = strings.Builder{}
		p.text.Grow(min(max(p.r.Left()/4, ElementBytesMax), textBytes))
	}
	start := p.text.Len()
	p.text.Write(raw)
	return p.text.String()[start:]
}

// known returns the string of an element that was cleaned before, and did not change.
func (p *infoParser) known(depth int, raw []byte) (string, bool) {
	switch {
	case depth < len(p.last) && p.last[depth] == string(raw):
		return p.last[depth], true
	case depth < len(p.twin) && p.twin[depth] == string(raw):
		return p.twin[depth], true
	}
	return "", false
}

func (p *infoParser) noteOriginal(i int, path string) {
	if p.originals == nil {
		p.originals = make(map[int]string)
	}
	if _, ok := p.originals[i]; !ok {
		p.originals[i] = path
	}
}

func joinPath(path [][]byte) string {
	var b strings.Builder
	for i, element := range path {
		if i > 0 {
			b.WriteByte('/')
		}
		b.Write(element)
	}
	return b.String()
}

// cleanLink cleans the target of a symbolic link. It returns nil for a target
// outside the torrent's folder.
func (p *infoParser) cleanLink(target [][]byte) []string {
	link := make([]string, 0, len(target))
	for _, raw := range target {
		element, err := cleanElement(string(raw), p.rule)
		if err != nil {
			return nil
		}
		if element != "" {
			link = append(link, element)
		}
	}
	return link
}

// layout makes a Layout of the keys that were read.
func (p *infoParser) layout(kind Kind) (*Layout, error) {
	err := p.checkPieceLength(kind)
	if err != nil {
		return nil, err
	}
	l := &Layout{PieceLength: int(p.pieceLength), kind: kind}
	if !p.hasName {
		return nil, errors.New("no name")
	}
	if kind == V2 {
		p.takeSingleName()
	}
	if l.Name, err = cleanElement(p.name, p.rule); err != nil {
		return nil, fmt.Errorf("name: %w", err)
	}
	p.varied = p.varied || p.name != "" && !isPortable(p.name)
	if kind.HasV1() {
		p.originals = p.listOriginals
		err = p.layoutV1(l)
	} else {
		p.originals = p.treeOriginals
		err = p.layoutV2(l)
	}
	if err != nil {
		return nil, err
	}
	if kind == Hybrid {
		if err := p.joinHalves(l); err != nil {
			return nil, fmt.Errorf("v1 and v2 differ: %w", err)
		}
	}
	if kind.HasV2() && !p.namesOnly {
		if err := l.plantTrees(); err != nil {
			return nil, err
		}
	}
	p.varied = resolveCollisions(l.Files, p.rule, func(i int) (string, bool) {
		if path, ok := p.originals[i]; ok {
			return path, true
		}
		return strings.Join(l.Files[i].Path, "/"), false
	}, func(i int) {
		p.noteOriginal(i, strings.Join(l.Files[i].Path, "/"))
	}) || p.varied
	l.rawName, l.varied = p.name, p.varied
	return l, nil
}

func (p *infoParser) kind() (Kind, error) {
	hasV1 := p.pieces != nil || p.hasLength || p.hasList
	switch {
	case p.oddVersion && p.hasTree && !hasV1:
		return V2, nil // it can be nothing else
	case p.version == 0 || p.version == 1:
		return V1, nil // a stray file tree means nothing without a version
	case p.version != 2:
		return 0, fmt.Errorf("unknown meta version %d", p.version)
	case p.oddTree:
		return 0, errors.New("file tree: expected dictionary")
	case !p.hasTree:
		return 0, errors.New("meta version 2 without file tree")
	case hasV1:
		return Hybrid, nil
	}
	return V2, nil
}

func (p *infoParser) checkPieceLength(kind Kind) error {
	n := p.pieceLength
	switch {
	case !p.hasPieceLength:
		return errors.New("no piece length")
	case n <= 0 || n > PieceLengthMax:
		return fmt.Errorf("piece length %d is out of range", n)
	case kind.HasV2() && (n < BlockLength || bits.OnesCount64(uint64(n)) != 1):
		return fmt.Errorf("piece length %d is not a power of two from 16 KiB", n)
	}
	return nil
}

// layoutV1 fills in l from the keys of BEP 3.
func (p *infoParser) layoutV1(l *Layout) error {
	switch {
	case p.pieces == nil:
		return errors.New("no pieces")
	case p.hasLength && p.hasList:
		return errors.New("both length and files")
	case !p.hasLength && !p.hasList:
		return errors.New("neither length nor files")
	case p.hasList:
		l.Multi, l.Files = true, p.list
	default:
		if p.single.Length < 0 || p.single.Length > LengthMax {
			return fmt.Errorf("length %d is out of range", p.single.Length)
		}
		p.single.Pad = false
		l.Files = []File{p.single}
	}
	for i := range l.Files {
		l.Files[i].Offset = l.Length
		l.Length += l.Files[i].Length // both are at most LengthMax
		if l.Length > LengthMax {
			return errors.New("the lengths of the files add up to too much")
		}
	}
	l.hashes = p.pieces
	return p.checkPieces(l)
}

func (p *infoParser) checkPieces(l *Layout) error {
	const sum = len(Hash{})
	count := (l.Length + p.pieceLength - 1) / p.pieceLength
	switch {
	case l.Length == 0:
		return errors.New("no content")
	case count > PiecesMax:
		return fmt.Errorf("more than %d pieces", PiecesMax)
	case !l.kind.HasV1():
	case len(p.pieces)%sum != 0:
		return fmt.Errorf("pieces has %d bytes, not a multiple of %d", len(p.pieces), sum)
	case int64(len(p.pieces)/sum) != count:
		return fmt.Errorf("pieces has %d hashes, the content %d pieces", len(p.pieces)/sum, count)
	}
	l.setPieces()
	return nil
}
