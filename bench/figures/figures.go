// Package figures holds what the benchmarks share: how several measurements become one
// figure. It measures nothing and prints nothing.
package figures

import (
	"cmp"
	"slices"
)

// Median returns the middle one of values, which must not be empty; of two middle ones it
// returns the greater.
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
