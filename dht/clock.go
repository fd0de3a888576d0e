package dht

import "time"

// instant is the time as the core sees it: how long ago its clock began. It
// follows the monotonic clock, so that a jump of the wall clock moves nothing.
type instant = time.Duration

const (
	// clockStart is the first instant, late enough that the zero instant means
	// "never" in every test for age.
	clockStart instant = 24 * time.Hour

	// forever is the deadline of what has none.
	forever instant = 1<<63 - 1
)
