//go:build linux

package realclient

import (
	"net/netip"
	"sync/atomic"
	"testing"
)

// A client in another namespace is driven from there: its port is chosen there, and calls
// are made there.
func TestWithin(t *testing.T) {
	for i, kind := range []Kind{Aria2, Transmission} {
		t.Run(string(kind), func(t *testing.T) {
			var entered atomic.Int32
			c := Start(t, kind, Options{IP: netip.AddrFrom4([4]byte{127, 0, 41, byte(4 + i)}),
				Within: func(f func() error) error { entered.Add(1); return f() }})
			_, torrent := newContent(t, 1<<10, "")
			if err := c.Add(t.Context(), torrent.Magnet, t.TempDir()); err != nil {
				t.Fatal(err)
			}
			if n := entered.Load(); n < 2 {
				t.Errorf("it was entered %d times, want for the port and for a connection", n)
			}
		})
	}
}
