//go:build linux && race

package main_test

// With the race detector in the tests it is in the node that they build, too.
func init() { buildFlags = append(buildFlags, "-race") }
