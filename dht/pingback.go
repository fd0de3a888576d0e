package dht

import (
	"net/netip"
	"time"
)

const (
	// pingbackGap is how long an address that did not answer is left alone:
	// three packets a minute at most go to a node that never answered, so
	// that a forged sender cannot make us pester its victim.
	pingbackGap = 20 * time.Second

	// pingbacksMax bounds the addresses that are remembered. While they are so
	// many, nobody new is pinged.
	pingbacksMax = 2048

	// pingbackRate bounds all pings to askers per second, with a burst that
	// lets the first nodes of a new network meet at once.
	pingbackRate, pingbackBurst = 50, 500
)

// pingback decides which askers are pinged, to learn whether they are what
// they say and belong into the table.
type pingback struct {
	bucket bucket
	last   map[endpoint]instant
}

func newPingback() pingback { return pingback{last: make(map[endpoint]instant)} }

func (p *pingback) allow(now instant, to netip.AddrPort) bool {
	key := pack(to)
	if at, ok := p.last[key]; ok && now-at < pingbackGap {
		return false
	}
	if len(p.last) >= pingbacksMax {
		return false
	}
	if !p.bucket.take(now, pingbackRate, pingbackBurst, 1) {
		return false
	}
	p.last[key] = now
	return true
}

func (p *pingback) expire(now instant) {
	for to, at := range p.last {
		if now-at >= pingbackGap {
			delete(p.last, to)
		}
	}
}

// probe is the owner of a ping of which only the table needs the outcome; the
// core tells it that.
type probe struct{}

func (probe) answered(instant, *query, *message) {}
func (probe) stalled(instant, *query)            {}
func (probe) failed(instant, *query, error)      {}

// ping asks the node at to whether it lives. The table hears the answer. A
// ping for which there is no budget is left out: upkeep comes round again.
func (c *core) ping(now instant, to netip.AddrPort) {
	_ = c.ask(now, to, &request{method: methodPing}, &query{owner: probe{}})
}
