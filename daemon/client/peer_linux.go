package client

import (
	"context"
	"net"

	"golang.org/x/sys/unix"
)

// Process returns the number of the process of a daemon that is reached through its socket, 0 if
// it is not known.
func (c *Client) Process(ctx context.Context) int {
	if c.cfg.Socket == "" {
		return 0
	}
	conn, err := dialSocket(c.cfg.Socket)(ctx, "", "")
	if err != nil {
		return 0
	}
	defer conn.Close()
	local, ok := conn.(*net.UnixConn)
	if !ok {
		return 0
	}
	raw, err := local.SyscallConn()
	if err != nil {
		return 0
	}
	pid := 0
	err = raw.Control(func(fd uintptr) {
		who, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err == nil {
			pid = int(who.Pid)
		}
	})
	if err != nil {
		return 0
	}
	return pid
}
