package transport

import (
	"fmt"
	"math"
	"net/netip"
	"testing"
	"time"

	"swarmnode/swarm/limit"
)

// A fakeSocket says what a test wants, and records how it is held.
type fakeSocket struct {
	c     condition
	ended bool
	paced []float64
}

func (s *fakeSocket) condition() (condition, bool) { return s.c, !s.ended }

func (s *fakeSocket) pace(rate float64) { s.paced = append(s.paced, rate) }

// fakeFlow returns the flow of a stream to a network of its own.
func fakeFlow(n int) (*flow, *fakeSocket) {
	s := &fakeSocket{}
	return &flow{socket: s, network: network(n)}, s
}

// network returns one of many networks.
func network(n int) netip.Prefix {
	return limit.NetworkOf(netip.AddrFrom4([4]byte{11, 0, byte(n), 1}))
}

// TestUplinkCounts: a stream counts from its first send on until it has sent nothing for
// flowFor.
func TestUplinkCounts(t *testing.T) {
	type send struct {
		at     time.Duration
		stream int
		want   int
	}
	const ms = time.Millisecond
	for _, tt := range []struct {
		name  string
		sends []send
	}{
		{"one", []send{{0, 0, 1}, {250 * ms, 0, 1}, {9000 * ms, 0, 1}}},
		{"three begin", []send{{0, 0, 1}, {0, 1, 2}, {10 * ms, 1, 2}, {20 * ms, 2, 3},
			{250 * ms, 0, 3}}},
		{"one stops", []send{{0, 0, 1}, {0, 1, 2}, {1400 * ms, 0, 2}, {1500 * ms, 0, 1}}},
		{"all stop", []send{{0, 0, 1}, {0, 1, 2}, {5000 * ms, 2, 1}, {5100 * ms, 0, 2}}},
	} {
		u := NewUplink(UplinkConfig{Greedy: true})
		var flows []*flow
		for i := range 3 {
			f, _ := fakeFlow(i)
			flows = append(flows, f)
		}
		for _, s := range tt.sends {
			if got := u.sends(time.Unix(1, 0).Add(s.at), flows[s.stream]); got != s.want {
				t.Errorf("%s: %d streams at %v, want %d", tt.name, got, s.at, s.want)
			}
		}
	}
}

// TestUplinkBounds: no more streams are watched than flowsMax.
func TestUplinkBounds(t *testing.T) {
	u := NewUplink(UplinkConfig{})
	for i := range flowsMax + 10 {
		f, _ := fakeFlow(i)
		if got, want := u.sends(time.Unix(1, 0), f), min(i+1, flowsMax); got != want {
			t.Fatalf("%d streams after %d, want %d", got, i+1, want)
		}
	}
}

// seedFor has an Uplink watch streams that each send rate bytes per second with a standing
// queue, for a time.
func seedFor(u *Uplink, flows []*flow, sockets []*fakeSocket, d time.Duration, rate float64,
	queue time.Duration) {
	for at := time.Duration(0); at < d; at += politeEvery {
		for i, f := range flows {
			s := sockets[i]
			s.c.acked += uint64(rate * politeEvery.Seconds())
			s.c.rttMin = 20 * time.Millisecond
			s.c.rtt = s.c.rttMin + queue
			s.c.unsent = 1
			u.sends(u.at.Add(politeEvery*time.Duration(1-min(i, 1))), f)
		}
	}
}

// TestUplinkHolds: streams are held together once a queue stands before the uplink, each to
// its part, a new one from its first send on. They are let go when the engine fetches.
func TestUplinkHolds(t *testing.T) {
	u := NewUplink(UplinkConfig{})
	u.at = time.Unix(1, 0)
	var flows []*flow
	var sockets []*fakeSocket
	for i := range 4 {
		f, s := fakeFlow(i)
		flows, sockets = append(flows, f), append(sockets, s)
	}
	const rate = 100 << 10
	seedFor(u, flows, sockets, 4*time.Second, rate, 200*time.Millisecond)
	for i, s := range sockets {
		if len(s.paced) == 0 || s.paced[len(s.paced)-1] >= rate {
			t.Fatalf("stream %d is held to %v, want less than %d", i, s.paced, rate)
		}
	}
	late, socket := fakeFlow(9)
	u.sends(u.at, late)
	if len(socket.paced) != 1 || socket.paced[0] != u.level {
		t.Errorf("a new stream is held to %v, want %v", socket.paced, u.level)
	}
	for range 30 {
		u.Received(8 * rate * int64(politeEvery) / int64(time.Second))
		seedFor(u, flows, sockets, politeEvery, rate, 200*time.Millisecond)
	}
	for i, s := range sockets {
		if got := s.paced[len(s.paced)-1]; got != 0 {
			t.Errorf("stream %d is held to %v while the engine fetches", i, got)
		}
	}
}

// TestUplinkGreedy: with Greedy nothing is held.
func TestUplinkGreedy(t *testing.T) {
	u := NewUplink(UplinkConfig{Greedy: true})
	u.at = time.Unix(1, 0)
	f, s := fakeFlow(0)
	seedFor(u, []*flow{f}, []*fakeSocket{s}, 3*time.Second, 100<<10, time.Second)
	if len(s.paced) != 0 {
		t.Errorf("the stream is held to %v", s.paced)
	}
}

