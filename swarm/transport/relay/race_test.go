//go:build race

package relay

// raceEnabled reports whether the race detector is on.
const raceEnabled = true
