package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"swarmnode/swarm/sim"
)

func simCommand() *command {
	return &command{
		name:  "sim",
		args:  "[SCENARIO]",
		short: "simulate a swarm in virtual time",
		long: `Without a SCENARIO, the scenarios are listed. The nodes of a simulation run the code
that exchanges pieces in this program, over modelled links. The same scenario and
seed give the same result each time. Times are virtual; the bound is what no swarm
can beat on these links. In the table, first, median and last are the seconds from
joining until a node of the class has everything; copies is how often all of them
together sent the content. The exit code is 1 if the result is not what the scenario
requires. An interrupt ends a run at once.

With --replay, the events that a node has recorded are given to the same code once more.
Each event is shown with the actions that followed, in FILE of --trace if that is given.
The exit code is 1 if the actions are not those of the node, or if an invariant of the
code does not hold; 3 if the file is not such a record.`,
		examples: []example{
			{"node sim", "list the scenarios"},
			{"node sim nine --seed 7", "run one, and print the result as a table"},
			{"node sim nine --trace trace.txt --json",
				"write each event to a file, and print the result for a program"},
			{"node sim mixed --svg mixed.svg", "draw who had how much when"},
			{"node sim --replay node-debug.txt", "replay the events that a node has recorded"},
		},
		argsMax: 1,
		setup: func(fs *pflag.FlagSet) action {
			f := simFlags{seed: 1}
			fs.Var(&f.seed, "seed", "number from which all random choices follow")
			fs.StringVar(&f.trace, "trace", "", "write one line for each event to `FILE`")
			fs.StringVar(&f.svg, "svg", "",
				"draw who had how much when, and what the seeds sent, to `FILE`")
			fs.StringVar(&f.replay, "replay", "",
				"replay the events of each torrent in `FILE`, which a node wrote at SIGQUIT or for "+
					"--debug-dump")
			return f.run
		},
	}
}

// A seedValue is a flag of any 64-bit number.
type seedValue uint64

func (v *seedValue) Type() string   { return "N" }
func (v *seedValue) String() string { return strconv.FormatUint(uint64(*v), 10) }
func (v *seedValue) Set(s string) error {
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		return errors.New("not a number from 0 to 2^64-1")
	}
	*v = seedValue(n)
	return nil
}

type simFlags struct {
	seed  seedValue
	trace string
	svg   string
	// replay is a dump to replay in place of a scenario.
	replay string
}

func (f *simFlags) run(ctx context.Context, c *console, args []string) error {
	if f.replay != "" {
		if len(args) > 0 || f.svg != "" {
			return usage(c.command, errors.New("--replay excludes a scenario and --svg"))
		}
		return f.replayAll(ctx, c)
	}
	if len(args) == 0 {
		for _, s := range sim.Scenarios() {
			c.event("scenario", scenarioEvent{s.Name, s.About, s.Large})
			c.result(fmt.Sprintf("%-12s %s", s.Name, s.About))
		}
		return nil
	}
	s, ok := sim.Find(args[0])
	if !ok {
		return failWithHint(exitUsage, "", fmt.Errorf("no scenario %s", quoteSource(args[0])),
			program+" sim, which lists them")
	}
	start := time.Now()
	r, err := f.simulate(ctx, s)
	took := time.Since(start)
	if stop, ok := errors.AsType[*sim.Stopped](err); ok {
		c.note("stopped at %.1f virtual seconds, after %d events in %.1f s", stop.At.Seconds(),
			stop.Events, took.Seconds())
	}
	if err != nil {
		return err
	}
	wrong := s.Check(&r)
	c.event("simulation", simulationOf(&r, wrong))
	c.text(r.String())
	c.note("%d events in %.1f s, %.2f million a second", r.Events, took.Seconds(),
		float64(r.Events)/took.Seconds()/1e6)
	if wrong != nil {
		return fail(exitOther, fmt.Sprintf("%s, seed %d", s.Name, uint64(f.seed)), wrong)
	}
	return nil
}

