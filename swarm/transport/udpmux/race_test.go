//go:build race

package udpmux

func init() { raceEnabled = true }
