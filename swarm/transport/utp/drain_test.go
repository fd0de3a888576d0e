package utp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// drainFor lets a socket drain for a second at most, closes it, and returns how long it took.
func drainFor(s *Socket) time.Duration {
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s.Drain(ctx)
	took := time.Since(began)
	s.Close()
	return took
}

// What was written before Close arrives although the socket is closed soon afterwards, and so
// does the end of the stream, also if packets are lost.
func TestDrainDelivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet(t)
		here, there := n.socket(hereAt, Config{}), n.socket(thereAt, Config{})
		a, b := connect(t, here, there)
		content := bytes.Repeat([]byte("0123456789abcdef"), 40_000/16)
		synctest.Wait()
		works := time.Now().Add(200 * time.Millisecond)
		n.mu.Lock()
		n.lose = func(fakeDatagram) bool { return time.Now().Before(works) }
		n.mu.Unlock()
		if _, err := a.Write(content); err != nil {
			t.Fatal(err)
		}
		a.Close()
		got := make(chan error, 1)
		go func() {
			all, err := io.ReadAll(b)
			if err == nil && !bytes.Equal(all, content) {
				err = errors.New("other bytes came")
			}
			got <- err
		}()
		if took := drainFor(here); took == 0 || took >= time.Second {
			t.Errorf("drained after %v", took)
		}
		if err := <-got; err != nil {
			t.Error(err)
		}
	})
}

// Drain does not wait while nothing is outstanding: for connections in use, nor for those
// whose end is acknowledged, though the peer goes on.
func TestDrainOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet(t)
		here, there := n.socket(hereAt, Config{}), n.socket(thereAt, Config{})
		connect(t, here, there)
		a, b := connect(t, here, there)
		a.Write([]byte("the last word"))
		a.Close()
		synctest.Wait()
		if took := drainFor(here); took != 0 {
			t.Errorf("drained after %v", took)
		}
		if all, err := io.ReadAll(b); err != nil || string(all) != "the last word" {
			t.Errorf("read %q, %v", all, err)
		}
	})
}

// Drain waits for a peer that says nothing no longer than it may, and not at all if the peer
// was silent before.
func TestDrainOfTheSilent(t *testing.T) {
	for name, c := range map[string]struct{ before, least, most time.Duration }{
		"silent from now on": {0, time.Second, time.Second},
		"silent before":      {10 * time.Second, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newFakeNet(t)
				here, there := n.socket(hereAt, Config{}), n.socket(thereAt, Config{})
				a, _ := connect(t, here, there)
				synctest.Wait()
				n.mu.Lock()
				n.lose = func(fakeDatagram) bool { return true }
				n.mu.Unlock()
				a.Write([]byte("hello"))
				time.Sleep(c.before)
				a.Close()
				synctest.Wait()
				if took := drainFor(here); took < c.least || took > c.most {
					t.Errorf("drained after %v, want %v to %v", took, c.least, c.most)
				}
			})
		})
	}
}
