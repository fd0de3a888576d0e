//go:build linux

// Package realclient starts and drives the BitTorrent clients that people
// already run, so that tests and benchmarks can put ours beside them. No
// product code imports it.
//
// It owns the processes of those clients, their configuration and their state
// directories, all of which vanish with the test. It never talks BitTorrent
// itself and has no opinion on what a client ought to do.
//
// A Kind is one of the programs. A Client is one running instance of it, on an
// address of its own, which carries one torrent: the one last given to Seed or
// Add. All kinds are driven through the same few methods; where a program has
// no way to do something, the method says so with ErrUnsupported.
//
// Clients keep their own defaults (encryption, uTP, peer exchange) as far as a
// private network lets them, since that is how they will meet us outside.
package realclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"swarmnode/internal/proc"
)

// Kind names a program.
type Kind string

// The programs that this package can drive.
const (
	Libtorrent   Kind = "libtorrent"   // python3-libtorrent, through an embedded script
	Transmission Kind = "transmission" // transmission-daemon
	Aria2        Kind = "aria2"        // aria2c
	RTorrent     Kind = "rtorrent"     // rtorrent
	QBittorrent  Kind = "qbittorrent"  // qbittorrent-nox
)

// ErrUnsupported is wrapped by errors about things that a program cannot do at
// all, as opposed to things that went wrong.
var ErrUnsupported = errors.New("not supported by this client")

const (
	startTimeout = 90 * time.Second       // from the start of a client to its first answer
	pollInterval = 100 * time.Millisecond // between two checks of a client's progress
	logTail      = 64 << 10               // most bytes of a log that TailLog returns
)

// Options says where and how a client runs.
type Options struct {
	// IP is the client's address. Routing tables and ban rules count by
	// address, so each client needs one of its own.
	IP netip.Addr
	// Port is where it accepts peers, and its DHT node datagrams. 0: a free one.
	Port uint16
	// Dir holds configuration, state and log. It must exist.
	Dir string
	// Bootstrap is the way into the DHT. Without it the DHT is switched off,
	// except for Libtorrent when DHT is set.
	Bootstrap []netip.AddrPort
	// Remembered are nodes of the DHT that it knows from an earlier run, besides
	// Bootstrap. Kinds other than Transmission ignore them.
	Remembered []netip.AddrPort
	// DHT makes a Libtorrent client run a DHT node that waits for others, as
	// the first node of a private network does.
	DHT bool
	// HighPerformance applies libtorrent's high_performance_seed preset.
	// Other kinds have nothing like it and ignore it.
	HighPerformance bool
	// Enter are words to put before the command, such as those that enter another network
	// namespace. Port must be given then. Kinds other than Libtorrent are driven by a port
	// and need Within as well, which leaves Transmission and Aria2.
	Enter []string
	// Within calls a function that makes sockets in the namespace of Enter. Nil is this one.
	Within func(func() error) error
	// Up is the client's own upload limit in bytes per second; 0: none. Kinds other than
	// Libtorrent, Transmission and Aria2 fail with ErrUnsupported.
	Up int64
	// Idle makes a Libtorrent client take part in torrents without fetching anything, and
	// without saying so: peers use it to find each other. Other kinds ignore it.
	Idle bool
	// Settings are added to the client's own: libtorrent's settings pack,
	// Transmission's settings.json, aria2's options without the dashes,
	// qBittorrent's of a session, and lines of rtorrent.rc.
	Settings map[string]any
}

// Progress is what a client reports about its torrent.
type Progress struct {
	Done     int64  // verified bytes
	Total    int64  // wanted bytes; 0 while there is no metadata
	Peers    int    // connected peers
	Complete bool   // all wanted bytes are there and verified
	State    string // the client's own word, for humans
	Hash     string // info-hash that aria2 has computed, hexadecimal; the others do not say
	// UploadOnly counts the peers that said that they want nothing (BEP 21), of
	// Libtorrent alone.
	UploadOnly int `json:"upload_only"`
}

// String is one line for logs.
func (p Progress) String() string {
	return fmt.Sprintf("%s %d/%d bytes, %d peers", p.State, p.Done, p.Total, p.Peers)
}

// driver is what each kind implements. Calls come one at a time.
type driver interface {
	seed(ctx context.Context, torrentFile, dataDir string) error
	add(ctx context.Context, magnet, dir string) error
	connect(ctx context.Context, peer netip.AddrPort) error
	progress(ctx context.Context) (Progress, error)
	close()
}

// Client is one running program. Its methods must not be called concurrently,
// except Close.
type Client struct {
	Kind Kind
	Addr netip.AddrPort // where it accepts peers by TCP; its DHT node has the same port

	opts   Options
	log    *os.File
	proc   *proc.Process
	driver driver
}

