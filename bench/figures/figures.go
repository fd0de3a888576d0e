// Package figures is what the benchmarks have in common: how many measures become
// one figure. It measures nothing and prints nothing.
package figures

import (
	"cmp"
	"slices"
)

// Median returns the middle one of values, which must not be empty; the greater
// one of two.
func Median[T cmp.Ordered](values []T) T {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

// MedianOf returns the median of what f takes from measures.
func MedianOf[M any, T cmp.Ordered](measures []M, f func(M) T) T {
	values := make([]T, len(measures))
	for i, m := range measures {
		values[i] = f(m)
	}
	return Median(values)
}
