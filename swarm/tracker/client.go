package tracker

import (
	"context"
	"fmt"
	"net/netip"
	"sync"

	"swarmnode/metainfo"
	"swarmnode/swarm/guard"
)

// Bounds on the questions that a Client asks at a time. Over HTTP they are few
// enough to be kind to a home router. Over UDP most questions wait for trackers
// that are gone, three quarters of a minute each, and cost no more than a
// socket; a torrent that names many of those must not hold up the others.
const (
	inFlightHTTP = 48
	inFlightUDP  = 256
)

// A Client asks trackers. It is safe for concurrent use, and meant to be shared
// by all torrents.
type Client struct {
	web   *guard.Client
	local func(tracker netip.Addr) netip.Addr // may be nil
	http  chan struct{}                       // one element for each question under way over HTTP
	udp   chan struct{}                       // the same over UDP
	dial  dialFunc                            // dialUDP

	refused refusals

	reading  sync.WaitGroup // the readers of stations
	mu       sync.Mutex
	stations map[netip.AddrPort]*station // at most stationsMax
	closed   bool
}

// ClientConfig describes a Client.
type ClientConfig struct {
	// HTTP makes the requests to HTTP trackers.
	HTTP *guard.Client
	// Local returns the address to ask a UDP tracker from, given that of the
	// tracker: trackers take where we come from for where we are. The zero
	// Addr leaves the choice to the system. HTTP has its own. May be nil.
	Local func(tracker netip.Addr) netip.Addr
}

// NewClient returns a Client. It must be closed.
func NewClient(cfg ClientConfig) *Client {
	return &Client{
		web: cfg.HTTP, local: cfg.Local, dial: dialUDP,
		http: make(chan struct{}, inFlightHTTP), udp: make(chan struct{}, inFlightUDP),
		stations: make(map[netip.AddrPort]*station),
	}
}

// Close ends all that is under way with UDP trackers, and waits for it. The
// requests of HTTP end with their contexts.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	for _, s := range c.stations {
		c.drop(s)
	}
	c.mu.Unlock()
	c.reading.Wait()
}

// Announce makes one announce to t within a family, without a second try but
// for datagrams that are lost. It takes no longer than a minute and a half. The
// peers of the Response could be dialled, and each comes once. The error may be
// a *Failure.
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

// Scrape asks t for the counts of up to ScrapeMax torrents, and returns them in
// the same order. The error may be a *Failure, or wrap ErrNoScrape.
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
