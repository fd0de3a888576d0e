//go:build race

package core

// checked makes every Step check the invariants.
const checked = true
