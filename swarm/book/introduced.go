package book

import (
	"time"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
)

// Introduced returns the Dial of a peer that dials us at this moment, as an introducer says
// (BEP 55). It may be one under way: then that goes on. room says that one more attempt may
// begin. There is no Dial of a peer that is connected, of a seed while we are seeding, or if
// too many such dials went to its host or network lately.
func (b *Book) Introduced(now time.Duration, r Rumour, seeding, room bool) (d Dial, ok bool) {
	b.Hear(now, r)
	e := b.byEndpoint[r.Endpoint]
	switch {
	case e == nil, e.seed && seeding, b.private && !e.vouched, b.Banned(now, r.Endpoint),
		b.introduced.Ready(now, r.Endpoint.Host()) > now:
		return Dial{}, false
	case e.state == stateIdle && room:
		b.setState(e, stateDialling)
		e.counted = false
	case e.state != stateDialling:
		return Dial{}, false
	}
	e.arranged, e.lent = true, true
	b.introduced.Dialled(now, r.Endpoint.Host())
	return Dial{r.Endpoint, limit.Introduced, endpoint.TransportUTP}, true
}

// Arranged reports whether the last dial of an endpoint was by introduction. That it went well
// does not mean that others can connect there.
func (b *Book) Arranged(at endpoint.Endpoint) bool {
	e := b.byEndpoint[at]
	return e != nil && e.arranged
}

// IsOwn reports whether an endpoint is our own, as far as we know.
func (b *Book) IsOwn(at endpoint.Endpoint) bool { return b.own.is(at) }
