//go:build linux

package main

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"swarmnode/internal/nodeproc"
	"swarmnode/internal/proc"
	"swarmnode/internal/realclient"
)

// nginxSource is a web server in the place of a peer.
type nginxSource struct{ *realclient.Server }

func (n nginxSource) addr() netip.AddrPort       { return n.Addr }
func (n nginxSource) usage() (proc.Usage, error) { return n.Usage() }
func (n nginxSource) close()                     { n.Close() }

func nginxSeed(ctx context.Context, j job, dir string) (source, error) {
	s, err := realclient.LaunchNginx(ctx, seedIP, j.dir, dir)
	if err != nil {
		return nil, err
	}
	return nginxSource{s}, nil
}

// webSeedURL returns the URL of the content at a web server.
func webSeedURL(server netip.AddrPort) string {
	return "http://" + server.String() + "/" + contentName
}

// webLeech fetches the job from a web server alone, by a .torrent file that
// names it.
func (s clientSide) webLeech(ctx context.Context, j job, server netip.AddrPort,
	dir string) (time.Duration, sample, error) {
	state, err := os.MkdirTemp(filepath.Dir(dir), "state")
	if err != nil {
		return 0, sample{}, err
	}
	file := filepath.Join(state, "job.torrent")
	if err := j.WithWebSeed(webSeedURL(server), file); err != nil {
		return 0, sample{}, err
	}
	c, err := realclient.Launch(ctx, s.kind, s.options(leechIP, state))
	if err != nil {
		return 0, sample{}, err
	}
	defer c.Close()
	watch, err := startSampler(c.Usage, false)
	if err != nil {
		return 0, sample{}, err
	}
	start := time.Now()
	err = c.Seed(ctx, file, dir) // nothing is there yet
	if err == nil {
		err = c.WaitPolling(ctx, pollInterval)
	}
	took := time.Since(start)
	return took, watch.stop(), err
}

func nodeWebLeech(binary string) leecher {
	return func(ctx context.Context, j job, server netip.AddrPort,
		dir string) (time.Duration, sample, error) {
		return runNode(ctx, dir, func(state string) (*nodeproc.Node, error) {
			return nodeproc.Start(binary, state, "add", "--listen", leechIP.String()+":0",
				"--no-dht", "--no-lsd",
				"--webseed", webSeedURL(server), "--dir", dir, j.File)
		})
	}
}
