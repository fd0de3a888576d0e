//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// leaveSession makes a command outlive the terminal of this one.
func leaveSession(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
