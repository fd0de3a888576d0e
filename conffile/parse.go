package conffile

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// bom is the mark of UTF-8 that some editors write at the beginning of a file.
const bom = "\uFEFF"

// Parse reads the content of a file that is called path. The error is an *Error.
func Parse(path string, text []byte) (*File, error) {
	f := &File{path: path, text: text, sections: []section{{}}}
	fail := func(err error) (*File, error) { return nil, &Error{Path: path, Err: err} }
	switch {
	case len(text) > SizeMax:
		return fail(ErrTooLarge)
	case bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")):
		return fail(ErrUTF16)
	}
	if at := invalid(text); at >= 0 {
		return nil, f.at(at, ErrNotUTF8)
	}
	r := reader{f: f, skip: len(text) - len(bytes.TrimPrefix(text, []byte(bom))),
		seen: make(map[string]int)}
	if err := r.read(); err != nil {
		return nil, err
	}
	return f, nil
}

// invalid returns the offset of the first byte of text that is not UTF-8, or -1.
func invalid(text []byte) int {
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return -1
}

// at returns an *Error about the byte at an offset.
func (f *File) at(offset int, err error) *Error {
	line, column := f.place(offset)
	return &Error{Path: f.path, Line: line, Column: column, Err: err}
}

// place returns the line and column of an offset.
func (f *File) place(offset int) (line, column int) {
	if f.lines == nil {
		f.lines = []int{len(f.text) - len(bytes.TrimPrefix(f.text, []byte(bom)))}
		for at, c := range f.text {
			if c == '\n' {
				f.lines = append(f.lines, at+1)
			}
		}
	}
	// The last line that does not begin behind the offset.
	line, found := slices.BinarySearch(f.lines, offset)
	if found {
		line++
	}
	line = max(line, 1)
	start := min(f.lines[line-1], offset)
	return line, utf8.RuneCount(f.text[start:offset]) + 1
}

// lineEnd returns the offset behind the end of the line that offset is in.
func (f *File) lineEnd(offset int) int {
	if i := bytes.IndexByte(f.text[offset:], '\n'); i >= 0 {
		return offset + i + 1
	}
	return len(f.text)
}

// A reader turns the expressions of TOML into entries.
type reader struct {
	f      *File
	parser unstable.Parser
	skip   int            // bytes of the mark at the beginning, which the parser does not get
	seen   map[string]int // lines of the keys and tables, by their full names
}

func (r *reader) read() error {
	text := r.f.text[r.skip:]
	r.parser.Reset(text)
	for r.parser.NextExpression() {
		var err error
		switch e := r.parser.Expression(); e.Kind {
		case unstable.Table:
			err = r.header(e)
		case unstable.ArrayTable:
			err = r.f.at(r.offset(e.Child()), errors.New("an array of tables is not expected here"))
		case unstable.KeyValue:
			err = r.keyValue(e, r.last().table, "", r.end(e))
		}
		if err != nil {
			return err
		}
	}
	if wrong, ok := errors.AsType[*unstable.ParserError](r.parser.Error()); ok {
		at := r.skip + int(r.parser.Range(wrong.Highlight).Offset)
		return r.f.at(at, r.explain(at, wrong.Message))
	}
	// The rest of the rules of TOML, such as that a table is not opened twice.
	var all any
	err := toml.Unmarshal(text, &all)
	if wrong, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, column := wrong.Position()
		return &Error{Path: r.f.path, Line: line, Column: column,
			Err: errors.New(strings.TrimPrefix(wrong.Error(), "toml: "))}
	}
	if err != nil {
		return &Error{Path: r.f.path, Err: err}
	}
	return nil
}

func (r *reader) last() *section { return &r.f.sections[len(r.f.sections)-1] }

// offset returns where a node that has a place in the text begins.
func (r *reader) offset(n *unstable.Node) int { return r.skip + int(n.Raw.Offset) }

// end returns where such a node ends.
func (r *reader) end(n *unstable.Node) int {
	return r.skip + int(n.Raw.Offset) + int(n.Raw.Length)
}

// explain says in words of users what is wrong at an offset; words of the parser are for the
// rest.
func (r *reader) explain(at int, message string) error {
	if !strings.HasSuffix(message, "at start of value") || at >= len(r.f.text) {
		return errors.New(message)
	}
	first, _ := utf8.DecodeRune(r.f.text[at:])
	switch {
	case first == '\n' || first == '\r' || first == '#':
		return errors.New("the value is missing")
	case unicode.IsLetter(first) || strings.ContainsRune("/~.*", first):
		return errors.New(`text stands in quotes, as in "text"`)
	}
	return errors.New(message)
}

// keys reads a dotted key.
func (r *reader) keys(it unstable.Iterator) (names []string, first, last *unstable.Node,
	err error) {
	for it.Next() {
		n := it.Node()
		name := string(n.Data)
		if !isName(name) {
			return nil, nil, nil, r.f.at(r.offset(n), fmt.Errorf("%q is not a name", short(name)))
		}
		if first == nil {
			first = n
		}
		names, last = append(names, name), n
	}
	return names, first, last, nil
}

