//go:build !unix

package statefile

// openFlags are none here: the look before the opening has to do.
const openFlags = 0

// Shared reports nothing here: the rights to a folder are not in its mode.
func Shared(string) bool { return false }
