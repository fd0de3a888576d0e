//go:build unix

package main

import (
	"errors"
	"syscall"
)

// isRunning reports whether there is a process.
func isRunning(pid int) bool { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
