//go:build linux

package realclient

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"

	"swarmnode/internal/proc"
)

// Coturn is the TURN server that most operators run.
const Coturn Kind = "turnserver"

// LaunchCoturn serves TURN over UDP and TCP on an address of this machine, for one account. It
// relays to this machine too. state is a folder of its own. The caller must Close it.
func LaunchCoturn(ctx context.Context, ip netip.Addr, user, password, state string) (*Server,
	error) {
	path, err := ServerInstalled(Coturn)
	if err != nil {
		return nil, err
	}
	port, err := freePort(ip)
	if err != nil {
		return nil, err
	}
	return launchServer(ctx, netip.AddrPortFrom(ip, port), proc.Config{
		Path: path, Dir: state, Args: []string{
			"-n", "--listening-ip", ip.String(), "--listening-port", fmt.Sprint(port),
			"--relay-ip", ip.String(), "--lt-cred-mech", "--user", user + ":" + password,
			"--realm", "example.org", "--allow-loopback-peers", "--no-tls", "--no-dtls",
			"--no-cli", "--relay-threads", "1", "--log-file", "stdout", "--no-software-attribute",
			"--pidfile", filepath.Join(state, "pid"), "--userdb", filepath.Join(state, "db"),
		},
	})
}
