package book

import "swarmnode/swarm/endpoint"

// reach is what is known of the transports that lead to an endpoint.
type reach struct {
	worked endpoint.Transport // by which the peer was met last
	utp    bool               // somebody says that the peer accepts uTP (BEP 29)
}

// hear takes note of what a rumour says. What worked in this run is known better than what
// worked in an earlier one.
func (r *reach) hear(said *Rumour) {
	r.utp = r.utp || said.UTP
	if r.worked == endpoint.TransportUnknown && said.Source == SourceResume {
		r.worked = said.Transport
	}
}

// first returns the transport to try first: what worked last, then what others say.
func (r *reach) first() endpoint.Transport {
	if r.worked == endpoint.TransportUnknown && r.utp {
		return endpoint.TransportUTP
	}
	return r.worked
}

// Worked records that the peer at an endpoint was met over a transport, or that it came
// from there over one that it listens on with the same socket. A relay is the last resort
// whatever has worked, so it is not recorded.
func (b *Book) Worked(at endpoint.Endpoint, over endpoint.Transport) {
	if over == endpoint.TransportUnknown || over == endpoint.TransportRelay {
		return
	}
	if e := b.byEndpoint[at]; e != nil {
		e.reach.worked = over
		e.reach.utp = e.reach.utp || over == endpoint.TransportUTP
	}
}

// Accepts reports whether the peer at an endpoint was met over a transport last. It does
// not take the word of others for it.
func (b *Book) Accepts(at endpoint.Endpoint, over endpoint.Transport) bool {
	e := b.byEndpoint[at]
	return e != nil && e.reach.worked == over
}
