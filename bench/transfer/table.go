//go:build linux

package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"swarmnode/bench/figures"
)

// row is a contender's line of the table.
type row struct {
	name                string
	rate                float64 // MB/s
	seedCPU, leechCPU   float64 // seconds per GiB
	seedPeak, leechPeak int64   // MiB
	seedAnon, leechAnon int64   // MiB
}

func summarise(c contender) row {
	gib := float64(c.job.size) / (1 << 30)
	return row{
		name: c.name,
		rate: figures.MedianOf(c.measures, func(m measure) float64 {
			return m.rate(c.job.size)
		}),
		seedCPU: figures.MedianOf(c.measures, func(m measure) float64 {
			return m.seed.cpu.Seconds() / gib
		}),
		leechCPU: figures.MedianOf(c.measures, func(m measure) float64 {
			return m.leech.cpu.Seconds() / gib
		}),
		seedPeak: figures.MedianOf(c.measures, func(m measure) int64 { return m.seed.peak >> 20 }),
		leechPeak: figures.MedianOf(c.measures, func(m measure) int64 {
			return m.leech.peak >> 20
		}),
		seedAnon: figures.MedianOf(c.measures, func(m measure) int64 { return m.seed.anon >> 20 }),
		leechAnon: figures.MedianOf(c.measures, func(m measure) int64 {
			return m.leech.anon >> 20
		}),
	}
}

// printTable prints the medians of all contenders, the fastest first, and compares node
// with the limit and with the fastest other client.
func printTable(w io.Writer, list []contender) {
	var (
		rows               []row
		limit, ours, other *row // peers on both sides
		oursWeb, otherWeb  *row // a web server has the content
	)
	for _, c := range list {
		if len(c.measures) == 0 {
			continue
		}
		r := summarise(c)
		if c.slow {
			r.name += fmt.Sprintf(" (%d MiB)", c.job.size>>20)
		}
		rows = append(rows, r)
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(b.rate, a.rate) })
	for i := range rows {
		r := &rows[i]
		switch {
		case r.name == "the machine's limit":
			limit = r
		case r.name == "node -> node":
			ours = r
		case r.name == "nginx -> node":
			oursWeb = r
		case strings.HasPrefix(r.name, "nginx"):
			if otherWeb == nil {
				otherWeb = r
			}
		case strings.HasPrefix(r.name, "the machine's limit"): // with pauses
		case !strings.Contains(r.name, "node") && other == nil:
			other = r
		}
	}
	fmt.Fprintf(w, "%-38s %8s %8s   %-17s   %s\n", "", "", "of the", "CPU s/GiB",
		"peak MiB (anonymous)")
	fmt.Fprintf(w, "%-38s %8s %8s   %8s %8s   %13s %13s\n", "", "MB/s", "limit", "seed", "leech",
		"seed", "leech")
	for _, r := range rows {
		share := "-"
		if limit != nil {
			share = fmt.Sprintf("%.2f", r.rate/limit.rate)
		}
		fmt.Fprintf(w, "%-38s %8.0f %8s   %8.2f %8.2f   %13s %13s\n", r.name, r.rate, share,
			r.seedCPU, r.leechCPU,
			fmt.Sprintf("%d (%d)", r.seedPeak, r.seedAnon),
			fmt.Sprintf("%d (%d)", r.leechPeak, r.leechAnon))
	}
	if oursWeb != nil && otherWeb != nil {
		fmt.Fprintf(w, "nginx -> node: %.2f of the MB/s of %s\n", oursWeb.rate/otherWeb.rate,
			otherWeb.name)
	}
	if ours == nil {
		return
	}
	if limit != nil {
		fmt.Fprintf(w, "node -> node: %.2f of the limit's MB/s, %.2f of its CPU seconds\n",
			ours.rate/limit.rate, (ours.seedCPU+ours.leechCPU)/(limit.seedCPU+limit.leechCPU))
	}
	if other != nil {
		fmt.Fprintf(w, "node -> node: %.2f of the MB/s of %s\n", ours.rate/other.rate, other.name)
	}
}
