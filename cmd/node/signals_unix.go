//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// keepFromStatus keeps SIGUSR1 from ending a command that has no status to show, or none
// yet.
func keepFromStatus() { signal.Notify(make(chan os.Signal, 1), syscall.SIGUSR1) }

// statusSignals delivers SIGUSR1, which asks for the status, until stop.
func statusSignals() (signals <-chan os.Signal, stop func()) {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGUSR1)
	return ch, func() { signal.Stop(ch) }
}

// hasTerminal reports whether the process has a controlling terminal.
func hasTerminal() bool {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// debugSignals delivers SIGQUIT, which asks for a debug dump, until stop.
func debugSignals() (signals <-chan os.Signal, stop func()) {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGQUIT)
	return ch, func() { signal.Stop(ch) }
}