// simulate runs s, and writes the requested files. It opens them before the run, which
// takes long.
func (f *simFlags) simulate(ctx context.Context, s sim.Scenario) (sim.Result, error) {
	trace, err := createSimFile(f.trace)
	if err != nil {
		return sim.Result{}, err
	}
	defer trace.abandon()
	svg, err := createSimFile(f.svg)
	if err != nil {
		return sim.Result{}, err
	}
	defer svg.abandon()
	var o sim.Observer
	if trace != nil {
		o.Trace = trace
	}
	if svg != nil {
		o.Timeline = new(sim.Timeline)
	}
	r, stopped := sim.Observe(ctx, s, uint64(f.seed), o)
	if stopped == nil && svg != nil {
		if err := o.Timeline.WriteSVG(svg); err != nil {
			return r, svg.failed(err)
		}
	}
	if stopped != nil {
		svg.remove() // there is nothing to draw
		return r, cmp.Or(trace.done(), stopped)
	}
	return r, cmp.Or(trace.done(), svg.done())
}

// A simFile is a file that a simulation writes, or nil if it was not requested.
type simFile struct {
	*bufio.Writer
	file *os.File
}

// createSimFile creates a file, or returns nil if path is empty.
func createSimFile(path string) (*simFile, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, fail(diskCode(err), path, err)
	}
	return &simFile{bufio.NewWriter(file), file}, nil
}

func (o *simFile) failed(err error) error {
	return fail(exitDisk, o.file.Name(), fmt.Errorf("writing: %w", plain(err)))
}

// done writes the rest and closes the file.
func (o *simFile) done() error {
	if o == nil {
		return nil
	}
	if err := errors.Join(o.Flush(), o.file.Close()); err != nil {
		return o.failed(err)
	}
	return nil
}

// remove deletes the file.
func (o *simFile) remove() {
	if o != nil {
		o.file.Close()
		os.Remove(o.file.Name())
	}
}

// abandon closes the file unless done has.
func (o *simFile) abandon() {
	if o != nil {
		o.file.Close()
	}
}

// scenario: a scenario that can be simulated.
type scenarioEvent struct {
	Name  string `json:"name"`
	About string `json:"about"`
	Large bool   `json:"large,omitempty"`
}

// simulation: the result of a simulation. Times are virtual seconds.
type simulationEvent struct {
	Scenario string               `json:"scenario"`
	Seed     uint64               `json:"seed"`
	OK       bool                 `json:"ok"`
	Wrong    string               `json:"wrong,omitempty"`
	Done     bool                 `json:"done"`
	Last     float64              `json:"last"`
	Bound    float64              `json:"bound"`
	Ratio    float64              `json:"ratio"`
	Ended    float64              `json:"ended"`
	Copies   float64              `json:"copies"`
	Waste    float64              `json:"waste"`
	Wasted   map[string]int64     `json:"wasted"`
	Events   uint64               `json:"events"`
	Digest   string               `json:"digest"`
	Classes  []simulatedClassItem `json:"classes"`
}

type simulatedClassItem struct {
	Name    string  `json:"name"`
	Count   int     `json:"count"`
	Done    int     `json:"done"`
	First   float64 `json:"first"`
	Median  float64 `json:"median"`
	Last    float64 `json:"last"`
	Copies  float64 `json:"copies"`
	Startup float64 `json:"startup,omitempty"`
	Stalled float64 `json:"stalled,omitempty"`
}

func simulationOf(r *sim.Result, wrong error) simulationEvent {
	e := simulationEvent{
		Scenario: r.Scenario, Seed: r.Seed, OK: wrong == nil, Done: r.Done(),
		Last: r.Last.Seconds(), Bound: r.Bound.Seconds(), Ratio: r.Ratio(),
		Ended:  r.Ended.Seconds(),
		Copies: r.Copies, Waste: r.Waste, Wasted: r.Wasted, Events: r.Events,
		Digest: fmt.Sprintf("%016x", r.Digest),
	}
	if wrong != nil {
		e.Wrong = wrong.Error()
	}
	for _, c := range r.Classes {
		e.Classes = append(e.Classes, simulatedClassItem{
			c.Name, c.Count, c.Done, c.First.Seconds(), c.Median.Seconds(), c.Last.Seconds(),
			c.Sent,
			c.Startup.Seconds(), c.Stalled.Seconds(),
		})
	}
	return e
}
