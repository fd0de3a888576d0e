//go:build linux

package lab

import (
	"context"
	"fmt"
	"net/netip"

	"swarmnode/internal/realclient"
)

// TURNPort is the port of [Host.TURN], of UDP and TCP (RFC 8656, section 2.1).
const TURNPort = 3478

// TURN starts coturn on a host, at TURNPort of its address, for one user. The realm is
// "lab". It returns when the server takes requests.
func (h *Host) TURN(ctx context.Context, user, password string) (*Service, error) {
	path, err := realclient.ServerInstalled(realclient.Turnserver)
	if err != nil {
		return nil, err
	}
	at := netip.AddrPortFrom(h.Addr, TURNPort)
	return h.serve(ctx, []string{
		path, "-n", "--listening-ip", at.Addr().String(), "--relay-ip", at.Addr().String(),
		"--listening-port", fmt.Sprint(at.Port()), "--lt-cred-mech", "--realm", "lab",
		"--user", user + ":" + password, "--no-tls", "--no-dtls", "--no-cli",
		"--log-file", "stdout", "--simple-log", "--pidfile", h.file("turnserver.pid"), "--userdb",
		h.file("turnserver.db"),
	}, "DB connection success") // of the threads that start behind the listeners
}
