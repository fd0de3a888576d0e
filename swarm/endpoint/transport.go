package endpoint

import "strconv"

// Transport says by what means a stream to an endpoint of NetworkIP was made, or is made
// best. The zero Transport is not known, as that of a peer that was never met.
type Transport uint8

// The transports.
const (
	TransportUnknown Transport = iota
	TransportTCP
	TransportUTP // BEP 29
	// TransportRelay is uTP through a relay that lends us an address (RFC 8656). That of a peer
	// whose own relay we talk to is TransportUTP: nothing on the path shows that it is relayed.
	TransportRelay
	// TransportCount is how many there are, with TransportUnknown.
	TransportCount
)

var transportNames = [TransportCount]string{"unknown", "tcp", "utp", "relay"}

// String returns the name of the transport in lower case.
func (t Transport) String() string {
	if t < TransportCount {
		return transportNames[t]
	}
	return "transport " + strconv.Itoa(int(t))
}
