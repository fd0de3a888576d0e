package figures

import (
	"slices"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		values []int
		want   int
	}{
		{[]int{7}, 7},
		{[]int{9, 1}, 9},
		{[]int{9, 1, 5}, 5},
		{[]int{4, 1, 3, 2}, 3},
	} {
		before := slices.Clone(tt.values)
		if got := Median(tt.values); got != tt.want {
			t.Errorf("the median of %v is %d, want %d", tt.values, got, tt.want)
		}
		if !slices.Equal(tt.values, before) {
			t.Errorf("%v became %v", before, tt.values)
		}
	}
	if got := MedianOf([]string{"aaa", "b", "cc"}, func(s string) int { return len(s) }); got != 2 {
		t.Errorf("MedianOf: %d, want 2", got)
	}
}
