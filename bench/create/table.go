//go:build linux

package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"swarmnode/bench/figures"
	"swarmnode/metainfo"
)

// row is a contender's line of the table.
type row struct {
	name    string
	kind    metainfo.Kind
	seconds float64
	cpu     float64 // seconds
	peak    int64   // bytes
}

// printTable prints the medians, the fastest first in each kind, and compares node with
// the limit and with the fastest other program.
func printTable(w io.Writer, list []contender, j job) {
	limits := make(map[metainfo.Kind]row)
	var rows []row
	for _, c := range list {
		if len(c.measures) == 0 {
			continue
		}
		r := row{
			name: c.name, kind: c.kind,
			seconds: figures.MedianOf(c.measures, func(m measure) float64 {
				return m.took.Seconds()
			}),
			cpu:  figures.MedianOf(c.measures, func(m measure) float64 { return m.cpu.Seconds() }),
			peak: figures.MedianOf(c.measures, func(m measure) int64 { return m.peak }),
		}
		if c.limit {
			limits[c.kind] = r
		}
		rows = append(rows, r)
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.seconds, b.seconds))
	})
	fmt.Fprintf(w, "%-24s %9s %9s %9s %9s %9s\n", "", "s", "MB/s", "of limit", "CPU s", "peak MiB")
	for _, r := range rows {
		fmt.Fprintf(w, "%-24s %9.2f %9.0f %9s %9.2f %9.1f\n", r.name, r.seconds,
			float64(j.size)/1e6/r.seconds,
			share(limits, r), r.cpu, float64(r.peak)/(1<<20))
	}
	for _, r := range rows {
		if strings.HasPrefix(r.name, "node") {
			fmt.Fprintln(w, verdict(rows, limits, r))
		}
	}
}

// share returns the rate of r as a fraction of the limit for its kind.
func share(limits map[metainfo.Kind]row, r row) string {
	limit, ok := limits[r.kind]
	if !ok {
		return "-"
	}
	return fmt.Sprintf("%.2f", limit.seconds/r.seconds)
}

// verdict compares r with the limit and with the fastest other program.
func verdict(rows []row, limits map[metainfo.Kind]row, r row) string {
	s := fmt.Sprintf("%s: %s of the limit", r.name, share(limits, r))
	for _, other := range rows { // the fastest first
		if other.kind == r.kind && !strings.HasPrefix(other.name, "node") &&
			other.name != limits[r.kind].name {
			return s + fmt.Sprintf(", %.2f times the rate of %s", other.seconds/r.seconds,
				other.name)
		}
	}
	return s
}
