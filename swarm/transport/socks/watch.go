package socks

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// A Watch follows whether a proxy can be used. It connects to the proxy at the beginning, and
// then only after something has failed because of the proxy, until it works again.
type Watch struct {
	cancel context.CancelFunc
	wait   sync.WaitGroup
}

// Watch returns a Watch. notify is called with the reason when the proxy cannot be used, once
// for each reason in a row, and with nil when it can, at the beginning and after it could not.
// It must not block. Close ends the Watch. A Client has at most one.
func (c *Client) Watch(notify func(error)) *Watch {
	ctx, cancel := context.WithCancel(context.Background())
	w := &Watch{cancel: cancel}
	w.wait.Go(func() { c.watch(ctx, notify) })
	return w
}

// Close ends the Watch, and waits for that.
func (w *Watch) Close() {
	w.cancel()
	w.wait.Wait()
}

// watch is the goroutine of a Watch.
func (c *Client) watch(ctx context.Context, notify func(error)) {
	told := "nothing"
	for ctx.Err() == nil {
		pause := again
		err := c.Check(ctx)
		for ctx.Err() == nil && err != nil {
			if text := textOf(err); text != told {
				told = text
				notify(err)
			}
			select {
			case <-time.After(pause/2 + rand.N(pause/2)):
			case <-ctx.Done():
				return
			}
			pause = min(2*pause, againMax)
			err = c.Check(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		if text := textOf(nil); text != told {
			told = text
			notify(nil)
		}
		c.settle(ctx)
	}
}

// settle waits until the proxy fails somebody, and a moment longer: failures from before the
// check that has just succeeded, and those that come together, lead to one more check.
func (c *Client) settle(ctx context.Context) {
	select {
	case <-c.trouble:
	case <-ctx.Done():
		return
	}
	select {
	case <-time.After(again / 2):
	case <-ctx.Done():
	}
	select {
	case <-c.trouble:
	default:
	}
}

// fail returns a *ServerError, and tells the Watch of it.
func (c *Client) fail(err error) error {
	if !errors.Is(err, ErrNoUDP) {
		select {
		case c.trouble <- struct{}{}:
		default:
		}
	}
	return &ServerError{c.cfg.Server, err}
}
