package relay

import (
	"errors"
	"os"
	"testing"
	"time"
)

// A lateSocket counts deadlines.
type lateSocket struct{ deadlines int }

func (s *lateSocket) SetWriteDeadline(time.Time) error { s.deadlines++; return nil }

// TestSendSoon: a datagram whose time passed while others ran is sent all the same, each time
// with a new deadline; one for which there is no room is given up, as is one that failed.
func TestSendSoon(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name  string
		late  int   // how many tries run out of time
		then  error // what the next one gives
		want  error
		tries int
	}{
		{"at once", 0, nil, nil, 1},
		{"preempted", sendTries - 1, nil, nil, sendTries},
		{"no room", sendTries, nil, os.ErrDeadlineExceeded, sendTries},
		{"broken", 1, broken, broken, 2},
	} {
		var s lateSocket
		tries := 0
		err := sendSoon(&s, func() error {
			if tries++; tries <= c.late {
				return os.ErrDeadlineExceeded
			}
			return c.then
		})
		if !errors.Is(err, c.want) || tries != c.tries || s.deadlines != tries {
			t.Errorf("%s: %v after %d tries with %d deadlines", c.name, err, tries, s.deadlines)
		}
	}
}
