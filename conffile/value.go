package conffile

import (
	"fmt"
	"strings"
)

// A Kind is the type of a Value.
type Kind uint8

// The kinds.
const (
	String Kind = iota
	Number
	Bool
	List // of the other kinds
)

func (k Kind) String() string {
	return [...]string{"text", "a number", "true or false", "a list"}[k]
}

// A Value is what a key has.
type Value struct {
	Kind Kind
	// Text is the value as a flag takes it: true, 6881, 1.5, or the text itself. It is empty
	// for a List.
	Text  string
	Items []Value // of a List
}

// Text returns a Value of kind String.
func Text(s string) Value { return Value{Kind: String, Text: s} }

// Texts returns the texts of the items of a List, and of any other value its own one.
func (v Value) Texts() []string {
	if v.Kind != List {
		return []string{v.Text}
	}
	texts := make([]string, 0, len(v.Items))
	for _, item := range v.Items {
		texts = append(texts, item.Text)
	}
	return texts
}

// String returns the value as TOML writes it, on one line.
func (v Value) String() string {
	switch v.Kind {
	case String:
		return quote(v.Text)
	case List:
		parts := make([]string, 0, len(v.Items))
		for _, item := range v.Items {
			parts = append(parts, item.String())
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return v.Text
}

// quote returns a basic string of TOML.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
