package portmap

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

const bothBy = "TCP 9.9.9.7:6881 by METHOD; UDP 9.9.9.7:6881 by METHOD"

func by(m Method) string { return strings.ReplaceAll(bothBy, "METHOD", m.String()) }

// Each method maps by itself, at once, and all of it is removed in the end.
func TestEachMethod(t *testing.T) {
	for _, c := range []struct {
		name   string
		router fakeRouter
		by     Method
	}{
		{"PCP", fakeRouter{pcp: true}, PCP},
		{"NAT-PMP", fakeRouter{pmp: true}, NATPMP},
		{"PCP and NAT-PMP", fakeRouter{pcp: true, pmp: true}, PCP},
		{"IGD version 1", fakeRouter{igd: true, version: 1}, UPnP},
		{"IGD version 2", fakeRouter{igd: true, version: 2}, UPnP},
		{"all", fakeRouter{pcp: true, pmp: true, igd: true, version: 2}, PCP},
		{"NAT-PMP and UPnP", fakeRouter{pmp: true, igd: true}, NATPMP},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := begin(t, &c.router)
			d.expect("at once", by(c.by))
			if got := d.mapped(); got != "TCP:6881 UDP:6881" {
				t.Errorf("the router has %q", got)
			}
			for _, e := range d.router.table {
				if e.by != c.by {
					t.Errorf("mapped by %v as well", e.by)
				}
			}
			d.gateway.close(d.now)
			d.serve()
			if got := d.mapped(); got != "" || !d.gateway.done() {
				t.Errorf("after close the router has %q, done is %v", got, d.gateway.done())
			}
			if at := d.gateway.deadline(); !at.IsZero() {
				t.Error("something is due after the end")
			}
		})
	}
}

// Pinholes are made by both methods that know them.
func TestEachPinhole(t *testing.T) {
	for _, m := range []Method{PCP, UPnP} {
		r := &fakeRouter{pcp: m == PCP, pmp: true, igd: m == UPnP, external: local6}
		d := begin(t, r)
		want := strings.ReplaceAll(by(m), "9.9.9.7", "["+local6.String()+"]")
		d.expect("at once", want)
		d.run(3 * time.Hour)
		d.expect("later", want)
		if len(r.table) != 2 {
			t.Errorf("the router has %q", d.mapped())
		}
		if m == UPnP { // the router forgets one
			delete(r.table, "1")
			d.run(pollEvery)
			d.expect("after the router forgot", want)
			if len(r.table) != 2 || r.pinholes != 3 {
				t.Errorf("the router has %q", d.mapped())
			}
		}
		d.gateway.close(d.now)
		d.serve()
		if got := d.mapped(); got != "" || !d.gateway.done() {
			t.Errorf("%v: after close the router has %q", m, got)
		}
	}
}

// Mappings are renewed at half of their lifetime, whatever it is, and never end.
func TestRenewal(t *testing.T) {
	for _, m := range methods {
		r := &fakeRouter{pcp: m == PCP, pmp: m == NATPMP, igd: m == UPnP, version: 1}
		d := begin(t, r)
		for range 50 {
			d.run(29 * time.Minute)
			if got := d.mapped(); got != "TCP:6881 UDP:6881" {
				t.Fatalf("%v: the router has %q", m, got)
			}
			for _, row := range d.gateway.mappings(nil) {
				if left := row.Until.Sub(d.now); left < 29*time.Minute || left > time.Hour {
					t.Fatalf("%v: %v is left", m, left)
				}
			}
		}
	}
	// Two minutes are granted.
	d := begin(t, &fakeRouter{pcp: true, granted: 2 * time.Minute})
	d.run(time.Hour)
	d.expect("after an hour", by(PCP))
	if got := d.mapped(); got != "TCP:6881 UDP:6881" {
		t.Errorf("the router has %q", got)
	}
}

// A router that vanishes loses the mappings when their lifetime ends, and not before. It is
// asked again, ever more seldom.
func TestRouterVanishes(t *testing.T) {
	for _, m := range methods {
		r := &fakeRouter{pcp: m == PCP, pmp: m == NATPMP, igd: m == UPnP}
		d := begin(t, r)
		r.mute = true
		d.run(59 * time.Minute)
		d.expect("before the end", by(m))
		d.run(2 * time.Minute)
		d.expect("after the end", "TCP "+ErrSilent.Error()+"; UDP "+ErrSilent.Error())
		r.mute = false
		d.run(backoffMax + time.Minute)
		d.expect("when it is back", by(m))
	}
}

