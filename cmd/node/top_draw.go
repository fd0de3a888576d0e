package main

import (
	"fmt"
	"slices"
	"strings"

	"swarmnode/daemon/api"
)

// A topColumn is a column of top. Those of the least rank go first where there is no room.
type topColumn struct {
	key   string // of orders
	head  string
	width int
	left  bool
	rank  int
	text  func(t *api.Torrent) string
}

// topColumns are the columns besides the name, which has the rest of the line.
var topColumns = []topColumn{
	{"id", "ID", 6, false, 5, func(t *api.Torrent) string { return torrentRow(t)[0] }},
	{"done", "Done", 6, false, 9, func(t *api.Torrent) string { return torrentRow(t)[1] }},
	{"size", "Size", 8, false, 3, func(t *api.Torrent) string { return torrentRow(t)[2] }},
	{"down", "Down", 10, false, 8, func(t *api.Torrent) string { return rateOrNone(t.DownRate) }},
	{"up", "Up", 10, false, 7, func(t *api.Torrent) string { return rateOrNone(t.UpRate) }},
	{"eta", "ETA", 6, false, 4, etaOf},
	{"ratio", "Ratio", 6, false, 1, func(t *api.Torrent) string { return torrentRow(t)[6] }},
	{"peers", "Peers", 5, false, 2, func(t *api.Torrent) string { return fmt.Sprint(t.Peers) }},
	{"state", "State", 15, true, 6, stateOf},
}

// topNameMin is the least room for the name, in cells.
const topNameMin = 14

// columnsFor returns the columns that a line of width cells has room for, and what is left for
// the name.
func columnsFor(width int) (columns []topColumn, name int) {
	columns = slices.Clone(topColumns)
	name = width
	for _, col := range columns {
		name -= col.width + 1
	}
	for name < topNameMin && len(columns) > 0 {
		least := 0
		for i := range columns {
			if columns[i].rank < columns[least].rank {
				least = i
			}
		}
		name += columns[least].width + 1
		columns = slices.Delete(columns, least, least+1)
	}
	return columns, max(name, 0)
}

const reverse paint = "7"

// draw returns the lines of the screen, no more than height, each of at most width cells.
func (m *topModel) draw(width, height int) []string {
	m.arrange()
	if width <= 0 || height <= 0 {
		return nil
	}
	var lines []string
	switch m.mode {
	case modeDetails:
		lines = m.drawDetails(width, height)
	case modeHelp:
		lines = drawHelp(width)
	default:
		lines = m.drawList(width, height)
	}
	lines = lines[:min(len(lines), height-1)]
	for len(lines) < height-1 {
		lines = append(lines, "")
	}
	return append(lines, m.drawFoot(width))
}

// painted returns text in a paint if there are colours.
func (m *topModel) painted(p paint, s string) string {
	if !m.colour {
		return s
	}
	return p.on(s)
}

// drawSums returns the first line.
func (m *topModel) drawSums(width int) string {
	var down, up int64
	peers, faults := 0, 0
	for _, t := range m.torrents {
		down, up, peers = down+t.DownRate, up+t.UpRate, peers+t.Peers
		if t.Error != "" {
			faults++
		}
	}
	count := plural(len(m.torrents), "torrent")
	if len(m.rows) != len(m.torrents) {
		count = fmt.Sprintf("%d of %s", len(m.rows), count)
	}
	l := line{share: noBar}
	l.add(9, count)
	l.add(8, "down "+formatRate(down))
	l.add(7, "up "+formatRate(up))
	l.add(2, plural(peers, "peer"))
	if faults > 0 {
		l.parts = append(l.parts, part{text: plural(faults, "error"), rank: 6, paint: red})
	}
	if m.filter != "" {
		l.add(3, "with "+m.filter)
	}
	return l.fit(width, m.colour)
}

// drawList returns the lines of the list.
func (m *topModel) drawList(width, height int) []string {
	columns, name := columnsFor(width)
	m.page = max(height-3, 1) // sums, heads and foot
	m.offset = min(max(m.offset, m.at-m.page+1), m.at)
	m.offset = max(min(m.offset, len(m.rows)-m.page), 0)
	lines := []string{m.drawSums(width), m.painted(bold, m.heads(columns, name))}
	for i := m.offset; i < len(m.rows) && i < m.offset+m.page; i++ {
		t := m.rows[i]
		var b strings.Builder
		for _, col := range columns {
			text := cutCells(escape(col.text(t)), col.width)
			b.WriteString(padCells(text, col.width, !col.left) + " ")
		}
		b.WriteString(padCells(cutCells(escape(nameOf(t)), name), name, false))
		lines = append(lines, m.row(b.String(), t, i == m.at))
	}
	if len(m.rows) == 0 {
		text := "waiting for the daemon"
		if m.loaded {
			text = "no torrents"
		}
		lines = append(lines, cutCells(text, width))
	}
	return lines
}

