//go:build !unix

package main

import "os"

// statusSignals never delivers anything: there is no SIGUSR1 here.
func statusSignals() (signals <-chan os.Signal, stop func()) {
	return nil, func() {}
}
