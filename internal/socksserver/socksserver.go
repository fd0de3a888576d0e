// Package socksserver is a SOCKS5 server (RFC 1928, 1929) for tests: it connects, relays
// datagrams, and records what it was asked for. It shares no code with the client under
// test.
package socksserver

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"testing"
)

// Options describe a Server. The zero value is a server for everybody, which relays
// datagrams and looks up names by Hosts alone.
type Options struct {
	// User and Password, if User is not empty, are what clients have to send.
	User, Password string
	// NoUDP refuses UDP ASSOCIATE with the reply 7.
	NoUDP bool
	// Hosts are the names that the server knows, with their addresses.
	Hosts map[string]string
	// Bound replaces the address of the relay in replies, if it is valid.
	Bound netip.Addr
	// Reply, if it is not zero, is the answer to every request.
	Reply byte
}

// A Server is a running SOCKS5 server. It is safe for concurrent use.
type Server struct {
	opts Options
	addr netip.AddrPort

	mu       sync.Mutex
	listener net.Listener // nil while stopped
	open     map[io.Closer]bool
	asked    []string
	wait     sync.WaitGroup
}

// Start starts a server on a free port of 127.0.0.1, which ends with the test.
func Start(t testing.TB, opts Options) *Server {
	t.Helper()
	s := &Server{opts: opts, open: make(map[io.Closer]bool),
		addr: netip.MustParseAddrPort("127.0.0.1:0")}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// Resume listens again after Stop, on the same port.
func (s *Server) Resume() error {
	l, err := net.Listen("tcp4", s.addr.String())
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener, s.addr = l, l.Addr().(*net.TCPAddr).AddrPort()
	s.wait.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if s.keep(conn, l) {
				s.wait.Go(func() { defer s.drop(conn); s.serve(conn) })
			}
		}
	})
	return nil
}

// Stop ends the server and all its connections, and waits for that. Its port is kept for
// Resume.
func (s *Server) Stop() {
	s.mu.Lock()
	if s.listener != nil {
		s.listener.Close()
		s.listener = nil
	}
	for c := range s.open {
		c.Close()
	}
	s.mu.Unlock()
	s.wait.Wait()
}

// Addr returns where the server listens.
func (s *Server) Addr() netip.AddrPort { return s.addr }

// URL returns the URL of the server, with the user name and the password.
func (s *Server) URL() string {
	user := ""
	if s.opts.User != "" {
		user = s.opts.User + ":" + s.opts.Password + "@"
	}
	return "socks5://" + user + s.addr.String()
}

// Asked returns what the server was asked for, in order: "connect HOST:PORT", "associate",
// "datagram HOST:PORT" for the first datagram to each host, and "refused" for a client that
// was not let in.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *Server) record(what string, once bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !once || !slices.Contains(s.asked, what) {
		s.asked = append(s.asked, what)
	}
}

// keep makes Stop close c. It reports false, and closes c, if l is not in use any more.
func (s *Server) keep(c io.Closer, l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil || l != nil && s.listener != l {
		c.Close()
		return false
	}
	s.open[c] = true
	return true
}

func (s *Server) drop(c io.Closer) {
	c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// serve speaks with one client.
func (s *Server) serve(conn net.Conn) {
	if !s.greet(conn) {
		s.record("refused", false)
		return
	}
	var head [4]byte
	if _, err := io.ReadFull(conn, head[:3]); err != nil {
		return
	}
	host, port, err := readAddress(conn)
	if err != nil {
		return
	}
	target := net.JoinHostPort(host, strconv.Itoa(int(port)))
	switch {
	case s.opts.Reply != 0:
		answer(conn, s.opts.Reply, netip.AddrPort{})
	case head[1] == 1:
		s.record("connect "+target, false)
		s.connect(conn, host, port)
	case head[1] == 3 && !s.opts.NoUDP:
		s.record("associate", false)
		s.associate(conn)
	default:
		answer(conn, 7, netip.AddrPort{})
	}
}

// greet reports whether a client may ask for something.
func (s *Server) greet(conn net.Conn) bool {
	b := make([]byte, 256)
	if _, err := io.ReadFull(conn, b[:2]); err != nil || b[0] != 5 {
		return false
	}
	methods := b[2 : 2+b[1]]
	if _, err := io.ReadFull(conn, methods); err != nil {
		return false
	}
	want := byte(0)
	if s.opts.User != "" {
		want = 2
	}
	if !slices.Contains(methods, want) {
		conn.Write([]byte{5, 0xff})
		return false
	}
	conn.Write([]byte{5, want})
	if want == 0 {
		return true
	}
	var fields [2]string
	if _, err := io.ReadFull(conn, b[:1]); err != nil || b[0] != 1 {
		return false
	}
	for i := range fields {
		if _, err := io.ReadFull(conn, b[:1]); err != nil {
			return false
		}
		field := make([]byte, b[0])
		if _, err := io.ReadFull(conn, field); err != nil {
			return false
		}
		fields[i] = string(field)
	}
	if fields != [2]string{s.opts.User, s.opts.Password} {
		conn.Write([]byte{1, 1})
		return false
	}
	conn.Write([]byte{1, 0})
	return true
}

// connect carries bytes between a client and a host.
func (s *Server) connect(conn net.Conn, host string, port uint16) {
	ip, ok := s.lookUp(host)
	if !ok {
		answer(conn, 4, netip.AddrPort{})
		return
	}
	other, err := net.Dial("tcp", netip.AddrPortFrom(ip, port).String())
	if err != nil {
		answer(conn, 5, netip.AddrPort{})
		return
	}
	if !s.keep(other, nil) {
		return
	}
	defer s.drop(other)
	answer(conn, 0, other.LocalAddr().(*net.TCPAddr).AddrPort())
	var copies sync.WaitGroup
	copies.Go(func() {
		io.Copy(other, conn)
		other.(*net.TCPConn).CloseWrite()
	})
	io.Copy(conn, other)
	conn.(*net.TCPConn).CloseWrite()
	copies.Wait()
}

// lookUp returns the address of a host.
func (s *Server) lookUp(host string) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		ip, err = netip.ParseAddr(s.opts.Hosts[host])
	}
	return ip, err == nil
}

