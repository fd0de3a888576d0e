package sim

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

// The layout of a picture, in user units of SVG.
const (
	svgWidth, svgHeight   = 960, 600
	plotLeft, plotRight   = 64, 748
	hadTop, hadBottom     = 64, 400
	sentTop, sentBottom   = 452, 552
	legendLeft, legendRow = 768, 18
	// linesMax is how many nodes of a class have a line of their own. Of more
	// the picture shows bands.
	linesMax = 12
	// ticksMax is about how many labels an axis has.
	ticksMax = 8
)

// palette are colours that people with any kind of colour vision can tell apart
// (Okabe and Ito), on white and on black.
var palette = [...]string{
	"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f",
}

const svgStyle = `<style>
svg { background: #ffffff; color: #222222; font: 13px sans-serif; }
text { fill: currentColor; }
.small { font-size: 11px; }
.title { font-size: 16px; font-weight: bold; }
.axis { stroke: currentColor; fill: none; }
.grid { stroke: currentColor; stroke-opacity: 0.15; fill: none; }
.bound { stroke: currentColor; stroke-dasharray: 6 4; fill: none; }
.line { fill: none; stroke-width: 1.5; stroke-linejoin: round; }
@media (prefers-color-scheme: dark) {
svg { background: #111111; color: #dddddd; }
}
</style>
`

// A picture is an SVG document that is being written.
type picture struct {
	*bufio.Writer
	tl   *Timeline
	span float64 // seconds that the time axis shows
	sent float64 // copies that the axis of the seeds shows
	row  int     // lines of the legend so far
}

// WriteSVG draws the timeline as one SVG document. The upper part shows the share
// of the content that each leech had over time, a tick for each that had
// everything, and the bound; classes of many nodes are bands between the tenths
// of their nodes around the median. The lower part shows what the seeds sent. The
// same timeline gives the same bytes.
func (tl *Timeline) WriteSVG(w io.Writer) error {
	p := &picture{Writer: bufio.NewWriter(w), tl: tl, span: 1}
	if ended := tl.Result.Ended.Seconds(); ended > 0 {
		p.span = ended
	}
	for i := range tl.First {
		p.sent = max(p.sent, tl.First[i]+tl.Repeats[i])
	}
	p.sent = max(1, p.sent)
	p.head()
	p.axes()
	color := 0
	for i := range tl.Classes {
		if c := &tl.Classes[i]; c.Leech && len(c.Done) > 0 {
			p.class(c, palette[color%len(palette)])
			color++
		}
	}
	p.legend("ticks at the top: a node became complete", "")
	p.bound()
	p.seeds()
	fmt.Fprintln(p, "</svg>")
	return p.Flush()
}

// head writes the start of the document with its title.
func (p *picture) head() {
	r := &p.tl.Result
	about := fmt.Sprintf("last leech after %.1f s, bound %.1f s, seeds sent %.2f copies, "+
		"waste %.2f %%", r.Last.Seconds(), r.Bound.Seconds(), r.Copies, 100*r.Waste)
	title := fmt.Sprintf("%s, seed %d", r.Scenario, r.Seed)
	fmt.Fprintf(p, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "+
		"role=\"img\">\n",
		svgWidth, svgHeight)
	fmt.Fprintf(p, "<title>%s</title>\n<desc>%s</desc>\n%s", escape(title), escape(about), svgStyle)
	p.text(plotLeft, 24, "start", "title", title)
	p.text(plotLeft, 46, "start", "", about)
}

// text writes a line of text. Anchor is start, middle or end.
func (p *picture) text(x, y float64, anchor, class, s string) {
	fmt.Fprintf(p, "<text x=\"%s\" y=\"%s\" text-anchor=\"%s\" class=\"%s\">%s</text>\n",
		number(x), number(y), anchor, class, escape(s))
}

// path writes a path with attributes.
func (p *picture) path(attributes, d string) {
	fmt.Fprintf(p, "<path %s d=\"%s\"/>\n", attributes, d)
}

// x returns where a time lies.
func (p *picture) x(at time.Duration) float64 {
	return plotLeft + (plotRight-plotLeft)*at.Seconds()/p.span
}

