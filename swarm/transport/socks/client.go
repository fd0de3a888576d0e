package socks

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

var (
	errSilent = errors.New("it does not answer")
	errHungUp = errors.New("it has hung up")
)

const (
	// handshakeTimeout bounds the connection to the proxy and the talk with it until it has
	// been asked for something. It is one bound for the whole, and not for each byte.
	handshakeTimeout = 10 * time.Second
	// replyTimeout bounds the wait for the answer to a request, for which the proxy may have
	// to look up a name and to connect.
	replyTimeout = 30 * time.Second
)

// Config describes a Client.
type Config struct {
	Server Server
	// Dial connects to the proxy itself by TCP. The host is that of Server. It must not lead
	// through a proxy. Nil means a plain net.Dialer.
	Dial func(ctx context.Context, host string, port uint16) (net.Conn, error)
	// DialUDP makes a UDP socket that is connected to a relay of the proxy. Nil means a plain
	// net.Dialer.
	DialUDP func(ctx context.Context, relay netip.AddrPort) (net.Conn, error)
	// Logger takes a line when a PacketConn gets or loses its relay. It may be nil.
	Logger *slog.Logger
}

// A Client makes connections through one proxy. It is safe for concurrent use.
type Client struct {
	cfg     Config
	trouble chan struct{} // holds an element when the proxy has failed
}

// New returns a Client. It connects to nobody.
func New(cfg Config) *Client {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Client{cfg: cfg, trouble: make(chan struct{}, 1)}
}

// Server returns the proxy.
func (c *Client) Server() Server { return c.cfg.Server }

// DialTCP makes a stream to a port of a host through the proxy. The host is an address or a
// name, which the proxy looks up. The stream is the connection to the proxy itself, such as
// a *net.TCPConn, so its RemoteAddr is that of the proxy. Errors are *ServerError,
// *ReplyError, ErrName, or that of ctx.
func (c *Client) DialTCP(ctx context.Context, host string, port uint16) (net.Conn, error) {
	to, err := addressOf(host, port)
	if err != nil {
		return nil, err
	}
	conn, _, err := c.request(ctx, commandConnect, to)
	return conn, err
}

// Check connects to the proxy and makes us known to it, and hangs up. The error says why
// the proxy cannot be used now: it is a *ServerError, or that of ctx.
func (c *Client) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	conn, err := c.connect(ctx)
	if err == nil {
		conn.Close()
	}
	return err
}

// request asks a proxy for a command, and returns the connection and where the proxy is
// bound.
func (c *Client) request(ctx context.Context, command byte,
	to address) (conn net.Conn, bound address, err error) {
	short, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	if conn, err = c.connect(short); err != nil {
		return nil, address{}, err
	}
	ctx, cancel = context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	err = within(ctx, conn, func() error {
		if _, err := conn.Write(to.append([]byte{version, command, 0})); err != nil {
			return err
		}
		bound, err = readReply(conn)
		return err
	})
	if err == nil {
		return conn, bound, nil
	}
	conn.Close()
	return nil, address{}, c.unanswered(ctx, command, err)
}

// unanswered returns the error for a request that brought no connection, after a greeting
// that was in order. A proxy that is silent or hangs up now does so because of the request:
// some answer no other way if they cannot reach a host, or do not know a command.
func (c *Client) unanswered(ctx context.Context, command byte, err error) error {
	var refused *ReplyError
	isReply := errors.As(err, &refused)
	timeout := isTimeout(err)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case command == commandAssociate && (hungUp(err) || isReply &&
		(refused.Reply == NoCommand || refused.Reply == NotAllowed)):
		return c.fail(ErrNoUDP)
	case command == commandAssociate && isReply:
		return c.fail(err)
	case isReply:
		return err
	case command == commandConnect && timeout:
		return &ReplyError{Expired}
	case command == commandConnect && hungUp(err):
		return &ReplyError{GeneralFailure}
	}
	return c.failure(ctx, err)
}

// connect connects to the proxy, and makes us known to it. ctx has a deadline.
func (c *Client) connect(ctx context.Context) (net.Conn, error) {
	dial := c.cfg.Dial
	if dial == nil {
		dial = dialPlain
	}
	conn, err := dial(ctx, c.cfg.Server.Host, c.cfg.Server.Port)
	if err != nil {
		return nil, c.failure(ctx, err)
	}
	if err := within(ctx, conn, func() error { return c.greet(conn) }); err != nil {
		conn.Close()
		return nil, c.failure(ctx, err)
	}
	return conn, nil
}

func dialPlain(ctx context.Context, host string, port uint16) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", Server{Host: host, Port: port}.address())
}

// greet agrees on a method with the proxy (RFC 1928, section 3), and sends the user name
// and the password if it wants them (RFC 1929).
func (c *Client) greet(conn net.Conn) error {
	s := &c.cfg.Server
	hello := []byte{version, 1, methodNone}
	if s.User != "" {
		hello = []byte{version, 2, methodNone, methodPassword}
	}
	var answer [2]byte
	if err := ask(conn, hello, answer[:]); err != nil {
		return err
	}
	if answer[0] != version {
		return protocolError("version %d in its greeting", answer[0])
	}
	switch method := answer[1]; {
	case method == methodNone:
		return nil
	case method == methodPassword && s.User != "":
	case method == methodRefused && s.User == "":
		return ErrWantsCredentials
	case method == methodRefused:
		return ErrCredentials
	default:
		return protocolError("it chose the method %d, which was not offered", method)
	}
	b := append([]byte{versionAuth, byte(len(s.User))}, s.User...)
	b = append(append(b, byte(len(s.Password))), s.Password...)
	if err := ask(conn, b, answer[:]); err != nil {
		if hungUp(err) {
			return ErrCredentials // as proxies say no that do not say it
		}
		return err
	}
	// Some proxies answer with the version of the protocol instead of that of RFC 1929.
	if answer[0] != versionAuth && answer[0] != version {
		return protocolError("version %d in its answer to the password", answer[0])
	}
	if answer[1] != 0 {
		return ErrCredentials
	}
	return nil
}

// ask writes a message and reads an answer of an exact length.
func ask(conn net.Conn, message, answer []byte) error {
	if _, err := conn.Write(message); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, answer)
	return err
}

// within calls talk, whose reads and writes on conn end with ctx. The error is that of
// talk. Afterwards conn has no deadline.
func within(ctx context.Context, conn net.Conn, talk func() error) error {
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		conn.SetDeadline(time.Unix(1, 0))
		close(interrupted)
	})
	err := talk()
	if !stop() {
		<-interrupted
	}
	conn.SetDeadline(time.Time{})
	return err
}

// hungUp reports whether the other side has ended the connection.
func hungUp(err error) bool {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe,
		syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// isTimeout reports whether a wait was too long.
func isTimeout(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

// failure returns the error for a failure of the proxy or on the way to it. The end of the
// caller's context is nobody's fault.
func (c *Client) failure(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case isTimeout(err):
		err = errSilent
	case hungUp(err):
		err = errHungUp
	default:
		// What was done, and to which address, is said already.
		var op *net.OpError
		var number syscall.Errno
		if errors.As(err, &op) && errors.As(op.Err, &number) {
			err = number
		}
	}
	return c.fail(err)
}
