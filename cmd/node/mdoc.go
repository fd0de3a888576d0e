package main

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/pflag"
)

// mdocColumns is how long a line of a page may be.
const mdocColumns = 78

// An mdoc is a manual page in the language of mdoc(7), which both mandoc and groff read.
type mdoc struct{ b strings.Builder }

// macro writes a line with a macro. The words are arguments as they are; see mdocWord for others.
func (m *mdoc) macro(name string, words ...string) {
	m.b.WriteString("." + strings.Join(append([]string{name}, words...), " ") + "\n")
}

// mdocWord makes one argument of a macro from s.
func mdocWord(s string) string {
	s = mdocEscape(s)
	if strings.ContainsAny(s, " \t") || s == "" || strings.Trim(s, ".,:;()[]?!|") == "" {
		return `"` + s + `"`
	}
	return s
}

// mdocEscape makes every character stand for itself, also in a terminal with typographic quotes
// and hyphens.
func mdocEscape(s string) string {
	var b strings.Builder
	before := ' '
	for _, r := range s {
		switch {
		case r == '\\':
			b.WriteString(`\e`)
		case r == '\'':
			b.WriteString(`\(aq`)
		case r == '`':
			b.WriteString(`\(ga`)
		case r == '"':
			b.WriteString(`\(dq`)
		case r == '^':
			b.WriteString(`\(ha`)
		case r == '~':
			b.WriteString(`\(ti`)
		case r == '-' && !isWord(before):
			b.WriteString(`\-`) // of a flag
		case r >= utf8.RuneSelf:
			fmt.Fprintf(&b, `\[u%04X]`, r)
		default:
			b.WriteRune(r)
		}
		before = r
	}
	return b.String()
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// text writes paragraphs. A line that begins with a space is shown as it stands.
func (m *mdoc) text(s string) {
	for i, paragraph := range strings.Split(strings.TrimSpace(s), "\n\n") {
		if i > 0 {
			m.macro("Pp")
		}
		if strings.HasPrefix(paragraph, " ") {
			m.literal(paragraph)
		} else {
			m.words(paragraph)
		}
	}
}

// words writes one paragraph. Each sentence begins a line, as the formatters want it.
func (m *mdoc) words(s string) {
	line := ""
	flush := func() {
		if line != "" {
			m.b.WriteString(line + "\n")
		}
		line = ""
	}
	for _, word := range strings.Fields(s) {
		word = mdocEscape(word)
		if line != "" && len(line)+1+len(word) > mdocColumns {
			flush()
		}
		if line == "" && strings.HasPrefix(word, ".") {
			word = `\&` + word // not a macro
		}
		line = strings.TrimPrefix(line+" "+word, " ")
		if ends := strings.TrimRight(word, `)`); ends != strings.TrimRight(ends, ".?!") {
			flush()
		}
	}
	flush()
}

// literal writes lines as they stand.
func (m *mdoc) literal(s string) {
	m.macro("Bd", "-literal", "-offset", "indent")
	for line := range strings.Lines(s) {
		line = mdocEscape(strings.TrimRight(line, "\n"))
		if strings.HasPrefix(line, ".") {
			line = `\&` + line
		}
		m.b.WriteString(line + "\n")
	}
	m.macro("Ed")
}

// A tagged is an item of a list: what it is about, and a text.
type tagged struct{ tag, text string } // the tag is the arguments of the macro It

// list writes items with their tags.
func (m *mdoc) list(items []tagged) {
	m.macro("Bl", "-tag", "-width", "Ds")
	for _, item := range items {
		m.macro("It", item.tag)
		m.text(item.text)
	}
	m.macro("El")
}

// flags writes what each flag does, as the help has it.
func (m *mdoc) flags(fs *pflag.FlagSet) {
	var items []tagged
	fs.VisitAll(func(f *pflag.Flag) { items = append(items, flagItem(f)) })
	m.list(items)
}

// flagItem takes the line of the help apart: "-p, --port N   port for TCP".
func flagItem(f *pflag.Flag) tagged {
	one := newFlags("")
	one.AddFlag(f)
	head, text, _ := strings.Cut(strings.TrimSpace(one.FlagUsages()), "   ")
	tag := ""
	if f.Shorthand != "" {
		tag = "Fl " + f.Shorthand + " , "
	}
	tag += `Fl \-` + mdocWord(f.Name)
	if _, value, ok := strings.Cut(head, "--"+f.Name+" "); ok {
		tag += " Ar " + mdocWord(value)
	}
	return tagged{tag, underOwnName(text)}
}
