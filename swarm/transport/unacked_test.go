package transport

import (
	"net"
	"testing"
	"time"
)

// A told is a stream that knows.
type told struct{ net.Conn }

func (told) Unacked() time.Duration { return time.Second }

// Streams that know are asked, also below encryption. A pipe knows nothing.
func TestUnacked(t *testing.T) {
	pipe, other := net.Pipe()
	defer pipe.Close()
	defer other.Close()
	for conn, want := range map[net.Conn]time.Duration{
		told{pipe}: time.Second, covered{told{pipe}}: time.Second, pipe: 0, covered{pipe}: 0,
	} {
		if got := Unacked(conn); got != want {
			t.Errorf("%T: %v, want %v", conn, got, want)
		}
	}
}

// A peer that does not read answers still: its window has no room, but nothing is unacknowledged
// for long.
func TestUnackedTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := Unacked(conn); got != 0 {
		t.Errorf("nothing was sent, and waits for %v", got)
	}
	conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	for err == nil {
		_, err = conn.Write(make([]byte, 1<<20))
	}
	if got := Unacked(conn); got > time.Minute {
		t.Errorf("a peer that reads nothing is silent for %v", got)
	}
	conn.Close()
	if got := Unacked(conn); got != 0 {
		t.Errorf("a closed stream waits for %v", got)
	}
}
