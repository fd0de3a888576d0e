package sim

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var table = flag.Bool("table", false,
	"run all scenarios with seed 1 and write their figures to the document")

const (
	tableFile  = "../../docs/design/simulation.md"
	tableBegin = "<!-- table: make sim-table -->\n<!-- plot: simulation -->\n"
	tableEnd   = "<!-- end of table -->\n"
)

// figures returns the row of a result.
func figures(s *Scenario, r *Result) string {
	ratio := "–"
	if r.Done() && r.Ratio() >= 1 { // else the bound is not one: not all begin with nothing
		ratio = fmt.Sprintf("%.2f", r.Ratio())
	}
	return fmt.Sprintf("| %s: %s | %s | %.2f | %.2f %% | %s |\n", s.Name, s.About, ratio, r.Copies,
		100*r.Waste, strings.Join(besides(s, r), "; "))
}

// besides returns what a scenario is about other than the figures that all have.
func besides(s *Scenario, r *Result) (all []string) {
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if s.Introducer {
		say("parts %d, neighbours at least %d, median %d", r.Graph.Parts, r.Graph.Least,
			r.Graph.Median)
	}
	leeches := slices.DeleteFunc(slices.Clone(r.Classes), func(c ClassResult) bool {
		return c.Median == 0
	})
	for _, c := range r.Classes {
		switch {
		case c.Startup > 0:
			say("%s: starts after %.1f s, stalls for %.1f s", c.Name, c.Startup.Seconds(),
				c.Stalled.Seconds())
		case c.Median > 0 && len(leeches) > 1:
			say("%s: median %.0f s", c.Name, c.Median.Seconds())
		case c.Median == 0 && c.Left > 0:
			say("%s: left after %.0f s of %.0f s", c.Name, c.Left.Seconds(), r.Last.Seconds())
		}
	}
	return all
}

// TestTable keeps the table of the document: it has a row for each scenario, in
// order. -table writes it again.
func TestTable(t *testing.T) {
	text, err := os.ReadFile(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := bytes.Cut(text, []byte(tableBegin))
	old, tail, ended := bytes.Cut(rest, []byte(tableEnd))
	if !ok || !ended {
		t.Fatalf("%s has no table", tableFile)
	}
	if *table {
		var b bytes.Buffer
		b.WriteString("| scenario | last leech / bound | copies sent by the seed | waste | " +
			"besides |\n| --- | --- | --- | --- | --- |\n")
		for _, s := range Scenarios() {
			start := time.Now()
			r := Run(s, 1)
			if err := s.Check(&r); err != nil {
				t.Errorf("%s: %v", s.Name, err)
			}
			b.WriteString(figures(&s, &r))
			t.Logf("%s, %v", s.Name, time.Since(start).Round(time.Millisecond))
		}
		old = b.Bytes()
		text = slices.Concat(head, []byte(tableBegin), old, []byte(tableEnd), tail)
		if err := os.WriteFile(tableFile, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	pictured(t, old)
	var rows []string
	for line := range strings.Lines(string(old)) {
		if name, _, ok := strings.Cut(line, ":"); ok {
			rows = append(rows, strings.TrimPrefix(name, "| "))
		}
	}
	var want []string
	for _, s := range Scenarios() {
		want = append(want, s.Name)
	}
	if !slices.Equal(rows, want) {
		t.Errorf("the rows of %s are %v, want %v (make sim-table)", tableFile, rows, want)
	}
}

// pictured checks that the picture of a run in the document has the figures of
// its row.
func pictured(t *testing.T, rows []byte) {
	t.Helper()
	const file = "../../docs/pictures/mixed.svg"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	about := regexp.MustCompile(
		`last leech after ([\d.]+) s, bound ([\d.]+) s, seeds sent ([\d.]+)`).
		FindSubmatch(text)
	if about == nil {
		t.Fatalf("%s has no figures", file)
	}
	var last, bound, copies float64
	for i, v := range []*float64{&last, &bound, &copies} {
		if *v, err = strconv.ParseFloat(string(about[i+1]), 64); err != nil {
			t.Fatal(err)
		}
	}
	want := fmt.Sprintf("| %.2f | %.2f |", last/bound, copies)
	for row := range bytes.Lines(rows) {
		if bytes.HasPrefix(row, []byte("| mixed:")) && !bytes.Contains(row, []byte(want)) {
			t.Errorf("%s is of another run than %s (make plots)", file, row)
		}
	}
}
