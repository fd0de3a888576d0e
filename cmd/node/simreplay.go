package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"swarmnode/swarm/sim"
)

// replayAll replays the torrents of a dump.
func (f *simFlags) replayAll(ctx context.Context, c *console) error {
	file, err := os.Open(f.replay)
	if err != nil {
		return fail(diskCode(err), f.replay, err)
	}
	defer file.Close()
	trace, err := createSimFile(f.trace)
	if err != nil {
		return err
	}
	defer trace.abandon()
	var transcript io.Writer = transcriptOf{c}
	if trace != nil {
		transcript = trace
	}
	wrong := 0
	c.together(func() {
		err = sim.ReplayAll(ctx, file, transcript, func(r *sim.Replay) {
			if !same(r) {
				wrong++
			}
			c.event("replay", replayOf(r))
			c.result(r.Torrent + ": " + r.String())
		})
	})
	switch err = cmp.Or(err, trace.done()); {
	case errors.Is(err, sim.ErrNotDump):
		return fail(exitInput, f.replay, err)
	case err != nil:
		return err
	case wrong > 0:
		return fail(exitOther, f.replay, fmt.Errorf("%s did something else than the node",
			plural(wrong, "torrent")))
	}
	return nil
}

// same reports whether a replay did what the node did, as far as the dump allows that.
func same(r *sim.Replay) bool {
	return r.Broken == nil && (r.Differs == 0 || r.Partial || r.Inexact)
}

// A transcriptOf writes a transcript as a result, unless there are events in its place.
type transcriptOf struct{ c *console }

func (t transcriptOf) Write(p []byte) (int, error) {
	t.c.text(string(p))
	return len(p), nil
}

// replay: the outcome of replaying the events of a torrent.
type replayEvent struct {
	Torrent string `json:"torrent"`
	Program string `json:"program,omitempty"`
	OK      bool   `json:"ok"`
	Wrong   string `json:"wrong,omitempty"`
	Partial bool   `json:"partial,omitempty"`
	Inexact bool   `json:"inexact,omitempty"`
	Differs uint64 `json:"differs,omitempty"`
	Events  uint64 `json:"events"`
	Actions uint64 `json:"actions"`
	Lost    uint64 `json:"lost,omitempty"`
}

func replayOf(r *sim.Replay) replayEvent {
	e := replayEvent{Torrent: r.Torrent, Program: r.Program, OK: same(r), Partial: r.Partial,
		Inexact: r.Inexact, Differs: r.Differs, Events: r.Events, Actions: r.Actions,
		Lost: r.Lost}
	if r.Broken != nil {
		e.Wrong = r.Broken.Error()
	}
	return e
}