// A router that offers nothing is asked seldom.
func TestSilentRouter(t *testing.T) {
	r := &fakeRouter{}
	d := begin(t, r)
	d.expect("at first", "TCP <nil>; UDP <nil>")
	d.run(10 * time.Second)
	d.expect("after a moment", "TCP "+ErrSilent.Error()+"; UDP "+ErrSilent.Error())
	d.run(24 * time.Hour)
	if r.datagrams > 1100 || r.searches > 330 {
		t.Errorf("%d datagrams and %d searches in a day", r.datagrams, r.searches)
	}
	// Its user switches port mapping on, and says nothing.
	r.igd = true
	d.gateway.networkChanged(d.now)
	d.serve()
	d.expect("after a change", by(UPnP))
}

// After a restart the mappings are made again: at once if the router announces it, otherwise
// within a minute.
func TestRestart(t *testing.T) {
	for _, m := range methods {
		for _, announced := range []bool{true, false} {
			r := &fakeRouter{pcp: m == PCP, pmp: m == NATPMP, igd: m == UPnP, version: 2}
			d := begin(t, r)
			d.run(10 * time.Minute)
			r.restart(d.now)
			if announced {
				d.gateway.onAnnounce(d.now)
				d.serve()
			} else {
				d.run(pollEvery + time.Second)
			}
			if got := d.mapped(); got != "TCP:6881 UDP:6881" {
				t.Errorf("%v, announced %v: the router has %q", m, announced, got)
			}
			d.expect("after the restart", by(m))
		}
	}
}

// Forged announces cost two datagrams a second, and no mapping.
func TestForgedAnnounces(t *testing.T) {
	r := &fakeRouter{pcp: true, pmp: true}
	d := begin(t, r)
	before := r.datagrams
	for range 1000 {
		d.run(10 * time.Millisecond)
		d.gateway.onAnnounce(d.now)
		d.serve()
	}
	if n := r.datagrams - before; n > 26 {
		t.Errorf("%d datagrams in ten seconds", n)
	}
	d.expect("after the flood", by(PCP))
}

// A method that leads to a public address takes over from one that does not, but not the
// other way round.
func TestPublicAddressWins(t *testing.T) {
	private := netip.MustParseAddr("100.64.1.7")
	r := &fakeRouter{igd: true, external: private}
	d := begin(t, r)
	d.expect("alone", strings.ReplaceAll(by(UPnP), "9.9.9.7", "100.64.1.7"))
	r.pcp, r.pcpExternal = true, public4
	d.gateway.networkChanged(d.now)
	d.serve()
	d.run(10 * time.Second)
	d.expect("with PCP of the carrier", by(PCP))
	if got := d.mapped(); got != "TCP:6881 UDP:6881" {
		t.Errorf("the router has %q", got)
	}

	r = &fakeRouter{igd: true, external: private}
	d = begin(t, r)
	r.pcp, r.pcpExternal = true, netip.MustParseAddr("10.1.2.3")
	d.gateway.networkChanged(d.now)
	d.serve()
	d.run(time.Hour)
	d.expect("with PCP that is no better", strings.ReplaceAll(by(UPnP), "9.9.9.7", "100.64.1.7"))
	if got := d.mapped(); got != "TCP:6881 UDP:6881" {
		t.Errorf("the router has %q", got)
	}
	if r.datagrams > 200 {
		t.Errorf("%d datagrams in an hour", r.datagrams)
	}
}

// What routers of UPnP refuse is asked for in another way.
func TestFallbacksOfUPnP(t *testing.T) {
	r := &fakeRouter{igd: true, version: 1, permanentOnly: true}
	d := begin(t, r)
	d.expect("permanent leases alone", by(UPnP))
	for _, row := range d.gateway.mappings(nil) {
		if !row.Until.IsZero() {
			t.Errorf("the mapping ends at %v", row.Until)
		}
	}
	if n := strings.Count(strings.Join(r.actions, " "), "AddPortMapping"); n != 3 {
		t.Errorf("%d requests, want 3: the first one teaches", n)
	}
	d.run(24 * time.Hour)
	d.expect("a day later", by(UPnP))
	d.gateway.close(d.now)
	d.serve()
	if got := d.mapped(); got != "" {
		t.Errorf("the router has %q", got)
	}

	r = &fakeRouter{igd: true, version: 1, taken: map[uint16]bool{6881: true}}
	d = begin(t, r)
	rows := d.gateway.mappings(nil)
	if rows[0].By != UPnP || rows[0].External.Port() == 6881 ||
		rows[1].External != rows[0].External {
		t.Errorf("with a port that is taken: %s", d.state())
	}
	d.gateway.close(d.now)
	d.serve()
	if got := d.mapped(); got != "" {
		t.Errorf("the router has %q", got)
	}

	r = &fakeRouter{igd: true, version: 2, taken: map[uint16]bool{6881: true}}
	d = begin(t, r)
	d.expect("the device chooses", strings.ReplaceAll(by(UPnP), "6881", "6882"))
}

