package tracker

import (
	"context"
	"fmt"
	"net/netip"

	"swarmnode/metainfo"
	"swarmnode/swarm/guard"
)

// inFlightMax bounds the questions that a Client asks at a time: enough for a
// start with many torrents, and few enough to be kind to a home router.
const inFlightMax = 48

// A Client asks trackers. It is safe for concurrent use, and meant to be shared
// by all torrents.
type Client struct {
	web   *guard.Client
	local netip.Addr
	slots chan struct{} // one element for each question under way
}

// ClientConfig describes a Client.
type ClientConfig struct {
	// HTTP makes the requests to HTTP trackers.
	HTTP *guard.Client
	// Local is the address to ask UDP trackers from; the zero Addr leaves the
	// choice to the system. That of HTTP is its own.
	Local netip.Addr
}

// NewClient returns a Client.
func NewClient(cfg ClientConfig) *Client {
	return &Client{web: cfg.HTTP, local: cfg.Local, slots: make(chan struct{}, inFlightMax)}
}

// Announce makes one announce to t within a family, without a second try but
// for datagrams that are lost. It takes no longer than a minute and a half. The
// peers of the Response could be dialled, and each comes once. The error may be
// a *Failure.
func (c *Client) Announce(ctx context.Context, t Tracker, r Request, family guard.Family) (Response, error) {
	if err := c.enter(ctx); err != nil {
		return Response{}, err
	}
	defer c.leave()
	ask := c.announceHTTP
	if t.url.Scheme == "udp" {
		ask = c.announceUDP
	}
	response, err := ask(ctx, t, &r, family)
	if err != nil {
		return Response{}, fmt.Errorf("announcing to %v: %w", t, err)
	}
	return response, nil
}

// Scrape asks t for the counts of up to ScrapeMax torrents, and returns them in
// the same order. The error may be a *Failure, or wrap ErrNoScrape.
func (c *Client) Scrape(ctx context.Context, t Tracker, hashes ...metainfo.Hash) ([]Counts, error) {
	if len(hashes) == 0 || len(hashes) > ScrapeMax {
		return nil, fmt.Errorf("scraping %v: %d torrents, want 1 to %d", t, len(hashes), ScrapeMax)
	}
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	defer c.leave()
	ask := c.scrapeHTTP
	if t.url.Scheme == "udp" {
		ask = c.scrapeUDP
	}
	counts, err := ask(ctx, t, hashes, guard.Any)
	if err != nil {
		return nil, fmt.Errorf("scraping %v: %w", t, err)
	}
	return counts, nil
}

func (c *Client) enter(ctx context.Context) error {
	select {
	case c.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *Client) leave() { <-c.slots }
