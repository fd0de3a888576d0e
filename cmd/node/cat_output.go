package main

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// catBuffer is how many bytes are written at a time.
const catBuffer = 256 << 10

// A catOutput writes a file of a torrent to standard output. A write may wait for ever,
// for a reader that pauses, so nobody waits for its goroutine after a signal.
type catOutput struct {
	ctx     context.Context // ended once everything is written, or cannot be
	written atomic.Int64
}

// startCat begins to write a file of t, which pick chooses once the metadata is known.
func startCat(ctx context.Context, c *console, t *swarm.Torrent,
	pick func(*metainfo.Layout) (int, error)) *catOutput {
	o := &catOutput{}
	done, end := context.WithCancelCause(context.WithoutCancel(ctx))
	o.ctx = done
	go func() { end(o.write(ctx, c, t, pick)) }()
	return o
}

// errWritten is why the context of a catOutput ends that has written everything.
var errWritten = errors.New("everything is written")

// err returns why not everything was written, once ctx has ended.
func (o *catOutput) err() error {
	if err := context.Cause(o.ctx); err != errWritten {
		return err
	}
	return nil
}

func (o *catOutput) write(ctx context.Context, c *console, t *swarm.Torrent,
	pick func(*metainfo.Layout) (int, error)) error {
	select {
	case <-t.HaveInfo():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	file, err := pick(t.Info().Layout())
	if err != nil {
		return err
	}
	r, err := t.Reader(ctx, file)
	if err != nil {
		return err
	}
	defer r.Close()
	buf := make([]byte, catBuffer)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			if err := c.content(buf[:n]); err != nil {
				return err
			}
			o.written.Add(int64(n))
		}
		if err == io.EOF {
			return errWritten
		}
		if err != nil {
			return err
		}
	}
}

// content writes bytes of a file to standard output. It holds no lock while it writes,
// because whoever reads may pause.
func (c *console) content(p []byte) error {
	c.mu.Lock()
	stdout := c.stdout
	c.mu.Unlock()
	if _, err := stdout.Write(p); err != nil {
		return writeFailure(err)
	}
	return nil
}
