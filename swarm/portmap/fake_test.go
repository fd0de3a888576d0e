package portmap

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// A fakeRouter is a router in memory, which speaks what its fields say.
type fakeRouter struct {
	pcp, pmp, igd bool
	version       int        // of the IGD
	external      netip.Addr // of NAT-PMP and UPnP
	pcpExternal   netip.Addr // of PCP, if it is another one
	started       time.Time
	table         map[string]entry // by protocol and external port
	pinholes      int

	taken         map[uint16]bool // external ports of others
	chosen        uint16          // how often another one was chosen
	permanentOnly bool
	deaf          Proto                 // of which PCP answers no request
	keeps         bool                  // refuses to remove what PCP has mapped
	refuse        int                   // a result code for every request for a mapping
	mute          bool                  // answers nothing
	granted       time.Duration         // at most; zero for what is asked for
	codes         map[string]int        // the fault with which each action of UPnP is answered
	services      []string              // of the device, in place of the usual ones
	externals     map[string]netip.Addr // by control URL, in place of external
	noWall        bool                  // the firewall of IPv6 is off
	noPinholes    bool                  // nobody may make any
	actions       []string              // of UPnP, in their order
	datagrams     int                   // received
	searches      int
}

// An entry is a mapping of a fakeRouter.
type entry struct {
	by    Method
	until time.Time // zero for one without an end
	nonce nonce     // of PCP
}

// The places of the dialogues.
var (
	router4 = netip.MustParseAddr("192.168.1.1")
	local4  = netip.MustParseAddr("192.168.1.2")
	router6 = netip.MustParseAddr("fe80::1%eth0")
	local6  = netip.MustParseAddr("2001:db8:2::2")
	onLink4 = []netip.Prefix{netip.PrefixFrom(local4, 24)}
	onLink6 = []netip.Prefix{netip.PrefixFrom(local6, 64)}
	public4 = netip.MustParseAddr("9.9.9.7")
)

// A dialogue is a gateway that speaks with a fakeRouter in virtual time. Answers come at once.
type dialogue struct {
	t       *testing.T
	now     time.Time
	gateway *gateway
	router  *fakeRouter
	hold    bool      // keep answers to UPnP back
	held    []request // those that are kept back
}

// begin starts a dialogue about a TCP and a UDP port.
func begin(t *testing.T, r *fakeRouter, without ...Method) *dialogue {
	t.Helper()
	d := &dialogue{t: t, now: time.Unix(1e9, 0), router: r}
	at, onLink := place{index: 2, router: router4, local: local4}, onLink4
	if !r.external.IsValid() {
		r.external = public4
	}
	if r.external.Is6() {
		at.router, at.local, onLink = router6, local6, onLink6
	}
	r.started, r.table = d.now.Add(-time.Hour), make(map[string]entry)
	random := uint64(0)
	cfg := &Config{Lease: time.Hour, without: without}
	d.gateway = newGateway(d.now, at, onLink, cfg, func() uint64 {
		random += 0x9e3779b97f4a7c15
		return random ^ random>>29
	})
	d.gateway.set(d.now, []Want{{TCP, 6881, netip.Addr{}}, {UDP, 6881, netip.Addr{}}})
	d.serve()
	return d
}

// serve carries out what the gateway wants.
func (d *dialogue) serve() {
	d.t.Helper()
	for round := 0; ; round++ {
		list := d.gateway.effects()
		if len(list) == 0 {
			return
		}
		if round > 1000 {
			d.t.Fatal("the dialogue does not end")
		}
		for _, e := range list {
			switch {
			case e.datagram != nil:
				d.router.datagrams++
				if b := d.router.control(d.now, e.datagram); b != nil {
					d.gateway.onControl(d.now, b)
				}
			case e.search:
				if d.router.searches++; d.router.igd && !d.router.mute {
					at := d.deviceAt()
					d.gateway.onFound(d.now, at, []byte("HTTP/1.1 200 OK\r\nST: "+deviceGateway+
						"1\r\nLocation: http://"+at.String()+"/d.xml\r\n\r\n"))
				}
			case d.hold && e.request.action != "":
				d.held = append(d.held, *e.request)
			default:
				d.reply(e.request)
			}
		}
	}
}

// deviceAt returns where the device of the router is.
func (d *dialogue) deviceAt() netip.AddrPort {
	return netip.AddrPortFrom(d.gateway.at.router.WithZone(""), 5000)
}

// reply lets the router answer a request.
func (d *dialogue) reply(r *request) {
	body, err := d.router.request(d.now, r)
	d.gateway.onReply(d.now, r.id, body, err)
}

// run lets a time go by.
func (d *dialogue) run(period time.Duration) {
	d.t.Helper()
	end := d.now.Add(period)
	for steps := 0; ; steps++ {
		if steps > 100000 {
			d.t.Fatal("too much is due")
		}
		at := d.gateway.deadline()
		if at.IsZero() || at.After(end) {
			d.now = end
			return
		}
		if at.After(d.now) {
			d.now = at
		}
		d.gateway.tick(d.now)
		d.serve()
		if next := d.gateway.deadline(); !next.IsZero() && !next.After(d.now) {
			d.t.Fatalf("%v is due at %v again", next, d.now)
		}
	}
}

