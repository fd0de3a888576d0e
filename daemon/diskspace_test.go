package daemon

import (
	"errors"
	"io/fs"
	"testing"
)

func TestDiskSpace(t *testing.T) {
	free, total, err := DiskSpace(t.TempDir())
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		t.Log("this system does not say what is free")
	case err != nil || free < 0 || total < free || total == 0:
		t.Errorf("%d of %d bytes are free, %v", free, total, err)
	}
	if _, _, err := DiskSpace("/no/such/folder"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}