// If the router chooses another external port, it is the same one for TCP and UDP.
func TestSameExternalPort(t *testing.T) {
	for _, m := range []Method{PCP, NATPMP} {
		d := begin(t, &fakeRouter{pcp: m == PCP, pmp: m == NATPMP,
			taken: map[uint16]bool{6881: true}})
		d.run(time.Hour)
		d.expect("after an hour", strings.ReplaceAll(by(m), "6881", "40001"))
	}
	// A router that does not answer for one of them holds up the other one for a moment alone.
	d := begin(t, &fakeRouter{pcp: true, deaf: TCP})
	d.expect("at once", "TCP <nil>; UDP <nil>")
	d.run(repeatFirst)
	d.expect("soon", "TCP <nil>; UDP 9.9.9.7:6881 by PCP")
	d.run(15 * time.Second)
	d.expect("later", "TCP "+ErrSilent.Error()+"; UDP 9.9.9.7:6881 by PCP")
}

// A refusal is shown, and leads to the next method.
func TestRefusal(t *testing.T) {
	r := &fakeRouter{pcp: true, pmp: true, igd: true, refuse: 2}
	d := begin(t, r)
	d.run(15 * time.Second)
	const says = "the router refused the UPnP request: No (code 2)"
	d.expect("all refuse", "TCP "+says+"; UDP "+says)
	if d.mapped() != "" {
		t.Errorf("the router has %q", d.mapped())
	}
	before := r.datagrams
	d.run(time.Hour)
	if n := r.datagrams - before; n > 300 {
		t.Errorf("%d datagrams in an hour", n)
	}
	r.refuse = 0
	d.run(time.Hour)
	if !strings.Contains(d.state(), "by PCP") {
		t.Errorf("later: %s", d.state())
	}
	alone := begin(t, &fakeRouter{pcp: true, refuse: 8})
	alone.run(10 * time.Second)
	alone.expect("PCP alone", "TCP the router refused the PCP request: no resources (code 8); "+
		"UDP the router refused the PCP request: no resources (code 8)")
}

// External addresses that nobody can have are errors by every method.
func TestForgedExternalAddresses(t *testing.T) {
	for _, text := range []string{"0.0.0.0", "127.0.0.1", "224.0.0.1", "169.254.1.1",
		"255.255.255.255", "0.1.2.3"} {
		ip := netip.MustParseAddr(text)
		for _, m := range methods {
			r := &fakeRouter{pcp: m == PCP, pmp: m == NATPMP, igd: m == UPnP, external: ip}
			d := begin(t, r)
			d.run(time.Minute)
			for _, row := range d.gateway.mappings(nil) {
				if row.By != None || row.Err == nil || row.External.IsValid() {
					t.Errorf("%v says %v: %+v", m, ip, row)
				}
			}
		}
	}
}

// Another external address is shown as soon as the router tells it.
func TestExternalAddressChanges(t *testing.T) {
	for _, m := range methods {
		r := &fakeRouter{pcp: m == PCP, pmp: m == NATPMP, igd: m == UPnP}
		d := begin(t, r)
		r.external = netip.MustParseAddr("9.9.9.8")
		if m == PCP {
			r.restart(d.now) // RFC 6887, section 8.5: the server starts again
		}
		d.run(pollEvery + time.Second)
		d.expect("after the change", strings.ReplaceAll(by(m), "9.9.9.7", "9.9.9.8"))
	}
}

// Ports that are not wanted any more are removed, those that still are keep their mapping.
func TestSet(t *testing.T) {
	for _, m := range methods {
		r := &fakeRouter{pcp: m == PCP, pmp: m == NATPMP, igd: m == UPnP}
		d := begin(t, r)
		d.gateway.set(d.now, []Want{{UDP, 6881, netip.Addr{}}, {TCP, 7000, local4},
			{TCP, 7001, local6}, {TCP, 7002, netip.IPv6Unspecified()},
			{UDP, 7003, netip.IPv4Unspecified()}})
		d.serve()
		d.run(time.Second)
		if got := d.mapped(); got != "TCP:7000 UDP:6881 UDP:7003" {
			t.Errorf("%v: the router has %q", m, got)
		}
	}
}

