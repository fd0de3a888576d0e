//go:build !unix

package hook

import "os/exec"

// group does nothing: other systems have no process groups that signals reach.
func group(*exec.Cmd) {}

// terminate ends a command; its children stay.
func terminate(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

// kill ends a command; its children stay.
func kill(cmd *exec.Cmd) { _ = cmd.Process.Kill() }
