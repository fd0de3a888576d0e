package book

import (
	"net/netip"
	"testing"
	"time"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
)

// FuzzBook does with a Book what bytes say, and checks after each step that its counts
// are right and that a Dial keeps what doc.go promises.
func FuzzBook(f *testing.F) {
	f.Add([]byte("\x00\x01\x00\x02\x01\x02\x01\x03\x01\x04\x01\x05\x02\x01\x07\x00\x08"))
	f.Add([]byte{0, 1, 1, 0, 2, 1, 0, 3, 3, 1, 1, 1, 2, 1, 7, 3, 1, 200, 4, 1, 5, 1, 8, 9, 1, 1})
	f.Fuzz(func(t *testing.T, script []byte) {
		z := &fuzzer{script: script, conns: map[endpoint.Endpoint]Conn{}}
		home := limit.Home{netip.MustParseAddr("127.0.0.1")}
		z.Book = newTestBook(Config{Home: home, Port: 6881, NamedOnly: z.byte()%8 == 7})
		for len(z.script) > 0 {
			z.step(t)
			z.Check()
		}
	})
}

type fuzzer struct {
	*Book
	script  []byte
	now     time.Duration
	conns   map[endpoint.Endpoint]Conn
	last    Conn
	private bool
}

func (z *fuzzer) byte() byte {
	if len(z.script) == 0 {
		return 0
	}
	b := z.script[0]
	z.script = z.script[1:]
	return b
}

// endpoint returns one of few, so that things meet: of a /24, of a host, of home, of an
// IPv6 link, or a web seed.
func (z *fuzzer) endpoint() endpoint.Endpoint {
	b := z.byte()
	ip := [4]byte{30, 0, b >> 6, b & 15}
	port := 6881 + uint16(b>>5&1)
	switch b & 31 {
	case 28:
		return endpoint.WebSeed(endpoint.Key(b >> 5))
	case 29:
		ip = [4]byte{127, 0, 0, 1}
		port = uint16(b)
	case 30:
		return endpoint.IP(netip.AddrPortFrom(netip.AddrFrom16([16]byte{0xfe, 0x80, 15: b}), port))
	}
	return endpoint.IP(netip.AddrPortFrom(netip.AddrFrom4(ip), port))
}

func (z *fuzzer) step(t *testing.T) {
	switch z.byte() % 12 {
	case 0:
		r := Rumour{Endpoint: z.endpoint(), Source: Source(z.byte() % 9)}
		flags := z.byte()
		r.Seed, r.Vouched = flags&1 != 0, flags&2 != 0
		if r.Source == SourcePEX {
			r.Teller = far(int(flags)).Host()
		}
		if r.Source == SourceResume {
			r.Met = start.Add(-time.Duration(flags) * time.Hour)
		}
		z.Hear(z.now, r)
	case 1:
		z.next(t)
	case 2:
		e := z.endpoint()
		z.last++
		z.conns[e] = z.last
		z.Connected(z.now, e, z.last, z.byte()%4 != 0)
	case 3:
		z.now += time.Duration(z.byte()) * time.Second
	case 4:
		e := z.endpoint()
		how := z.byte()
		z.Closed(z.now, Parting{Conn: z.conns[e], At: e, Listen: z.endpoint(), Down: int64(how & 1),
			Up: int64(how >> 1 & 1), Seed: how&4 != 0, Broken: how&8 != 0, End: End(how >> 4 & 3)})
	case 5:
		z.Failed(z.now, z.endpoint(), Fault(z.byte())%FaultCount)
	case 6:
		z.PutOff(z.now, z.endpoint())
	case 7:
		z.Ban(z.now, z.endpoint(), z.endpoint())
	case 8:
		z.Moved(z.now)
	case 9:
		e := z.endpoint()
		z.Joined(z.now, e, z.conns[e])
		z.Again(z.now, e, z.conns[e])
		z.Stays(e)
	case 10:
		z.Vote(z.endpoint().Host(), z.endpoint().Host())
		z.Self(z.endpoint())
	case 11:
		if z.byte()%16 == 15 {
			z.SetPrivate()
			z.private = true
		}
	}
}

// next takes a Dial and checks it.
func (z *fuzzer) next(t *testing.T) {
	before := z.Dialling()
	d, at, ok := z.Next(z.now, Wish{Seeding: z.byte()&1 != 0, DialsMax: 8})
	switch {
	case !ok && at <= z.now:
		t.Fatal("nothing to dial now, but now is when there will be")
	case !ok && z.Dialling() != before:
		t.Fatal("no Dial, but one more is under way")
	case !ok:
		return
	}
	switch {
	case z.Dialling() != before+1:
		t.Fatal("a Dial that is not under way")
	case z.Banned(z.now, d.Endpoint):
		t.Fatalf("dials %v, which is banned", d.Endpoint)
	case z.private && !z.Vouched(d.Endpoint):
		t.Fatalf("dials %v, for which nobody vouches", d.Endpoint)
	case !Usable(d.Endpoint):
		t.Fatalf("dials %v, which cannot be a peer", d.Endpoint)
	}
	if list := z.Known(z.now, 3, func(Conn) bool { return true }); len(list) > 3 {
		t.Fatalf("%d are known, want 3 at most", len(list))
	}
}
