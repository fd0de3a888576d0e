package core

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/wire"
)

// inPrefix returns any address of a prefix that ends at a byte, with any port from 1024
// on.
func inPrefix(prefix string, r *rand.Rand) netip.AddrPort {
	p := netip.MustParsePrefix(prefix)
	b := p.Addr().AsSlice()
	var any [16]byte
	binary.BigEndian.PutUint64(any[:], r.Uint64())
	binary.BigEndian.PutUint64(any[8:], r.Uint64())
	copy(b[p.Bits()/8:], any[:])
	ip, _ := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(ip, uint16(1024+r.IntN(64512)))
}

// innocents are hosts and networks that strangers name again and again, and how often
// they may be dialled in a minute.
var innocents = []struct {
	name   string
	prefix string
	most   int
}{
	{"one IPv4 address, any port", "60.0.0.9/32", limit.DialsPerSourceMax},
	{"one IPv6 address, any port", "2001:db8:1:2::9/128", limit.DialsPerSourceMax},
	{"2^64 addresses of one /64", "2001:db8:1:2::/64", limit.DialsPerSourceMax},
	{"one IPv4 address by 6to4", "2002:3c00:9::/48", limit.DialsPerSourceMax},
	{"one IPv4 address by NAT64", "64:ff9b::3c00:9/128", limit.DialsPerSourceMax},
	{"a unique local /64", "fd00:1:2:3::/64", limit.DialsPerSourceMax},
	{"a private address", "10.1.2.3/32", limit.DialsPerSourceMax},
	{"an address of loopback, any port", "127.0.0.77/32", limit.DialsPerSourceMax},
	{"our own address, any port", "127.0.0.1/32", limit.DialsPerNetworkMax},
	{"one /24", "60.0.0.0/24", limit.DialsPerNetworkMax},
	{"one /24 of loopback", "127.0.7.0/24", limit.DialsPerNetworkMax},
	{"one /48", "2001:db8:1::/48", limit.DialsPerNetworkMax},
}

// TestPEXNamesTheInnocent: however strangers name an innocent host or network, it is
// dialled a few times a minute, whether it refuses or is silent. Without bounds by
// source and network it was as often as dials go out, 20 a second.
func TestPEXNamesTheInnocent(t *testing.T) {
	const tellers, minutes = 6, 5
	for _, v := range innocents {
		for _, silent := range []bool{false, true} {
			a := newExchangeWith(t, Config{Home: limit.Home{netip.MustParseAddr("127.0.0.1")}})
			for i := range tellers { // of our own network, who may name it
				ref := PeerRef(10 + i)
				a.link(ref, netip.MustParseAddrPort(fmt.Sprintf("127.%d.0.1:6881", i+1)), false)
				a.extended(ref, 0)
			}
			r := rand.New(rand.NewPCG(1, 1))
			var under []time.Time   // when dials went out that are not answered
			var to []netip.AddrPort // the same: where they went to
			prefix := netip.MustParsePrefix(v.prefix)
			var dialled []time.Time
			answer := func(list []Action) {
				for queue := dials(list); len(queue) > 0; queue = queue[1:] {
					if !prefix.Contains(queue[0].Addr()) {
						continue // a peer that has told of others
					}
					dialled = append(dialled, a.now)
					if silent {
						under, to = append(under, a.now), append(to, queue[0])
						continue
					}
					a.event(Event{Kind: DialFailed, Endpoint: endpoint.IP(queue[0])})
					queue = append(queue, dials(a.actions)...)
				}
			}
			for second := range 60 * minutes {
				if second%30 == 0 {
					for i := range tellers {
						var m wire.PEX
						for range wire.PEXMax {
							m.Added = append(m.Added, wire.PEXPeer{Addr: inPrefix(v.prefix, r)})
						}
						a.pex(PeerRef(10+i), m)
						answer(a.actions)
					}
				}
				answer(a.wait(time.Second))
				for i := range tellers {
					a.message(PeerRef(10+i), wire.Message{ID: wire.KeepAlive})
				}
				for len(under) > 0 && a.now.Sub(under[0]) >= 5*time.Second {
					addr := to[0]
					under, to = under[1:], to[1:]
					a.event(Event{Kind: DialFailed, Endpoint: endpoint.IP(addr)})
					answer(a.actions)
				}
			}
			for i := v.most; i < len(dialled); i++ {
				if dialled[i].Sub(dialled[i-v.most]) < time.Minute {
					t.Errorf("%s, silent %v: more than %d dials within a minute, %d in %d minutes",
						v.name, silent, v.most, len(dialled), minutes)
					break
				}
			}
			if len(dialled) == 0 {
				t.Errorf("%s, silent %v: never dialled", v.name, silent)
			}
			t.Logf("%s, silent %v: %d dials in %d minutes", v.name, silent, len(dialled), minutes)
		}
	}
}