// had returns where a number of pieces lies.
func (p *picture) had(pieces uint32) float64 {
	return hadBottom - (hadBottom-hadTop)*float64(pieces)/float64(max(1, p.tl.Pieces))
}

// copies returns where a number of copies of the content lies.
func (p *picture) copies(n float64) float64 {
	return sentBottom - (sentBottom-sentTop)*n/p.sent
}

func (p *picture) axes() {
	step := tickStep(p.span)
	for i := 0; float64(i)*step <= p.span; i++ {
		at := float64(i) * step
		x := p.x(time.Duration(at * float64(time.Second)))
		p.path(`class="grid"`, fmt.Sprintf("M%s %dV%dM%[1]s %dV%d", number(x), hadTop, hadBottom,
			sentTop, sentBottom))
		p.text(x, sentBottom+18, "middle", "small", number(at))
	}
	for share := 0; share <= 100; share += 25 {
		y := hadBottom - float64((hadBottom-hadTop)*share)/100
		p.path(`class="grid"`, fmt.Sprintf("M%d %sH%d", plotLeft, number(y), plotRight))
		p.text(plotLeft-8, y+4, "end", "small", fmt.Sprintf("%d %%", share))
	}
	step = tickStep(2 * p.sent)
	for i := 0; float64(i)*step <= p.sent; i++ {
		y := p.copies(float64(i) * step)
		p.path(`class="grid"`, fmt.Sprintf("M%d %sH%d", plotLeft, number(y), plotRight))
		p.text(plotLeft-8, y+4, "end", "small", number(float64(i)*step))
	}
	p.path(`class="axis"`, fmt.Sprintf("M%d %dV%dH%dM%[1]d %dV%dH%[4]d", plotLeft, hadTop,
		hadBottom, plotRight, sentTop, sentBottom))
	p.text(plotRight, sentBottom+36, "end", "small", "seconds of virtual time")
	p.text(plotLeft, sentTop-8, "start", "small", "sent by the seeds, copies of the content")
	p.legend("share of the content that leeches had:", "")
}

// legend adds a line to the legend, with a sample of a style unless it is empty.
func (p *picture) legend(s, style string) {
	y := float64(hadTop + 12 + p.row*legendRow)
	p.row++
	x := float64(legendLeft)
	if style != "" {
		fmt.Fprintf(p, "<rect x=\"%d\" y=\"%s\" width=\"14\" height=\"10\" %s/>\n", legendLeft,
			number(y-9), style)
		x += 20
	}
	for i, line := range wrap(s, 30) {
		if i > 0 {
			y += legendRow
			p.row++
		}
		p.text(x, y, "start", "small", line)
	}
}

// class draws the nodes of a class of leeches.
func (p *picture) class(c *TimelineClass, color string) {
	nodes := len(c.Done)
	var ticks strings.Builder
	done := 0
	for _, at := range c.Done {
		if at > 0 {
			done++
			fmt.Fprintf(&ticks, "M%s %dv8", number(p.x(at)), hadTop-8)
		}
	}
	label := fmt.Sprintf("%s: %d of %d complete", c.Name, done, nodes)
	if nodes <= linesMax {
		for node := range nodes {
			p.path(fmt.Sprintf(`class="line" stroke="%s" stroke-opacity="0.7"`, color),
				p.line(c.Had, func(had []uint32) float64 { return p.had(had[node]) }))
		}
	} else {
		for _, band := range [][2]float64{{0, 1}, {0.1, 0.9}} {
			p.path(fmt.Sprintf(`fill="%s" fill-opacity="0.2"`, color),
				p.band(c.Had, band[0], band[1]))
		}
		p.path(fmt.Sprintf(`class="line" stroke="%s"`, color),
			p.line(c.Had, func(had []uint32) float64 { return p.had(quantile(had, 0.5)) }))
		label += ": all, eight of ten, median"
	}
	if ticks.Len() > 0 {
		p.path(fmt.Sprintf(`stroke="%s" stroke-opacity="0.6" fill="none"`, color), ticks.String())
	}
	p.legend(label, fmt.Sprintf(`fill="%s"`, color))
}

