package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Result sums up a run.
type Result struct {
	Scenario string
	Seed     uint64
	Bound    time.Duration // see Scenario.Bound
	Last     time.Duration // when the last leech was done; Limit if one was not
	Ended    time.Duration // virtual time at the end
	Copies   float64       // sent by the seeds, in multiples of the content
	Waste    float64       // share of what leeches received that was wasted
	Events   uint64
	Digest   uint64 // of the trace
	Graph    Graph
	Lost     int // pieces that nobody has
	Lacking  int // pieces that a leech lacks though another node has them, over all leeches
	Classes  []ClassResult
	// Wasted is the bytes behind Waste, by reason.
	Wasted map[string]int64
}

// A Graph describes who is connected to whom at the end.
type Graph struct {
	Parts  int // groups of connected nodes, without a connection between two groups
	Least  int // connections of the node that has the fewest
	Median int // connections of the node in the middle
}

// A ClassResult sums up the nodes of a class.
type ClassResult struct {
	Name                string
	Count, Done         int
	First, Median, Last time.Duration // from joining to having everything
	Sent                float64       // copies sent by all of them
	Startup, Stalled    time.Duration // of players: the longest
	Banned              int           // nodes that somebody has banned
	// pieces of several senders that were wrong, as received by these
	Shared int
	Left   time.Duration // when one of them left last, since the start
}

// Ratio returns Last in multiples of the bound.
func (r *Result) Ratio() float64 {
	if r.Bound == 0 {
		return 0
	}
	return r.Last.Seconds() / r.Bound.Seconds()
}

// Class returns the result of the class of that name, or a zero one.
func (r *Result) Class(name string) ClassResult {
	for _, c := range r.Classes {
		if c.Name == name {
			return c
		}
	}
	return ClassResult{}
}

// Done reports whether all leeches have everything.
func (r *Result) Done() bool {
	for _, c := range r.Classes {
		if c.Done < c.Count {
			return false
		}
	}
	return true
}

// String returns the result as a table.
func (r *Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, seed %d: last %.1f s, bound %.1f s, ratio %.2f, seeds sent %.2f "+
		"copies, waste %.2f %%, %d events\n",
		r.Scenario, r.Seed, r.Last.Seconds(), r.Bound.Seconds(), r.Ratio(), r.Copies, 100*r.Waste,
		r.Events)
	fmt.Fprintf(&b, "connections of a node at the end: least %d, median %d; groups of connected "+
		"nodes: %d\n", r.Graph.Least, r.Graph.Median, r.Graph.Parts)
	fmt.Fprintf(&b, "%-14s %9s %9s %9s %9s %8s\n", "class", "done", "first s", "median s", "last s",
		"copies")
	for _, c := range r.Classes {
		fmt.Fprintf(&b, "%-14s %4d/%4d %9.1f %9.1f %9.1f %8.2f", c.Name, c.Done, c.Count,
			c.First.Seconds(), c.Median.Seconds(), c.Last.Seconds(), c.Sent)
		if c.Startup > 0 {
			fmt.Fprintf(&b, "  startup %.1f s, stalled %.1f s", c.Startup.Seconds(),
				c.Stalled.Seconds())
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// result sums the run up.
func (w *world) result(seed uint64) Result {
	s := w.scenario
	r := Result{
		Scenario: s.Name, Seed: seed, Bound: s.Bound(), Ended: time.Duration(w.now),
		Events: w.count, Digest: w.digest, Wasted: map[string]int64{},
	}
	var down, wasted int64
	content := float64(s.Length())
	for ci := range s.Classes {
		c := ClassResult{Name: s.Classes[ci].Name}
		var times []time.Duration
		for _, n := range w.nodes {
			if n.ci != ci {
				continue
			}
			c.Count++
			c.Sent += float64(n.sentBytes) / content
			c.Shared += n.shared
			if n.banned {
				c.Banned++
			}
			c.Startup = max(c.Startup, n.player.startup)
			c.Left = max(c.Left, time.Duration(n.left))
			c.Stalled = max(c.Stalled, n.player.stalled)
			if n.up() && n.leech() {
				snapshot := n.core.Snapshot()
				down += snapshot.Down
				wasted += snapshot.Wasted()
				for reason, bytes := range snapshot.Waste {
					r.Wasted[reason.String()] += bytes
				}
			}
			switch {
			case !n.leech():
				c.Done++
			case n.done > 0:
				c.Done++
				times = append(times, time.Duration(n.done-n.joined))
				r.Last = max(r.Last, time.Duration(n.done))
			default:
				r.Last = s.Limit
			}
		}
		if len(times) > 0 {
			slices.Sort(times)
			c.First, c.Median, c.Last = times[0], times[len(times)/2], times[len(times)-1]
		}
		if s.Classes[ci].Seed {
			r.Copies += c.Sent
		}
		r.Classes = append(r.Classes, c)
	}
	r.Graph = w.graph()
	r.Lost, r.Lacking = w.missing()
	if down > 0 {
		r.Waste = float64(wasted) / float64(down)
	}
	return r
}

// graph finds out who is connected to whom.
func (w *world) graph() Graph {
	var g Graph
	var degrees []int
	seen := make([]bool, len(w.nodes))
	for _, n := range w.nodes {
		if !n.up() {
			continue
		}
		degree := 0
		for _, i := range n.links {
			if !w.conns[i/2].broken {
				degree++
			}
		}
		degrees = append(degrees, degree)
		if seen[n.id] {
			continue
		}
		g.Parts++
		seen[n.id] = true
		for queue := []*node{n}; len(queue) > 0; queue = queue[1:] {
			for _, i := range queue[0].links {
				if other := w.end(i ^ 1).node; !seen[other.id] && !w.conns[i/2].broken {
					seen[other.id] = true
					queue = append(queue, other)
				}
			}
		}
	}
	if len(degrees) > 0 {
		slices.Sort(degrees)
		g.Least, g.Median = degrees[0], degrees[len(degrees)/2]
	}
	return g
}

// missing counts the pieces that nobody has, and those that leeches lack although
// somebody has them. Nodes that are away have nothing.
func (w *world) missing() (lost, lacking int) {
	for piece := range w.scenario.Pieces {
		having, lacks := 0, 0
		for _, n := range w.nodes {
			switch {
			case !n.up() || n.class().Acts == Liar || n.class().Acts == Mute ||
				n.class().Acts == Spoiler:
			case n.have.Has(piece):
				having++
			case n.leech():
				lacks++
			}
		}
		if having == 0 {
			lost++
			continue
		}
		lacking += lacks
	}
	return lost, lacking
}
