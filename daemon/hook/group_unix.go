//go:build unix

package hook

import (
	"os/exec"
	"syscall"
)

// group makes a command the leader of a process group of its own, so that signals from the
// terminal of the daemon do not reach it, and ours reach its children.
func group(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// terminate asks a command and its children to end.
func terminate(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }

// kill ends a command and its children.
func kill(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
