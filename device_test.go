package swarmnode

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"swarmnode/swarm/egress"
)

// A watch says once that the interface is gone, makes the sockets again when it has another
// number, tries until that works, and says that it is back.
func TestDeviceWatch(t *testing.T) {
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
				return slog.Attr{}
			}
			return a
		},
	}))
	index, missing := 3, error(nil)
	renewed, broken := 0, error(nil)
	d := &deviceWatch{name: "wg0", log: log, bound: 3,
		present: func() (int, error) { return index, missing },
		renew:   func() error { renewed++; return broken }}
	look := func(want string) {
		t.Helper()
		said.Reset()
		d.look()
		d.look() // what was said is not said again
		if got := strings.TrimSpace(said.String()); got != want {
			t.Errorf("said %q, want %q", got, want)
		}
	}
	gone := func(err error) error { return &egress.DeviceError{Device: "wg0", Err: err} }
	look("")
	missing = gone(egress.ErrDown)
	look(`msg="interface wg0 is down: waiting for it"`)
	missing = gone(egress.ErrMissing)
	look(`msg="interface wg0 is gone: waiting for it"`)
	missing = nil
	look(`msg="interface wg0 is back"`)
	if renewed != 0 {
		t.Error("sockets of an interface that only was down were made again")
	}
	missing = gone(egress.ErrMissing)
	look(`msg="interface wg0 is gone: waiting for it"`)
	index, missing, broken = 4, nil, errors.New("no address yet")
	look(`msg="interface wg0 is there, and cannot be used yet" err="no address yet"`)
	if renewed != 2 {
		t.Errorf("%d attempts, want one each time", renewed)
	}
	broken = nil
	look(`msg="interface wg0 is back"`)
	if renewed != 3 || d.bound != 4 {
		t.Errorf("%d attempts, bound to %d", renewed, d.bound)
	}
	index = 5 // between two looks
	look(`msg="interface wg0 is back"`)
	if renewed != 4 {
		t.Error("an interface that was made again between two looks was not noticed")
	}
}

// Without an interface there is nothing to watch.
func TestNoDeviceWatch(t *testing.T) {
	var w *Network
	d := watchDevice(w, quiet)
	d.start(nil)
	d.stop()
	if d != nil {
		t.Error("a watch without an interface")
	}
	var missing *NetworkError
	if _, err := NewNetwork(NetworkConfig{Device: "no-such-if"}); !errors.As(err, &missing) {
		t.Errorf("an interface that does not exist: %v", err)
	}
}
