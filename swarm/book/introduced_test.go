package book

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
)

// TestIntroduced: which peers are dialled by introduction, and what becomes of the dial.
func TestIntroduced(t *testing.T) {
	at := endpoint.IP(netip.MustParseAddrPort("40.0.0.1:6881"))
	rumour := Rumour{Endpoint: at, Source: SourcePEX, UTP: true}
	wish := Wish{DialsMax: 32}
	for _, tt := range []struct {
		name    string
		before  func(b *Book)
		seeding bool
		full    bool
		again   bool
		want    bool
		under   int // attempts under way afterwards
	}{
		{name: "unknown", want: true, under: 1},
		{name: "unknown, without room", full: true},
		{name: "waits after a failure", want: true, under: 1, before: func(b *Book) {
			b.Hear(0, rumour)
			b.Next(0, wish)
			b.Failed(0, at, FaultTimeout)
		}},
		{name: "being dialled", want: true, under: 1, before: func(b *Book) {
			b.Hear(0, rumour)
			b.Next(0, wish)
		}},
		{name: "being dialled, without room", full: true, want: true, under: 1,
			before: func(b *Book) {
				b.Hear(0, rumour)
				b.Next(0, wish)
			}},
		{name: "connected", before: func(b *Book) {
			b.Hear(0, rumour)
			b.Connected(0, at, 1, true)
		}},
		{name: "connected by a worse path", again: true, want: true, before: func(b *Book) {
			b.Hear(0, rumour)
			b.Connected(0, at, 1, true)
		}},
		{name: "our own", before: func(b *Book) {
			b.Hear(0, rumour)
			b.Self(at)
		}},
		{name: "banned", before: func(b *Book) { b.Ban(0, at, at) }},
		{name: "a seed, while we seed", seeding: true, before: func(b *Book) {
			b.Hear(0, rumour)
			b.Connected(0, at, 1, true)
			b.Closed(0, Parting{Conn: 1, At: at, Listen: at, Up: 1, Seed: true})
		}},
		{name: "of a private torrent", before: func(b *Book) { b.SetPrivate() }},
	} {
		b := New(Config{Start: time.Unix(0, 0), Rand: rand.New(rand.NewPCG(1, 1))})
		if tt.before != nil {
			tt.before(b)
		}
		d, ok := b.Introduced(0, Introduction{rumour, tt.seeding, !tt.full, tt.again})
		b.Check()
		if ok != tt.want || b.Dialling() != tt.under {
			t.Errorf("%s: %v, and %d dials under way; want %v, %d", tt.name, ok, b.Dialling(),
				tt.want, tt.under)
		}
		if want := (Dial{at, limit.Introduced, endpoint.TransportUTP}); ok && d != want {
			t.Errorf("%s: %+v, want %+v", tt.name, d, want)
		}
		if b.Arranged(at) != tt.want {
			t.Errorf("%s: arranged %v", tt.name, b.Arranged(at))
		}
	}
}

// TestIntroductionsHaveABudget: a host is dialled by introduction a few times a minute, beside
// its other dials, unless a peer of the swarm is there.
func TestIntroductionsHaveABudget(t *testing.T) {
	b := New(Config{Start: time.Unix(0, 0), Rand: rand.New(rand.NewPCG(1, 1))})
	at := endpoint.IP(netip.MustParseAddrPort("40.0.0.1:6881"))
	rumour := Rumour{Endpoint: at, Source: SourcePEX}
	try := func(now time.Duration) bool {
		_, ok := b.Introduced(now, Introduction{Rumour: rumour, Room: true})
		return ok
	}
	for i := range limit.DialsPerSourceMax + 1 {
		if got, want := try(0), i < limit.DialsPerSourceMax; got != want {
			t.Errorf("introduction %d: %v, want %v", i+1, got, want)
		}
		b.Failed(0, at, FaultTimeout)
	}
	if !try(time.Minute) {
		t.Error("no introduction after a minute")
	}
	b.Connected(time.Minute, at, 1, true)
	b.Stays(at)
	b.Stays(at) // it is given back once
	b.Closed(time.Minute, Parting{Conn: 1, At: at, Listen: at})
	n := 0
	for try(time.Minute) {
		n++
		b.Failed(time.Minute, at, FaultTimeout)
	}
	if n != limit.DialsPerSourceMax {
		t.Errorf("%d introductions after one that met a peer, want %d", n, limit.DialsPerSourceMax)
	}
}

// TestDialsByOurselvesAreNotArranged: the next dial of an endpoint is one as others are.
func TestDialsByOurselvesAreNotArranged(t *testing.T) {
	b := New(Config{Start: time.Unix(0, 0), Rand: rand.New(rand.NewPCG(1, 1))})
	at := endpoint.IP(netip.MustParseAddrPort("40.0.0.1:6881"))
	b.Introduced(0, Introduction{Rumour: Rumour{Endpoint: at, Source: SourcePEX}, Room: true})
	b.Failed(0, at, FaultTimeout)
	if d, _, ok := b.Next(time.Minute, Wish{DialsMax: 32}); !ok || d.Told != limit.ByRumour ||
		b.Arranged(at) {
		t.Errorf("%+v, %v, arranged %v", d, ok, b.Arranged(at))
	}
}

// TestDesertedOnceAMinute: a peer that closes each new connection is dialled at once now and
// then.
func TestDesertedOnceAMinute(t *testing.T) {
	b := New(Config{Start: time.Unix(0, 0), Rand: rand.New(rand.NewPCG(1, 1))})
	at := endpoint.IP(netip.MustParseAddrPort("40.0.0.1:6881"))
	if b.Deserted(0, at) {
		t.Error("an endpoint that is not in the book")
	}
	b.Hear(0, Rumour{Endpoint: at, Source: SourcePEX})
	n := 0
	for now := time.Duration(0); now < 3*time.Minute; now += time.Second {
		if b.Deserted(now, at) {
			n++
		}
	}
	if n != 3 {
		t.Errorf("%d times in three minutes, want 3", n)
	}
}
