//go:build linux

package realclient

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// rtorrentDriver talks XML-RPC over SCGI. A magnet link is a download of its
// own, of the metadata, which the real one replaces under the same hash.
type rtorrentDriver struct {
	socket string
}

func launchRTorrent(ctx context.Context, c *Client) (driver, error) {
	session := filepath.Join(c.opts.Dir, "session")
	if err := os.MkdirAll(session, 0o700); err != nil {
		return nil, err
	}
	d := &rtorrentDriver{socket: filepath.Join(c.opts.Dir, "rpc.sock")}
	// Longer paths do not fit into a sockaddr_un.
	const socketPathMax = 107
	if len(d.socket) > socketPathMax {
		return nil, fmt.Errorf("path of the RPC socket is longer than %d bytes: %s", socketPathMax, d.socket)
	}
	port := c.Addr.Port()
	config := fmt.Sprintf(`system.daemon.set = true
network.scgi.open_local = %q
network.bind_address.set = %v
network.port_range.set = %d-%d
network.port_random.set = no
directory.default.set = %q
session.path.set = %q
system.umask.set = 0022
`, d.socket, c.opts.IP, port, port, c.opts.Dir, session)
	if len(c.opts.Bootstrap) > 0 {
		config += fmt.Sprintf("dht.mode.set = on\ndht.port.set = %d\n", port)
	} else {
		config += "dht.mode.set = disable\n"
	}
	file := filepath.Join(c.opts.Dir, "rtorrent.rc")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	if err := c.start("rtorrent", "-n", "-o", "import="+file); err != nil {
		return nil, err
	}
	if err := c.ready(ctx, func(ctx context.Context) error {
		_, err := d.call(ctx, "system.client_version")
		return err
	}); err != nil {
		return nil, err
	}
	for _, b := range c.opts.Bootstrap {
		if _, err := d.call(ctx, "dht.add_node", "", b.String()); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// call makes one XML-RPC call and returns the values of its answer, flattened.
func (d *rtorrentDriver) call(ctx context.Context, method string, params ...any) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", d.socket)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	body := encodeXMLRPC(method, params)
	// SCGI: a netstring of NUL-separated headers, then the body.
	header := "CONTENT_LENGTH\x00" + strconv.Itoa(len(body)) + "\x00SCGI\x001\x00"
	if _, err := fmt.Fprintf(conn, "%d:%s,%s", len(header), header, body); err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	answer, err := io.ReadAll(io.LimitReader(conn, rpcAnswerMax))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	_, xml, ok := bytes.Cut(answer, []byte("\r\n\r\n"))
	if !ok {
		return nil, fmt.Errorf("%s: answer without a body", method)
	}
	values, err := decodeXMLRPC(xml)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	return values, nil
}

func (d *rtorrentDriver) seed(ctx context.Context, torrentFile, dataDir string) error {
	raw, err := os.ReadFile(torrentFile)
	if err != nil {
		return err
	}
	_, err = d.call(ctx, "load.raw_start", "", raw, "d.directory.set="+quoteCommand(dataDir))
	return err
}

func (d *rtorrentDriver) add(ctx context.Context, magnet, dir string) error {
	_, err := d.call(ctx, "load.start", "", magnet, "d.directory.set="+quoteCommand(dir))
	return err
}

// quoteCommand quotes an argument of rtorrent's command language.
func quoteCommand(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func (d *rtorrentDriver) connect(ctx context.Context, peer netip.AddrPort) error {
	values, err := d.call(ctx, "download_list", "")
	if err != nil {
		return err
	}
	if len(values) == 0 {
		return fmt.Errorf("no torrent")
	}
	_, err = d.call(ctx, "add_peer", values[0], peer.String())
	return err
}

func (d *rtorrentDriver) progress(ctx context.Context) (Progress, error) {
	values, err := d.call(ctx, "d.multicall2", "", "main",
		"d.is_meta=", "d.complete=", "d.hashing=", "d.bytes_done=", "d.size_bytes=", "d.peers_connected=", "d.message=")
	if err != nil {
		return Progress{}, err
	}
	if len(values) == 0 {
		// Between the metadata and the torrent itself there is none for a moment.
		return Progress{State: "no torrent"}, nil
	}
	const fields = 7
	if len(values) != fields {
		return Progress{}, fmt.Errorf("d.multicall2: %d values, want %d", len(values), fields)
	}
	meta, complete, hashing := values[0] == "1", values[1] == "1", values[2] != "0"
	p := Progress{State: strings.TrimSpace("active " + values[6])}
	p.Peers, _ = strconv.Atoi(values[5])
	switch {
	case meta:
		p.State = "metadata " + values[6]
		return p, nil
	case hashing:
		p.State = "checking"
	}
	p.Done, _ = strconv.ParseInt(values[3], 10, 64)
	p.Total, _ = strconv.ParseInt(values[4], 10, 64)
	p.Complete = complete && !hashing
	return p, nil
}

func (d *rtorrentDriver) close() {}
