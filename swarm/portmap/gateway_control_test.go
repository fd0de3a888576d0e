package portmap

import (
	"net/netip"
	"testing"
	"time"
)

// A control port that is closed ends the questions early, and not for good.
func TestUnreachable(t *testing.T) {
	r := &fakeRouter{}
	d := begin(t, r)
	d.gateway.onUnreachable(d.now) // the router may be starting
	d.serve()
	d.run(repeatFirst)
	d.gateway.onUnreachable(d.now)
	d.serve()
	before := r.datagrams
	d.run(backoffMin - time.Second)
	if r.datagrams != before {
		t.Errorf("%d datagrams to a closed port", r.datagrams-before)
	}
	r.pcp = true
	d.run(2 * backoffMin)
	d.expect("when it is open", by(PCP))
}

// Answers that do not fit what was asked change nothing.
func TestStrayAnswers(t *testing.T) {
	d := begin(t, &fakeRouter{pcp: true})
	l := d.gateway.leases[0]
	other := nonce([]byte("not the nonce"))
	for _, b := range [][]byte{
		nil, {2}, {0}, {1, 2, 3},
		d.mapAnswer(other, 0, 3600),
		d.mapAnswer(l.nonce, 8, 3600), // an error that nothing was asked for
		d.mapAnswer(l.nonce, 0, 0),
		unhex(t, "00820000 00000e10 1ae1 1ae1 00000009"),
	} {
		d.gateway.onControl(d.now, b)
		d.serve()
		d.expect("after a stray answer", by(PCP))
	}
	// The server may tell a change of the address without a question.
	b := d.mapAnswer(l.nonce, 0, 3600)
	b[59]++
	d.gateway.onControl(d.now, b)
	d.expect("after a change", "TCP 9.9.9.8:6881 by PCP; UDP 9.9.9.7:6881 by PCP")
	// A NAT between us and the server makes the method useless.
	b = d.mapAnswer(l.nonce, pcpAddressMismatch, 3600)
	d.gateway.onControl(d.now, b)
	if len(d.gateway.ready) != 0 {
		t.Errorf("%v are ready", d.gateway.ready)
	}
}

// mapAnswer returns the answer of a server to a request for the TCP port.
func (d *dialogue) mapAnswer(n nonce, result byte, seconds uint32) []byte {
	w := Want{Proto: TCP, Port: 6881}
	b := appendPCPMap(nil, public4, &w, n, d.gateway.leases[0].held.external, seconds)
	a := d.router.controlPCP(d.now, b, uint32(d.now.Sub(d.router.started)/time.Second))
	a[3] = result
	return a
}

// A router without an external address says so by NAT-PMP, which explains why PCP refuses.
func TestNoExternalAddress(t *testing.T) {
	r := &fakeRouter{pcp: true, pmp: true, refuse: 8, external: netip.IPv4Unspecified()}
	d := begin(t, r)
	d.run(10 * time.Second)
	d.expect("offline", "TCP "+ErrNoExternal.Error()+"; UDP "+ErrNoExternal.Error())
	r.external, r.refuse = public4, 0
	d.run(time.Minute)
	d.expect("online", by(NATPMP))
}
