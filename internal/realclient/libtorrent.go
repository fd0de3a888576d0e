//go:build linux

package realclient

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"time"

	"swarmnode/internal/proc"
)

// systemPython is the interpreter for which Debian builds python3-libtorrent;
// another one on the PATH lacks the module.
const systemPython = "/usr/bin/python3"

//go:embed libtorrent.py
var libtorrentScript string

// libtorrentDriver talks JSON lines with the script. A request that its
// context abandons leaves the two out of step, so the driver is dead then.
type libtorrentDriver struct {
	requests io.WriteCloser
	answers  *os.File
	lines    *bufio.Reader
	dead     error
}

func launchLibtorrent(ctx context.Context, c *Client) (driver, error) {
	in, requests, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	answers, out, err := os.Pipe()
	if err != nil {
		requests.Close()
		return nil, err
	}
	defer out.Close()
	d := &libtorrentDriver{requests: requests, answers: answers, lines: bufio.NewReader(answers)}
	// -B and -I: no bytecode files, and nothing of the user's environment.
	err = c.startProcess(proc.Config{Path: systemPython,
		Args: []string{"-B", "-I", "-c", libtorrentScript}, Stdin: in, Stdout: out})
	if err != nil {
		requests.Close()
		answers.Close()
		return nil, err
	}
	settings := map[string]any{}
	if c.opts.Up > 0 {
		settings["upload_rate_limit"] = c.opts.Up
	}
	maps.Copy(settings, c.opts.Settings)
	return d, d.call(ctx, nil, map[string]any{
		"op": "start", "ip": c.Addr.Addr().String(), "port": c.Addr.Port(),
		"dht": c.opts.DHT || len(c.opts.Bootstrap) > 0, "bootstrap": joinAddrs(c.opts.Bootstrap),
		"preset": c.opts.HighPerformance, "idle": c.opts.Idle, "settings": settings,
	})
}

// call sends one request and decodes its answer into result, if not nil.
func (d *libtorrentDriver) call(ctx context.Context, result any, request map[string]any) error {
	if d.dead != nil {
		return d.dead
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	line, err := json.Marshal(request)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = d.answers.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := d.requests.Write(append(line, '\n')); err != nil {
		d.dead = err
		return err
	}
	reply, err := d.lines.ReadBytes('\n')
	if err != nil {
		d.dead = fmt.Errorf("no answer to %v: %w", request["op"], err)
		return d.dead
	}
	var status struct {
		OK    bool   `json:"ok"`
		Error string `json:"error"`
	}
	if err := json.Unmarshal(reply, &status); err != nil {
		return err
	}
	if !status.OK {
		return errors.New(status.Error)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(reply, result)
}

func (d *libtorrentDriver) seed(ctx context.Context, torrentFile, dataDir string) error {
	return d.call(ctx, nil, map[string]any{"op": "add", "torrent": torrentFile, "dir": dataDir})
}

func (d *libtorrentDriver) add(ctx context.Context, magnet, dir string) error {
	return d.call(ctx, nil, map[string]any{"op": "add", "magnet": magnet, "dir": dir})
}

func (d *libtorrentDriver) connect(ctx context.Context, peer netip.AddrPort) error {
	return d.call(ctx, nil, map[string]any{"op": "connect", "ip": peer.Addr().String(),
		"port": peer.Port()})
}

func (d *libtorrentDriver) progress(ctx context.Context) (Progress, error) {
	var p Progress
	err := d.call(ctx, &p, map[string]any{"op": "progress"})
	return p, err
}

func (d *libtorrentDriver) close() {
	d.requests.Close()
	d.answers.Close()
}
