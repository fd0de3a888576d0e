package sim

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"testing"
	"time"
)

var (
	large = flag.Bool("large", false, "run the scenarios that take long, too")
	seeds = flag.Uint64("seeds", 1, "how many seeds to run each scenario with")
)

// TestScenarios runs the scenarios and checks what each promises. With -v it
// prints their figures.
func TestScenarios(t *testing.T) {
	for _, s := range Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			if s.Large && !*large {
				t.Skip("run with -large")
			}
			if raced && s.Name != "nine" && s.Name != "lossy" {
				t.Skip("too long with the race detector; these two check the invariants of core")
			}
			for seed := range *seeds {
				start := time.Now()
				r := run(t, s, seed+1)
				took := time.Since(start)
				t.Logf("%v, %.2f million events a second\n%v%v", took.Round(time.Millisecond),
					float64(r.Events)/took.Seconds()/1e6, r.String(), r.Wasted)
				if err := s.Check(&r); err != nil {
					t.Errorf("seed %d: %v%s", seed+1, err, replay(s.Name, seed+1))
				}
			}
		})
	}
}

// TestLeavingSeeds: in most runs nothing is lost when the seed leaves. Pieces are lost in
// 18 of a hundred runs; a few runs alone tell little.
func TestLeavingSeeds(t *testing.T) {
	if raced {
		t.Skip("too long with the race detector")
	}
	const runs, most = 24, 8
	lost := 0
	for seed := range uint64(runs) {
		r := run(t, leaving(), seed+1)
		if err := leaving().Check(&r); err != nil {
			t.Errorf("seed %d: %v%s", seed+1, err, replay("leaving", seed+1))
		}
		if r.Lost > 0 {
			lost++
		}
	}
	if lost > most {
		t.Errorf("pieces were lost in %d of %d runs", lost, runs)
	}
}

// replay returns how to see again what a test has seen, event by event.
func replay(name string, seed uint64) string {
	return fmt.Sprintf("\nreplay: node sim %s --seed %d --trace %[1]s-%[2]d.txt", name, seed)
}

// run is Run, and tells how to replay what an invariant of core ended; for those
// the command has to be built with the race detector, too.
func run(t *testing.T, s Scenario, seed uint64) Result {
	t.Helper()
	ended := false
	defer func() {
		if !ended {
			t.Logf("the run of %s with seed %d did not end%s", s.Name, seed, replay(s.Name, seed))
		}
	}()
	r := Run(s, seed)
	ended = true
	return r
}

// TestReplayLine: what a failure prints is a command line for the same run.
func TestReplayLine(t *testing.T) {
	if got, want := replay("random", 12),
		"\nreplay: node sim random --seed 12 --trace random-12.txt"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	drawn, again := Run(random(), 12), Run(randomSwarm(12), 12)
	if drawn.Digest != again.Digest {
		t.Error("the swarm that a test draws and the scenario of that name differ")
	}
}

// TestReplay runs the same twice: the traces are the same, byte for byte.
func TestReplay(t *testing.T) {
	for _, name := range []string{"churn", "poisoned"} {
		s, ok := Find(name)
		if !ok {
			t.Fatalf("no scenario %s", name)
		}
		s.Limit = 3 * time.Second
		var a, b, c bytes.Buffer
		first, second, other := traced(t, s, 7, &a), traced(t, s, 7, &b), traced(t, s, 8, &c)
		if !bytes.Equal(a.Bytes(), b.Bytes()) || first.Digest != second.Digest {
			t.Errorf("%s: two runs with the same seed differ", name)
		}
		if bytes.Equal(a.Bytes(), c.Bytes()) || first.Digest == other.Digest {
			t.Errorf("%s: two seeds give the same run", name)
		}
	}
}

func traced(t *testing.T, s Scenario, seed uint64, w io.Writer) Result {
	t.Helper()
	r, err := Observe(t.Context(), s, seed, Observer{Trace: w})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A stopping ends a run when that has written its first line.
type stopping struct {
	cancel context.CancelCauseFunc
	lines  int
}

var errEnough = errors.New("enough")

func (s *stopping) Write(b []byte) (int, error) {
	s.cancel(errEnough)
	s.lines++
	return len(b), nil
}

// TestStopped: a run of a thousand nodes ends within this many events of when it is
// told to, and says what came of it.
func TestStopped(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	w := &stopping{cancel: cancel}
	_, err := Observe(ctx, flash(), 1, Observer{Trace: w})
	stop, ok := errors.AsType[*Stopped](err)
	if !ok || !errors.Is(err, errEnough) || stop.Events != stopEvery || w.lines != stopEvery {
		t.Errorf("error %v after %d lines, %+v", err, w.lines, stop)
	}
}

// TestHeap takes out in order what was put in in none.
func TestHeap(t *testing.T) {
	var h heap
	for i := range uint64(1000) {
		h.push(event{at: int64(i * 7919 % 100), seq: i})
	}
	last := h.pop()
	for len(h.events) > 0 {
		e := h.pop()
		if !last.before(&e) {
			t.Fatalf("%d/%d came before %d/%d", last.at, last.seq, e.at, e.seq)
		}
		last = e
	}
}

// BenchmarkEvents is one event of the scenario nine.
func BenchmarkEvents(b *testing.B) {
	s := nine()
	b.ReportAllocs()
	var events uint64
	for b.Loop() {
		r := Run(s, 1)
		events += r.Events
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
}