// launchers start the process of a client and connect a driver to it.
var launchers = map[Kind]func(ctx context.Context, c *Client) (driver, error){
	Libtorrent:   launchLibtorrent,
	Transmission: launchTransmission,
	Aria2:        launchAria2,
	RTorrent:     launchRTorrent,
	QBittorrent:  launchQBittorrent,
}

// TakesPeers reports whether Connect works with a kind. The others learn of a peer from a
// Tracker.
func (k Kind) TakesPeers() bool { return k != Transmission && k != Aria2 }

// WritesFirst are settings with which a client built on libtorrent writes a piece before
// it counts as hashed. With its defaults, libtorrent 2.0.8 gives up a hybrid ("v1 and v2
// hashes do not describe the same data") when the hashes of a file arrive between the two
// steps, whoever sends them. Two files of equal content, whose hashes it asks for twice,
// make that likely. Later versions are mended.
func (k Kind) WritesFirst() map[string]any {
	switch k {
	case Libtorrent:
		return map[string]any{"aio_threads": 1, "hashing_threads": 0}
	case QBittorrent:
		return map[string]any{"DiskIOType": "Posix"}
	}
	return nil
}

// Kinds are all the programs, in no meaningful order.
func Kinds() []Kind { return []Kind{Libtorrent, Transmission, Aria2, RTorrent, QBittorrent} }

// Installed reports whether a program can be run here; if not, the error says
// what is missing.
func Installed(kind Kind) error {
	binary, ok := map[Kind]string{
		Libtorrent:   systemPython,
		Transmission: "transmission-daemon",
		Aria2:        "aria2c",
		RTorrent:     "rtorrent",
		QBittorrent:  "qbittorrent-nox",
	}[kind]
	if !ok {
		return fmt.Errorf("unknown client %q", kind)
	}
	if _, err := exec.LookPath(binary); err != nil {
		return fmt.Errorf("%s is not installed: %w", kind, err)
	}
	if kind == Libtorrent {
		if out, err := exec.Command(systemPython, "-c",
			"import libtorrent").CombinedOutput(); err != nil {
			return fmt.Errorf("libtorrent is not installed: %s", strings.TrimSpace(string(out)))
		}
	}
	return nil
}

// Launch starts a client and returns once it answers. The caller must Close
// it. Tests use Start instead.
func Launch(ctx context.Context, kind Kind, opts Options) (*Client, error) {
	launch, ok := launchers[kind]
	if !ok {
		return nil, fmt.Errorf("unknown client %q", kind)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if opts.Up > 0 && kind != Libtorrent && kind != Transmission && kind != Aria2 {
		return nil, fmt.Errorf("starting %s with a limit: %w", kind, ErrUnsupported)
	}
	port := opts.Port
	if port == 0 {
		var err error
		if port, err = freePort(opts.IP); err != nil {
			return nil, fmt.Errorf("starting %s: %w", kind, err)
		}
	}
	log, err := os.Create(filepath.Join(opts.Dir, "client.log"))
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", kind, err)
	}
	c := &Client{Kind: kind, Addr: netip.AddrPortFrom(opts.IP, port), opts: opts, log: log}
	if c.driver, err = launch(ctx, c); err != nil {
		tail := c.TailLog()
		c.Close()
		return nil, fmt.Errorf("starting %s: %w\n%s", kind, err, tail)
	}
	return c, nil
}

// start runs the client's program with its output going to the log.
func (c *Client) start(path string, args ...string) error {
	return c.startProcess(proc.Config{Path: path, Args: args})
}

func (c *Client) startProcess(cfg proc.Config) error {
	cfg.Dir = c.opts.Dir
	if len(c.opts.Enter) > 0 {
		cfg.Args = slices.Concat(c.opts.Enter[1:], []string{cfg.Path}, cfg.Args)
		cfg.Path = c.opts.Enter[0]
	}
	// A client must not use anything in the user's home.
	cfg.Env = append(cfg.Env, "HOME="+c.opts.Dir, "XDG_CONFIG_HOME="+c.opts.Dir,
		"XDG_DATA_HOME="+c.opts.Dir, "XDG_CACHE_HOME="+c.opts.Dir)
	if cfg.Stdout == nil {
		cfg.Stdout = c.log
	}
	cfg.Stderr = c.log
	p, err := proc.Start(cfg)
	if err != nil {
		return err
	}
	c.proc = p
	return nil
}

// Seed makes the client offer the torrent whose content is in dataDir, under
// the torrent's own name. It returns when the client has accepted the torrent;
// Wait tells when it has checked the data and is seeding.
func (c *Client) Seed(ctx context.Context, torrentFile, dataDir string) error {
	return c.wrap("seeding", c.driver.seed(ctx, torrentFile, dataDir))
}

