package storage

import (
	"errors"
	"syscall"
	"testing"
)

// A message names the operation that failed, but not where the cause says what lies at the
// path.
func TestErrorSaysWhatMatters(t *testing.T) {
	for want, err := range map[string]error{
		"write /d/a: no space left on device":                        syscall.ENOSPC,
		"write /d/a: storage is closed":                              ErrClosed,
		"/d/a: is longer than in the torrent, so it is another file": ErrLonger,
		"/d/a: is in use by another node":                            ErrInUse,
		"/d/a: was changed by another program":                       ErrChanged,
	} {
		got := wrap("write", "/d/a", err)
		if got.Error() != want || !errors.Is(got, err) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
