package portmap

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// answerOf returns the answer of a device to a search, which names a server.
func answerOf(server string) []byte {
	return []byte("HTTP/1.1 200 OK\r\nST: " + deviceGateway + "1\r\nLocation: http://" + server +
		"/d.xml\r\n\r\n")
}

// A device beside the router is asked only if nothing at the address of the router answers.
func TestForeignDevices(t *testing.T) {
	foreign := netip.MustParseAddrPort("192.168.1.77:5000")
	d := begin(t, &fakeRouter{})
	d.router.igd = true // at any address from now on; but nobody answers to searches
	d.gateway.onFound(d.now, foreign, answerOf(foreign.String()))
	if d.gateway.igd.examining() {
		t.Error("a neighbour was asked before the router had time to answer")
	}
	for i := range 20 { // some of them are looked at
		other := netip.AddrPortFrom(foreign.Addr(), uint16(6000+i))
		d.gateway.onFound(d.now, other, answerOf(other.String()))
	}
	if n := len(d.gateway.igd.seen); n != foundMax/2 {
		t.Errorf("%d devices of neighbours are kept", n)
	}
	d.gateway.onFound(d.now, netip.AddrPortFrom(router4, 1900), answerOf("192.168.1.1:5000"))
	d.serve()
	d.expect("the router answers", by(UPnP))
	if at := d.gateway.igd.current.at.server; at.Addr() != router4 {
		t.Errorf("%v is in use", at)
	}

	d = begin(t, &fakeRouter{})
	d.router.igd = true
	d.gateway.onFound(d.now, foreign, answerOf(foreign.String()))
	d.gateway.igd.searches = 1 // the round goes on
	d.router.searches = 0
	d.run(0)
	d.gateway.igd.searches = 2
	d.gateway.tick(d.now)
	d.serve()
	d.expect("nobody else answers", by(UPnP))
	if at := d.gateway.igd.current.at.server; at != foreign {
		t.Errorf("%v is in use", at)
	}
}

// Of the services of a device, the one with a public external address is used.
func TestServices(t *testing.T) {
	private := netip.MustParseAddr("192.168.100.2")
	none := netip.IPv4Unspecified()
	for _, c := range []struct {
		name      string
		externals map[string]netip.Addr
		want      string // the path of the service in use
		err       error
	}{
		{"the first", nil, "/ctl/0", nil},
		{"the first has none", map[string]netip.Addr{"/ctl/0": none}, "/ctl/1", nil},
		{"the first has a private one", map[string]netip.Addr{"/ctl/0": private}, "/ctl/1", nil},
		{"all are private", map[string]netip.Addr{"/ctl/0": private, "/ctl/1": private}, "/ctl/0",
			nil},
		{"the second has none", map[string]netip.Addr{"/ctl/0": private, "/ctl/1": none}, "/ctl/0",
			nil},
		{"none has one", map[string]netip.Addr{"/ctl/0": none, "/ctl/1": none}, "", ErrNoExternal},
	} {
		r := &fakeRouter{igd: true, services: []string{"WANPPPConnection:1", "WANIPConnection:1"},
			externals: c.externals}
		d := begin(t, r)
		d.run(10 * time.Second)
		got := ""
		if s := d.gateway.igd.current; s != nil {
			got = s.at.path
		}
		if err := d.gateway.mappings(nil)[0].Err; got != c.want || err != c.err {
			t.Errorf("%s: %q and %v, want %q and %v", c.name, got, err, c.want, c.err)
		}
	}
}

// A device that loses its external address, or vanishes, is asked again.
func TestDeviceChanges(t *testing.T) {
	r := &fakeRouter{igd: true, version: 1}
	d := begin(t, r)
	r.external = netip.IPv4Unspecified() // the line is down
	d.run(pollEvery)
	if slices.Contains(d.gateway.ready, UPnP) {
		t.Error("a device without an external address counts as ready")
	}
	r.external = netip.MustParseAddr("9.9.9.8")
	d.run(repairFirst)
	d.expect("the line is up again", strings.ReplaceAll(by(UPnP), "9.9.9.7", "9.9.9.8"))

	r.igd = false // the router starts again, and knows nothing then
	d.run(pollEvery)
	r.igd = true
	r.restart(d.now)
	d.run(time.Minute)
	if got := d.mapped(); got != "TCP:6881 UDP:6881" {
		t.Errorf("the router has %q", got)
	}
	// Another machine gets the port.
	delete(r.table, "TCP:6881")
	d.run(pollEvery)
	if got := d.mapped(); got != "TCP:6881 UDP:6881" {
		t.Errorf("the router has %q", got)
	}
}

