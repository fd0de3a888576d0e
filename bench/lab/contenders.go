//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"swarmnode/internal/lab"
	"swarmnode/internal/nodeproc"
	"swarmnode/internal/proc"
	"swarmnode/internal/realclient"
)

// port is where every client accepts peers.
const port = 6881

// A contender is a client and the transport that it is held to.
type contender struct {
	client string // node, or a kind of realclient
	utp    bool
	both   bool // it has TCP and uTP, and chooses; only the node
}

func (c contender) String() string {
	switch {
	case c.both:
		return c.client + " both"
	case c.utp:
		return c.client + " uTP"
	}
	return c.client + " TCP"
}

// node is the client that is not a real one.
const node = "node"

// contenders are those that are measured unless others are named.
var contenders = []contender{
	{client: node}, {client: node, utp: true},
	{client: string(realclient.Libtorrent)}, {client: string(realclient.Libtorrent), utp: true},
}

// named are further contenders, for most of which patience is needed. aria2 has no uTP.
// Transmission with uTP prefers that, and cannot be kept from TCP.
var named = []contender{
	{client: node, both: true},
	{client: string(realclient.Transmission)},
	{client: string(realclient.Transmission), utp: true},
	{client: string(realclient.Aria2)},
}

// settings returns what holds a real client to the transport of c.
func (c contender) settings() map[string]any {
	switch realclient.Kind(c.client) {
	case realclient.Transmission:
		return map[string]any{"utp-enabled": c.utp}
	case realclient.Libtorrent:
		return map[string]any{
			"listen_interfaces": fmt.Sprintf("0.0.0.0:%d", port), "outgoing_interfaces": "",
			"enable_outgoing_utp": c.utp, "enable_incoming_utp": c.utp,
			"enable_outgoing_tcp": !c.utp, "enable_incoming_tcp": !c.utp,
			"allow_multiple_connections_per_ip": false,
		}
	}
	return nil
}

// present returns the contenders that can be run here and match with. It says why others
// are left out, and records in opt whether the node has uTP.
func present(ctx context.Context, opt *options, with string) ([]contender, error) {
	help, err := exec.CommandContext(ctx, opt.node, "add", "--help").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s add --help: %w", opt.node, err)
	}
	opt.utp = strings.Contains(string(help), "--no-tcp")
	opt.given = strings.Contains(string(help), "--relay")
	help, err = exec.CommandContext(ctx, opt.node, "bootstrap", "--help").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s bootstrap --help: %w", opt.node, err)
	}
	opt.relays = strings.Contains(string(help), "--relay")
	var here []contender
	all := contenders
	if with != "" {
		all = slices.Concat(contenders, named)
	}
	for _, c := range all {
		if !matches(c.String(), with) {
			continue
		}
		if c.client != node {
			if err := realclient.Installed(realclient.Kind(c.client)); err != nil {
				fmt.Printf("left out: %v: %v\n", c, err)
				continue
			}
		} else if (c.utp || c.both) && !opt.utp {
			fmt.Printf("left out: %v: this binary has no uTP\n", c)
			continue
		}
		here = append(here, c)
	}
	return here, nil
}

// A member is a running client on a host. The caller must stop it.
type member struct {
	started time.Time // when it was told of the torrent
	node    *nodeproc.Node
	client  *realclient.Client
}

// A share is a file that is offered and fetched.
type share struct {
	dir     string // that holds the content, and the states of clients
	size    int64
	torrent realclient.Torrent
	tracker *lab.Tracker
}

// newShare makes a file of zeros below dir, and a tracker for it in the internet. The
// caller must close it.
func newShare(dir string, size int64, piece int) (*share, error) {
	tracker, err := lab.NewTracker(internet)
	if err != nil {
		return nil, err
	}
	s, err := shareBy(dir, size, piece, tracker.URL)
	if err != nil {
		tracker.Close()
		return nil, err
	}
	s.tracker = tracker
	return s, nil
}

// newUntracked makes a file of zeros below dir, without a tracker. The caller closes nothing.
func newUntracked(dir string, size int64, piece int) (*share, error) {
	return shareBy(dir, size, piece, "")
}

