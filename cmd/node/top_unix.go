//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// stopTime is how long it may take until the process has stopped.
const stopTime = time.Second

// stopProcess stops the processes of this job until the shell lets them go on. Without a shell
// that can do that, the system ignores the signal.
func stopProcess() {
	goesOn := make(chan os.Signal, 1)
	signal.Notify(goesOn, syscall.SIGCONT)
	defer signal.Stop(goesOn)
	if syscall.Kill(0, syscall.SIGTSTP) != nil {
		return
	}
	select {
	case <-goesOn:
	case <-time.After(stopTime):
	}
}
