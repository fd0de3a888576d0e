package sim

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"swarmnode/swarm/core"
)

// ErrNotDump is wrapped by the error about a file that is not a dump, or is damaged.
var ErrNotDump = core.ErrDump

// A Replay is the outcome of replaying what a dump says of one torrent.
type Replay struct {
	// Torrent is the start of the info-hash, and Program the name and version of the
	// program that wrote the dump.
	Torrent, Program string
	// Lost is how many events came before those of the dump.
	Lost uint64
	core.Replayed
}

// ReplayAll replays each torrent of a file that swarm.Torrent.WriteEvents wrote, and gives
// the outcome to done. It writes transcripts to w, if that is not nil: each event, and
// the actions that followed. The error is that of r, w or ctx, or wraps ErrNotDump.
func ReplayAll(ctx context.Context, r io.Reader, w io.Writer, done func(*Replay)) error {
	in := bufio.NewReaderSize(r, 1<<16)
	for n := 0; ; n++ {
		d, err := core.ReadDump(in)
		switch {
		case errors.Is(err, io.EOF) && n > 0:
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%w: it is empty", ErrNotDump)
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		if w != nil {
			if _, err := fmt.Fprintf(w, "torrent %s\n", d.Torrent); err != nil {
				return err
			}
		}
		replayed, err := d.Replay(w)
		if err != nil {
			return err
		}
		done(&Replay{d.Torrent, d.Program, d.Lost, replayed})
	}
}

// String returns the outcome in one line.
func (r *Replay) String() string {
	s := fmt.Sprintf("%d events, %d actions: ", r.Events, r.Actions)
	switch {
	case r.Broken != nil:
		return s + fmt.Sprintf("after event %d %v", r.Events, r.Broken)
	case r.Partial:
		return s + fmt.Sprintf("replayed from a partial record (the first %d events are lost)",
			r.Lost)
	case r.Differs != 0 && r.Inexact:
		return s + fmt.Sprintf("other actions from event %d on; the dump lacks something of an "+
			"event, so that is no surprise", r.Differs)
	case r.Differs != 0:
		return s + fmt.Sprintf("other actions from event %d on", r.Differs)
	}
	return s + "the same as recorded"
}
