//go:build linux

package realclient

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"swarmnode/internal/proc"
)

// The SOCKS5 proxies of Debian: a small one without UDP ASSOCIATE, and a large one with it.
const (
	Microsocks Kind = "microsocks"
	Danted     Kind = "danted"
)

// LaunchMicrosocks serves SOCKS5 by TCP at an address, for clients with a user name and a
// password, or for everybody if user is empty. The caller must Close it.
func LaunchMicrosocks(ctx context.Context, at netip.AddrPort, user, password string) (*Server,
	error) {
	path, err := ServerInstalled(Microsocks)
	if err != nil {
		return nil, err
	}
	args := []string{"-i", at.Addr().String(), "-p", fmt.Sprint(at.Port())}
	if user != "" {
		args = append(args, "-u", user, "-P", password)
	}
	return launchServer(ctx, at, proc.Config{Path: path, Args: args})
}

// LaunchDante serves SOCKS5 by TCP and UDP at an address, for everybody. What it sends on
// comes from another address of this machine. state is a folder of its own. The caller must
// Close it.
func LaunchDante(ctx context.Context, at netip.AddrPort, from netip.Addr,
	state string) (*Server, error) {
	path, err := ServerInstalled(Danted)
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf(`logoutput: %s
internal: %v port = %d
external: %v
clientmethod: none
socksmethod: none
user.privileged: root
user.unprivileged: root
client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 command: connect udpassociate }
socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 command: udpreply }
`, filepath.Join(state, "log"), at.Addr(), at.Port(), from)
	file := filepath.Join(state, "danted.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	return launchServer(ctx, at, proc.Config{Path: path, Args: []string{"-f", file, "-p",
		filepath.Join(state, "pid")}})
}
