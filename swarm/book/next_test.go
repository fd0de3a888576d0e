package book

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"swarmnode/swarm/limit"
)

// TestOrderOfDials has one scene for each rank of the order in which endpoints are
// dialled (doc.go, item 7): without the rank, the order would be another.
func TestOrderOfDials(t *testing.T) {
	play(t, []scene{
		{"what the user named goes first",
			"hear 1 resume | hear 2 user | dial", "2! 1 -"},
		{"a rumour that the user repeats is one of the user",
			"hear 1 resume | hear 2 dht | hear 2 user | dial 1", "2!"},
		{"a proven endpoint goes before a rumour",
			"hear 1 dht | hear 2 dht | hear 3 dht | hear 2 resume | dial 1", "2"},
		{"one that failed less goes first",
			"hear 1 dht | dial | fail 1 | hear 2 dht | wait 1m | dial", "1 - 2 1 -"},
		{"of proven ones, too",
			"hear 1 resume | dial | fail 1 | hear 2 resume | wait 1m | dial", "1 - 2 1 -"},
		{"the source of which fewest are being dialled goes first",
			"hear 1 dht | dial | hear 2 dht | hear 3 dht | hear 4 pex | hear 5 dht | hear 6 dht |" +
				"dial 1", "1 - 4"},
		{"a seed dials those last that others call seeds",
			"seeding | hear 1 pex seed | hear 2 pex | hear 3 pex seed | hear 4 pex | dial 2 |" +
				"hear 5 pex | dial 1", "2 4 5"},
		{"a download takes seeds like others, by failures first",
			"hear 1 pex | dial | fail 1 | hear 2 pex seed | wait 1m | dial", "1 - 2 1 -"},
		{"a seed does not dial a peer that had everything",
			"hear 1 dht | dial | meet 1 | seeding | close 1 moved seed | wait 1h | dial", "1 - -"},
		{"a download does",
			"hear 1 dht | dial | meet 1 | close 1 moved seed | wait 5m | dial", "1 - 1+ -"},
	})
}

// Equals go at random, not by age.
func TestEqualsAreDialledAtRandom(t *testing.T) {
	first := map[string]bool{}
	s := newScript(t, Config{})
	for i := range 40 {
		s.book = New(Config{Start: start, Rand: s.book.cfg.Rand})
		s.run("hear 1 dht | hear 2 dht | hear 3 dht")
		first[s.run("dial 1")] = true
		if len(first) == 3 {
			return
		}
		s.now += time.Duration(i)
	}
	t.Errorf("of three equals the first was always among %v", first)
}

// TestWhoMayNotBeDialled: the bounds of the checklist in doc.go.
func TestWhoMayNotBeDialled(t *testing.T) {
	play(t, []scene{
		{"an unknown book is never ready", "until", "never"},
		{"each endpoint is dialled once at a time",
			"hear 1 dht | dial | dial | until", "1 - - never"},
		{"one that is connected is not dialled",
			"hear 1 dht | hear 2 dht | meet 1 | join 2 | wait 1h | dial", "-"},
		{"nor one that connected by itself and says so",
			"accept 1 | hear 1 incoming | join 1 | wait 1h | dial", "-"},
		{"where a peer came from says nothing of where it listens",
			"hear 1 dht | accept 1 | dial", "1 -"},
		{"nor is our own", "hear 1 dht | self 1 | join 1 | wait 1h | dial | knows 1", "- true"},
		{"a banned one is not", "hear 1 dht | ban 1 | dial | wait 61m | dial", "- 1 -"},
		{"nor heard of", "ban 1 | hear 1 dht | knows 1", "false"},
		{"in a private torrent none that no tracker named",
			"hear 1 dht | hear 2 tracker | hear 3 dht | hear 3 tracker | hear 4 lsd | private |" +
				"knows 1 | knows 4 | hear 5 pex | knows 5 | hear 6 resume | knows 6 |" +
				"hear 7 resume vouched | knows 7 | hear 8 user | hear 9 link | knows 9",
			"false false false false true true"},
		{"what was being dialled then is not dialled again",
			"hear 1 dht | dial | private | knows 1 | putoff 1 | wait 1h | dial", "1 - true -"},
		{"unless it is vouched for later",
			"hear 1 dht | dial | private | putoff 1 | hear 1 tracker | wait 1h | dial", "1 - 1 -"},
	})
}