// associate relays datagrams until the client ends the connection.
func (s *Server) associate(conn net.Conn) {
	inner, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil || !s.keep(inner, nil) {
		return
	}
	defer s.drop(inner)
	outer, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil || !s.keep(outer, nil) {
		return
	}
	defer s.drop(outer)
	bound := inner.LocalAddr().(*net.UDPAddr).AddrPort()
	if s.opts.Bound.IsValid() {
		bound = netip.AddrPortFrom(s.opts.Bound, bound.Port())
	}
	answer(conn, 0, bound)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var client struct {
		sync.Mutex
		addr netip.AddrPort
	}
	s.wait.Go(func() { // out
		b := make([]byte, 65536)
		for ctx.Err() == nil {
			n, from, err := inner.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			client.Lock()
			client.addr = from
			client.Unlock()
			s.relay(outer, b[:n])
		}
	})
	s.wait.Go(func() { // back
		b := make([]byte, 65536)
		for ctx.Err() == nil {
			n, from, err := outer.ReadFrom(b)
			if err != nil {
				return
			}
			client.Lock()
			to := client.addr
			client.Unlock()
			packet := appendAddress([]byte{0, 0, 0}, from.(*net.UDPAddr).AddrPort())
			inner.WriteToUDPAddrPort(append(packet, b[:n]...), to)
		}
	})
	io.Copy(io.Discard, conn)
}

// relay sends one datagram of a client on.
func (s *Server) relay(outer net.PacketConn, b []byte) {
	if len(b) < 4 || b[2] != 0 {
		return
	}
	r := &reader{b[3:]}
	host, port, err := readAddress(r)
	if err != nil {
		return
	}
	s.record(fmt.Sprintf("datagram %s", net.JoinHostPort(host, strconv.Itoa(int(port)))), true)
	if ip, ok := s.lookUp(host); ok {
		outer.WriteTo(r.rest, net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, port)))
	}
}

// A reader reads from a slice.
type reader struct{ rest []byte }

func (r *reader) Read(b []byte) (int, error) {
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// answer answers a request.
func answer(w io.Writer, reply byte, bound netip.AddrPort) {
	if !bound.IsValid() {
		bound = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	}
	w.Write(appendAddress([]byte{5, reply, 0}, bound))
}

func appendAddress(b []byte, a netip.AddrPort) []byte {
	ip := a.Addr().Unmap()
	kind := byte(4)
	if ip.Is4() {
		kind = 1
	}
	b = append(append(b, kind), ip.AsSlice()...)
	return binary.BigEndian.AppendUint16(b, a.Port())
}

// readAddress reads the type, the address and the port of a request.
func readAddress(r io.Reader) (host string, port uint16, err error) {
	b := make([]byte, 256)
	if _, err := io.ReadFull(r, b[:1]); err != nil {
		return "", 0, err
	}
	length := 0
	kind := b[0]
	switch kind {
	case 1:
		length = 4
	case 4:
		length = 16
	case 3:
		if _, err := io.ReadFull(r, b[:1]); err != nil {
			return "", 0, err
		}
		length = int(b[0])
	default:
		return "", 0, fmt.Errorf("address type %d", kind)
	}
	if _, err := io.ReadFull(r, b[:length]); err != nil {
		return "", 0, err
	}
	host = string(b[:length])
	if kind != 3 {
		ip, _ := netip.AddrFromSlice(b[:length])
		host = ip.Unmap().String()
	}
	_, err = io.ReadFull(r, b[:2])
	return host, binary.BigEndian.Uint16(b), err
}
