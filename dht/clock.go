package dht

import "time"

// instant is the core's time: how long its clock has run. It follows the monotonic
// clock, so a jump of the wall clock does not move it.
type instant = time.Duration

const (
	// clockStart is the first instant, late enough that the zero instant means
	// "never" in every test for age.
	clockStart instant = 24 * time.Hour

	// forever stands for no deadline.
	forever instant = 1<<63 - 1
)