// A source that names only dead addresses leaves a quarter of the dials to others.
func TestDialsOfOneSource(t *testing.T) {
	s := newScript(t, Config{})
	s.dials = 8
	for i := range 20 {
		s.run(fmt.Sprintf("hear %d dht", i+1))
	}
	if got := s.run("dial"); len(strings.Fields(got)) != 6+1 {
		t.Errorf("dials %s, want 6 of 8", got)
	}
	if got := s.run("hear 50 pex | hear 51 user | dial"); got != "51! 50 -" {
		t.Errorf("dials %s of other sources, want 51! 50", got)
	}
	s.dials = 1
	if got := newScript(t, Config{}).run("hear 1 dht | dial"); got != "1 -" {
		t.Errorf("dials %s with one place, want 1", got)
	}
}

// TestReturns: an endpoint at which blocks moved is tried again within a second, and
// often, beside the budget of rumours; but no source more than returnsMax times a
// minute.
func TestReturns(t *testing.T) {
	play(t, []scene{
		{"a lost connection is made again at once",
			"hear 1 dht | dial | meet 1 | wait 5m | close 1 moved broken | until | wait 1s | dial",
			"1 - 0s 1+ -"},
		{"again and again, after longer waits",
			"hear 1 dht | dial | meet 1 | wait 5m | close 1 moved broken | wait 1s | dial | fail 1 |" +
				"wait 1s | dial | fail 1 | wait 2s | dial | fail 1 | dial", "1 - 1+ - 1+ - 1+ - -"},
		{"as what the user named, once that is over",
			"hear 1 user | dial | meet 1 | wait 5m | close 1 moved broken | wait 1s | dial |" +
				"wait 11m | fail 1 | wait 1m | dial", "1! - 1+ - 1! -"},
		{"a connection that is closed is made again after a moment",
			"hear 1 dht | dial | meet 1 | wait 5m | close 1 moved | until | wait 2s | dial",
			"1 - 2s 1+ -"},
		{"less often when a minute is over",
			"hear 1 dht | dial | meet 1 | wait 5m | close 1 moved broken | wait 61s | dial | fail 1 |" +
				"until", "1 - 1+ - 37s"},
		{"but not if it was of no use",
			"hear 1 dht | dial | meet 1 | wait 5m | close 1 moved broken unwanted | wait 1s | dial |" +
				"until", "1 - - 39s"},
		{"a peer that takes connections and ends them is tried five times",
			"hear 1 dht | dial | meet 1 | wait 5m | close 1 moved broken | wait 1s | dial | meet 1 |" +
				"close 1 | wait 1s | dial | meet 1 | close 1 | wait 2s | dial | meet 1 | close 1 |" +
				"wait 3s | dial | meet 1 | close 1 | wait 5s | dial | meet 1 | close 1 |" +
				"wait 5s | dial | wait 5s | dial",
			"1 - 1+ - 1+ - 1+ - 1+ - 1+ - - 1 -"},
	})
	s := newScript(t, Config{})
	s.run("hear 1 dht | dial | meet 1 | stay 1")
	for i := range returnsMax {
		if got := s.run("again 1"); got != "1+" {
			t.Fatalf("probe %d: %s", i, got)
		}
	}
	if got := s.run("again 1 | wait 59s | again 1 | wait 1s | again 1"); got != "- - 1+" {
		t.Errorf("probes beyond the bound: %s", got)
	}
	for range returnsMax {
		s.run("again 1")
	}
	if got := s.run("again 1 | moved | again 1"); got != "- 1+" {
		t.Errorf("probes from another address: %s", got)
	}
}