// TestSwarmInOneNetwork: a small swarm whose peers all live in one network meets within
// seconds: who answers as a peer counts against nobody.
func TestSwarmInOneNetwork(t *testing.T) {
	for _, prefix := range []string{"10.1.2.0/24", "60.0.0.0/24", "127.0.7.0/24", "2001:db8:1::/48",
		"127.0.0.1/32", "2001:db8:1:2::/64", "60.0.0.9/32"} {
		home := limit.Home{netip.MustParseAddr("127.0.0.1")}
		a := &attack{script: &script{t: t}}
		a.info = testInfo(4, 1<<15, 4<<15)
		a.now = time.Unix(1_000_000, 0)
		a.torrent = New(a.now, Config{InfoHash: a.info.Hash(), PeerID: [20]byte{'M'}, Seed: 1,
			Home: home})
		r := rand.New(rand.NewPCG(2, 2))
		peers := 40
		if p := netip.MustParsePrefix(prefix); limit.SourceOf(inPrefix(prefix,
			r).Addr()) == limit.SourceOf(p.Addr()) && !home.Has(p.Addr()) {
			peers = perSourceConnsMax // of one source there are no more
		}
		var under []netip.AddrPort
		list := []Action{}
		for range peers {
			a.event(Event{Kind: Found, Endpoint: endpoint.IP(inPrefix(prefix, r)),
				Source: book.SourceTracker})
			list = append(list, a.actions...)
		}
		for step := 0; a.torrent.peers.count() < peers; step++ {
			if step > 50 {
				t.Errorf("%s: %d of %d peers after %d round trips", prefix,
					a.torrent.peers.count(), peers, step)
				break
			}
			under = append(under, dials(list)...)
			a.now = a.now.Add(100 * time.Millisecond)
			a.event(Event{Kind: Tick})
			list = a.actions
			for _, addr := range under {
				hello := wire.Hello{InfoHash: a.info.Hash()}
				binary.BigEndian.PutUint16(hello.PeerID[:], addr.Port())
				copy(hello.PeerID[2:], addr.Addr().AsSlice())
				a.ref++
				a.event(Event{Kind: Connected, Peer: a.ref, Endpoint: endpoint.IP(addr),
					Hello:    &hello,
					Outgoing: true})
				list = append(list, a.actions...)
			}
			under = nil
		}
	}
}

// TestWhereStrangersLead: what a stranger names leads neither to a service of this
// machine and network nor to a link-local address, by whichever source and in whichever
// form. What the user names leads anywhere.
func TestWhereStrangersLead(t *testing.T) {
	never := []string{
		"127.0.0.1:22", "127.9.9.9:1023", "[::1]:631", "10.0.0.1:80", "192.168.1.1:443",
		"172.16.0.1:53", "100.64.0.1:80",
		"[fd00::1]:80", "[::ffff:127.0.0.1]:22", "[::ffff:10.0.0.1]:80", "[64:ff9b::10.0.0.1]:80",
		"[2002:a00:1::1]:80",
		"[::127.0.0.1]:22", "169.254.169.254:80", "[fe80::1]:80", "[fec0::1]:80",
	}
	linkLocal := []string{"169.254.169.254:6881", "[fe80::1%eth0]:6881",
		"[::ffff:169.254.169.254]:6881", "[2002:a9fe:a9fe::1]:6881"}
	allowed := []string{"127.0.0.1:1024", "10.0.0.1:6881", "[fd00::1]:6881", "[::1]:6881",
		"60.0.0.1:80", "[2001:db8::1]:22"}
	dialled := func(source book.Source, addr string) bool {
		a := newAttack(t, 0)
		to := netip.MustParseAddrPort(addr)
		if source == book.SourcePEX {
			a.link(2, netip.MustParseAddrPort("127.0.0.1:7777"), false)
			a.extended(2, 0)
			a.pex(2, wire.PEX{Added: []wire.PEXPeer{{Addr: to}}})
		} else {
			a.event(Event{Kind: Found, Endpoint: endpoint.IP(to), Source: source, Met: a.now,
				Vouched: true})
		}
		return len(dials(a.then(2*time.Second))) > 0
	}
	for _, source := range []book.Source{book.SourceLink, book.SourceDHT, book.SourcePEX,
		book.SourceLSD, book.SourceTracker,
		book.SourceResume} {
		for _, addr := range never {
			if dialled(source, addr) {
				t.Errorf("source %d leads to %s", source, addr)
			}
		}
		for _, addr := range linkLocal {
			if got, want := dialled(source, addr), source == book.SourceLSD; got != want {
				t.Errorf("source %d leads to %s: %v, want %v", source, addr, got, want)
			}
		}
		for _, addr := range allowed {
			if !dialled(source, addr) {
				t.Errorf("source %d does not lead to %s", source, addr)
			}
		}
	}
	for _, list := range [][]string{never, linkLocal, allowed} {
		for _, addr := range list {
			if !dialled(book.SourceUser, addr) {
				t.Errorf("the user does not lead to %s", addr)
			}
		}
	}
}

