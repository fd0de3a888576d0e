//go:build linux

package realclient

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"swarmnode/internal/proc"
)

// The programs that serve clients: the web server that most web seeds run, the tracker that
// most open trackers run, and those that a router or a relay runs in package lab.
const (
	Nginx       Kind = "nginx"
	Opentracker Kind = "opentracker"
	Miniupnpd   Kind = "miniupnpd"  // Debian: miniupnpd-nftables
	Turnserver  Kind = "turnserver" // Debian: coturn
)

// ServerInstalled reports whether a server can be run here; if not, the error
// says what is missing. Debian has web servers outside of the PATH of users.
func ServerInstalled(kind Kind) (path string, err error) {
	if path, err = exec.LookPath(string(kind)); err == nil {
		return path, nil
	}
	if path, err = exec.LookPath("/usr/sbin/" + string(kind)); err != nil {
		return "", fmt.Errorf("%s is not installed: %w", kind, err)
	}
	return path, nil
}

// A Server is a running nginx or opentracker.
type Server struct {
	Addr netip.AddrPort // TCP, and UDP for a tracker
	proc *proc.Process
}

// URL returns the address of path at the server, which begins with a slash.
func (s *Server) URL(path string) string { return "http://" + s.Addr.String() + path }

// Usage measures the server's process.
func (s *Server) Usage() (proc.Usage, error) { return s.proc.Usage() }

// Close ends the server and waits for it.
func (s *Server) Close() { s.proc.Stop() }

// LaunchNginx serves the files below root on an address of this machine, one
// request after the other on kept connections, compressed where that is asked
// for. What is below /moved/ is redirected to the same path without that. state
// is a folder of its own. The caller must Close it.
func LaunchNginx(ctx context.Context, ip netip.Addr, root, state string) (*Server, error) {
	path, err := ServerInstalled(Nginx)
	if err != nil {
		return nil, err
	}
	port, err := freePort(ip)
	if err != nil {
		return nil, err
	}
	at := netip.AddrPortFrom(ip, port)
	config := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 1024; }
http {
	access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	gzip on; gzip_types *;
	server { listen %[2]s; root %[3]q; absolute_redirect off; location /moved/ { if ($request_uri ~ ^/moved/(.*)$) { return 302 /$1; } } }
}`, state, at, root)
	file := filepath.Join(state, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	return launchServer(ctx, at, proc.Config{Path: path,
		Args: []string{"-p", state, "-e", filepath.Join(state, "error.log"), "-c", file}})
}

// LaunchOpentracker runs a tracker for the torrents with the given info-hashes, in
// hexadecimal. Debian's build serves only the torrents on a list. The caller must Close
// it.
func LaunchOpentracker(ctx context.Context, ip netip.Addr, state string,
	hashes ...string) (*Server, error) {
	path, err := ServerInstalled(Opentracker)
	if err != nil {
		return nil, err
	}
	port, err := freePort(ip)
	if err != nil {
		return nil, err
	}
	// As root it changes its root folder and its user, so the list must be readable from
	// there.
	list := filepath.Join(state, "list")
	if err := os.Chmod(state, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(list, []byte(strings.Join(hashes, "\n")+"\n"), 0o644); err != nil {
		return nil, err
	}
	if os.Getuid() == 0 {
		list = "/list"
	}
	s, err := launchServer(ctx, netip.AddrPortFrom(ip, port),
		proc.Config{Path: path, Dir: state, Args: []string{
			"-i", ip.String(), "-p", fmt.Sprint(port), "-P", fmt.Sprint(port), "-d", state, "-u",
			"nobody", "-w", list,
		}})
	if err != nil {
		return nil, err
	}
	if err := s.knows(ctx, hashes); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// knows waits until a tracker takes announces for its torrents: it reads its
// list a moment after it has begun to listen.
func (s *Server) knows(ctx context.Context, hashes []string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(pollInterval / 10)
	defer tick.Stop()
	for _, hash := range hashes {
		raw, err := hex.DecodeString(hash)
		if err != nil {
			return err
		}
		// An end without a beginning leaves nothing behind.
		announce := s.URL("/announce?event=stopped&port=1&left=1&uploaded=0&downloaded=0&peer_id=-XX0000-aaaaaaaaaaaa&info_hash=" + url.QueryEscape(string(raw)))
		for {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, announce, nil)
			if err != nil {
				return err
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				return err
			}
			body, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
			response.Body.Close()
			if err == nil && !bytes.Contains(body, []byte("failure")) {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("the tracker does not take %s: %q", hash, body)
			case <-tick.C:
			}
		}
	}
	return nil
}

// launchServer starts a process and waits until it takes connections.
func launchServer(ctx context.Context, at netip.AddrPort, cfg proc.Config) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	var said bytes.Buffer
	cfg.Stderr = &said
	p, err := proc.Start(cfg)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(pollInterval / 10)
	defer tick.Stop()
	for {
		conn, err := net.Dial("tcp", at.String())
		if err == nil {
			conn.Close()
			return &Server{Addr: at, proc: p}, nil
		}
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-p.Done():
			err = errors.New("the server ended")
		case <-tick.C:
			continue
		}
		p.Stop()
		return nil, fmt.Errorf("starting %s: %w: %s", cfg.Path, err, said.String())
	}
}

// RequireServer is Require for a server.
func RequireServer(t testing.TB, kind Kind) {
	t.Helper()
	if _, err := ServerInstalled(kind); err != nil {
		skipOrFail(t, err.Error())
	}
	Beside(t)
}

// StartServer launches a server for a test by one of the functions above, in a
// folder of its own, and ends it with the test. It skips the test, with the
// reason, when the server is not installed, and fails instead where clients are
// required.
func StartServer(t testing.TB, kind Kind, launch func(ctx context.Context,
	state string) (*Server, error)) *Server {
	t.Helper()
	RequireServer(t, kind)
	state, err := os.MkdirTemp("", string(kind))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(state) })
	s, err := launch(t.Context(), state)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}