// row returns a row as it is painted. Without colours the selected one begins with a mark.
func (m *topModel) row(text string, t *api.Torrent, selected bool) string {
	switch {
	case selected && m.colour:
		return reverse.on(text)
	case selected:
		return ">" + dropCell(text)
	case t.Error != "":
		return m.painted(red, text)
	case t.Status == api.Stopped:
		return m.painted(dim, text)
	case t.Status == api.Downloading:
		return m.painted(green, text)
	}
	return text
}

// dropCell returns a text without its first cell.
func dropCell(s string) string {
	for i, r := range s {
		if cellsOf(r) == 0 {
			continue
		}
		rest := s[i+len(string(r)):]
		if cellsOf(r) == 2 {
			return " " + rest
		}
		return rest
	}
	return ""
}

// heads returns the heads of columns. The one that is sorted by has a mark.
func (m *topModel) heads(columns []topColumn, name int) string {
	key := strings.TrimPrefix(m.sort, "-")
	var b strings.Builder
	head := func(text, column string, width int, left bool) {
		if column == key {
			text += "*"
		}
		b.WriteString(padCells(cutCells(text, width), width, !left))
	}
	for _, col := range columns {
		head(col.head, col.key, col.width, col.left)
		b.WriteString(" ")
	}
	head("Name", "name", name, true)
	return b.String()
}

// drawFoot returns the last line: a question, what is typed, a message, or the keys.
func (m *topModel) drawFoot(width int) string {
	text, how := "? keys  q quit  / search  s sort  p pause  r resume  d remove", dim
	switch {
	case m.mode == modeFilter:
		text, how = "search: "+m.filter+"_", ""
	case m.mode == modeConfirm:
		ask := "remove? y: keep its files, D: with its files, other keys: no"
		room := width - cells(ask) - 2
		if name := cutCells(escape(m.name), max(room, 0)); name != "" {
			ask += "  " + name
		}
		text, how = ask, yellow
	case m.message != "":
		text, how = m.message, yellow
	case m.gone != "":
		text, how = "trying again: "+m.gone, red
	case m.mode == modeDetails:
		text = "Esc back  arrows scroll  p pause  r resume  v verify  q quit"
	case m.mode == modeHelp:
		text = "any key: back"
	}
	return m.painted(how, cutCells(escape(text), width))
}

// drawDetails returns the lines of the details.
func (m *topModel) drawDetails(width, height int) []string {
	if m.shown == nil {
		return []string{"waiting for the daemon"[:min(width, 22)]}
	}
	var s sheet
	s.identity(m.shown)
	s.content(&m.shown.Torrent)
	s.transfer(m.shown)
	s.options(&m.shown.Options)
	var lines []string
	for _, l := range s.lines {
		lines = append(lines, wrapCells(l.name+":", escape(l.text), width)...)
	}
	m.scroll = max(min(m.scroll, len(lines)-(height-1)), 0)
	return lines[m.scroll:]
}

// detailHead is the room for the names of details.
const detailHead = 15

// wrapCells returns a name with a text, on as many lines as it takes.
func wrapCells(name, text string, width int) (lines []string) {
	head := min(detailHead, width/2)
	room := max(width-head, 2)
	name = padCells(cutCells(name, head-1), head, false)
	for {
		part, used := "", 0
		for i, r := range text {
			if used+cellsOf(r) > room {
				part, text = text[:i], text[i:]
				break
			}
			used += cellsOf(r)
		}
		if part == "" {
			return append(lines, name+text)
		}
		lines = append(lines, name+part)
		name = strings.Repeat(" ", head)
	}
}

// topKeys are the keys with what they do.
var topKeys = [][2]string{
	{"up, down", "select, also k and j; page up, page down, g and G go further"},
	{"Enter", "details"},
	{"p", "pause"},
	{"r", "resume"},
	{"v", "verify"},
	{"d", "remove; y keeps the files, D removes them as well"},
	{"s, S", "sort by the next column; turn the order round"},
	{"/", "search in names; Esc ends that"},
	{"q", "quit"},
}

// drawHelp lists the keys.
func drawHelp(width int) (lines []string) {
	for _, k := range topKeys {
		lines = append(lines, wrapCells(k[0], k[1], width)...)
	}
	return lines
}
