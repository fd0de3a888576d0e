package main

import (
	"os"
	"strings"

	"golang.org/x/term"
)

// A column is one of a table.
type column struct {
	head  string
	right bool // numbers stand at the right
	// soft columns are shortened if the terminal has no room, to softMin cells at least. In the
	// last column that is not to be shortened a cell may be as long as it likes.
	soft bool
}

// softMin is the least width of a column that is shortened, in cells.
const softMin = 8

// A table is text in columns with a head.
type table struct {
	columns []column
	rows    [][]string
	foot    []string // a last row, below a rule; nil for none
}

// add appends a row. Text of strangers is escaped.
func (t *table) add(row ...string) {
	for i := range row {
		row[i] = escape(row[i])
	}
	t.rows = append(t.rows, row)
}

// widths returns the width of each column for a line of width cells; 0 is no limit.
func (t *table) widths(width int) []int {
	widths := make([]int, len(t.columns))
	measure := func(row []string) {
		for i, text := range row {
			widths[i] = max(widths[i], cells(text))
		}
	}
	total := 2 * (len(t.columns) - 1)
	for i, col := range t.columns {
		widths[i] = cells(col.head)
	}
	for _, row := range t.rows {
		measure(row)
	}
	measure(t.foot)
	for _, w := range widths {
		total += w
	}
	for i := len(t.columns) - 1; i >= 0 && width > 0 && total > width; i-- {
		if t.columns[i].soft {
			less := min(total-width, max(widths[i]-softMin, 0))
			widths[i], total = widths[i]-less, total-less
		}
	}
	return widths
}

// lines returns the table as lines for a terminal of width cells; 0 is no limit.
func (t *table) lines(width int) []string {
	widths := t.widths(width)
	head := make([]string, len(t.columns))
	for i, col := range t.columns {
		head[i] = col.head
	}
	list := []string{t.line(head, widths)}
	for _, row := range t.rows {
		list = append(list, t.line(row, widths))
	}
	if t.foot != nil {
		list = append(list, t.line(t.foot, widths))
	}
	return list
}

// line returns one row as a line.
func (t *table) line(row []string, widths []int) string {
	var b strings.Builder
	for i, text := range row {
		if i > 0 {
			b.WriteString("  ")
		}
		b.WriteString(padCells(cutCells(text, widths[i]), widths[i], t.columns[i].right))
	}
	return strings.TrimRight(b.String(), " ")
}

// print shows a table on standard output, as wide as the terminal is.
func (c *console) table(t *table) {
	width := 0
	if !c.raw {
		if w, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
			width = w
		}
	}
	c.together(func() {
		for _, line := range t.lines(width) {
			c.result(line)
		}
	})
}