// isName reports whether s is like the name of a flag or command.
func isName(s string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789-_"
	return s != "" && strings.Trim(strings.ToLower(s), letters) == ""
}

// shortMax bounds what an error quotes, in bytes.
const shortMax = 60

func short(s string) string {
	if len(s) > shortMax {
		return strings.ToValidUTF8(s[:shortMax], "") + "…"
	}
	return s
}

// header begins a section.
func (r *reader) header(e *unstable.Node) error {
	names, first, last, err := r.keys(e.Key())
	if err != nil {
		return err
	}
	table := strings.Join(names, ".")
	at := r.offset(first)
	line, _ := r.f.place(at)
	if old, ok := r.seen[table]; ok {
		return r.f.at(at, fmt.Errorf("%s is in line %d already", short(table), old))
	}
	r.seen[table] = line
	r.f.sections = append(r.f.sections, section{table: table, line: line,
		end: r.f.lineEnd(r.end(last))})
	return nil
}

// keyValue adds an entry, or those of an inline table. end is where the value ends.
func (r *reader) keyValue(e *unstable.Node, table, prefix string, end int) error {
	names, first, last, err := r.keys(e.Key())
	if err != nil {
		return err
	}
	at, from := r.offset(first), r.end(last)
	for from < end && strings.IndexByte(" \t=", r.f.text[from]) >= 0 {
		from++
	}
	table = join(table, names[:len(names)-1])
	value := e.Value()
	if value.Kind == unstable.InlineTable {
		inner := join(table, names[len(names)-1:])
		line, _ := r.f.place(at)
		if old, ok := r.seen[inner]; ok {
			return r.f.at(at, fmt.Errorf("%s is in line %d already", short(inner), old))
		}
		r.seen[inner] = line
		for it := value.Children(); it.Next(); {
			if it.Node().Kind != unstable.KeyValue {
				continue // a comment
			}
			if err := r.keyValue(it.Node(), inner, "{", r.end(it.Node())); err != nil {
				return err
			}
		}
		r.extend(end)
		return nil
	}
	key := names[len(names)-1]
	if len(names) > 1 && prefix == "" {
		prefix = string(r.f.text[at:r.offset(last)])
	}
	entry := Entry{Table: table, Key: key, section: len(r.f.sections) - 1, inline: prefix == "{",
		start: at, end: end, from: from}
	if !entry.inline {
		entry.prefix = prefix
	}
	entry.Line, entry.Column = r.f.place(at)
	full := join(table, []string{key})
	if old, ok := r.seen[full]; ok {
		return r.f.at(at, fmt.Errorf("%s is in line %d already", short(key), old))
	}
	r.seen[full] = entry.Line
	if entry.Value, err = r.value(value, from); err != nil {
		return err
	}
	r.f.entries = append(r.f.entries, entry)
	r.last().keys++
	r.extend(end)
	return nil
}

// extend moves the end of the last section behind the line of an offset.
func (r *reader) extend(offset int) { r.last().end = r.f.lineEnd(offset) }

func join(table string, names []string) string {
	if table != "" {
		names = append([]string{table}, names...)
	}
	return strings.Join(names, ".")
}

// value reads a value at an offset.
func (r *reader) value(n *unstable.Node, at int) (Value, error) {
	if n.Kind != unstable.Array {
		return r.scalar(n, at)
	}
	list := Value{Kind: List, Items: []Value{}}
	for it := n.Children(); it.Next(); {
		child := it.Node()
		if child.Kind == unstable.Comment {
			continue
		}
		where := at
		if child.Kind != unstable.Array {
			where = r.offset(child)
		}
		item, err := r.scalar(child, where)
		if err != nil {
			return Value{}, err
		}
		list.Items = append(list.Items, item)
	}
	return list, nil
}

// scalar reads a value that is no list.
func (r *reader) scalar(n *unstable.Node, at int) (Value, error) {
	data := string(n.Data)
	switch n.Kind {
	case unstable.String:
		return Text(data), nil
	case unstable.Bool:
		return Value{Kind: Bool, Text: data}, nil
	case unstable.Integer:
		n, err := strconv.ParseInt(decimal(data), 0, 64)
		if err != nil {
			return Value{}, r.f.at(at, fmt.Errorf("%s is too large a number", short(data)))
		}
		return Value{Kind: Number, Text: strconv.FormatInt(n, 10)}, nil
	case unstable.Float:
		n, err := strconv.ParseFloat(strings.ReplaceAll(data, "_", ""), 64)
		if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
			return Value{}, r.f.at(at, fmt.Errorf("%s is not a number with a value", short(data)))
		}
		return Value{Kind: Number, Text: strconv.FormatFloat(n, 'f', -1, 64)}, nil
	case unstable.Array:
		return Value{}, r.f.at(at, errors.New("a list in a list is not expected here"))
	case unstable.InlineTable:
		return Value{}, r.f.at(at, errors.New("a table in a list is not expected here"))
	}
	return Value{}, r.f.at(at, errors.New("a date or time is not expected here"))
}

// decimal writes an integer of TOML as strconv reads it.
func decimal(s string) string { return strings.ReplaceAll(s, "_", "") }
