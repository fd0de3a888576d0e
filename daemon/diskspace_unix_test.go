//go:build linux || darwin || freebsd

package daemon

import (
	"errors"
	"io/fs"
	"math"
	"testing"
)

func TestDiskSpace(t *testing.T) {
	free, total, err := DiskSpace(t.TempDir())
	if err != nil || free < 0 || total < free || total == 0 {
		t.Errorf("%d of %d bytes are free, %v", free, total, err)
	}
	if _, _, err := DiskSpace("/no/such/folder"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
	for _, c := range []struct{ blocks, size, want int64 }{{3, 4, 12}, {-1, 4, 0}, {1, -4, 0},
		{math.MaxInt64, 2, math.MaxInt64}, {1 << 40, 1 << 40, math.MaxInt64}} {
		if got := bytesOf(c.blocks, c.size); got != c.want {
			t.Errorf("%d blocks of %d bytes are %d, want %d", c.blocks, c.size, got, c.want)
		}
	}
}
