//go:build linux

package realclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// lookAgainAfter is how long rtorrent may be without a peer before it is told to look
// again. By itself it does so after 20 minutes, even when its first search came before
// anybody had announced; its users press a key.
const lookAgainAfter = 15 * time.Second

// rtorrentDriver talks XML-RPC over SCGI. A magnet link is a download of its
// own, of the metadata, which the real one replaces under the same hash.
type rtorrentDriver struct {
	client *Client
	socket string
	alone  time.Time // since when it has had no peer, or was told to look again
}

func launchRTorrent(ctx context.Context, c *Client) (driver, error) {
	session := filepath.Join(c.opts.Dir, "session")
	if err := os.MkdirAll(session, 0o700); err != nil {
		return nil, err
	}
	d := &rtorrentDriver{client: c, socket: filepath.Join(c.opts.Dir, "rpc.sock")}
	// Longer paths do not fit into a sockaddr_un.
	const socketPathMax = 107
	if len(d.socket) > socketPathMax {
		return nil, fmt.Errorf("path of the RPC socket is longer than %d bytes: %s", socketPathMax,
			d.socket)
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
	for _, name := range slices.Sorted(maps.Keys(c.opts.Settings)) {
		config += fmt.Sprintf("%s = %v\n", name, c.opts.Settings[name])
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
	if err := d.joinDHT(ctx); err != nil {
		return err
	}
	_, err = d.call(ctx, "load.raw_start", "", raw, "d.directory.set="+quoteCommand(dataDir))
	return err
}

func (d *rtorrentDriver) add(ctx context.Context, magnet, dir string) error {
	if err := d.joinDHT(ctx); err != nil {
		return err
	}
	_, err := d.call(ctx, "load.start", "", magnet, "d.directory.set="+quoteCommand(dir))
	return err
}

// joinDHT waits until a node of the DHT has answered, if a DHT is in use. A torrent that
// is loaded earlier is neither looked up nor announced in time.
func (d *rtorrentDriver) joinDHT(ctx context.Context) error {
	if len(d.client.opts.Bootstrap) == 0 {
		return nil
	}
	return d.client.ready(ctx, func(ctx context.Context) error {
		values, err := d.call(ctx, "dht.statistics")
		if err != nil {
			return err
		}
		if i := slices.Index(values, "nodes"); i < 0 || i+1 >= len(values) || values[i+1] == "0" {
			return errors.New("its DHT has no nodes")
		}
		return nil
	})
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
		"d.is_meta=", "d.complete=", "d.hashing=", "d.bytes_done=", "d.size_bytes=",
		"d.peers_connected=", "d.message=", "d.hash=")
	if err != nil {
		return Progress{}, err
	}
	if len(values) == 0 {
		// Between the metadata and the torrent itself, rtorrent has no download for a
		// moment.
		return Progress{State: "no torrent"}, nil
	}
	const fields = 8
	if len(values) != fields {
		return Progress{}, fmt.Errorf("d.multicall2: %d values, want %d", len(values), fields)
	}
	meta, complete, hashing := values[0] == "1", values[1] == "1", values[2] != "0"
	p := Progress{State: strings.TrimSpace("active " + values[6])}
	p.Peers, _ = strconv.Atoi(values[5])
	d.lookAgain(ctx, values[7], p.Peers > 0 || complete)
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

// lookAgain makes rtorrent look for peers once more when it has been without one for too
// long and is not complete.
func (d *rtorrentDriver) lookAgain(ctx context.Context, hash string, content bool) {
	now := time.Now()
	switch {
	case content || d.alone.IsZero():
		d.alone = now
	case now.Sub(d.alone) >= lookAgainAfter:
		d.alone = now
		// The call fails between the metadata and the torrent itself, when there is no
		// need for it.
		_, _ = d.call(ctx, "d.tracker_announce.force", hash)
	}
}

func (d *rtorrentDriver) close() {}
