package main

import (
	"errors"
	"fmt"
)

// The system may let a process have less than it needs (ulimit), and the runtime of Go
// answers that with pages of its own state. So the limits are checked first: what every
// command needs as soon as it runs, and what a node needs when it starts to listen. Below
// about 700 MiB of address space none of this runs, because the runtime itself does not
// start.
const (
	// descriptorsMin are the files that any command opens beside one another, with
	// two that the runtime needs to wait for them; descriptorsNode are those and the
	// sockets of a node, with eight connections, and some of its content.
	descriptorsMin  = 14
	descriptorsNode = 32
	// tasksMin are the threads that the runtime starts while all processors are busy and
	// some files are slow.
	tasksMin = 16
	// addressesMin is the address space that any command takes, and addressesNode what a
	// node takes besides its memory. The runtime takes 64 MiB at a time.
	addressesMin  = 32 << 20
	addressesNode = 128 << 20
)

// checkLimits fails if the system gives this process less than any command needs.
func checkLimits() error {
	if err := checkDescriptors(descriptorsMin); err != nil {
		return err
	}
	if left, limited := tasksLeft(); limited && left < tasksMin {
		return limitFailure(fmt.Sprintf("only %d of the %d threads that are needed can be started",
			max(left, 0), tasksMin),
			"ulimit -u with more")
	}
	if left, limited := addressesLeft(); limited && left < addressesMin {
		return limitFailure(fmt.Sprintf("only %s of the %s of memory that are needed is available",
			formatBytes(max(left, 0)), formatBytes(addressesMin)), "ulimit -v unlimited, and -d")
	}
	return nil
}

// checkDescriptors fails if fewer files than needed can be opened.
func checkDescriptors(needed int) error {
	if left := descriptorsLeft(needed); left < needed {
		return limitFailure(fmt.Sprintf(
			"only %d of the %d files and sockets that are needed can be opened", left, needed),
			"ulimit -n 256")
	}
	return nil
}

func limitFailure(why, hint string) error {
	return &failure{code: exitOther, why: errors.New(why), hint: hint}
}

// fit lowers the ceiling to what the system gives the process, and warns of it. It fails
// if that is too little for a node.
func (v *memoryValue) fit(c *console) error {
	left, limited := addressesLeft()
	if room := left - addressesNode; limited && int64(*v) > room {
		if room < memoryMin {
			return limitFailure(
				fmt.Sprintf("only %s of the %s of memory that a node needs is available",
					formatBytes(max(left, 0)), formatBytes(memoryMin+addressesNode)),
				"ulimit -v unlimited, and -d")
		}
		c.warn("only %s of memory is available (ulimit -v): --memory is %s", formatBytes(left),
			formatBytes(room))
		*v = memoryValue(room)
	}
	return nil
}
