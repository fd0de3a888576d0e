package socks

import (
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/internal/socksserver"
)

// A Watch says when a proxy has gone and when it is back, and leaves one that works alone.
func TestWatch(t *testing.T) {
	s := socksserver.Start(t, socksserver.Options{})
	c := client(t, s.URL())
	s.Stop()
	news := make(chan error, 100)
	w := c.Watch(func(err error) { news <- err })
	defer w.Close()
	var server *ServerError
	if err := <-news; !errors.As(err, &server) {
		t.Fatalf("the proxy is away: %v", err)
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := <-news; err != nil {
		t.Fatalf("the proxy is back: %v", err)
	}
	s.Stop()
	if _, err := c.DialTCP(t.Context(), "127.0.0.1", 1); err == nil {
		t.Fatal("a connection through nobody")
	}
	if err := <-news; !errors.As(err, &server) {
		t.Fatalf("the proxy is away: %v", err)
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := <-news; err != nil {
		t.Fatalf("the proxy is back: %v", err)
	}
}

func TestWatchIsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checks atomic.Int32
		c := hostile(func(conn net.Conn) {
			checks.Add(1)
			say(conn, greetingBytes, "\x05\x00")
			say(conn, requestBytes, "\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00")
		})
		news := 0 // counted by the goroutine of the Watch, which Close waits for
		w := c.Watch(func(error) { news++ })
		time.Sleep(time.Hour)
		if _, err := c.DialTCP(t.Context(), "192.0.2.1", 1); err == nil {
			t.Error("a connection")
		}
		time.Sleep(time.Hour)
		w.Close()
		if checks.Load() != 2 || news != 1 {
			t.Errorf("%d connections and %d notices, want the first check and the dial, and 1",
				checks.Load(), news)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		var checks atomic.Int32
		news := 0
		c := hostile(func(conn net.Conn) { checks.Add(1) })
		w := c.Watch(func(err error) { news++ })
		time.Sleep(time.Hour)
		w.Close()
		n, least := int(checks.Load()), int(time.Hour/againMax)
		if news != 1 || n < least || n > 2*least+10 {
			t.Errorf("%d checks and %d notices within an hour", n, news)
		}
	})
}
