//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// statusSignals delivers SIGUSR1, which asks for the status, until stop.
func statusSignals() (signals <-chan os.Signal, stop func()) {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGUSR1)
	return ch, func() { signal.Stop(ch) }
}
