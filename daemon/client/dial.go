package client

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"strconv"
	"syscall"

	"swarmnode/daemon/control"
	"swarmnode/swarm/egress"
)

// A dialer makes the connections of a transport.
type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// dialSocket returns a dialer that connects to a Unix socket, whatever the address is.
func dialSocket(path string) dialer {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		d := net.Dialer{Timeout: dialTime}
		c, err := d.DialContext(ctx, "unix", path)
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err
		}
		if call, ok := errors.AsType[*os.SyscallError](err); ok {
			err = call.Err
		}
		if err != nil {
			return nil, err
		}
		if err := control.CheckListener(path, c); err != nil {
			c.Close()
			return nil, err
		}
		return c, nil
	}
}

// dialHost returns a dialer that connects through an egress.
func dialHost(by *egress.Net) dialer {
	return func(ctx context.Context, _, addr string) (net.Conn, error) {
		host, text, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, dialTime)
		defer cancel()
		return by.DialHost(ctx, egress.Host{Name: host, Port: uint16(port)})
	}
}

// FindSocket returns the Unix socket of the daemon of this user, or else that of the system. If
// nobody listens on either, it returns the path of the first with ok false. A socket on which
// another user listens in the place of this one does not count.
func FindSocket(ctx context.Context) (path string, ok bool) {
	all := control.Sockets()
	for _, path := range all {
		c, err := dialSocket(path)(ctx, "", "")
		if err == nil {
			c.Close()
			return path, true
		}
		if errors.Is(err, syscall.EACCES) {
			return path, true // somebody listens whom this user may not ask
		}
	}
	return all[0], false
}

// NoDaemon reports whether an error says that no daemon runs where it was looked for, rather than
// that it cannot be asked.
func NoDaemon(err error) bool {
	_, unreachable := errors.AsType[*UnreachableError](err)
	return unreachable && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED))
}
