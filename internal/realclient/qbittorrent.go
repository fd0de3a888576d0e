//go:build linux

package realclient

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// qbittorrentDriver talks the Web API. The program's way into the DHT is
// compiled in, as host names and ports, so inside a namespace the private
// bootstrap node gets one of those names through /etc/hosts.
type qbittorrentDriver struct {
	base string
}

// The bootstrap node that is compiled into qBittorrent and that we stand in for.
const (
	qbittorrentBootstrapHost = "router.bittorrent.com"
	qbittorrentBootstrapPort = 6881
)

func launchQBittorrent(ctx context.Context, c *Client) (driver, error) {
	if err := nameBootstrapForQBittorrent(c.opts.Bootstrap); err != nil {
		return nil, err
	}
	webPort, err := freePort(c.opts.IP)
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf(`[BitTorrent]
Session\AddTorrentStopped=false
Session\DHTEnabled=%v
Session\DefaultSavePath=%s
Session\InterfaceAddress=%[3]v
Session\LSDEnabled=false
Session\Port=%[4]d
Session\QueueingSystemEnabled=false
%[6]s

[LegalNotice]
Accepted=true

[Network]
PortForwardingEnabled=false

[Preferences]
WebUI\Address=%[3]v
WebUI\AuthSubnetWhitelist=10.0.0.0/8, 127.0.0.0/8
WebUI\AuthSubnetWhitelistEnabled=true
WebUI\CSRFProtection=false
WebUI\HostHeaderValidation=false
WebUI\LocalHostAuth=false
WebUI\Port=%[5]d
WebUI\UseUPnP=false
`, len(c.opts.Bootstrap) > 0, c.opts.Dir, c.opts.IP, c.Addr.Port(), webPort, qbittorrentSession(c.opts.Settings))
	dir := filepath.Join(c.opts.Dir, "profile", "qBittorrent", "config")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "qBittorrent.conf"), []byte(config),
		0o600); err != nil {
		return nil, err
	}
	if err := c.start("qbittorrent-nox", "--profile="+filepath.Join(c.opts.Dir,
		"profile")); err != nil {
		return nil, err
	}
	d := &qbittorrentDriver{base: fmt.Sprintf("http://%v/api/v2/",
		netip.AddrPortFrom(c.opts.IP, webPort))}
	return d, c.ready(ctx, func(ctx context.Context) error {
		_, err := d.get(ctx, "app/version")
		return err
	})
}

// qbittorrentSession are the lines of the configuration for further settings.
func qbittorrentSession(settings map[string]any) string {
	var lines []string
	for name, value := range settings {
		lines = append(lines, fmt.Sprintf(`Session\%s=%v`, name, value))
	}
	return strings.Join(lines, "\n")
}

// nameBootstrapForQBittorrent gives the first bootstrap node the name under
// which qBittorrent looks for one.
func nameBootstrapForQBittorrent(bootstrap []netip.AddrPort) error {
	if len(bootstrap) == 0 {
		return nil
	}
	if bootstrap[0].Port() != qbittorrentBootstrapPort {
		return fmt.Errorf("%w: a bootstrap node on another port than %d", ErrUnsupported,
			qbittorrentBootstrapPort)
	}
	return addHost(bootstrap[0].Addr(), qbittorrentBootstrapHost)
}

func (d *qbittorrentDriver) do(req *http.Request) ([]byte, error) {
	res, err := httpClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, rpcAnswerMax))
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK || string(body) == "Fails." {
		return nil, fmt.Errorf("%s: HTTP status %d: %s", req.URL.Path, res.StatusCode, body)
	}
	return body, nil
}

func (d *qbittorrentDriver) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.base+path, nil)
	if err != nil {
		return nil, err
	}
	return d.do(req)
}

// post sends fields and, if name is not empty, a file as a multipart form.
func (d *qbittorrentDriver) post(ctx context.Context, path string, fields map[string]string,
	name string, file []byte) error {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for k, v := range fields {
		if err := form.WriteField(k, v); err != nil {
			return err
		}
	}
	if name != "" {
		part, err := form.CreateFormFile("torrents", name)
		if err != nil {
			return err
		}
		if _, err := part.Write(file); err != nil {
			return err
		}
	}
	if err := form.Close(); err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.base+path, &body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	_, err = d.do(req)
	return err
}

func (d *qbittorrentDriver) seed(ctx context.Context, torrentFile, dataDir string) error {
	raw, err := os.ReadFile(torrentFile)
	if err != nil {
		return err
	}
	return d.post(ctx, "torrents/add", map[string]string{"savepath": dataDir},
		filepath.Base(torrentFile), raw)
}

func (d *qbittorrentDriver) add(ctx context.Context, magnet, dir string) error {
	return d.post(ctx, "torrents/add", map[string]string{"urls": magnet, "savepath": dir}, "", nil)
}

// qbittorrentTorrent is what the Web API says about a torrent.
type qbittorrentTorrent struct {
	Hash      string  `json:"hash"`
	State     string  `json:"state"`
	Size      int64   `json:"size"`
	Completed int64   `json:"completed"`
	Progress  float64 `json:"progress"`
	Seeds     int     `json:"num_seeds"`
	Leeches   int     `json:"num_leechs"`
}

// torrent returns the only torrent, false while there is none: the program
// adds them some time after it has answered.
func (d *qbittorrentDriver) torrent(ctx context.Context) (qbittorrentTorrent, bool, error) {
	body, err := d.get(ctx, "torrents/info")
	if err != nil {
		return qbittorrentTorrent{}, false, err
	}
	var torrents []qbittorrentTorrent
	if err := json.Unmarshal(body, &torrents); err != nil {
		return qbittorrentTorrent{}, false, fmt.Errorf("parsing answer: %w", err)
	}
	if len(torrents) == 0 {
		return qbittorrentTorrent{}, false, nil
	}
	return torrents[0], true, nil
}

// awaitTorrent returns the only torrent, once there is one.
func (d *qbittorrentDriver) awaitTorrent(ctx context.Context) (qbittorrentTorrent, error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if t, ok, err := d.torrent(ctx); ok || err != nil {
			return t, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return qbittorrentTorrent{}, fmt.Errorf("no torrent: %w", ctx.Err())
		}
	}
}

func (d *qbittorrentDriver) connect(ctx context.Context, peer netip.AddrPort) error {
	t, err := d.awaitTorrent(ctx)
	if err != nil {
		return err
	}
	form := url.Values{"hashes": {t.Hash}, "peers": {peer.String()}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.base+"torrents/addPeers",
		strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	_, err = d.do(req)
	return err
}

func (d *qbittorrentDriver) progress(ctx context.Context) (Progress, error) {
	t, ok, err := d.torrent(ctx)
	if err != nil || !ok {
		return Progress{State: "no torrent"}, err
	}
	p := Progress{State: t.State, Peers: t.Seeds + t.Leeches}
	if t.State == "error" || t.State == "missingFiles" {
		return p, fmt.Errorf("torrent is in state %s", t.State)
	}
	if t.State == "metaDL" || t.State == "forcedMetaDL" {
		return p, nil
	}
	p.Done, p.Total = t.Completed, t.Size
	// The states of a torrent that has everything end in UP: stalledUP,
	// uploading and forcedUP; but checkingUP still has to look.
	p.Complete = t.Progress == 1 && t.Size > 0 && (t.State == "uploading" ||
		t.State == "stalledUP" || t.State == "forcedUP")
	return p, nil
}

func (d *qbittorrentDriver) close() {}
