//go:build !race

package dht

const underRace = false