func shareBy(dir string, size int64, piece int, announce string) (*share, error) {
	s := &share{dir: dir, size: size}
	content := filepath.Join(s.content(), "content.bin")
	if err := os.MkdirAll(s.content(), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(content, nil, 0o644); err != nil {
		return nil, err
	}
	if err := os.Truncate(content, size); err != nil {
		return nil, err
	}
	var err error
	s.torrent, err = realclient.MakeTorrent(content, piece, announce)
	return s, err
}

func (s *share) content() string { return filepath.Join(s.dir, "content") }

func (s *share) close() { s.tracker.Close() }

// seed starts a seed and waits until it has checked the content.
func (s *share) seed(ctx context.Context, opt options, c contender, h *lab.Host) (*member,
	error) {
	m, err := s.start(ctx, opt, c, h, s.content(), s.torrent.File)
	if err != nil {
		return nil, err
	}
	if m.node != nil {
		_, err = m.node.WaitEvent(ctx, "complete")
	} else {
		err = m.client.Wait(ctx)
	}
	if err != nil {
		m.stop()
		return nil, fmt.Errorf("waiting for the seed: %w", err)
	}
	return m, nil
}

// leech starts a downloader, which knows the torrent by a magnet link that names the
// tracker.
func (s *share) leech(ctx context.Context, opt options, c contender, h *lab.Host) (*member,
	error) {
	return s.start(ctx, opt, c, h, filepath.Join(s.dir, h.Name, "data"),
		s.torrent.Magnet+"&tr="+s.tracker.URL)
}

// folders makes the folders of a client on a host: its state, and what it fetches.
func (s *share) folders(h *lab.Host) (state, data string, err error) {
	state, data = filepath.Join(s.dir, h.Name, "state"), filepath.Join(s.dir, h.Name, "data")
	return state, data, errors.Join(os.MkdirAll(state, 0o755), os.MkdirAll(data, 0o755))
}

func (s *share) start(ctx context.Context, opt options, c contender, h *lab.Host, data,
	source string) (*member, error) {
	state, _, err := s.folders(h)
	if err != nil {
		return nil, err
	}
	if c.client == node {
		return startNode(opt, c, h, state, data, source)
	}
	m, err := launch(ctx, c, h, state)
	if err != nil {
		return nil, err
	}
	if err := m.give(ctx, source, data); err != nil {
		m.stop()
		return nil, err
	}
	return m, nil
}

// launch starts a client other than the node, without a torrent.
func launch(ctx context.Context, c contender, h *lab.Host, state string) (*member, error) {
	client, err := realclient.Launch(ctx, realclient.Kind(c.client), realclient.Options{
		IP: h.Addr, Port: port, Dir: state, Enter: h.Enter(), Within: h.Do,
		Settings: c.settings(),
	})
	if err != nil {
		return nil, err
	}
	return &member{client: client}, nil
}

// give tells a client that was launched of the torrent.
func (m *member) give(ctx context.Context, source, data string) error {
	m.started = time.Now()
	if strings.HasPrefix(source, "magnet:") {
		return m.client.Add(ctx, source, data)
	}
	return m.client.Seed(ctx, source, data)
}

func startNode(opt options, c contender, h *lab.Host, state, data, source string) (*member,
	error) {
	words := append(h.Enter(), opt.node, "add", "--seed", "--no-dht", "--no-lsd", "--port",
		fmt.Sprint(port), "--dir", data, "-v", "-v")
	switch {
	case c.both: // as without flags
	case c.utp:
		words = append(words, "--no-tcp")
	case opt.utp:
		words = append(words, "--no-utp")
	}
	started := time.Now()
	n, err := nodeproc.Start(words[0], state, append(words[1:], source)...)
	if err != nil {
		return nil, err
	}
	return &member{node: n, started: started}, nil
}

// have returns how many verified bytes the client has, and whether those are all. total
// is 0 while there is no metadata.
func (m *member) have(ctx context.Context) (have, total int64, complete bool, err error) {
	if m.client != nil {
		p, err := m.client.Progress(ctx)
		return p.Done, p.Total, p.Complete, err
	}
	select {
	case <-m.node.Done():
		return 0, 0, false, fmt.Errorf("the node has ended:\n%s", m.node.Log())
	default:
	}
	if e, ok := m.node.Last("complete"); ok {
		return e.Bytes, e.Bytes, true, nil
	}
	if e, ok := m.node.Last("metadata"); ok {
		total = e.Bytes
	}
	if e, ok := m.node.Last("progress"); ok {
		have = e.Have
	}
	return have, total, false, nil
}

// cpu returns the processor time that the client has used.
func (m *member) cpu() (time.Duration, error) {
	var u proc.Usage
	var err error
	if m.node != nil {
		u, err = m.node.Usage()
	} else {
		u, err = m.client.Usage()
	}
	return u.CPU, err
}

// stop ends the client, if there is one.
func (m *member) stop() {
	switch {
	case m.node != nil:
		m.node.Stop()
	case m.client != nil:
		m.client.Close()
	}
}
