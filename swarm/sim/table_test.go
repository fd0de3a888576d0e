package sim

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var table = flag.Bool("table", false,
	"run all scenarios and write their figures to the document")

const (
	tableFile  = "../../docs/design/simulation.md"
	tableBegin = "<!-- table: make sim-table -->\n<!-- plot: simulation -->\n"
	tableEnd   = "<!-- end of table -->\n"
)

// tableSeeds is how many seeds a mean of the table is taken of.
const tableSeeds = 16

// figures returns the row of a scenario: r is its run with seed 1.
func figures(s *Scenario, r *Result) string {
	ratio, mean := "–", "–"
	if r.Done() && r.Ratio() >= 1 { // else the bound is not one: not all begin with nothing
		ratio = fmt.Sprintf("%.2f", r.Ratio())
		if !s.Large && s.Draw == nil {
			mean = meanRatio(s, r.Ratio())
		}
	}
	return fmt.Sprintf("| %s: %s | %s | %s | %.2f | %.2f %% | %s |\n", s.Name, s.About, ratio, mean,
		r.Copies, 100*r.Waste, strings.Join(besides(s, r), "; "))
}

// meanRatio returns the mean of the ratios of several seeds with the least and the
// greatest; first is that of seed 1.
func meanRatio(s *Scenario, first float64) string {
	ratios := []float64{first}
	for seed := uint64(2); seed <= tableSeeds; seed++ {
		r := Run(*s, seed)
		ratios = append(ratios, r.Ratio())
	}
	sum := 0.0
	for _, v := range ratios {
		sum += v
	}
	return fmt.Sprintf("%.2f (%.2f to %.2f)", sum/float64(len(ratios)), slices.Min(ratios),
		slices.Max(ratios))
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
		b.WriteString("| scenario | last leech / bound | mean of 16 seeds | copies sent by the " +
			"seed | waste | besides |\n| --- | --- | --- | --- | --- | --- |\n")
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

// pictured checks that the picture of the document shows the run of its row.
func pictured(t *testing.T, rows []byte) {
	t.Helper()
	const file = "../../docs/pictures/mixed.svg"
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if raced {
		return // the run takes too long with the race detector
	}
	var want bytes.Buffer
	tl := observed(t, mixed())
	if err := tl.WriteSVG(&want); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is of another run (make plots)", file)
	}
	s := mixed()
	if row := figures(&s, &tl.Result); !bytes.Contains(rows, []byte(row)) {
		t.Errorf("the table has another row than\n%s(make sim-table)", row)
	}
}
