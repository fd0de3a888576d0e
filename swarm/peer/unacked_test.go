package peer

import (
	"bytes"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/swarm/simnet"
	"swarmnode/swarm/wire"
)

// A toldConn says for how long its other end has answered nothing.
type toldConn struct {
	net.Conn
	unacked time.Duration
}

func (c *toldConn) Unacked() time.Duration { return c.unacked }

// While a write is stuck and nothing is acknowledged, the owner hears of it again and again. A
// peer that does not read, but answers, is left alone. Nothing is lost or sent twice when the
// peer reads again.
func TestUnackedWrite(t *testing.T) {
	for _, unacked := range []time.Duration{0, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			near, far := simPair(t, simnet.Link{})
			heard := make(chan time.Time, 100)
			r := newRig(t, rigOptions{near: &toldConn{near, unacked}, far: far,
				cfg: Config{Unacked: func() { heard <- time.Now() }}})
			start := time.Now()
			sent := bytes.Repeat([]byte{1, 2, 3, 4, 5, 6, 7}, 100_000)
			r.conn.Send(wire.Message{ID: wire.Extended, Ext: 1, Payload: sent})
			time.Sleep(10*time.Second + time.Millisecond)
			synctest.Wait()
			n, least, most := len(heard), 0, 0
			if unacked > 0 {
				least, most = 4, 5
			}
			if n < least || n > most {
				t.Errorf("the owner heard it %d times in ten seconds, want %d to %d", n, least,
					most)
			}
			if n > 0 {
				if d := (<-heard).Sub(start); d < StallTimeout || d > StallTimeout+stallSlack {
					t.Errorf("first after %v", d)
				}
			}
			got := make([]byte, 4+2+len(sent))
			if _, err := io.ReadFull(far, got); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got[6:], sent) {
				t.Error("other bytes arrived than were sent")
			}
		})
	}
}