// Ports that are wanted again while they are removed stay mapped.
func TestSetAgain(t *testing.T) {
	for _, m := range methods {
		for _, secret := range []string{"", "secret"} {
			r := &fakeRouter{pcp: m == PCP, pmp: m == NATPMP, igd: m == UPnP}
			d := begin(t, r)
			d.gateway.secret = []byte(secret)
			wants := []Want{{TCP, 6881, local4}, {TCP, 6881, local4}}
			d.gateway.set(d.now, wants)
			d.serve()
			d.gateway.set(d.now, nil)
			if m != UPnP {
				d.gateway.effects() // the datagrams of the removal are lost
			}
			d.gateway.set(d.now, wants)
			d.serve()
			d.run(time.Minute)
			d.expect("wanted again", "TCP 9.9.9.7:6881 by "+m.String())
			if got := d.mapped(); !strings.HasPrefix(got, "TCP:6881") {
				t.Errorf("%v: the router has %q", m, got)
			}
		}
	}
}

// Removals are repeated until the router answers, and given up within a second.
func TestCloseWithLosses(t *testing.T) {
	for _, m := range []Method{PCP, NATPMP} {
		d := begin(t, &fakeRouter{pcp: m == PCP, pmp: m == NATPMP})
		d.router.mute = true
		d.gateway.close(d.now)
		d.serve()
		d.run(250 * time.Millisecond)
		d.router.mute = false
		d.run(750 * time.Millisecond)
		if got := d.mapped(); got != "" || !d.gateway.done() {
			t.Errorf("%v: the router has %q", m, got)
		}
		d = begin(t, &fakeRouter{pcp: m == PCP, pmp: m == NATPMP})
		d.router.mute = true
		d.gateway.close(d.now)
		d.run(2 * time.Second)
		if !d.gateway.done() {
			t.Errorf("%v: a silent router holds the end up", m)
		}
	}
}

// A server that does not remove a mapping is asked to let it end.
func TestCloseRefused(t *testing.T) {
	d := begin(t, &fakeRouter{pcp: true, keeps: true})
	d.gateway.close(d.now)
	d.serve()
	d.run(2 * time.Second)
	if got := d.mapped(); got != "" || !d.gateway.done() {
		t.Errorf("the router has %q", got)
	}
}

// A mapping whose answer comes after the end has begun is removed as well.
func TestCloseBeforeAnswer(t *testing.T) {
	r := &fakeRouter{igd: true, version: 2, external: public4}
	d := begin(t, r, UPnP) // nothing is asked yet
	cfg := &Config{Lease: time.Hour}
	d.gateway = newGateway(d.now, d.gateway.at, onLink4, cfg, d.gateway.random)
	d.gateway.set(d.now, []Want{{TCP, 6881, netip.Addr{}}})
	d.hold = true
	d.serve()
	for len(d.held) == 1 && strings.HasSuffix(d.held[0].action, `GetExternalIPAddress"`) {
		q := d.held[0]
		d.held = nil
		d.reply(&q)
		d.serve()
	}
	if len(d.held) != 1 || !strings.Contains(d.held[0].action, "AddAny") {
		t.Fatalf("held back: %v", d.held)
	}
	d.gateway.close(d.now)
	d.serve()
	if d.gateway.done() {
		t.Error("done before the answer")
	}
	d.hold = false
	q := d.held[0]
	d.reply(&q)
	d.serve()
	if got := d.mapped(); got != "" || !d.gateway.done() {
		t.Errorf("the router has %q, done is %v", got, d.gateway.done())
	}
}

// With the same secret, a gateway takes over the mappings of one that was killed.
func TestSecret(t *testing.T) {
	r := &fakeRouter{pcp: true}
	d := begin(t, r)
	for _, c := range []struct{ secret, want string }{
		{"one", "TCP 9.9.9.7:6881 by PCP"},
		{"two", "TCP the router refused the PCP request: not authorized (code 2)"},
		{"one", "TCP 9.9.9.7:6881 by PCP"},
	} {
		d.gateway = newGateway(d.now, d.gateway.at, onLink4, &Config{Lease: time.Hour,
			Secret: []byte(c.secret)}, d.gateway.random)
		if len(r.table) == 2 {
			clear(r.table) // of the first gateway, without a secret
		}
		d.gateway.set(d.now, []Want{{TCP, 6881, netip.Addr{}}})
		d.serve()
		d.run(5 * time.Second)
		d.expect("with secret "+c.secret, c.want)
	}
}
