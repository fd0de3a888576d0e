//go:build linux

package realclient

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
)

// aria2Driver talks aria2's JSON-RPC. A download is known by its gid; that of
// a magnet link is followed by the one of the torrent itself.
type aria2Driver struct {
	rpc *jsonRPC
	gid string
}

func launchAria2(ctx context.Context, c *Client) (driver, error) {
	rpc, err := c.freeRPC(loopback)
	if err != nil {
		return nil, err
	}
	args := []string{
		"--no-conf=true",
		"--enable-rpc=true",
		"--rpc-listen-all=false",
		fmt.Sprintf("--rpc-listen-port=%d", rpc.Port()),
		"--rpc-max-request-size=64M",
		fmt.Sprintf("--listen-port=%d", c.Addr.Port()),
		"--interface=" + c.opts.IP.String(),
		"--disable-ipv6=true",
		"--enable-dht6=false",
		"--bt-enable-lpd=false",
		"--follow-torrent=mem",
		"--bt-save-metadata=false",
		"--seed-ratio=0.0",
		"--file-allocation=none",
		"--check-integrity=true",
		"--allow-overwrite=true",
		"--dir=" + c.opts.Dir,
		"--console-log-level=info",
		"--summary-interval=0",
		"--enable-color=false",
	}
	// It has no entry point of its own, so without one its DHT would stay empty.
	if len(c.opts.Bootstrap) > 0 {
		args = append(args, "--enable-dht=true",
			fmt.Sprintf("--dht-listen-port=%d", c.Addr.Port()),
			"--dht-entry-point="+c.opts.Bootstrap[0].String(),
			"--dht-file-path="+filepath.Join(c.opts.Dir, "dht.dat"))
	} else {
		args = append(args, "--enable-dht=false")
	}
	if c.opts.Up > 0 {
		args = append(args, fmt.Sprintf("--max-overall-upload-limit=%d", c.opts.Up))
	}
	for name, value := range c.opts.Settings {
		args = append(args, fmt.Sprintf("--%s=%v", name, value))
	}
	if err := c.start("aria2c", args...); err != nil {
		return nil, err
	}
	d := &aria2Driver{rpc: c.newJSONRPC(rpc, "/jsonrpc")}
	return d, c.ready(ctx, func(ctx context.Context) error {
		return d.call(ctx, nil, "aria2.getVersion")
	})
}

func (d *aria2Driver) call(ctx context.Context, result any, method string, params ...any) error {
	if params == nil {
		params = []any{}
	}
	answer := struct {
		Result any
		Error  *struct{ Message string }
	}{Result: result}
	status, _, err := d.rpc.post(ctx, map[string]any{"jsonrpc": "2.0", "id": 1, "method": method,
		"params": params}, &answer)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", method, err)
	case answer.Error != nil:
		return fmt.Errorf("%s: %s", method, answer.Error.Message)
	case status != 200:
		return fmt.Errorf("%s: HTTP status %d", method, status)
	}
	return nil
}

func (d *aria2Driver) seed(ctx context.Context, torrentFile, dataDir string) error {
	raw, err := os.ReadFile(torrentFile)
	if err != nil {
		return err
	}
	return d.call(ctx, &d.gid, "aria2.addTorrent", base64.StdEncoding.EncodeToString(raw),
		[]string{}, map[string]string{"dir": dataDir})
}

func (d *aria2Driver) add(ctx context.Context, magnet, dir string) error {
	return d.call(ctx, &d.gid, "aria2.addUri", []string{magnet}, map[string]string{"dir": dir})
}

func (d *aria2Driver) connect(context.Context, netip.AddrPort) error { return ErrUnsupported }

func (d *aria2Driver) progress(ctx context.Context) (Progress, error) {
	var answer struct {
		Status          string
		TotalLength     string
		CompletedLength string
		Connections     string
		FollowedBy      []string
		Seeder          string // absent while the gid is that of a magnet link
		ErrorMessage    string
		InfoHash        string
	}
	if err := d.call(ctx, &answer, "aria2.tellStatus", d.gid); err != nil {
		return Progress{}, err
	}
	if len(answer.FollowedBy) > 0 {
		d.gid = answer.FollowedBy[0]
		return Progress{State: "metadata complete"}, nil
	}
	if answer.Status == "error" || answer.Status == "removed" {
		return Progress{}, fmt.Errorf("download is %s: %s", answer.Status, answer.ErrorMessage)
	}
	p := Progress{State: answer.Status, Hash: answer.InfoHash}
	p.Peers, _ = strconv.Atoi(answer.Connections)
	if answer.Seeder != "" {
		p.Done, _ = strconv.ParseInt(answer.CompletedLength, 10, 64)
		p.Total, _ = strconv.ParseInt(answer.TotalLength, 10, 64)
		p.Complete = p.Total > 0 && p.Done == p.Total && answer.Seeder == "true"
	}
	return p, nil
}

func (d *aria2Driver) close() { d.rpc.close() }
