package hook

import (
	"errors"
	"log/slog"
	"sync"
	"time"
)

// What a Runner refuses.
var (
	ErrFull   = errors.New("too many commands wait for their turn")
	ErrClosed = errors.New("no more commands are run")
)

const (
	runningMax = 4    // commands at one time
	queueMax   = 1000 // commands that wait
)

// The times of a command, unless a test has shorter ones.
const (
	timeLimit = 10 * time.Minute
	// graceTime is between TERM and KILL.
	graceTime = 10 * time.Second
	// closeTime is how long Close lets commands go on.
	closeTime = 5 * time.Second
	// pipeTime is how long the output is read after the program has ended, if it has left
	// others behind that still have it.
	pipeTime = time.Second
)

// A Runner runs commands. Its methods are safe for concurrent use.
type Runner struct {
	log   *slog.Logger
	times times

	mu      sync.Mutex
	queue   []Command // len <= queueMax
	running int       // <= runningMax
	closed  bool

	kill    chan struct{} // closed when Close has waited long enough
	workers sync.WaitGroup
}

type times struct{ limit, grace, close, pipe time.Duration }

// New returns a Runner, which somebody must Close. Nothing is logged if log is nil.
func New(log *slog.Logger) *Runner {
	return newRunner(log, times{timeLimit, graceTime, closeTime, pipeTime})
}

func newRunner(log *slog.Logger, t times) *Runner {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Runner{log: log, times: t, kill: make(chan struct{})}
}

// Run runs c as soon as its turn comes, and returns at once. The error is ErrFull, ErrClosed, or
// that of Check. A Command without arguments is none, and does nothing.
func (r *Runner) Run(c Command) error {
	if err := Check(c.Args); err != nil || len(c.Args) == 0 {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	if len(r.queue) >= queueMax {
		return ErrFull
	}
	r.queue = append(r.queue, c)
	if r.running < runningMax {
		r.running++
		r.workers.Go(r.work)
	}
	return nil
}

// work runs commands until none waits.
func (r *Runner) work() {
	for {
		c, ok := r.next()
		if !ok {
			return
		}
		r.execute(c)
	}
}

func (r *Runner) next() (c Command, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || len(r.queue) == 0 {
		r.running--
		return c, false
	}
	c, r.queue[0] = r.queue[0], Command{}
	r.queue = r.queue[1:]
	return c, true
}

// Close forgets the commands that wait, lets those that run go on for five seconds, kills them
// then, and waits for their end.
func (r *Runner) Close() {
	r.mu.Lock()
	first := !r.closed
	r.closed = true
	if waiting := len(r.queue); waiting > 0 {
		r.log.Warn("commands were not run, since the daemon ends", "commands", waiting)
		r.queue = nil
	}
	r.mu.Unlock()
	if first {
		timer := time.AfterFunc(r.times.close, func() { close(r.kill) })
		defer timer.Stop()
	}
	r.workers.Wait()
}
