//go:build linux

package lab

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
)

// turnserver is Debian's TURN server, of the package coturn.
const turnserver = "turnserver"

// TURNPort is the port of [Host.TURN], of UDP and TCP (RFC 8656, section 2.1).
const TURNPort = 3478

// CanTURN returns an error that says what this machine lacks for a TURN server.
func CanTURN() error {
	if _, err := exec.LookPath(turnserver); err != nil {
		return fmt.Errorf("%s is not installed (Debian: coturn): %w", turnserver, err)
	}
	return nil
}

// TURN starts coturn on a host, at TURNPort of its address, for one user. The realm is
// "lab". It returns when the server takes requests.
func (h *Host) TURN(ctx context.Context, user, password string) (*Service, error) {
	if err := CanTURN(); err != nil {
		return nil, err
	}
	at := netip.AddrPortFrom(h.Addr, TURNPort)
	return h.serve(ctx, []string{
		turnserver, "-n", "--listening-ip", at.Addr().String(), "--relay-ip", at.Addr().String(),
		"--listening-port", fmt.Sprint(at.Port()), "--lt-cred-mech", "--realm", "lab",
		"--user", user + ":" + password, "--no-tls", "--no-dtls", "--no-cli",
		"--log-file", "stdout", "--simple-log", "--pidfile", h.file("turnserver.pid"), "--userdb",
		h.file("turnserver.db"),
	}, contains("DB connection success")) // of the threads that start behind the listeners
}
