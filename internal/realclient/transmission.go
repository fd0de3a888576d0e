//go:build linux

package realclient

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// transmissionDriver talks Transmission's JSON-RPC. Its DHT ignores loopback
// addresses, so it only finds peers inside a namespace, on 10.x addresses.
type transmissionDriver struct {
	rpc *jsonRPC
	id  int // of the torrent; 0: none yet
}

// sessionHeader must be sent back: the first answer is 409 and carries it.
const sessionHeader = "X-Transmission-Session-Id"

func launchTransmission(ctx context.Context, c *Client) (driver, error) {
	rpc, err := c.freeRPC(c.opts.IP)
	if err != nil {
		return nil, err
	}
	ip := c.opts.IP.String()
	settings := map[string]any{
		"bind-address-ipv4":          ip,
		"peer-port":                  c.Addr.Port(),
		"port-forwarding-enabled":    false,
		"rpc-bind-address":           rpc.Addr().String(),
		"rpc-port":                   rpc.Port(),
		"rpc-whitelist-enabled":      false,
		"rpc-host-whitelist-enabled": false,
		"dht-enabled":                len(c.opts.Bootstrap) > 0,
		"lpd-enabled":                false,
		"download-dir":               c.opts.Dir,
		"ratio-limit-enabled":        false,
	}
	if c.opts.Up > 0 {
		settings["speed-limit-up-enabled"] = true
		settings["speed-limit-up"] = max(c.opts.Up/1000, 1) // its kilobyte has 1000 bytes
	}
	maps.Copy(settings, c.opts.Settings)
	encoded, err := json.MarshalIndent(settings, "", "\t")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(c.opts.Dir, "settings.json"), encoded, 0o600); err != nil {
		return nil, err
	}
	var nodes strings.Builder
	for _, b := range c.opts.Bootstrap {
		fmt.Fprintf(&nodes, "%v %d\n", b.Addr(), b.Port())
	}
	if err := os.WriteFile(filepath.Join(c.opts.Dir, "dht.bootstrap"), []byte(nodes.String()),
		0o600); err != nil {
		return nil, err
	}
	if len(c.opts.Remembered) > 0 {
		if err := os.WriteFile(filepath.Join(c.opts.Dir, "dht.dat"),
			transmissionNodes(c.opts.Remembered), 0o600); err != nil {
			return nil, err
		}
	}
	if err := c.start("transmission-daemon", "-f", "-g", c.opts.Dir, "--log-debug"); err != nil {
		return nil, err
	}
	d := &transmissionDriver{rpc: c.newJSONRPC(rpc, "/transmission/rpc")}
	return d, c.ready(ctx, func(ctx context.Context) error {
		return d.call(ctx, "session-get", nil, nil)
	})
}

// transmissionNodes is what a Transmission that has run before remembers of the DHT. It
// contacts these nodes every 2 s, one after the other, and those of dht.bootstrap about
// every 15 s. It looks for no peers before it has met four nodes.
func transmissionNodes(addrs []netip.AddrPort) []byte {
	var compact []byte
	for _, a := range addrs {
		if a.Addr().Is4() {
			compact = append(compact, a.Addr().AsSlice()...)
			compact = binary.BigEndian.AppendUint16(compact, a.Port())
		}
	}
	return fmt.Appendf(nil, "d5:nodes%d:%se", len(compact), compact)
}

func (d *transmissionDriver) call(ctx context.Context, method string, arguments, result any) error {
	request := map[string]any{"method": method, "arguments": arguments}
	if arguments == nil {
		request["arguments"] = map[string]any{}
	}
	var answer struct {
		Result    string
		Arguments json.RawMessage
	}
	status, header, err := d.rpc.post(ctx, request, &answer)
	if err == nil && status == http.StatusConflict {
		d.rpc.header.Set(sessionHeader, header.Get(sessionHeader))
		status, _, err = d.rpc.post(ctx, request, &answer)
	}
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", method, err)
	case status != http.StatusOK:
		return fmt.Errorf("%s: HTTP status %d", method, status)
	case answer.Result != "success":
		return fmt.Errorf("%s: %s", method, answer.Result)
	case result == nil:
		return nil
	}
	return json.Unmarshal(answer.Arguments, result)
}

func (d *transmissionDriver) addTorrent(ctx context.Context, arguments map[string]any) error {
	var answer struct {
		Added struct{ ID int } `json:"torrent-added"`
	}
	if err := d.call(ctx, "torrent-add", arguments, &answer); err != nil {
		return err
	}
	if answer.Added.ID == 0 {
		return fmt.Errorf("torrent-add: no new torrent")
	}
	d.id = answer.Added.ID
	return nil
}

func (d *transmissionDriver) seed(ctx context.Context, torrentFile, dataDir string) error {
	raw, err := os.ReadFile(torrentFile)
	if err != nil {
		return err
	}
	return d.addTorrent(ctx, map[string]any{"metainfo": base64.StdEncoding.EncodeToString(raw),
		"download-dir": dataDir})
}

func (d *transmissionDriver) add(ctx context.Context, magnet, dir string) error {
	return d.addTorrent(ctx, map[string]any{"filename": magnet, "download-dir": dir})
}

func (d *transmissionDriver) connect(context.Context, netip.AddrPort) error {
	return ErrUnsupported
}

func (d *transmissionDriver) progress(ctx context.Context) (Progress, error) {
	// The values of "status"; a torrent that is complete but still has to be
	// checked says so here.
	states := [...]string{"stopped", "queued to check", "checking", "queued to download",
		"downloading", "queued to seed", "seeding"}
	const seeding = 6
	var answer struct {
		Torrents []struct {
			Status         int
			SizeWhenDone   int64
			LeftUntilDone  int64
			PeersConnected int
			Metadata       float64 `json:"metadataPercentComplete"`
			Error          int
			ErrorString    string
		}
	}
	err := d.call(ctx, "torrent-get", map[string]any{
		"ids": []int{d.id},
		"fields": []string{"status", "sizeWhenDone", "leftUntilDone", "peersConnected",
			"metadataPercentComplete", "error", "errorString"},
	}, &answer)
	if err != nil {
		return Progress{}, err
	}
	if len(answer.Torrents) != 1 {
		return Progress{}, fmt.Errorf("torrent-get: %d torrents, want 1", len(answer.Torrents))
	}
	t := answer.Torrents[0]
	// 1 and 2 are what a tracker says; 3 is a local error, such as a full disk.
	if t.Error == 3 {
		return Progress{}, fmt.Errorf("torrent-get: %s", t.ErrorString)
	}
	p := Progress{State: fmt.Sprint("status ", t.Status), Peers: t.PeersConnected}
	if t.Status >= 0 && t.Status < len(states) {
		p.State = states[t.Status]
	}
	if t.Metadata == 1 {
		p.Total, p.Done = t.SizeWhenDone, t.SizeWhenDone-t.LeftUntilDone
		p.Complete = t.Status == seeding && t.LeftUntilDone == 0 && t.SizeWhenDone > 0
	}
	return p, nil
}

func (d *transmissionDriver) close() { d.rpc.close() }