// line returns the path of a value of each sample.
func (p *picture) line(had [][]uint32, value func([]uint32) float64) string {
	ys := make([]float64, len(had))
	for i := range had {
		ys[i] = value(had[i])
	}
	return p.points('M', ys, false)
}

// band returns the path of the area between two quantiles.
func (p *picture) band(had [][]uint32, low, high float64) string {
	upper, lower := make([]float64, len(had)), make([]float64, len(had))
	for i := range had {
		upper[i], lower[i] = p.had(quantile(had[i], high)), p.had(quantile(had[i], low))
	}
	return p.points('M', upper, false) + p.points('L', lower, true) + "Z"
}

// points returns a path through a point of each sample, from the last one back if
// backward. Points on a level stretch but its ends are left out.
func (p *picture) points(first byte, ys []float64, backward bool) string {
	var b strings.Builder
	command := first
	for i := range ys {
		at := i
		if backward {
			at = len(ys) - 1 - i
		}
		if at > 0 && at < len(ys)-1 && ys[at-1] == ys[at] && ys[at] == ys[at+1] {
			continue
		}
		fmt.Fprintf(&b, "%c%s %s", command, number(p.x(p.tl.At(at))), number(ys[at]))
		command = 'L'
	}
	return b.String()
}

// bound draws when the last leech could have had everything at the earliest.
func (p *picture) bound() {
	at := p.tl.Result.Bound
	if at <= 0 || at.Seconds() > p.span {
		return
	}
	x := p.x(at)
	p.path(`class="bound"`, fmt.Sprintf("M%s %dV%d", number(x), hadTop, hadBottom))
	p.text(x-4, hadBottom-8, "end", "small", fmt.Sprintf("bound %.1f s", at.Seconds()))
}

// seeds draws what the seeds sent.
func (p *picture) seeds() {
	tl := p.tl
	level := func(value func(i int) float64) []float64 {
		ys := make([]float64, len(tl.First))
		for i := range ys {
			ys[i] = p.copies(value(i))
		}
		return ys
	}
	zero := level(func(int) float64 { return 0 })
	first := level(func(i int) float64 { return tl.First[i] })
	all := level(func(i int) float64 { return tl.First[i] + tl.Repeats[i] })
	area := func(lower, upper []float64) string {
		return p.points('M', upper, false) + p.points('L', lower, true) + "Z"
	}
	p.path(fmt.Sprintf(`fill="%s" fill-opacity="0.8"`, palette[0]), area(zero, first))
	p.path(fmt.Sprintf(`fill="%s" fill-opacity="0.8"`, palette[1]), area(first, all))
	p.row = (sentTop - hadTop) / legendRow
	p.legend("blocks that no seed had sent", fmt.Sprintf(`fill="%s"`, palette[0]))
	p.legend("blocks sent again", fmt.Sprintf(`fill="%s"`, palette[1]))
}

// quantile returns the smallest value that a share q of the values do not exceed.
func quantile(values []uint32, q float64) uint32 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(math.Round(q*float64(len(sorted)-1)))]
}

// tickStep returns the distance of labels on an axis of a length: 1, 2 or 5 times a
// power of ten.
func tickStep(length float64) float64 {
	step := math.Pow(10, math.Floor(math.Log10(length/ticksMax)))
	for _, factor := range []float64{1, 2, 5} {
		if length/(factor*step) <= ticksMax {
			return factor * step
		}
	}
	return 10 * step
}

// number formats a coordinate with at most one digit after the point, or as many
// as a small number needs.
func number(v float64) string {
	s := fmt.Sprintf("%.1f", v)
	if math.Abs(v) < 1 && v != 0 {
		s = fmt.Sprintf("%.2g", v)
	}
	return strings.TrimSuffix(s, ".0")
}

// escape makes s safe as text of an XML document. Characters that XML does not
// allow are replaced.
func escape(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0xfffe || r == 0xffff {
			return '�'
		}
		return r
	}, s)
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}

// wrap cuts s into lines of at most width characters, where it has blanks.
func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
