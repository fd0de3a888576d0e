package relay

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// streamsMax is how many TCP connections of clients there may be, and sourceStreams how
	// many from one source.
	streamsMax, sourceStreams = 256, 4
	// enterWait and enterBytes are how long a connection may take to get an allocation, and
	// how much it may send until then.
	enterWait  = 10 * time.Second
	enterBytes = 16 << 10
	// streamSilence is how long a client with an allocation may send nothing. Ours says
	// something every 20 seconds.
	streamSilence = 2 * time.Minute
	// takeWait is how long a client may take nothing of what is sent to it.
	takeWait = 2 * time.Second
)

// A door is the TCP listener for clients. It lets a few connections in.
type door struct {
	net.Listener
	server *Server
}

// Accept implements net.Listener. The error says that the listener is closed.
func (d *door) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		switch {
		case err == nil:
		case errors.Is(err, net.ErrClosed):
			return nil, err
		default: // such as too many open files
			pause := time.NewTimer(readPause)
			select {
			case <-pause.C:
			case <-d.server.closing:
				pause.Stop()
			}
			continue
		}
		if c := d.server.enter(conn); c != nil {
			return c, nil
		}
		d.server.tenants.count(func(s *Stats) { s.Ignored++ })
		conn.Close()
	}
}

// enter lets a connection in, or returns nil if there are too many.
func (s *Server) enter(conn net.Conn) *stream {
	at := addrPortOf(conn.RemoteAddr())
	s.mu.Lock()
	defer s.mu.Unlock()
	same := 0
	for c := range s.streams {
		if c.source == sourceOf(at.Addr()) {
			same++
		}
	}
	if s.closed || len(s.streams) >= streamsMax || same >= sourceStreams ||
		s.cfg.Refuse != nil && s.cfg.Refuse(at.Addr()) {
		return nil
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(streamBuffer) // what waits longer is of no worth
	}
	c := &stream{Conn: conn, server: s, client: client{stream: true, at: at},
		source: sourceOf(at.Addr()), entered: time.Now()}
	s.streams[c] = struct{}{}
	s.runs.Add(1)
	return c
}

// A stream is the TCP connection of a client, as the TURN library sees it.
type stream struct {
	net.Conn
	server  *Server
	client  client
	source  netip.Prefix
	entered time.Time
	once    sync.Once
	taken   int // bytes until there is an allocation; owned by the reader
}

// Read implements net.Conn. It ends connections that get no allocation, or go silent.
func (c *stream) Read(b []byte) (int, error) {
	until := c.entered.Add(enterWait)
	if c.server.tenants.hear(c.server.now(), c.client) {
		until = time.Now().Add(streamSilence)
	} else if c.taken > enterBytes {
		return 0, net.ErrClosed
	}
	_ = c.SetReadDeadline(until)
	n, err := c.Conn.Read(b)
	if c.taken == 0 && n > 0 && b[0]>>6 != 0 { // a client begins with STUN, and HTTP does not
		return 0, net.ErrClosed
	}
	c.taken = min(c.taken+n, 2*enterBytes)
	return n, err
}

// Write implements net.Conn. A client that takes nothing loses its connection: a message that
// was sent in part could not be followed by another one.
func (c *stream) Write(b []byte) (int, error) {
	_ = c.SetWriteDeadline(time.Now().Add(takeWait))
	n, err := c.Conn.Write(b)
	if err != nil {
		c.Conn.Close()
	}
	return n, err
}

// Close implements net.Conn.
func (c *stream) Close() (err error) {
	c.once.Do(func() {
		err = c.Conn.Close()
		c.server.mu.Lock()
		delete(c.server.streams, c)
		c.server.mu.Unlock()
		c.server.runs.Done()
	})
	return err
}
