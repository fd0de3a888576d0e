package main

import (
	"strings"
	"unicode/utf8"
)

// A part is a piece of a progress line, as in "down 12.3 MiB/s".
type part struct {
	text string
	// rank orders the parts: when there is no room for all, those with the lowest rank go
	// first.
	rank  int
	tight bool // one blank stands before it instead of two
	paint paint
}

// A line is a progress line, in parts.
type line struct {
	parts []part
	// share is how much of the work is done, from 0 to 1, for the bar behind the first
	// part. A negative share means no bar.
	share float64
}

// noBar is the share of a line that has no bar.
const noBar = -1

// A paint is a colour or another look of text on a terminal: a parameter of the control
// sequence SGR (ECMA-48), or empty.
type paint string

const (
	bold   paint = "1"
	dim    paint = "2"
	red    paint = "31"
	green  paint = "32"
	yellow paint = "33"
)

// on returns s painted; s must be safe to show.
func (p paint) on(s string) string {
	if p == "" || s == "" {
		return s
	}
	return "\x1b[" + string(p) + "m" + s + "\x1b[0m"
}

// textLine returns a line of one part.
func textLine(text string) line { return line{[]part{{text: text}}, noBar} }

// add appends a part.
func (l *line) add(rank int, text string) {
	l.parts = append(l.parts, part{text: text, rank: rank})
}

// addTight appends a part that belongs to the one before.
func (l *line) addTight(rank int, text string, p paint) {
	l.parts = append(l.parts, part{text: text, rank: rank, tight: true, paint: p})
}

// String returns the whole line, without a bar.
func (l line) String() string {
	var b strings.Builder
	for i, p := range l.parts {
		b.WriteString(p.gap(i) + p.text)
	}
	return b.String()
}

// gap returns what separates the part, the i-th of its line, from the one before.
func (p *part) gap(i int) string {
	switch {
	case i == 0:
		return ""
	case p.tight:
		return " "
	}
	return "  "
}

const (
	// barMin and barMax bound the bar, in columns between its brackets: a shorter one
	// says nothing, a longer one says no more.
	barMin = 10
	barMax = 30
	// barStep keeps the length of the bar constant while the digits beside it change.
	barStep = 5
	// barFrame is the columns of its brackets and of the blank before it.
	barFrame = 3
)

// fit returns the line for a terminal of that many columns, 0 if unknown. It adds a bar
// if there is room, and drops the parts that matter least if there is no room for all of
// them. The line is safe to show.
func (l line) fit(columns int, colour bool) string {
	parts := make([]part, len(l.parts))
	for i, p := range l.parts {
		p.text = escape(p.text)
		parts[i] = p
	}
	for columns > 0 && columnsOf(parts) > columns && len(parts) > 1 {
		parts = withoutLeast(parts)
	}
	spare := columns - columnsOf(parts)
	if columns > 0 && spare < 0 {
		parts[0].text = cut(parts[0].text, columns)
	}
	bar := 0
	if l.share >= 0 && len(parts) == len(l.parts) && spare >= barMin+barFrame {
		bar = min((spare-barFrame)/barStep*barStep, barMax)
	}
	var b strings.Builder
	for i, p := range parts {
		b.WriteString(p.gap(i))
		if colour {
			b.WriteString(p.paint.on(p.text))
		} else {
			b.WriteString(p.text)
		}
		if i == 0 && bar > 0 {
			b.WriteString(drawBar(l.share, bar, colour))
		}
	}
	return b.String()
}

// drawBar returns a bar of that many columns between its brackets.
func drawBar(share float64, columns int, colour bool) string {
	done := int(min(share, 1) * float64(columns))
	full := strings.Repeat("#", done)
	if colour {
		full = green.on(full)
	}
	return " [" + full + strings.Repeat("-", columns-done) + "]"
}

// columnsOf returns how many columns the parts take.
func columnsOf(parts []part) int {
	n := 0
	for i, p := range parts {
		n += len(p.gap(i)) + utf8.RuneCountInString(p.text)
	}
	return n
}

// withoutLeast returns parts without the first one of the lowest rank.
func withoutLeast(parts []part) []part {
	least := 0
	for i, p := range parts {
		if p.rank < parts[least].rank {
			least = i
		}
	}
	return append(parts[:least], parts[least+1:]...)
}