// TestPortOfTheSystem: a peer of this machine that says to listen at a port of the
// system is neither dialled there nor told of.
func TestPortOfTheSystem(t *testing.T) {
	a := newAttack(t, 0)
	a.link(2, netip.MustParseAddrPort("127.0.0.5:7777"), false)
	a.extended(2, 22)
	a.link(3, netip.MustParseAddrPort("127.0.0.6:7777"), false)
	a.extended(3, 6881)
	for _, x := range a.then(5 * time.Second) {
		if x.Kind == Send && x.Peer == 3 && x.Msg.Ext == uint8(wire.ExtPEX) &&
			x.Msg.ID == wire.Extended {
			t.Errorf("another is told %s", said(&x.Msg))
		}
	}
	if p := a.torrent.peers.live(2); p == nil || p.listen.IsValid() {
		t.Error("it is dropped, or its port is believed")
	}
	a.event(Event{Kind: Closed, Peer: 2})
	for _, addr := range dials(a.then(5 * time.Minute)) {
		if addr.Port() == 22 {
			t.Errorf("dialled %v", addr)
		}
	}
}

// TestLinkIsARumour: the addresses in a stranger's link are dialled, forgotten and
// bounded as those of others: not again and again for ever, and not all of a network.
func TestLinkIsARumour(t *testing.T) {
	a := newAttack(t, 0)
	count := map[netip.Addr]int{}
	for i := range 37 {
		a.event(Event{Kind: Found, Endpoint: endpoint.IP(numbered(0x2800 + i)),
			Source: book.SourceLink})
		a.refuse(a.actions, count)
	}
	total := func() (n int) {
		for _, k := range count {
			n += k
		}
		return n
	}
	for range 120 {
		a.refuse(a.wait(time.Second), count)
	}
	if n := total(); n > 3*limit.DialsPerNetworkMax {
		t.Errorf("%d dials to 37 addresses of one /24 in 120 s", n)
	}
	for range 24 * 60 {
		a.refuse(a.wait(time.Minute), count)
		a.message(1, wire.Message{ID: wire.KeepAlive})
	}
	if n := a.torrent.book.Census().Known; n > 0 {
		t.Errorf("%d of 37 dead addresses are remembered after a day", n)
	}
	before := total()
	a.refuse(a.wait(time.Hour), count)
	if n := total() - before; n > 0 {
		t.Errorf("%d dials in an hour after a day without success", n)
	}
	if n := count[numbered(0x2800).Addr()]; n == 0 || n > 7 {
		t.Errorf("%d dials to one of the addresses, want 1 to 7", n)
	}
}

// TestNamedPeerThatComesLate: what the user named is dialled at even intervals until it
// is there, and is met soon after: within seconds if it comes after a few.
func TestNamedPeerThatComesLate(t *testing.T) {
	for _, late := range []time.Duration{
		0, 500 * time.Millisecond, 2 * time.Second, 3 * time.Second, 5 * time.Second,
		8 * time.Second, 15 * time.Second,
		30 * time.Second, time.Minute, 3 * time.Minute, 20 * time.Minute,
	} {
		a := newAttack(t, 0)
		start, addr := a.now, netip.MustParseAddrPort("60.0.0.1:6881")
		a.event(Event{Kind: Found, Endpoint: endpoint.IP(addr), Source: book.SourceUser})
		list, tries := a.actions, 0
		for met := false; !met; {
			for range dials(list) {
				tries++
				if met = a.now.Sub(start) >= late; !met {
					a.event(Event{Kind: DialFailed, Endpoint: endpoint.IP(addr)})
				}
			}
			if met {
				break
			}
			a.now = a.now.Add(50 * time.Millisecond)
			a.event(Event{Kind: Tick})
			list = a.actions
		}
		waited := a.now.Sub(start) - late
		if most := min(late/3+1300*time.Millisecond, 36*time.Second); waited > most {
			t.Errorf("a peer that comes after %v is met %v later, want %v at most", late, waited,
				most)
		}
		if most := 20 + int(late/(20*time.Second)); tries > most {
			t.Errorf("a peer that comes after %v is dialled %d times, want %d at most", late, tries,
				most)
		}
	}
}

// TestNamedPeerThatHangsUp: what the user named is not dialled again and again when it
// takes each connection and ends it.
func TestNamedPeerThatHangsUp(t *testing.T) {
	a := newAttack(t, 0)
	addr := netip.MustParseAddrPort("60.0.0.1:6881")
	a.event(Event{Kind: Found, Endpoint: endpoint.IP(addr), Source: book.SourceUser})
	list, met := a.actions, 0
	for range 10 * 60 {
		for _, d := range dials(list) {
			if d != addr {
				continue
			}
			met++
			a.link(PeerRef(100+met), addr, true)
			a.event(Event{Kind: Closed, Peer: PeerRef(100 + met)})
		}
		list = a.wait(time.Second)
	}
	if met < 20 || met > 45 {
		t.Errorf("connected %d times in ten minutes, want about 30", met)
	}
}
