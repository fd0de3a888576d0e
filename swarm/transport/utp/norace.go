//go:build !race

package utp

// checked is for race builds only: the checks take time in proportion to the flight.
const checked = false
