//go:build race

package utp

// checked makes a machine check its invariants.
const checked = true
