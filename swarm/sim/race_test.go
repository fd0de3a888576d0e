//go:build race

package sim

// raced tells that the race detector makes everything ten times as slow.
const raced = true
