//go:build linux

package lab

import (
	"os"
	"testing"
)

// Open makes a lab for a test and closes it with the test. Where no lab can be made, the test
// is skipped with the reason.
func Open(t testing.TB) *Lab {
	t.Helper()
	l, err := New()
	if err != nil {
		t.Skip("no lab can be made: ", err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// OpenModelled is [Open] for a test that needs modelled links, and is skipped where the system
// has no TUN devices.
func OpenModelled(t testing.TB) *Lab {
	t.Helper()
	device, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err != nil {
		t.Skip("modelled links need TUN devices: ", err)
	}
	device.Close()
	return Open(t)
}