func TestAgain(t *testing.T) {
	play(t, []scene{
		{"a peer that is connected there", "hear 1 dht | meet 1 | again 1", "1+"},
		{"not one that is unknown", "again 1", "-"},
		{"nor one without a connection", "hear 1 dht | again 1", "-"},
		{"the probe is answered by another connection",
			"hear 1 dht | meet 1 | again 1 | fail 1 | putoff 1", "1+ connected:1 connected:1"},
		{"a peer that is probed is one at which blocks move",
			"hear 1 dht | meet 1 | again 1 | close 1 moved unwanted | until", "1+ 8s"},
		{"nobody waits for an unknown one", "fail 1 | putoff 1 | knows 1", "false"},
	})
	b := newTestBook(Config{})
	b.Hear(0, Rumour{Endpoint: far(1), Source: SourceDHT})
	b.Connected(0, far(1), 5, true)
	if _, ok := b.Again(0, far(1), 6); ok {
		t.Error("a probe for another connection than the one at that endpoint")
	}
}

// A dial by rumour that met a peer that stays leaves the budget of its network.
func TestStays(t *testing.T) {
	for _, stays := range []bool{false, true} {
		b := newTestBook(Config{})
		dialled := 0
		for i := range 3 * limit.DialsPerNetworkMax {
			b.Hear(0, Rumour{Endpoint: near(i), Source: SourceDHT})
			d, _, ok := b.Next(0, Wish{DialsMax: 100})
			if !ok {
				continue
			}
			dialled++
			b.Connected(0, d.Endpoint, Conn(i+1), true)
			if stays {
				b.Stays(d.Endpoint)
			}
		}
		want := limit.DialsPerNetworkMax
		if stays {
			want *= 3
		}
		if dialled != want {
			t.Errorf("peers stay %v: %d dials to one network, want %d", stays, dialled, want)
		}
	}
	b := newTestBook(Config{})
	var last Dial
	for i := range limit.DialsPerNetworkMax {
		b.Hear(0, Rumour{Endpoint: near(i), Source: SourceDHT})
		last, _, _ = b.Next(0, Wish{DialsMax: 100})
	}
	b.Connected(0, last.Endpoint, 1, true)
	b.Stays(last.Endpoint)
	b.Stays(last.Endpoint) // once is enough
	left := 0
	for i := range 5 {
		b.Hear(0, Rumour{Endpoint: near(100 + i), Source: SourceDHT})
		if _, _, ok := b.Next(0, Wish{DialsMax: 100}); ok {
			left++
		}
	}
	if left != 1 {
		t.Errorf("%d more dials for one peer that stays, want 1", left)
	}
}

// Two ports of one host are not dialled at a time as long as nobody was met there.
func TestHostRests(t *testing.T) {
	b := newTestBook(Config{})
	for i := range 3 {
		hear(b, at(fmt.Sprintf("30.0.0.9:%d", 5000+i)), SourceDHT)
	}
	wish := Wish{DialsMax: 100}
	d, _, ok := b.Next(0, wish)
	if !ok {
		t.Fatal("nothing to dial")
	}
	if d, at, ok := b.Next(0, wish); ok || at != never {
		t.Errorf("dials %v, at %v, while another port of the host is dialled", d, at)
	}
	b.Failed(time.Second, d.Endpoint, FaultRefused)
	if d, _, ok := b.Next(time.Second+hostAgain-1, wish); ok {
		t.Errorf("dials %v before the host has rested", d)
	}
	if d, _, ok = b.Next(time.Second+hostAgain, wish); !ok {
		t.Fatal("the rest does not end")
	}
	b.Connected(time.Minute, d.Endpoint, 1, true)
	if _, _, ok := b.Next(time.Minute, wish); !ok {
		t.Error("a host at which a peer is rests")
	}
}

