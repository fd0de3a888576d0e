package portmap

import (
	"errors"
	"net/netip"
	"testing"
	"time"
)

// FuzzControl parses datagrams of the control port.
func FuzzControl(f *testing.F) {
	f.Add(unhex(f, "02810000000007080001518000000000000000000000000061626364656667686"+
		"96a6b6c060000001ae11b5800000000000000000000ffff09090907"))
	f.Add(unhex(f, "0080000000000064090909070"+"0"))
	f.Add(unhex(f, "00820000000000641ae11b5800000708"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parsePCP(b); err == nil && r.mapped && len(b) < pcpMapBytes {
			t.Errorf("a mapping out of %d bytes", len(b))
		}
		if r, err := parsePMP(b); err == nil && r.result == 0 && r.opcode > pmpMapTCP {
			t.Errorf("opcode %d", r.opcode)
		}
	})
}

// FuzzFound parses answers to searches, which must lead to the network of the gateway.
func FuzzFound(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nST: "+deviceGateway+
		"1\r\nLOCATION: http://192.168.1.1:5000/x\r\n"), false)
	f.Add([]byte("HTTP/1.1 200 OK\nST: "+serviceWall+
		"1\nLocation: http://[fe80::1%25x]/\n\n"), true)
	f.Fuzz(func(t *testing.T, b []byte, six bool) {
		isNotice(b)
		location, ok := parseFound(b)
		if !ok {
			return
		}
		at, onLink, from := place{router: router4, local: local4}, onLink4, router4
		if six {
			at, onLink, from = place{router: router6, local: local6}, onLink6, router6
		}
		g := newGateway(time.Unix(1e9, 0), at, onLink, new(Config), zero)
		a, ok := g.locate(from, location)
		ip := a.server.Addr()
		if ok && (ip.IsLoopback() || ip.IsMulticast() || same(ip, at.local) || !six && ip != from ||
			six && !ip.IsLinkLocalUnicast() && !onLink6[0].Contains(ip)) {
			t.Errorf("%q leads to %v", b, ip)
		}
	})
}

// FuzzDescription parses descriptions of devices, whose services must be on the device.
func FuzzDescription(f *testing.F) {
	f.Add(describe("WANIPConnection:1", "WANPPPConnection:1", "WANIPv6FirewallControl:1"))
	f.Add([]byte("<a><URLBase>http://192.168.1.1:81/</URLBase>" +
		string(describe("WANIPConnection:2"))))
	from := address{netip.AddrPortFrom(router4, 5000), "/d.xml"}
	f.Fuzz(func(t *testing.T, b []byte) {
		services, _ := parseDescription(b, from)
		for _, s := range services {
			if s.at.server.Addr() != router4 || s.at.path == "" || s.at.path[0] != '/' {
				t.Errorf("a service at %+v", s.at)
			}
			request := string(s.call("X").append(nil))
			if n := countLines(request); n > 12 {
				t.Errorf("%d lines of a request: %q", n, request)
			}
		}
	})
}

// countLines returns the number of lines of a request before its body.
func countLines(s string) (n int) {
	for i := 0; i+1 < len(s) && s[i:min(len(s), i+4)] != "\r\n\r\n"; i++ {
		if s[i] == '\n' || s[i] == '\r' && s[i+1] != '\n' {
			n++
		}
	}
	return n
}

// FuzzAnswer parses answers to actions.
func FuzzAnswer(f *testing.F) {
	f.Add(fault(718))
	f.Add(answerWith("<NewExternalIPAddress>9.9.9.7</NewExternalIPAddress>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		answer, err := parseAnswer(b)
		if len(answer) > argumentsMax || (answer == nil) == (err == nil) {
			t.Errorf("%d arguments, %v", len(answer), err)
		}
		var refused *RouterError
		if errors.As(err, &refused) && len(refused.Text) > 80 {
			t.Errorf("a text of %d bytes", len(refused.Text))
		}
	})
}

// FuzzGateway lets the fuzzer decide what happens to a gateway: what the router answers, and
// when. Whatever it is, there is a bound to what is sent and kept.
func FuzzGateway(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x06\x07"), false)
	f.Add([]byte{3, 1, 3, 0, 5, 2, 6, 3, 1, 60, 2, 9, 7, 1}, true)
	f.Fuzz(func(t *testing.T, script []byte, six bool) {
		if len(script) > 200 {
			return
		}
		r := &fakeRouter{pcp: true, pmp: true, igd: true, version: 2}
		if six {
			r.external = local6
		}
		d := begin(t, r)
		d.fuzz(script)
	})
}

// fuzz plays a script.
func (d *dialogue) fuzz(script []byte) {
	g := d.gateway
	next := func() byte {
		if len(script) == 0 {
			return 0
		}
		b := script[0]
		script = script[1:]
		return b
	}
	for len(script) > 0 {
		switch next() % 13 {
		case 0:
			d.run(time.Duration(next()) * 100 * time.Millisecond)
		case 1:
			d.run(time.Duration(next()%64) * time.Minute)
		case 2: // a datagram, much like a right one
			n := int(next()) % 80
			b := append([]byte(nil), script[:min(n, len(script))]...)
			script = script[len(b):]
			if len(b) > 1 {
				b[0], b[1] = b[0]&2, b[1]|responseBit
			}
			g.onControl(d.now, b)
		case 3:
			bits := next()
			d.router.pcp, d.router.pmp, d.router.igd = bits&1 != 0, bits&2 != 0, bits&4 != 0
			d.router.mute, d.router.permanentOnly = bits&8 != 0, bits&16 != 0
			d.router.version = 1 + int(bits>>5)&1
		case 4:
			d.router.refuse = int(next()) * 3
		case 5:
			d.router.restart(d.now)
		case 6:
			g.onAnnounce(d.now)
		case 7:
			g.networkChanged(d.now)
		case 8:
			if !d.router.external.Is6() {
				d.router.external = netip.AddrFrom4([4]byte{next(), next(), next(), next()})
			}
		case 9:
			var wants []Want
			for range next() % 4 {
				wants = append(wants, Want{TCP, uint16(next()), netip.Addr{}})
			}
			g.set(d.now, wants)
		case 10:
			d.hold = next()%2 == 0
			held := d.held
			d.held = nil
			for i := range held {
				if body := script[:min(int(next()), len(script))]; next()%4 == 0 {
					g.onReply(d.now, held[i].id, body, nil)
				} else {
					d.reply(&held[i])
				}
			}
		case 11:
			g.onUnreachable(d.now)
		case 12:
			g.onNotice(d.now)
		}
		d.serve()
		d.check()
	}
	d.hold, d.router.mute = false, false
	for i := range d.held {
		d.reply(&d.held[i])
	}
	g.close(d.now)
	d.serve()
	d.run(2 * time.Second)
	if !g.done() {
		d.t.Errorf("not done after the end: %+v", g.removed)
	}
}

// check holds the bounds of a gateway.
func (d *dialogue) check() {
	d.t.Helper()
	g := d.gateway
	i := &g.igd
	if len(g.removed) > removalsMax || len(i.queue) > queueMax || len(i.busy) > busyClosing ||
		len(i.seen) > foundMax || len(g.ready) > len(methods) || len(i.services) > servicesMax {
		d.t.Errorf("out of bounds: %+v", g.igd)
	}
	for _, m := range g.mappings(nil) {
		if m.By != None && (!possible(m.External.Addr()) || m.External.Port() == 0) {
			d.t.Errorf("an impossible mapping: %+v", m)
		}
		if m.By == None && m.External.IsValid() {
			d.t.Errorf("an external address without a mapping: %+v", m)
		}
	}
}
