//go:build race

package dht

// underRace tells the larger simulations to be smaller: the race detector,
// which has nothing to find in a core of one goroutine, makes them crawl.
const underRace = true
