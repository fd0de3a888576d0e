package endpoint

import (
	"encoding/json"
	"net/netip"
	"slices"
	"testing"
	"unsafe"
)

func at(addr string) Endpoint { return IP(netip.MustParseAddrPort(addr)) }

func TestEndpoint(t *testing.T) {
	for _, c := range []struct {
		endpoint               Endpoint
		shown                  string
		valid, dialable, seeds bool
	}{
		{Endpoint{}, "no endpoint", false, false, false},
		{at("1.2.3.4:5"), "1.2.3.4:5", true, true, false},
		{at("1.2.3.4:0"), "1.2.3.4:0", true, false, false},
		{at("[2001:db8::1]:6881"), "[2001:db8::1]:6881", true, true, false},
		{at("[::ffff:1.2.3.4]:5"), "1.2.3.4:5", true, true, false},
		{WebSeed(7), "web seed 7", true, false, true},
		{WebSeed(0), "no endpoint", false, false, true},
		{Endpoint{Network: networkCount, Key: 1}, "no endpoint", false, false, false},
		{Endpoint{Key: 1}, "no endpoint", false, false, false},
		{Endpoint{Network: NetworkWebSeed, Addr: netip.MustParseAddrPort("1.2.3.4:5")},
			"no endpoint", false, false, true},
	} {
		e := c.endpoint
		if got := e.String(); got != c.shown {
			t.Errorf("%#v is shown as %q, want %q", e, got, c.shown)
		}
		if e.IsValid() != c.valid || e.Dialable() != c.dialable || e.IsWebSeed() != c.seeds {
			t.Errorf("%v: valid %v, dialable %v, a web seed %v", e, e.IsValid(), e.Dialable(),
				e.IsWebSeed())
		}
	}
}

// Equal values are one endpoint, whatever way an address was written; web seeds are
// told apart by their keys alone.
func TestEndpointsAsKeys(t *testing.T) {
	m := map[Endpoint]int{}
	for _, e := range []Endpoint{at("1.2.3.4:5"), at("[::ffff:1.2.3.4]:5"), at("1.2.3.4:6"),
		WebSeed(1), WebSeed(1), WebSeed(2)} {
		m[e]++
	}
	want := map[Endpoint]int{at("1.2.3.4:5"): 2, at("1.2.3.4:6"): 1, WebSeed(1): 2, WebSeed(2): 1}
	if len(m) != len(want) {
		t.Errorf("%d endpoints, want %d: %v", len(m), len(want), m)
	}
	for e, n := range want {
		if m[e] != n {
			t.Errorf("%v was found %d times, want %d", e, m[e], n)
		}
	}
}

func TestCompare(t *testing.T) {
	want := []Endpoint{{}, at("1.2.3.4:5"), at("1.2.3.4:6"), at("1.2.3.5:5"), at("[2001:db8::1]:1"),
		WebSeed(1), WebSeed(2)}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, Endpoint.Compare)
	if !slices.Equal(got, want) {
		t.Errorf("sorted %v, want %v", got, want)
	}
}

func TestHost(t *testing.T) {
	if got := at("[::ffff:1.2.3.4]:5").Host(); got != netip.MustParseAddr("1.2.3.4") {
		t.Errorf("host %v", got)
	}
	if got := WebSeed(1).Host(); got.IsValid() {
		t.Errorf("a web seed has the address %v", got)
	}
}

func TestEndpointInJSON(t *testing.T) {
	got, err := json.Marshal([]Endpoint{at("1.2.3.4:5"), WebSeed(3)})
	if err != nil || string(got) != `["1.2.3.4:5","web seed 3"]` {
		t.Errorf("%s, %v", got, err)
	}
}

func TestNetworks(t *testing.T) {
	for n, want := range map[Network]string{NetworkIP: "IP", NetworkWebSeed: "web seed",
		200: "network 200"} {
		if got := n.String(); got != want {
			t.Errorf("network %d is called %q, want %q", uint8(n), got, want)
		}
	}
}

// Thousands of torrents hold many addresses each.
func TestEndpointIsSmall(t *testing.T) {
	if got, most := unsafe.Sizeof(Endpoint{}), unsafe.Sizeof(netip.AddrPort{})+8; got > most {
		t.Errorf("%d bytes, want at most %d", got, most)
	}
}
