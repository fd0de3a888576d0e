package book

import (
	"time"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
)

// An Introduction is somebody's word that a peer dials us at this moment (BEP 55).
type Introduction struct {
	Rumour
	Seeding bool // we are: seeds are not dialled
	Room    bool // one more attempt may begin
	Again   bool // a peer that is connected is dialled as well, to find a better path
}

// Introduced returns the Dial of a peer by introduction. It may be one under way: then that
// goes on. There is none if too many such dials went to its host or network lately.
func (b *Book) Introduced(now time.Duration, r Introduction) (d Dial, ok bool) {
	b.Hear(now, r.Rumour)
	e := b.byEndpoint[r.Endpoint]
	switch {
	case e == nil, e.seed && r.Seeding, b.private && !e.vouched, b.Banned(now, r.Endpoint),
		b.introduced.Ready(now, r.Endpoint.Host()) > now, b.own.is(r.Endpoint):
		return Dial{}, false
	case e.state == stateConnected && r.Again:
	case e.state == stateIdle && r.Room:
		b.setState(e, stateDialling)
		e.counted = false
	case e.state != stateDialling:
		return Dial{}, false
	}
	e.arranged, e.lent = true, true
	b.introduced.Dialled(now, r.Endpoint.Host())
	return Dial{r.Endpoint, limit.Introduced, endpoint.TransportUTP}, true
}

// desertedEvery is how often a peer is dialled at once after it has closed a new connection.
const desertedEvery = time.Minute

// Deserted reports whether a peer that has just closed a new connection may be dialled at once,
// which is so once a minute.
func (b *Book) Deserted(now time.Duration, at endpoint.Endpoint) bool {
	e := b.byEndpoint[at]
	if e == nil || e.left > 0 && now-e.left < desertedEvery {
		return false
	}
	e.left = max(now, 1)
	return true
}

// Arranged reports whether the last dial of an endpoint was by introduction. That it went well
// does not mean that others can connect there.
func (b *Book) Arranged(at endpoint.Endpoint) bool {
	e := b.byEndpoint[at]
	return e != nil && e.arranged
}

// IsOwn reports whether an endpoint is our own, as far as we know.
func (b *Book) IsOwn(at endpoint.Endpoint) bool { return b.own.is(at) }
