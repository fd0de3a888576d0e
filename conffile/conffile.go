package conffile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// SizeMax is the largest size of a file, in bytes.
const SizeMax = 1 << 20

// An Error is a mistake in a file.
type Error struct {
	Path string // as it was named
	// Line and Column begin with 1. They are 0 if the mistake is that of the whole file.
	Line, Column int
	Err          error
}

func (e *Error) Error() string { return e.Where() + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Where names the place of the mistake: PATH:LINE, or PATH alone.
func (e *Error) Where() string {
	if e.Line == 0 {
		return e.Path
	}
	return fmt.Sprintf("%s:%d", e.Path, e.Line)
}

// The mistakes of a whole file.
var (
	ErrFolder     = errors.New("is a folder")
	ErrNotRegular = errors.New("is not a regular file")
	ErrTooLarge   = fmt.Errorf("is larger than %d MiB", SizeMax>>20)
	ErrNotUTF8    = errors.New("is not UTF-8")
	ErrUTF16      = errors.New("is UTF-16; it has to be saved as UTF-8")
)

// A File is the content of a configuration file.
type File struct {
	path     string
	text     []byte
	entries  []Entry
	sections []section // the first one is the top
	lines    []int     // offsets of the beginnings of lines, once somebody asked for a place
}

// An Entry is a key with its value.
type Entry struct {
	// Table is the name of the table, whose parts are joined by dots; empty at the top.
	Table string
	Key   string
	Value Value
	// Line and Column are the place of the key and begin with 1.
	Line, Column int

	section    int    // the header above the entry
	prefix     string // of a dotted key, with its last dot, as it is written
	inline     bool   // it is part of an inline table
	start, end int    // offsets of key and value
	from       int    // offset of the value
}

// A section is what follows one header.
type section struct {
	table string
	line  int
	end   int // the offset behind the header and its entries, up to the end of a line
	keys  int // how many entries it has
}

// Read reads the file at path. Symbolic links are followed. The error is an *Error.
func Read(path string) (*File, error) {
	text, err := read(path)
	if err != nil {
		return nil, &Error{Path: path, Err: err}
	}
	return Parse(path, text)
}

func read(path string) ([]byte, error) {
	// A look comes first, because the opening of a pipe would wait for its writer.
	info, err := os.Stat(path)
	if err != nil {
		return nil, bare(err)
	}
	if err := checkKind(info); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, bare(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, SizeMax+1))
	if err != nil {
		return nil, bare(err)
	}
	return text, nil
}

func checkKind(info os.FileInfo) error {
	switch {
	case info.IsDir():
		return ErrFolder
	case !info.Mode().IsRegular():
		return ErrNotRegular
	}
	return nil
}

// bare removes the operation and the path from an error of package os, since an Error has the
// path.
func bare(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}

// Path returns the name that the file was read by.
func (f *File) Path() string { return f.path }

// Bytes returns the content of the file, with the changes. Nobody may change it.
func (f *File) Bytes() []byte { return f.text }

// Entries returns all entries in the order of the file. Nobody may change them.
func (f *File) Entries() []Entry { return f.entries }

// Find returns the entry of a key in a table.
func (f *File) Find(table, key string) (Entry, bool) {
	i := slices.IndexFunc(f.entries, func(e Entry) bool { return e.Table == table && e.Key == key })
	if i < 0 {
		return Entry{}, false
	}
	return f.entries[i], true
}

// HasTable reports whether the file has a table of that name, or a key in it.
func (f *File) HasTable(table string) bool {
	return slices.ContainsFunc(f.sections, func(s section) bool { return s.table == table }) ||
		slices.ContainsFunc(f.entries, func(e Entry) bool { return e.Table == table })
}

// Tables returns the names of all tables that have a header, with the lines of these.
func (f *File) Tables() map[string]int {
	tables := make(map[string]int)
	for _, s := range f.sections[1:] {
		tables[s.table] = s.line
	}
	return tables
}

// Mistake returns an *Error about an entry.
func (f *File) Mistake(e Entry, err error) *Error {
	return &Error{Path: f.path, Line: e.Line, Column: e.Column, Err: err}
}

// newline returns the line end that the file uses.
func (f *File) newline() string {
	if i := strings.IndexByte(string(f.text), '\n'); i > 0 && f.text[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}
