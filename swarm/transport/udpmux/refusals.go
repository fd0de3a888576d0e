package udpmux

import (
	"errors"
	"net/netip"
)

// ErrNoRefusals is the error of Mux.WatchRefusals where the system does not tell of refusals.
var ErrNoRefusals = errors.New("udpmux: no reports of refused datagrams on this system")

// A Refusal says that a datagram came to a host at whose port nobody is (ICMP, port
// unreachable). Anybody can forge one who knows what was sent. It is valid until the handler
// that it was given to returns.
type Refusal struct {
	To netip.AddrPort // where the datagram was sent to
	// Data is the start of the datagram, as much as the report quotes of it. It may be empty.
	Data []byte
}

// A refusalPort is a port that can report refusals.
type refusalPort interface {
	// watch makes the port give refusals to each, or ends that if each is nil.
	watch(each func(Refusal)) error
}

// WatchRefusals makes the reader call each for every refusal, until it is called with nil. It
// must not block. Only Linux reports refusals, and the error elsewhere is ErrNoRefusals. While
// they are watched, a report costs the calls of the system that meet it one repetition, so it
// should be done for as long as somebody waits for them.
func (m *Mux) WatchRefusals(each func(Refusal)) error {
	p, ok := m.port.(refusalPort)
	if !ok {
		return ErrNoRefusals
	}
	return p.watch(each)
}