// state describes the mappings.
func (d *dialogue) state() string {
	var all []string
	for _, m := range d.gateway.mappings(nil) {
		s := fmt.Sprintf("%v %v", m.Want.Proto, m.Err)
		if m.By != None {
			s = fmt.Sprintf("%v %v by %v", m.Want.Proto, m.External, m.By)
		}
		all = append(all, s)
	}
	return strings.Join(all, "; ")
}

// expect compares the mappings.
func (d *dialogue) expect(when, want string) {
	d.t.Helper()
	if got := d.state(); got != want {
		d.t.Errorf("%s: got %q, want %q", when, got, want)
	}
}

// mapped returns the table of the router, without what has ended.
func (d *dialogue) mapped() string {
	maps.DeleteFunc(d.router.table, func(_ string, e entry) bool {
		return !e.until.IsZero() && d.now.After(e.until)
	})
	return strings.Join(slices.Sorted(maps.Keys(d.router.table)), " ")
}

// restart makes the router lose its mappings.
func (r *fakeRouter) restart(now time.Time) {
	r.started = now
	clear(r.table)
}

// lease returns for how many seconds a mapping is made.
func (r *fakeRouter) lease(asked uint32) uint32 {
	if r.granted > 0 {
		return min(asked, uint32(r.granted/time.Second))
	}
	return asked
}

// put changes the table.
func (r *fakeRouter) put(now time.Time, p Proto, external uint16, by Method, seconds uint32) {
	key := fmt.Sprintf("%v:%d", p, external)
	if seconds == 0 {
		delete(r.table, key)
		return
	}
	r.table[key] = entry{by: by, until: now.Add(time.Duration(seconds) * time.Second)}
}

// control answers a datagram.
func (r *fakeRouter) control(now time.Time, b []byte) []byte {
	epoch := uint32(now.Sub(r.started) / time.Second)
	switch {
	case r.mute || !r.pcp && !r.pmp:
		return nil
	case b[0] == pcpVersion && r.pcp:
		return r.controlPCP(now, b, epoch)
	case b[0] == pmpVersion && r.pmp:
		return r.controlPMP(now, b, epoch)
	case r.pmp: // RFC 6886, section 3.5
		return binary.BigEndian.AppendUint32([]byte{pmpVersion, responseBit, 0, 1}, epoch)
	}
	return append([]byte{pcpVersion, responseBit | b[1], 0, pcpUnsupportedVersion},
		make([]byte, 20)...)
}

func (r *fakeRouter) controlPCP(now time.Time, b []byte, epoch uint32) []byte {
	a := slices.Clone(b)
	a[1] |= responseBit
	binary.BigEndian.PutUint32(a[8:], epoch)
	clear(a[12:24])
	if b[1] == pcpAnnounce {
		return a
	}
	if Proto(b[36]) == r.deaf {
		return nil
	}
	seconds := r.lease(binary.BigEndian.Uint32(b[4:]))
	if r.refuse != 0 && seconds > 0 {
		a[3] = byte(r.refuse)
		binary.BigEndian.PutUint32(a[4:], 1800)
		return a
	}
	if r.keeps && seconds == 0 {
		a[3] = 2
		return a
	}
	binary.BigEndian.PutUint32(a[4:], seconds)
	ip := r.external
	if r.pcpExternal.IsValid() {
		ip = r.pcpExternal
	}
	as16 := ip.As16()
	copy(a[44:], as16[:])
	port := binary.BigEndian.Uint16(b[42:])
	if port == 0 {
		port = binary.BigEndian.Uint16(b[40:]) // the tests map ports to themselves
	}
	if r.taken[port] {
		r.chosen++
		port = 40000 + r.chosen
		binary.BigEndian.PutUint16(a[42:], port)
	}
	key := fmt.Sprintf("%v:%d", Proto(b[36]), port)
	if e, ok := r.table[key]; ok && e.by == PCP && e.nonce != nonce(b[24:]) {
		a[3] = 2 // RFC 6887, section 11.3: not authorized
		return a
	}
	r.put(now, Proto(b[36]), port, PCP, seconds)
	if e, ok := r.table[key]; ok {
		e.nonce = nonce(b[24:])
		r.table[key] = e
	}
	return a
}

func (r *fakeRouter) controlPMP(now time.Time, b []byte, epoch uint32) []byte {
	a := binary.BigEndian.AppendUint32([]byte{pmpVersion, b[1] | responseBit, 0, byte(r.refuse)},
		epoch)
	if b[1] == pmpAddress {
		a[3] = 0
		ip := r.external.As4()
		return append(a, ip[:]...)
	}
	seconds := r.lease(binary.BigEndian.Uint32(b[8:]))
	if seconds == 0 {
		a[3] = 0
	}
	external := binary.BigEndian.Uint16(b[6:])
	if r.taken[external] {
		r.chosen++
		external = 40000 + r.chosen
	}
	a = binary.BigEndian.AppendUint16(append(a, b[4:6]...), external)
	proto := TCP
	if b[1] == pmpMapUDP {
		proto = UDP
	}
	if seconds == 0 {
		external = binary.BigEndian.Uint16(b[4:])
	}
	if a[3] == 0 {
		r.put(now, proto, external, NATPMP, seconds)
	}
	return binary.BigEndian.AppendUint32(a, seconds)
}
