//go:build !race

package core

// checked is for race builds only: the checks take time in proportion to the
// torrent.
const checked = false
