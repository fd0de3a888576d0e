package book

import (
	"testing"
	"time"
)

// Whoever says to be reached at an endpoint puts its dial off once, and can neither hide it nor
// put it off again. When the connection of the teller ends, the endpoint is dialled soon.
func TestClaim(t *testing.T) {
	b := newTestBook(Config{})
	e := hear(b, far(1), SourceDHT)
	b.Claim(time.Minute, far(1), 7)
	b.Claim(time.Hour, far(1), 8)
	if e.state != stateIdle || e.next != time.Minute {
		t.Errorf("after two claims: %+v", e)
	}
	b.Free(time.Second, far(1), 7)
	if e.next != time.Minute {
		t.Error("freed by a connection that does not claim it any more")
	}
	b.Free(time.Hour, far(1), 8)
	if e.next != time.Minute {
		t.Error("put off when it is freed")
	}
	b.Claim(time.Hour, far(1), 9)
	b.Free(time.Second, far(1), 9)
	if e.next != time.Second {
		t.Errorf("next %v after it is freed", e.next)
	}
	user := hear(b, far(2), SourceUser)
	b.Claim(time.Minute, far(2), 7)
	if user.next != 0 {
		t.Error("what the user has named is put off")
	}
	b.Claim(time.Minute, far(3), 7) // nobody knows it
	b.Connected(0, far(1), 10, true)
	b.Claim(time.Minute, far(1), 11)
	if e.state != stateConnected || e.conn != 10 {
		t.Errorf("a connection is taken over: %+v", e)
	}
	b.Check()
}
