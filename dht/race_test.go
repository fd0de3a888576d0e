//go:build race

package dht

// underRace makes the larger simulations smaller: the race detector, which cannot find
// anything in a core without goroutines, makes them very slow.
const underRace = true
