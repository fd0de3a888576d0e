//go:build !unix

package main

import "os"

// keepFromStatus does nothing: there is no SIGUSR1 here.
func keepFromStatus() {}

// hasTerminal reports false: there is no SIGHUP here.
func hasTerminal() bool { return false }

// debugSignals never delivers anything: there is no SIGQUIT here.
func debugSignals() (signals <-chan os.Signal, stop func()) {
	return nil, func() {}
}

// statusSignals never delivers anything: there is no SIGUSR1 here.
func statusSignals() (signals <-chan os.Signal, stop func()) {
	return nil, func() {}
}
