//go:build race

package swarm_test

func init() { slowFoes = 6 }
