package tracker

import (
	"context"
	"fmt"
	"net/netip"
	"sync"

	"swarmnode/metainfo"
	"swarmnode/swarm/egress"
	"swarmnode/swarm/guard"
)

// Bounds on the open requests of a Client. Over HTTP they are few, for the sake of
// home routers. Over UDP most requests wait for dead trackers, each for 45 seconds,
// and cost no more than a socket; a torrent with many dead trackers must not delay
// the others.
const (
	inFlightHTTP = 48
	inFlightUDP  = 256
)

// A Client sends requests to trackers. It is safe for concurrent use; all torrents
// should share one.
type Client struct {
	web   *guard.Client
	local func(tracker netip.Addr) netip.Addr // may be nil
	http  chan struct{}                       // an element for each open request over HTTP
	udp   chan struct{}                       // the same over UDP
	net   *egress.Net                         // may be nil
	dial  dialFunc                            // net.DialUDP

	refused refusals

	reading  sync.WaitGroup // the readers of udpConns
	mu       sync.Mutex
	udpConns map[udpKey]*udpConn // at most udpConnsMax
	closed   bool
}

// ClientConfig describes a Client.
type ClientConfig struct {
	// HTTP makes the requests to HTTP trackers.
	HTTP *guard.Client
	// Net makes the sockets to UDP trackers, and looks up their names; nil is the system's
	// choice of everything.
	Net *egress.Net
	// Local returns our own address for requests to a UDP tracker, given the
	// tracker's address: trackers announce the address that requests come from.
	// The zero Addr leaves the choice to the system. HTTP requests do not use
	// Local. May be nil.
	Local func(tracker netip.Addr) netip.Addr
}

// NewClient returns a Client. The caller must close it.
func NewClient(cfg ClientConfig) *Client {
	return &Client{
		web: cfg.HTTP, local: cfg.Local, net: cfg.Net, dial: cfg.Net.DialUDP,
		http: make(chan struct{}, inFlightHTTP), udp: make(chan struct{}, inFlightUDP),
		udpConns: make(map[udpKey]*udpConn),
	}
}

// Close ends all requests to UDP trackers and waits until they have ended. Requests
// over HTTP end with their contexts.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	for _, s := range c.udpConns {
		c.drop(s)
	}
	c.mu.Unlock()
	c.reading.Wait()
}

// Renew closes the sockets to UDP trackers, because they lead nowhere any more. Requests that
// use them fail, and later ones make others.
func (c *Client) Renew() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.udpConns {
		c.drop(s)
	}
}

// Announce sends one announce to t within a family. It repeats only lost datagrams,
// and takes at most a minute and a half. The peers of the Response are distinct and
// dialable. The error may be a *Failure.
func (c *Client) Announce(ctx context.Context, t Tracker, r Request,
	family guard.Family) (Response, error) {
	ask, slots := c.announceHTTP, c.http
	if t.url.Scheme == "udp" {
		ask, slots = c.announceUDP, c.udp
	}
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-ctx.Done():
		return Response{}, context.Cause(ctx)
	}
	response, err := ask(ctx, t, &r, family)
	if err != nil {
		return Response{}, fmt.Errorf("announcing to %v: %w", t, t.explain(err))
	}
	return response, nil
}

// Scrape asks t for the counts of up to ScrapeMax torrents, and returns them in the
// order of hashes. The error may be a *Failure, or wrap ErrNoScrape.
func (c *Client) Scrape(ctx context.Context, t Tracker, hashes ...metainfo.Hash) ([]Counts, error) {
	if len(hashes) == 0 || len(hashes) > ScrapeMax {
		return nil, fmt.Errorf("scraping %v: %d torrents, want 1 to %d", t, len(hashes), ScrapeMax)
	}
	ask, slots := c.scrapeHTTP, c.http
	if t.url.Scheme == "udp" {
		ask, slots = c.scrapeUDP, c.udp
	}
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	counts, err := ask(ctx, t, hashes, guard.Any)
	if err != nil {
		return nil, fmt.Errorf("scraping %v: %w", t, err)
	}
	return counts, nil
}