// TestUplinkForgetsEnded: a stream that has ended is watched no longer.
func TestUplinkForgetsEnded(t *testing.T) {
	u := NewUplink(UplinkConfig{})
	u.at = time.Unix(1, 0)
	f, _ := fakeFlow(0)
	ended, s := fakeFlow(1)
	u.sends(u.at, ended)
	s.ended = true
	for range 3 {
		u.sends(u.at.Add(politeEvery), f)
	}
	if len(u.flows) != 1 || ended.listed {
		t.Errorf("%d streams are watched, want the one that has not ended", len(u.flows))
	}
}

// TestAgreed: what several networks say of the queue.
func TestAgreed(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name string
		says []time.Duration // by network; the same number of networks
		want time.Duration
	}{
		{"one", []time.Duration{70 * ms}, 70 * ms},
		{"two", []time.Duration{70 * ms, 300 * ms}, 70 * ms},
		{"three, one of which has no queue", []time.Duration{0, 60 * ms, 70 * ms}, 60 * ms},
		{"three, two of which have queues of their own", []time.Duration{5 * ms, 9 * ms,
			900 * ms}, 9 * ms},
		{"nine", []time.Duration{1 * ms, 90 * ms, 20 * ms, 30 * ms, 90 * ms, 90 * ms, 90 * ms,
			90 * ms, 900 * ms}, 30 * ms},
		{"less than the shortest", []time.Duration{-5 * ms}, 0},
	} {
		var says []reading
		for i, queue := range tt.says {
			says = append(says, reading{network(i), queue})
		}
		if got, known := agreed(says); !known || got != tt.want {
			t.Errorf("%s: %v (%v), want %v", tt.name, got, known, tt.want)
		}
	}
	if _, known := agreed(nil); known {
		t.Error("nobody knows the queue")
	}
}

// TestAgreedByNetwork: a network with many streams counts once, with its shortest delay.
func TestAgreedByNetwork(t *testing.T) {
	says := []reading{{network(1), 50 * time.Millisecond}, {network(2), 40 * time.Millisecond},
		{network(3), 45 * time.Millisecond}}
	for i := range 100 {
		says = append(says, reading{network(0), time.Second + time.Duration(i)})
	}
	if got, _ := agreed(says); got != 45*time.Millisecond {
		t.Errorf("%v, want what the other three agree on", got)
	}
}

// TestLevelOf: streams that have less to send leave the rest to the others.
func TestLevelOf(t *testing.T) {
	const k = 1 << 10
	eager, small := flow{eager: true}, flow{rate: 4 * k} // which may have 9 KiB
	for _, tt := range []struct {
		name     string
		limit    float64
		flows    []*flow
		yielders []*flow
		want     float64
	}{
		{"no limit", 0, []*flow{&eager}, nil, 0},
		{"no streams", 100 * k, nil, nil, 100 * k},
		{"one", 100 * k, []*flow{&eager}, nil, 100 * k},
		{"even", 100 * k, []*flow{&eager, &eager}, nil, 50 * k},
		{"a small one", 109 * k, []*flow{&eager, &small, &eager}, nil, 50 * k},
		{"none has much to send", 100 * k, []*flow{&small, &small}, nil, 82 * k},
		{"many", 100 * k, many(1000, &eager), nil, levelLeast},
		{"no limit, with uTP", 0, []*flow{&eager}, []*flow{&small}, 0},
		{"a small one over uTP, with room", 109 * k, []*flow{&eager}, []*flow{&small}, 100 * k},
		{"one over uTP that has more", 100 * k, []*flow{&eager}, []*flow{{rate: 80 * k}}, 50 * k},
		{"two over uTP", 99 * k, []*flow{&eager}, []*flow{{rate: 80 * k}, &small}, 45 * k},
		{"many over uTP", 100 * k, []*flow{&eager}, many(1000, &small), levelLeast},
	} {
		if got := levelOf(tt.limit, tt.flows, tt.yielders); math.Abs(got-tt.want) > tt.want/100 {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func many(n int, f *flow) (all []*flow) {
	for range n {
		all = append(all, f)
	}
	return all
}

// BenchmarkUplinkLook is what one look at 80 streams costs besides the questions to the
// system.
func BenchmarkUplinkLook(b *testing.B) {
	u := NewUplink(UplinkConfig{})
	u.at = time.Unix(1, 0)
	var flows []*flow
	for i := range 80 {
		f, s := fakeFlow(i)
		s.c = condition{rtt: 30 * time.Millisecond, rttMin: 20 * time.Millisecond, unsent: 1}
		flows = append(flows, f)
		u.sends(u.at, f)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, f := range flows {
			f.seen = u.at
			f.socket.(*fakeSocket).c.acked += 10 << 10
		}
		u.look(u.at.Add(politeEvery))
	}
	if len(u.flows) != len(flows) {
		b.Fatal(fmt.Sprint(len(u.flows), " streams are left"))
	}
}
