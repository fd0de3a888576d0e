package peer

import (
	"net"
	"testing"

	"swarmnode/swarm/transport/mse"
)

// A costly stream says what it costs.
type costly struct {
	net.Conn
	sent, received int64
}

func (c *costly) Overhead() (sent, received int64) { return c.sent, c.received }

// TestOverheadIsDue: what was sent or received since the last look is due, from the moment
// on at which there is a limit.
func TestOverheadIsDue(t *testing.T) {
	c := &costly{}
	up, down := overhead{of: carrierOf(c), ours: true}, overhead{of: carrierOf(c)}
	for i, step := range []struct {
		sent, received int64 // until now
		limited        bool
		up, down       int
	}{
		{100, 10, false, 0, 0}, {200, 30, true, 0, 0}, {250, 30, true, 50, 0},
		{250, 37, true, 0, 7}, {900, 90, false, 0, 0}, {1000, 100, true, 0, 0},
		{1001, 102, true, 1, 2},
	} {
		c.sent, c.received = step.sent, step.received
		if got, back := up.due(step.limited), down.due(step.limited); got != step.up ||
			back != step.down {
			t.Errorf("step %d: %d up and %d down are due, want %d and %d", i, got, back, step.up,
				step.down)
		}
	}
	plain, _ := net.Pipe()
	defer plain.Close()
	if o := (overhead{of: carrierOf(plain)}); o.due(true) != 0 {
		t.Error("a stream that says nothing costs something")
	}
	if carrierOf(&mse.Conn{Conn: c}) != carrier(c) {
		t.Error("an encrypted stream does not say what the one below it costs")
	}
}
