// Command plots draws the pictures of the documents from the tables beside them.
//
// A table that is drawn has a comment <!-- plot: NAME --> on the line above it. Its
// picture is docs/pictures/NAME.svg, which begins with a hash of the table: a test of
// the product compares the two, so a picture that no longer shows its table fails
// it. The program is a module of its own, since nothing that the product needs
// depends on a plotting library.
//
// Usage: go run . [FOLDER], where FOLDER is the project's (default: ../..).
package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// A chart says what is drawn of a table: one bar for each series in each row.
type chart struct {
	file   string // of the table
	title  string
	axis   string
	series []series
	// line is drawn across all bars, with its label; none if the label is empty.
	line      float64
	lineLabel string
}

// A series is a column of a table, counted from 0. Of a cell with several numbers
// which says the one that counts; rows without it are left out.
type series struct {
	name   string
	column int
	which  int
}

var charts = map[string]chart{
	"simulation": {
		file:  "docs/design/simulation.md",
		title: "Last leech, in multiples of the fluid bound",
		axis:  "times the bound", series: []series{{"last leech / bound", 1, 0}},
		line: 1, lineLabel: "the bound",
	},
	"transfer": {
		file:  "docs/performance.md",
		title: "1 GiB over loopback, pieces of 1 MiB",
		axis:  "MB/s", series: []series{{"MB/s", 1, 0}},
	},
	"transfer-cpu": {
		file:  "docs/performance.md",
		title: "Processor time of 1 GiB over loopback",
		axis:  "seconds", series: []series{{"seed", 2, 0}, {"leech", 2, 1}},
	},
	"ceiling": {
		file:  "docs/performance.md",
		title: "Memory under a ceiling",
		axis:  "MiB", series: []series{{"--memory", 1, 0}, {"resident at most", 2, 0}},
	},
}

// palette are colours that people with any kind of colour vision can tell apart.
var palette = []color.Color{
	color.RGBA{0x00, 0x72, 0xb2, 0xff}, color.RGBA{0xe6, 0x9f, 0x00, 0xff},
	color.RGBA{0x00, 0x9e, 0x73, 0xff},
}

func main() {
	root := filepath.Join("..", "..")
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	if err := drawAll(root); err != nil {
		fmt.Fprintf(os.Stderr, "plots: %v\n", err)
		os.Exit(1)
	}
}

// marker matches the line above a table that is drawn.
var marker = regexp.MustCompile(`(?m)^<!-- plot: ([a-z-]+(?: [a-z-]+)*) -->\n`)

// drawAll draws each table with a marker in the documents of charts.
func drawAll(root string) error {
	drawn := 0
	files := map[string]bool{}
	for _, c := range charts {
		files[c.file] = true
	}
	for file := range files {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			return err
		}
		for _, m := range marker.FindAllSubmatchIndex(text, -1) {
			table := tableAt(text[m[1]:])
			for _, name := range strings.Fields(string(text[m[2]:m[3]])) {
				c, ok := charts[name]
				if !ok {
					return fmt.Errorf("%s: there is no chart %s", file, name)
				}
				svg, err := c.draw(table)
				if err != nil {
					return fmt.Errorf("%s: %s: %w", file, name, err)
				}
				out := filepath.Join(root, "docs", "pictures", name+".svg")
				if err := os.WriteFile(out, svg, 0o644); err != nil {
					return err
				}
				drawn++
			}
		}
	}
	if drawn != len(charts) {
		return fmt.Errorf("%d of %d charts have a table with a marker", drawn, len(charts))
	}
	return nil
}

// tableAt returns the lines of the table at the start of text.
func tableAt(text []byte) []byte {
	end := 0
	for line := range bytes.Lines(text) {
		if line[0] != '|' {
			break
		}
		end += len(line)
	}
	return text[:end]
}

// A row is a line of a table that can be drawn.
type row struct {
	label  string
	values []float64 // one for each series
}

var (
	numeral = regexp.MustCompile(`\d[\d,]*(?:\.\d+)?`)
	markup  = strings.NewReplacer("`", "", "*", "", "–", "-", "→", "→")
)