// Add makes the client fetch a magnet link into dir, which must exist.
func (c *Client) Add(ctx context.Context, magnet, dir string) error {
	return c.wrap("adding magnet", c.driver.add(ctx, magnet, dir))
}

// Connect gives the client a peer. Transmission and aria2 have no way to do that:
// ErrUnsupported.
func (c *Client) Connect(ctx context.Context, peer netip.AddrPort) error {
	return c.wrap("connecting", c.driver.connect(ctx, peer))
}

// Progress asks the client how far its torrent is.
func (c *Client) Progress(ctx context.Context) (Progress, error) {
	p, err := c.driver.progress(ctx)
	return p, c.wrap("asking for progress", err)
}

// Wait returns when the client has all of its torrent, verified. If ctx ends first, the
// error says how far it got.
func (c *Client) Wait(ctx context.Context) error { return c.WaitPolling(ctx, pollInterval) }

// WaitPolling is Wait for a benchmark: it asks at the given interval, which is the
// resolution of the measurement.
func (c *Client) WaitPolling(ctx context.Context, interval time.Duration) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var last Progress
	for {
		p, err := c.Progress(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			return c.crashed(err)
		case err == nil && p.Complete:
			return nil
		case err == nil:
			last = p
		}
		select {
		case <-ctx.Done():
			return c.wrap("waiting for completion", fmt.Errorf("%w: %v", ctx.Err(), last))
		case <-c.proc.Done():
			return c.crashed(c.wrap("waiting for completion", errors.New("the client ended")))
		case <-tick.C:
		}
	}
}

// ErrCrashed is the error of Wait when the client has ended by a fault that it found in
// itself, as rtorrent 0.9.8 does now and then in its DHT. It says nothing about the peers
// of that client.
var ErrCrashed = errors.New("the client crashed")

// crashSign is what rtorrent prints then.
const crashSign = "Caught internal_error"

// crashed adds to err that the client has crashed, if it has.
func (c *Client) crashed(err error) error {
	if strings.Contains(c.TailLog(), crashSign) {
		return fmt.Errorf("%w: %w", ErrCrashed, err)
	}
	return err
}

// Usage measures the client's process.
func (c *Client) Usage() (proc.Usage, error) { return c.proc.Usage() }

// Pid returns the process id of the client.
func (c *Client) Pid() int { return c.proc.Pid() }

// TailLog returns the end of what the client has printed.
func (c *Client) TailLog() string {
	info, err := c.log.Stat()
	if err != nil {
		return ""
	}
	start := max(0, info.Size()-logTail)
	tail, err := io.ReadAll(io.NewSectionReader(c.log, start, info.Size()-start))
	if err != nil {
		return ""
	}
	return string(tail)
}

// Kill ends the client's process at once, as a crash would. The caller must still call
// Close.
func (c *Client) Kill() { c.proc.Kill() }

// Close ends the client's process and waits for it.
func (c *Client) Close() {
	if c.proc != nil {
		c.proc.Stop()
	}
	if c.driver != nil {
		c.driver.close()
	}
	c.log.Close()
}

func (c *Client) wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %v: %s: %w", c.Kind, c.Addr, doing, err)
}

// ready calls probe until it succeeds, the client ends or ctx does.
func (c *Client) ready(ctx context.Context, probe func(context.Context) error) error {
	tick := time.NewTicker(pollInterval / 2)
	defer tick.Stop()
	for {
		err := probe(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no answer: %w", err)
		case <-c.proc.Done():
			return fmt.Errorf("the client ended: %v", c.proc.Wait())
		case <-tick.C:
		}
	}
}

// freePort finds a port of ip that is free for both TCP and UDP. Another
// process may take it before the client does; then the client's start fails.
func freePort(ip netip.Addr) (uint16, error) {
	const attempts = 16
	var last error
	for range attempts {
		tcp, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, 0)))
		if err != nil {
			return 0, fmt.Errorf("finding a free port: %w", err)
		}
		port := uint16(tcp.Addr().(*net.TCPAddr).Port)
		udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, port)))
		tcp.Close()
		if err != nil {
			last = err
			continue
		}
		udp.Close()
		return port, nil
	}
	return 0, fmt.Errorf("finding a free port: %w", last)
}

// joinAddrs writes addresses as a comma-separated list.
func joinAddrs(addrs []netip.AddrPort) string {
	words := make([]string, len(addrs))
	for i, a := range addrs {
		words[i] = a.String()
	}
	return strings.Join(words, ",")
}