// TestDialsByPriority: of equals the canonical priority chooses.
func TestDialsByPriority(t *testing.T) {
	b := newTestBook(Config{})
	b.SetExternal(netip.MustParseAddr("50.0.0.1"))
	for i := range 20 {
		hear(b, far(i), SourceDHT)
	}
	last := uint32(1<<32 - 1)
	for range 20 {
		d, _, ok := b.Next(0, Wish{DialsMax: 100})
		if got := b.Priority(d.Endpoint); !ok || got > last {
			t.Fatalf("dials %v, %v, of priority %08x after %08x", d, ok, got, last)
		} else {
			last = got
		}
	}
}

// When our address changed, peers that are known to be there are dialled at once, and
// the budgets of the old address count no more.
func TestMoved(t *testing.T) {
	play(t, []scene{
		{"a proven endpoint",
			"hear 1 dht | dial | meet 1 | close 1 unwanted | until | moved | dial", "1 - 40s 1 -"},
		{"not a rumour that failed",
			"hear 1 dht | dial | fail 1 | moved | dial", "1 - -"},
		{"one whose dial was put off",
			"hear 1 dht | dial | putoff 1 | dial | moved | dial", "1 - - 1 -"},
		{"one whose dial is put off afterwards, once",
			"hear 1 dht | dial | moved | putoff 1 | dial | putoff 1 | dial", "1 - 1 - -"},
		{"not one whose dial fails afterwards",
			"hear 1 dht | dial | moved | fail 1 | dial", "1 - -"},
		{"one at which blocks moved",
			"hear 1 dht | dial | meet 1 | wait 1m | close 1 moved | dial | moved | dial", "1 - - 1+ -"},
	})
	b := newTestBook(Config{})
	for i := range 2 * limit.DialsPerNetworkMax {
		b.Hear(0, Rumour{Endpoint: near(i), Source: SourceDHT})
	}
	count := func() (n int) {
		for {
			if _, _, ok := b.Next(0, Wish{DialsMax: 100}); !ok {
				return n
			}
			n++
		}
	}
	if n := count(); n != limit.DialsPerNetworkMax {
		t.Errorf("%d dials to one network, want %d", n, limit.DialsPerNetworkMax)
	}
	b.Moved(0)
	if n := count(); n != limit.DialsPerNetworkMax {
		t.Errorf("%d dials to one network after a change of address, want %d", n,
			limit.DialsPerNetworkMax)
	}
}

// A proven peer that we hung up on is dialled again although rumours about its network have
// used up the dials there.
func TestRefreshAmongRumours(t *testing.T) {
	b := newTestBook(Config{})
	hear := func(i int) { b.Hear(0, Rumour{Endpoint: near(i), Source: SourceDHT}) }
	hear(0)
	if d, _, ok := b.Next(0, Wish{DialsMax: 100}); !ok || d.Endpoint != near(0) {
		t.Fatal(d, ok)
	}
	b.Connected(0, near(0), 1, true)
	for i := range limit.DialsPerNetworkMax {
		hear(1 + i)
	}
	for range limit.DialsPerNetworkMax - 1 { // one more went to the peer itself
		d, _, ok := b.Next(0, Wish{DialsMax: 100})
		if !ok {
			t.Fatal("the budget of the network ended early")
		}
		b.Failed(0, d.Endpoint, FaultRefused)
	}
	b.Closed(0, Parting{Conn: 1, At: near(0), End: EndRefresh})
	d, at, ok := b.Next(againAfter, Wish{DialsMax: 100})
	if !ok || d.Endpoint != near(0) || d.Told != limit.ByItself {
		t.Errorf("got %v, %v, next at %v; want the peer at once", d, ok, at)
	}
}

// BenchmarkNext has the book full, and nothing that may be dialled yet: what a
// connection that comes or goes costs at most.
func BenchmarkNext(b *testing.B) {
	full := newTestBook(Config{})
	for i := range entriesMax {
		r := Rumour{Endpoint: near(i), Source: Source(1 + i%int(SourceCount-1))}
		if full.Hear(0, r) {
			full.byEndpoint[r.Endpoint].next = time.Hour
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok := full.Next(0, Wish{DialsMax: 32}); ok {
			b.Fatal("something may be dialled")
		}
	}
}
