package tracker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/swarm/guard"
)

// A fakeUDP stands for UDP trackers. It logs the requests that they get, and answers as
// the test says, with connection ids that count up.
type fakeUDP struct {
	start  time.Time
	mu     sync.Mutex
	log    []string
	ids    uint64
	open   int // sockets
	silent bool
	refuse func(id uint64) bool // answers announces by an error
}

// A fakeConn is the socket of a udpConn.
type fakeConn struct {
	net.Conn // nil: what is not here is not used
	udp      *fakeUDP
	in       chan []byte
	closed   chan struct{}
	once     sync.Once
}

func (u *fakeUDP) dial(netip.Addr, netip.AddrPort) (net.Conn, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.open++
	return &fakeConn{udp: u, in: make(chan []byte, 1000), closed: make(chan struct{})}, nil
}

func (c *fakeConn) Read(b []byte) (int, error) {
	select {
	case in := <-c.in:
		return copy(b, in), nil
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

func (c *fakeConn) Close() error {
	c.once.Do(func() {
		c.udp.mu.Lock()
		c.udp.open--
		c.udp.mu.Unlock()
		close(c.closed)
	})
	return nil
}

func (c *fakeConn) Write(b []byte) (int, error) {
	u := c.udp
	u.mu.Lock()
	defer u.mu.Unlock()
	be := binary.BigEndian
	id, action, transaction := be.Uint64(b), be.Uint32(b[8:]), be.Uint32(b[12:])
	at := time.Since(u.start).Round(time.Second)
	var answer []byte
	switch {
	case action == actionConnect:
		u.log = append(u.log, fmt.Sprintf("%v connect", at))
		u.ids++
		answer = be.AppendUint64(be.AppendUint64(nil, uint64(transaction)), u.ids)
	case u.refuse != nil && u.refuse(id):
		u.log = append(u.log, fmt.Sprintf("%v refused %d", at, id))
		answer = append(be.AppendUint64(nil, uint64(actionError)<<32|uint64(transaction)), "no"...)
	default:
		u.log = append(u.log, fmt.Sprintf("%v announce %d", at, id))
		answer = be.AppendUint64(nil, uint64(actionAnnounce)<<32|uint64(transaction))
		answer = append(answer, "\x00\x00\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00"...)
	}
	if !u.silent {
		c.in <- answer
	}
	return len(b), nil
}

func (u *fakeUDP) expect(t *testing.T, want ...string) {
	t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	if !slices.Equal(u.log, want) {
		t.Errorf("trackers were sent\n%q, want\n%q", u.log, want)
	}
	u.log = nil
}

// sleepUntil sleeps until that long after the start.
func (u *fakeUDP) sleepUntil(after time.Duration) { time.Sleep(time.Until(u.start.Add(after))) }

func (u *fakeUDP) sockets() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.open
}

// overUDP runs a test in a bubble, with a client whose datagrams go to u.
func overUDP(t *testing.T, test func(t *testing.T, c *Client, u *fakeUDP)) {
	synctest.Test(t, func(t *testing.T) {
		u := &fakeUDP{start: time.Now()}
		c := NewClient(ClientConfig{})
		c.dial = u.dial
		test(t, c, u)
		c.Close()
		synctest.Wait()
		if n := u.sockets(); n != 0 {
			t.Errorf("%d sockets are open in the end", n)
		}
	})
}

func announce(t *testing.T, c *Client, host string) error {
	_, err := c.Announce(t.Context(), parse(t, "udp://"+host+":6969", false),
		Request{InfoHash: hashA, Port: 1}, guard.Any)
	return err
}

// BEP 15: a connection id is valid for a minute, and for any number of torrents.
func TestConnectionIsShared(t *testing.T) {
	overUDP(t, func(t *testing.T, c *Client, u *fakeUDP) {
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if err := announce(t, c, "1.1.1.1"); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		u.expect(t, append([]string{"0s connect"},
			slices.Repeat([]string{"0s announce 1"}, 20)...)...)
		u.sleepUntil(50 * time.Second)
		if err := announce(t, c, "1.1.1.1"); err != nil {
			t.Error(err)
		}
		u.sleepUntil(time.Minute)
		if err := announce(t, c, "1.1.1.1"); err != nil {
			t.Error(err)
		}
		if err := announce(t, c, "1.1.1.2"); err != nil {
			t.Error(err)
		}
		u.expect(t, "50s announce 1", "1m0s connect", "1m0s announce 2", "1m0s connect",
			"1m0s announce 3")
		if n := u.sockets(); n != 2 {
			t.Errorf("%d sockets for two trackers", n)
		}
		u.sleepUntil(time.Minute + connectionAge)
		synctest.Wait()
		if n := u.sockets(); n != 0 {
			t.Errorf("%d sockets a minute later", n)
		}
	})
}

// BEP 15, "Time outs": the wait is 15 seconds, then twice as long. Announces that need a
// connection id wait together for one request.
func TestRetransmission(t *testing.T) {
	overUDP(t, func(t *testing.T, c *Client, u *fakeUDP) {
		u.silent = true
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if err := announce(t, c, "1.1.1.1"); !errors.Is(err, errSilent) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		u.expect(t, "0s connect", "15s connect")
		if at := time.Since(u.start); at != 45*time.Second {
			t.Errorf("given up after %v", at)
		}
	})
}

// After a lost answer the connection id is requested again, since the tracker may have
// been restarted.
func TestRetransmissionOfAnnounces(t *testing.T) {
	overUDP(t, func(t *testing.T, c *Client, u *fakeUDP) {
		if err := announce(t, c, "1.1.1.1"); err != nil {
			t.Error(err)
		}
		u.mu.Lock()
		u.silent = true
		u.mu.Unlock()
		time.AfterFunc(10*time.Second, func() {
			u.mu.Lock()
			u.silent = false
			u.mu.Unlock()
		})
		if err := announce(t, c, "1.1.1.1"); err != nil {
			t.Error(err)
		}
		u.expect(t, "0s connect", "0s announce 1", "0s announce 1", "15s connect", "15s announce 2")
	})
}

// A restarted tracker does not know its earlier ids. A tracker that refuses a torrent is
// not asked for one id after another.
func TestErrorsRenewTheConnection(t *testing.T) {
	overUDP(t, func(t *testing.T, c *Client, u *fakeUDP) {
		if err := announce(t, c, "1.1.1.1"); err != nil {
			t.Error(err)
		}
		u.mu.Lock()
		u.refuse = func(id uint64) bool { return id == 1 }
		u.mu.Unlock()
		if err := announce(t, c, "1.1.1.1"); err != nil {
			t.Error(err)
		}
		u.expect(t, "0s connect", "0s announce 1", "0s refused 1", "0s connect", "0s announce 2")
		u.mu.Lock()
		u.refuse = func(uint64) bool { return true }
		u.mu.Unlock()
		var f *Failure
		if err := announce(t, c, "1.1.1.1"); !errors.As(err, &f) || f.Reason != "no" {
			t.Errorf("got %v", err)
		}
		u.expect(t, "0s refused 2", "0s connect", "0s refused 3")
	})
}

// An announce that gives up does not end those that share its request.
func TestOneOfManyGivesUp(t *testing.T) {
	overUDP(t, func(t *testing.T, c *Client, u *fakeUDP) {
		u.silent = true
		ctx, cancel := context.WithCancel(t.Context())
		tr := parse(t, "udp://1.1.1.1:6969", false)
		first := make(chan error, 1)
		go func() {
			_, err := c.Announce(ctx, tr, Request{Port: 1}, guard.Any)
			first <- err
		}()
		synctest.Wait()
		second := make(chan error, 1)
		go func() { second <- announce(t, c, "1.1.1.1") }()
		synctest.Wait()
		u.mu.Lock()
		u.silent = false
		u.mu.Unlock()
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if err := <-second; err != nil {
			t.Error(err)
		}
		u.expect(t, "0s connect", "0s connect", "0s announce 2")
	})
}

// The sockets are bounded, whatever trackers a torrent names.
func TestUDPConnsAreBounded(t *testing.T) {
	overUDP(t, func(t *testing.T, c *Client, u *fakeUDP) {
		for i := range 3 * udpConnsMax {
			if err := announce(t, c, fmt.Sprintf("1.1.%d.%d", i/250, 1+i%250)); err != nil {
				t.Fatal(err)
			}
			if n := u.sockets(); n > udpConnsMax {
				t.Fatalf("%d sockets", n)
			}
		}
	})
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	overUDP(t, func(t *testing.T, c *Client, u *fakeUDP) {
		u.silent = true
		ended := make(chan error, 1)
		go func() { ended <- announce(t, c, "1.1.1.1") }()
		synctest.Wait()
		c.Close()
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v", err)
		}
		if err := announce(t, c, "1.1.1.1"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// A torrent with as many dead trackers as possible does not delay others.
func TestDeadTrackersHoldUpNobody(t *testing.T) {
	overUDP(t, func(t *testing.T, c *Client, u *fakeUDP) {
		u.silent = true
		var dead sync.WaitGroup
		for i := range 2 * GroupsMax {
			dead.Go(func() { announce(t, c, fmt.Sprintf("1.1.1.%d", 1+i)) })
		}
		synctest.Wait()
		u.mu.Lock()
		u.silent = false
		u.mu.Unlock()
		if err := announce(t, c, "2.2.2.2"); err != nil {
			t.Error(err)
		}
		if at := time.Since(u.start); at != 0 {
			t.Errorf("an answer after %v", at)
		}
		c.Close()
		dead.Wait()
	})
}
