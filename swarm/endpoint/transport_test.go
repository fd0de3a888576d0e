package endpoint

import "testing"

// TestTransportNames: each transport has a name, and so has a number that is none.
func TestTransportNames(t *testing.T) {
	for transport, want := range map[Transport]string{
		TransportUnknown: "unknown", TransportTCP: "tcp", TransportUTP: "utp",
		TransportRelay: "relay", TransportCount: "transport 4",
	} {
		if got := transport.String(); got != want {
			t.Errorf("transport %d is called %q, want %q", transport, got, want)
		}
	}
}
