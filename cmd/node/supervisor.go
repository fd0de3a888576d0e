package main

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// A supervisor is the service manager that has started the process, such as systemd. It is
// told when the daemon is ready, reloads and stops, and with a watchdog it is also told, twice in
// each of its periods, that the daemon still answers. Without a service manager every method does
// nothing. The methods are safe for concurrent use.
type supervisor struct {
	c        *console
	watchdog time.Duration // the period of the watchdog; 0 without one

	mu     sync.Mutex
	failed bool // a notification could not be sent, which the user knows
}

// newSupervisor reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
func newSupervisor(c *console) *supervisor {
	period, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		c.warn("the watchdog of the service manager is not used: %v", err)
	}
	return &supervisor{c: c, watchdog: period}
}

// ready says that the daemon serves, at the start and at the end of each reload. The status is a
// line for people, such as the number of torrents.
func (s *supervisor) ready(status string) {
	s.notify(daemon.SdNotifyReady + "\nSTATUS=" + inOneLine(status))
}

// status changes the line for people.
func (s *supervisor) status(status string) { s.notify("STATUS=" + inOneLine(status)) }

// reloading says that the configuration is being read again. The service manager waits for ready.
func (s *supervisor) reloading() {
	s.notify(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
}

// stopping says that the daemon begins to stop.
func (s *supervisor) stopping() { s.notify(daemon.SdNotifyStopping + "\nSTATUS=stopping") }

// notify sends a state. A service manager that cannot be told is named once.
func (s *supervisor) notify(state string) {
	_, err := daemon.SdNotify(false, state)
	s.mu.Lock()
	first := err != nil && !s.failed
	s.failed = err != nil
	s.mu.Unlock()
	if first {
		s.c.warn("the service manager cannot be told how the daemon is: %v", err)
	}
}

// watch keeps the watchdog from ending the process as long as alive, which asks the daemon for
// something that only a working daemon can answer, returns nil. alive is called by one goroutine,
// at once and then twice in each period, and has half a period to answer. A daemon that hangs
// keeps alive from returning, so nothing is sent and the service manager restarts the process.
// stop ends the watching and waits for alive to return.
func (s *supervisor) watch(alive func(context.Context) error) (stop func()) {
	if s.watchdog == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() {
		tick := time.NewTicker(s.watchdog / 2)
		defer tick.Stop()
		for {
			s.keepAlive(ctx, alive)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	return func() {
		cancel()
		wait.Wait()
	}
}

// keepAlive asks the daemon, and tells the service manager if it answers.
func (s *supervisor) keepAlive(ctx context.Context, alive func(context.Context) error) {
	asking, cancel := context.WithTimeout(ctx, s.watchdog/2)
	defer cancel()
	err := alive(asking)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.c.warn("the daemon does not answer, so the service manager may restart it: %v", err)
	default:
		s.notify(daemon.SdNotifyWatchdog)
	}
}

// inOneLine keeps a status from being read as several states.
func inOneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