// A notice makes the gateway look at the device, or search for it, at once. Forged notices
// cost little.
func TestNotices(t *testing.T) {
	r := &fakeRouter{igd: true, version: 1}
	d := begin(t, r)
	r.restart(d.now)
	d.gateway.onNotice(d.now)
	d.serve()
	if got := d.mapped(); got != "TCP:6881 UDP:6881" {
		t.Errorf("after a restart the router has %q", got)
	}
	before := len(r.actions)
	for range 1000 {
		d.run(10 * time.Millisecond)
		d.gateway.onNotice(d.now)
		d.serve()
	}
	if n := len(r.actions) - before; n > 20 {
		t.Errorf("%d actions in ten seconds", n)
	}

	r = &fakeRouter{}
	d = begin(t, r)
	d.run(time.Hour)
	r.igd = true // its user switches UPnP on
	d.gateway.onNotice(d.now)
	d.serve()
	d.expect("switched on", by(UPnP))
}

// Devices that know less than their version says, or refuse vaguely, are asked in other ways.
func TestRefusalsOfUPnP(t *testing.T) {
	for _, c := range []struct {
		name    string
		version int
		codes   map[string]int
		want    string
	}{
		{"no such action", 2, map[string]int{"AddAnyPortMapping": upnpInvalidAction}, by(UPnP)},
		{"not implemented", 2, map[string]int{"AddAnyPortMapping": upnpNotImplemented}, by(UPnP)},
		{"fails", 2, map[string]int{"AddAnyPortMapping": upnpActionFailed}, by(UPnP)},
		{"not authorized", 1, map[string]int{"AddPortMapping": 606}, ""},
		{"every port is taken", 1, map[string]int{"AddPortMapping": upnpConflict}, ""},
		{"always vague", 2, map[string]int{"AddAnyPortMapping": upnpActionFailed,
			"AddPortMapping": upnpInvalidArgs}, ""},
		{"always permanent", 1, map[string]int{"AddPortMapping": upnpPermanentOnly}, ""},
	} {
		d := begin(t, &fakeRouter{igd: true, version: c.version, codes: c.codes})
		d.run(5 * time.Second)
		if got := d.state(); c.want == "" && !strings.Contains(got, ErrRefused.Error()) ||
			c.want != "" && got != c.want {
			t.Errorf("%s: %s", c.name, got)
		}
		if n := len(d.router.actions); n > 20 {
			t.Errorf("%s: %d actions", c.name, n)
		}
	}
	// A renewal that is refused ends the mapping.
	r := &fakeRouter{igd: true, version: 1}
	d := begin(t, r)
	r.codes = map[string]int{"AddPortMapping": 606}
	d.run(31 * time.Minute)
	const says = "the router refused the UPnP request: No (code 606)"
	d.expect("a renewal is refused", "TCP "+says+"; UDP "+says)
}

// A firewall of IPv6 that is off needs no pinholes, and one that allows none says so.
func TestFirewalls(t *testing.T) {
	r := &fakeRouter{igd: true, external: local6, noWall: true}
	d := begin(t, r)
	want := strings.ReplaceAll(by(UPnP), "9.9.9.7", "["+local6.String()+"]")
	d.expect("without a firewall", want)
	r.noWall = false
	d.run(2 * pollEvery)
	d.expect("when it is switched on", want)
	if len(r.table) != 2 {
		t.Errorf("the router has %q", d.mapped())
	}
	d.gateway.close(d.now)
	d.serve()
	if len(r.table) != 0 || !d.gateway.done() {
		t.Errorf("after the end the router has %q", d.mapped())
	}

	d = begin(t, &fakeRouter{igd: true, external: local6, noPinholes: true})
	d.run(10 * time.Second)
	const says = "the router refused the UPnP request: pinholes are not allowed"
	d.expect("without pinholes", "TCP "+says+"; UDP "+says)
}
