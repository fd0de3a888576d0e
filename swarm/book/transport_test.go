package book

import (
	"testing"

	"swarmnode/swarm/endpoint"
)

// TestFirstTransport: what worked last goes before what others say, in this run before an
// earlier one, and both go before nothing.
func TestFirstTransport(t *testing.T) {
	const tcp, utp = endpoint.TransportTCP, endpoint.TransportUTP
	at := far(1)
	said := Rumour{Endpoint: at, Source: SourcePEX, UTP: true}
	silent := Rumour{Endpoint: at, Source: SourcePEX}
	earlier := func(over endpoint.Transport) Rumour {
		return Rumour{Endpoint: at, Source: SourceResume, Transport: over}
	}
	for _, c := range []struct {
		name   string
		heard  []Rumour
		worked []endpoint.Transport
		first  endpoint.Transport
		utp    bool // is told to others
	}{
		{name: "nothing is known", heard: []Rumour{silent}},
		{name: "a peer says uTP", heard: []Rumour{said}, first: utp},
		{name: "one of two peers says uTP", heard: []Rumour{said, silent}, first: utp},
		{name: "TCP worked", heard: []Rumour{said}, worked: []endpoint.Transport{tcp}, first: tcp},
		{name: "uTP worked later", heard: []Rumour{silent},
			worked: []endpoint.Transport{tcp, utp}, first: utp, utp: true},
		{name: "TCP worked later", heard: []Rumour{silent},
			worked: []endpoint.Transport{utp, tcp}, first: tcp},
		{name: "a stream of no transport says nothing", heard: []Rumour{silent},
			worked: []endpoint.Transport{utp, endpoint.TransportUnknown}, first: utp, utp: true},
		{name: "in an earlier run", heard: []Rumour{said, earlier(tcp)}, first: tcp},
		{name: "in this run", heard: []Rumour{earlier(tcp)},
			worked: []endpoint.Transport{utp}, first: utp, utp: true},
		{name: "a peer makes up a run", heard: []Rumour{{Endpoint: at, Source: SourcePEX,
			Transport: utp}}},
	} {
		b := newTestBook(Config{})
		for _, r := range c.heard {
			b.Hear(0, r)
		}
		for _, over := range c.worked {
			b.Worked(at, over)
		}
		if b.Accepts(at, utp) != c.utp {
			t.Errorf("%s: accepts uTP: %v, want %v", c.name, !c.utp, c.utp)
		}
		d, _, ok := b.Next(never/2, Wish{DialsMax: 4})
		if !ok || d.First != c.first {
			t.Errorf("%s: first %v (%v), want %v", c.name, d.First, ok, c.first)
		}
	}
}

// TestTransportIsKnownLater: the next run learns what worked and what was said, and a probe
// of a connected peer takes what worked.
func TestTransportIsKnownLater(t *testing.T) {
	b := newTestBook(Config{})
	b.Hear(0, Rumour{Endpoint: far(1), Source: SourcePEX, UTP: true})
	b.Hear(0, Rumour{Endpoint: far(2), Source: SourceDHT})
	for i, over := range []endpoint.Transport{endpoint.TransportTCP, endpoint.TransportUTP} {
		b.Connected(0, far(i+1), Conn(i+1), true)
		b.Worked(far(i+1), over)
	}
	if d, ok := b.Again(1, far(2), 2); !ok || d.First != endpoint.TransportUTP {
		t.Errorf("a probe: %+v, %v", d, ok)
	}
	for _, k := range b.Known(1, 9, func(Conn) bool { return true }) {
		want := endpoint.TransportTCP
		if k.Endpoint == far(2) {
			want = endpoint.TransportUTP
		}
		if k.Transport != want || !k.UTP {
			t.Errorf("%v was met over %v, accepts uTP: %v; want %v, true", k.Endpoint, k.Transport,
				k.UTP, want)
		}
	}
	b.Worked(far(3), endpoint.TransportUTP) // of which the book knows nothing
	if b.Knows(far(3)) {
		t.Error("a transport alone makes an entry")
	}
}

// A relay is no transport to begin with the next time.
func TestRelayIsNotRemembered(t *testing.T) {
	b := newTestBook(Config{})
	e := hear(b, far(1), SourceTracker)
	b.Worked(far(1), endpoint.TransportRelay)
	if e.reach.first() != endpoint.TransportUnknown {
		t.Errorf("%v is tried first", e.reach.first())
	}
	b.Worked(far(1), endpoint.TransportUTP)
	b.Worked(far(1), endpoint.TransportRelay)
	if e.reach.first() != endpoint.TransportUTP {
		t.Errorf("%v is tried first", e.reach.first())
	}
}