// rows reads a table. A label that is empty is that of the row above.
func (c chart) rows(table []byte) ([]row, error) {
	var rows []row
	last := ""
	for i, line := range strings.Split(strings.TrimSpace(string(table)), "\n") {
		if i < 2 { // the head, and the line below it
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		r := row{label: markup.Replace(strings.TrimSpace(cells[0]))}
		if r.label == "" {
			r.label = last
		}
		last = r.label
		r.label, _, _ = strings.Cut(r.label, ":")
		for _, s := range c.series {
			if s.column >= len(cells) {
				return nil, fmt.Errorf("no column %d in %q", s.column, line)
			}
			found := numeral.FindAllString(cells[s.column], -1)
			if len(found) <= s.which {
				break
			}
			v, err := strconv.ParseFloat(strings.ReplaceAll(found[s.which], ",", ""), 64)
			if err != nil {
				return nil, err
			}
			r.values = append(r.values, v)
		}
		if len(r.values) == len(c.series) {
			rows = append(rows, r)
		}
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("no row of the table has a figure")
	}
	return rows, nil
}

const (
	barWidth = 12 // points
	rowGap   = 8
	wide     = 640
	frame    = 110 // title, axis and legend
	margin   = 10
)

// roomy returns a label with blanks behind it. The picture is laid out with the
// widths of one font and shown with whatever a reader has, which may be wider.
func roomy(label string) string {
	return label + strings.Repeat("\u00a0", 2+utf8.RuneCountInString(label)*2/5)
}

// draw returns the picture of a table.
func (c chart) draw(table []byte) ([]byte, error) {
	rows, err := c.rows(table)
	if err != nil {
		return nil, err
	}
	plot.DefaultFont.Variant = "Sans"
	p := plot.New()
	p.Title.Text = c.title
	p.X.Label.Text = c.axis
	p.X.Min = 0
	p.Legend.Top, p.Legend.YOffs = true, vg.Points(34)
	grid := plotter.NewGrid()
	grid.Horizontal.Width = 0
	p.Add(grid)
	labels := make([]string, len(rows))
	for i := range rows {
		labels[len(rows)-1-i] = roomy(rows[i].label) // the axis goes up, a table down
	}
	p.NominalY(labels...)
	p.Y.Width = 0
	p.Y.Min, p.Y.Max = -0.6, float64(len(rows))-0.4
	for s := range c.series {
		values := make(plotter.Values, len(rows))
		for i := range rows {
			values[len(rows)-1-i] = rows[i].values[s]
		}
		bars, err := plotter.NewBarChart(values, vg.Points(barWidth))
		if err != nil {
			return nil, err
		}
		bars.Horizontal, bars.LineStyle.Width = true, 0
		bars.Color = palette[s%len(palette)]
		bars.Offset = vg.Points(barWidth * (float64(len(c.series)-1)/2 - float64(s)))
		p.Add(bars)
		if len(c.series) > 1 {
			p.Legend.Add(roomy(c.series[s].name), bars)
		}
	}
	if c.lineLabel != "" {
		if err := c.reference(p, len(rows)); err != nil {
			return nil, err
		}
	}
	p.X.Max *= 1.02
	high := vg.Points(float64(len(rows)*(barWidth*len(c.series)+rowGap) + frame))
	canvas := vgsvg.NewWith(vgsvg.UseWH(vg.Points(wide), high))
	p.Draw(draw.Crop(draw.New(canvas), vg.Points(margin), -vg.Points(margin), vg.Points(margin),
		-vg.Points(3*margin)))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, err
	}
	return stamp(b.Bytes(), table), nil
}

// reference draws the line of the chart.
func (c chart) reference(p *plot.Plot, rows int) error {
	line, err := plotter.NewLine(plotter.XYs{{X: c.line, Y: -0.5},
		{X: c.line, Y: float64(rows) - 0.5}})
	if err != nil {
		return err
	}
	line.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
	p.Add(line)
	p.Legend.Add(roomy(c.lineLabel), line)
	return nil
}

// stamp puts the hash of a table in front of the picture's own elements.
func stamp(svg, table []byte) []byte {
	at := bytes.Index(svg, []byte("<svg"))
	comment := fmt.Sprintf("<!-- figures %x -->\n", sha256.Sum256(table))
	return append(append(append([]byte{}, svg[:at]...), comment...), svg[at:]...)
}
