package udpmux

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// peerAt returns an endpoint for each n.
func peerAt(n int, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{60, byte(n >> 16), byte(n >> 8), byte(n)}),
		port)
}

// Hosts know the hosts and ports that something was sent to for ten minutes at least, and for
// twenty at most.
func TestHostsRemember(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	h := NewHosts(now)
	check := func(after string, host, port bool) {
		t.Helper()
		gotHost, gotPort := h.sentTo(peerAt(1, 5))
		if _, other := h.sentTo(peerAt(1, 6)); gotHost != host || gotPort != port || other {
			t.Errorf("%s: host %v, port %v, another port %v; want %v, %v, false", after,
				gotHost, gotPort, other, host, port)
		}
	}
	check("at first", false, false)
	h.note(peerAt(1, 4))
	check("after another port", true, false)
	h.note(peerAt(1, 5))
	check("after this port", true, true)
	h.Tick(now.Add(hostsAge))
	h.Tick(now.Add(2*hostsAge - 1))
	check("just before two ages", true, true)
	h.Tick(now.Add(2 * hostsAge))
	check("after two ages", false, false)
}

// Of many endpoints none is forgotten, and few others are taken for one of them.
func TestHostsTellManyApart(t *testing.T) {
	const n = 10_000
	h := NewHosts(time.Now())
	for i := range n {
		h.note(peerAt(i, 5))
	}
	wrong := 0
	for i := range n {
		if host, port := h.sentTo(peerAt(i, 5)); !host || !port {
			t.Fatalf("endpoint %d was forgotten", i)
		}
		if host, _ := h.sentTo(peerAt(i+n, 5)); host {
			wrong++
		}
	}
	if wrong > n/50 {
		t.Errorf("%d of %d others are taken for known ones", wrong, n)
	}
}

// Noting what is sent costs no allocation.
func TestNotingAllocatesNothing(t *testing.T) {
	h := NewHosts(time.Now())
	m := &Mux{}
	m.Arrivals(h, func(Arrival) {})
	batch := []Outgoing{{To: peerAt(1, 1)}, {To: peerAt(1, 1)}, {To: peerAt(2, 1)}}
	if n := testing.AllocsPerRun(100, func() { m.noteSent(batch) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Only datagrams that begin something are arrivals, from hosts or ports that nothing was
// sent to.
func TestArrivals(t *testing.T) {
	syn := append([]byte{0x41}, make([]byte, 19)...)
	data := append([]byte{0x01}, make([]byte, 19)...)
	var heard []Arrival
	m := &Mux{}
	m.noteCame(&Datagram{From: peerAt(1, 1), Data: syn}, ClassUTP) // nobody listens
	m.noteSent([]Outgoing{{To: peerAt(1, 1)}})
	m.Arrivals(NewHosts(time.Now()), func(a Arrival) { heard = append(heard, a) })
	mapped := netip.AddrPortFrom(netip.AddrFrom16(peerAt(2, 2).Addr().As16()), 2)
	m.noteSent([]Outgoing{{To: mapped}})
	for _, d := range []struct {
		from netip.AddrPort
		data []byte
	}{
		{peerAt(1, 1), data}, {peerAt(1, 1), []byte("x")},
		{peerAt(1, 1), syn}, {peerAt(2, 2), syn}, {peerAt(2, 3), syn},
		{peerAt(3, 1), []byte("d1:q")}, {peerAt(2, 2), []byte("d1:q")},
	} {
		m.noteCame(&Datagram{From: d.from, Data: d.data}, ClassOf(d.data))
	}
	want := []Arrival{{peerAt(1, 1), ClassUTP, false}, {peerAt(2, 3), ClassUTP, true},
		{peerAt(3, 1), ClassDHT, false}}
	if !slices.Equal(heard, want) {
		t.Errorf("heard %v, want %v", heard, want)
	}
}

func BenchmarkNoteSent(b *testing.B) {
	m := &Mux{}
	m.Arrivals(NewHosts(time.Now()), func(Arrival) {})
	batch := []Outgoing{{To: peerAt(1, 1)}}
	for b.Loop() {
		m.noteSent(batch)
	}
}

// A Mux on a real socket tells of a stranger, and of nobody that it has sent to, by the DHT's
// side or by its own.
func TestArrivalsOverSockets(t *testing.T) {
	m, hosts := newMux(t), NewHosts(time.Now())
	heard := make(chan Arrival, 10)
	m.Arrivals(hosts, func(a Arrival) { heard <- a })
	query := packet(ClassDHT, "q")
	asked, answered, stranger := newMux(t), newMux(t), newMux(t)
	ours := []netip.AddrPort{asked.AddrPort(), answered.AddrPort(), stranger.AddrPort()}
	await := func(want Arrival) {
		t.Helper()
		for {
			select {
			case got := <-heard:
				if !slices.Contains(ours, got.From) {
					continue // a stray datagram of another test
				}
				if got != want {
					t.Errorf("heard %+v, want %+v", got, want)
				}
				return
			case <-time.After(patience):
				t.Fatalf("nobody heard of %+v", want)
			}
		}
	}
	send := func(from *Mux) {
		t.Helper()
		if err := from.WriteTo(query, m.AddrPort()); err != nil {
			t.Fatal(err)
		}
	}
	send(stranger)
	await(Arrival{From: stranger.AddrPort(), Class: ClassDHT})
	to := net.UDPAddrFromAddrPort(asked.AddrPort())
	if _, err := m.DHT().WriteTo(query, to); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Send([]Outgoing{{To: answered.AddrPort(), Data: query}}); err != nil {
		t.Fatal(err)
	}
	send(asked)
	send(answered)
	send(stranger) // its host is known by now
	await(Arrival{From: stranger.AddrPort(), Class: ClassDHT, Known: true})
}
