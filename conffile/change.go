package conffile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrInline says that a key is part of an inline table, as in add = { port = 1 }, which is not
// changed.
var ErrInline = errors.New("is in an inline table, which has to be changed by hand")

// Set gives a key of a table a value. A key that the file has keeps its place and the comment
// behind it. A new one is put behind the others of its table. Every other byte of the file stays.
// If the result were not a file with that value, nothing changes.
func (f *File) Set(table, key string, value Value) error {
	if !isName(key) || table != "" && slices.ContainsFunc(strings.Split(table, "."),
		func(s string) bool { return !isName(s) }) {
		return fmt.Errorf("%q is not a name", short(join(table, []string{key})))
	}
	if old, ok := f.Find(table, key); ok {
		return f.replace(old.from, old.end, value.String(), table, key, &value)
	}
	at, line, err := f.placeFor(table, key)
	if err != nil {
		return err
	}
	return f.replace(at, at, line+" = "+value.String()+f.newline(), table, key, &value)
}

// Unset removes a key from a table, with the comment behind it. It reports whether the file had
// the key. Comments above the key stay.
func (f *File) Unset(table, key string) (bool, error) {
	old, ok := f.Find(table, key)
	if !ok {
		return false, nil
	}
	if old.inline {
		return true, f.Mistake(old, fmt.Errorf("%s %w", key, ErrInline))
	}
	return true, f.replace(f.lineStart(old.start), f.lineEnd(old.end), "", table, key, nil)
}

// lineStart returns the offset of the beginning of the line that offset is in.
func (f *File) lineStart(offset int) int {
	start := strings.LastIndexByte(string(f.text[:offset]), '\n') + 1
	if start == 0 && strings.HasPrefix(string(f.text), bom) {
		return len(bom)
	}
	return start
}

// placeFor returns where a new key of a table is put, and what is written before its equals sign.
// The text may get a line end or a header first.
func (f *File) placeFor(table, key string) (at int, line string, err error) {
	for i, s := range f.sections {
		if s.table != table || i == 0 && s.keys == 0 {
			continue
		}
		return f.behind(s.end, key)
	}
	if table == "" {
		return f.firstPlace(), key, nil
	}
	for _, e := range slices.Backward(f.entries) {
		switch {
		case e.Table != table:
		case e.inline:
			return 0, "", f.Mistake(e, fmt.Errorf("the table %s %w", table, ErrInline))
		default:
			return f.behind(f.lineEnd(e.end), e.prefix+key)
		}
	}
	head := "[" + table + "]" + f.newline()
	if len(strings.TrimSpace(strings.TrimPrefix(string(f.text), bom))) > 0 {
		head = f.newline() + head
	}
	return f.behind(len(f.text), head+key)
}

// behind returns a place for a line at an offset, where a line end may be missing.
func (f *File) behind(offset int, line string) (int, string, error) {
	if offset > 0 && f.text[offset-1] != '\n' && string(f.text) != bom {
		line = f.newline() + line
	}
	return offset, line, nil
}

// firstPlace returns where the first key at the top goes: behind the comments with which the file
// begins, if an empty line follows them, or else at the beginning. A file without tables gets it
// at the end.
func (f *File) firstPlace() int {
	start := 0
	if strings.HasPrefix(string(f.text), bom) {
		start = len(bom)
	}
	at := start
	for at < len(f.text) {
		end := f.lineEnd(at)
		line := strings.TrimSpace(string(f.text[at:end]))
		switch {
		case line == "":
			return end
		case !strings.HasPrefix(line, "#"):
			return start
		}
		at = end
	}
	if at > start && f.text[at-1] != '\n' {
		return start
	}
	return at
}

// replace puts text into the place of f.text[from:to], if that leaves a file that has the value
// (none if it is nil) and is the same elsewhere.
func (f *File) replace(from, to int, text, table, key string, value *Value) error {
	changed := slices.Concat(f.text[:from:from], []byte(text), f.text[to:])
	next, err := Parse(f.path, changed)
	if err != nil {
		return err
	}
	has, ok := next.Find(table, key)
	if ok != (value != nil) || ok && has.Value.String() != value.String() ||
		!slices.Equal(f.others(table, key), next.others(table, key)) {
		return fmt.Errorf("%s: %s cannot be changed here, only by hand", f.path, key)
	}
	*f = *next
	return nil
}

// others lists the entries besides that of a key.
func (f *File) others(table, key string) (list []string) {
	for _, e := range f.entries {
		if e.Table != table || e.Key != key {
			list = append(list, e.Table+" "+e.Key+" "+e.Value.String())
		}
	}
	return list
}
