package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// stopTimeout is how long a clean stop may take after the first signal, unless the command needs
// longer.
const stopTimeout = 2 * time.Second

// stopWithin sets how long a clean stop may take.
func (c *console) stopWithin(d time.Duration) { c.stopMax.Store(int64(d)) }

// stopLimit returns how long a clean stop may take.
func (c *console) stopLimit() time.Duration {
	if d := c.stopMax.Load(); d > 0 {
		return time.Duration(d)
	}
	return stopTimeout
}

// signalEcho is how long after the first signal others are echoes of it: timeout(1) signals
// its command, and then the group of its command once more. Nobody presses Ctrl-C so fast.
const signalEcho = 100 * time.Millisecond

// watchSignals returns a context that the first SIGINT, SIGTERM or SIGHUP ends, with a
// stopped as its cause. A second signal, unless it is an echo, or the end of that time, ends the
// process at once. SIGHUP means that the terminal is gone, unless the command reads files again
// at the signal (see hangups). A command that has to outlive its terminal is started with nohup,
// which keeps the signal ignored. A write to a closed pipe is an error of that write, not a
// signal.
func watchSignals(parent context.Context, c *console) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signal.Ignore(syscall.SIGPIPE)
	keepFromStatus()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var late, hangup <-chan time.Time
		var first time.Time
		code := 0
		end := func(s syscall.Signal) {
			code = 128 + int(s)
			first, late, hangup = time.Now(), time.After(c.stopLimit()), nil
			cancel(stopped{s})
			c.keepProgress()
		}
		for {
			select {
			case s := <-signals:
				switch {
				case code != 0 && time.Since(first) < signalEcho:
					continue
				case code != 0:
					die(c, code)
				case s == syscall.SIGHUP && c.hangups.taken():
					hangup = time.After(hangupGrace)
				default:
					end(s.(syscall.Signal))
				}
			case <-hangup:
				if hangup = nil; !c.hangups.ask() {
					end(syscall.SIGHUP)
				}
			case <-late:
				die(c, code)
			case <-done:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		<-ended
		cancel(nil)
	}
}

// lastWords is how long die waits for the exit event to be written.
const lastWords = 100 * time.Millisecond

// die ends the process without waiting for running work, nor for a reader of our output
// that does not read.
func die(c *console, code int) {
	said := make(chan struct{})
	go func() {
		defer close(said)
		c.restore()
		c.exit(code)
	}()
	select {
	case <-said:
	case <-time.After(lastWords):
	}
	os.Exit(code)
}
