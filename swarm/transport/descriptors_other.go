//go:build !linux

package transport

import "math"

// DescriptorsMax returns how many files and sockets the process may have open,
// or a large number where that is not known.
func DescriptorsMax() int { return math.MaxInt32 }
