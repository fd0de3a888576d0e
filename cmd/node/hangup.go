package main

import (
	"sync"
	"time"
)

// hangupGrace is how long after SIGHUP it is decided whether the terminal is gone. A shell that
// ends signals its commands first.
const hangupGrace = 200 * time.Millisecond

// hangups decide what SIGHUP means: that the terminal is gone, which ends the command, or a
// wish of the user that files are read again. It is for commands that have such files; every
// other command ends. The methods are safe for concurrent use.
type hangups struct {
	mu       sync.Mutex
	asked    chan<- struct{} // nil if nothing is read again
	terminal bool            // the command has begun on a terminal
}

// take makes SIGHUP ask for a reload from now on, by the channel, until stop.
func (h *hangups) take() (asked <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked, h.terminal = ch, hasTerminal()
	return ch, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.asked = nil
	}
}

// taken reports whether SIGHUP may ask for a reload.
func (h *hangups) taken() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked != nil
}

// ask asks for a reload. It reports false if the terminal is gone, or if nothing is read again.
func (h *hangups) ask() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.asked == nil || h.terminal && !hasTerminal() {
		return false
	}
	select {
	case h.asked <- struct{}{}:
	default: // one is due already
	}
	return true
}
