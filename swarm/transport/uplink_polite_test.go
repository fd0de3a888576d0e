package transport

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"
	"time"
)

// TestPoliteKeepsQueueShort: on lines of all kinds the queue stays near the aim, and the
// line is used.
func TestPoliteKeepsQueueShort(t *testing.T) {
	for _, rate := range []float64{0.5, 1, 5, 20, 100} {
		for _, rtt := range []time.Duration{5, 21, 150} {
			seed := newSeed(0)
			l := &modelLine{rate: rate * mbit, buffer: 500 * time.Millisecond,
				rtt: rtt * time.Millisecond, senders: []*modelSender{seed}}
			l.run(15 * time.Second)
			l.clear()
			l.run(75 * time.Second)
			used, p50, p95 := seed.sent/60/l.rate, l.quantile(0.5), l.quantile(0.95)
			t.Logf("%5.1f Mbit/s, %3d ms: used %.3f, queue p50 %v p95 %v", rate, rtt, used, p50,
				p95)
			aim := aimOf(l.rate)
			if used < 0.97 || p50 > aim+20*time.Millisecond || p95 > 2*aim+10*time.Millisecond {
				t.Errorf("%v Mbit/s, %d ms: used %.3f, queue p50 %v p95 %v, aim %v", rate, rtt,
					used, p50, p95, aim)
			}
		}
	}
}

// TestPoliteShares: two hosts behind one line come to share it, whenever the second one
// begins.
func TestPoliteShares(t *testing.T) {
	for _, rate := range []float64{2, 5, 20} {
		for _, later := range []time.Duration{1, 7, 15, 22} {
			later *= time.Second
			a, b := newSeed(0), newSeed(later)
			l := home(a, b)
			l.rate = rate * mbit
			l.run(later + 15*time.Second)
			l.clear()
			l.run(later + 75*time.Second)
			share := min(a.sent, b.sent) / max(a.sent, b.sent)
			t.Logf("%v Mbit/s, %v later: %.2f", rate, later, share)
			if share < 0.7 || a.sent+b.sent < 0.97*60*l.rate {
				t.Errorf("%v Mbit/s, %v later: the smaller has %.2f of the larger; used %.3f", rate,
					later, share, (a.sent+b.sent)/60/l.rate)
			}
		}
	}
}

// TestPoliteGivesWay: others behind the same line have what they need, and what they leave
// is used.
func TestPoliteGivesWay(t *testing.T) {
	for _, tt := range []struct {
		name  string
		other modelSender
		// The least of the other and of both together, in Mbit/s, and the longest queue at the
		// median.
		least, both float64
		queue       time.Duration
	}{
		{"acknowledgements of a download", modelSender{constant: 0.45 * mbit}, 0.44, 4.9,
			60 * time.Millisecond},
		{"a call", modelSender{constant: 2 * mbit}, 1.95, 4.85, 60 * time.Millisecond},
		{"an upload over TCP", modelSender{}, 3.5, 4.95, time.Second},
	} {
		tt.other.begins = 20 * time.Second
		seed := newSeed(0)
		l := home(seed, &tt.other)
		l.run(30 * time.Second)
		l.clear()
		l.run(60 * time.Second)
		own, other := seed.sent/30/mbit, tt.other.sent/30/mbit
		t.Logf("%s: %.2f and %.2f Mbit/s, queue %v", tt.name, own, other, l.quantile(0.5))
		if other < tt.least || own+other < tt.both || l.quantile(0.5) > tt.queue {
			t.Errorf("%s: %.2f Mbit/s and %.2f of ours, queue %v", tt.name, other, own,
				l.quantile(0.5))
		}
		if own < 5*politeFloor*0.9 {
			t.Errorf("%s: %.2f Mbit/s of ours, which is less than the floor", tt.name, own)
		}
	}
}

// TestPoliteForeignQueues: queues elsewhere, as those of downloads at the other ends, do not
// make us give way for long.
func TestPoliteForeignQueues(t *testing.T) {
	swings := func(low, high, period time.Duration) func(time.Duration) time.Duration {
		return func(at time.Duration) time.Duration {
			if at < 5*time.Second {
				return 0
			}
			phase := math.Sin(2 * math.Pi * at.Seconds() / period.Seconds())
			return (low+high)/2 + time.Duration(phase*float64(high-low)/2)
		}
	}
	for _, tt := range []struct {
		name    string
		foreign func(time.Duration) time.Duration
		least   float64
	}{
		{"60 ms", swings(60*time.Millisecond, 60*time.Millisecond, time.Second), 0.93},
		{"a full queue of 100 ms at each end", swings(100*time.Millisecond, 100*time.Millisecond,
			time.Second), 0.95},
		{"10 to 40 ms", swings(10*time.Millisecond, 40*time.Millisecond, time.Second), 0.95},
		{"0 to 60 ms", swings(0, 60*time.Millisecond, 3*time.Second), 0.88},
		{"30 to 90 ms", swings(30*time.Millisecond, 90*time.Millisecond, 3*time.Second), 0.85},
	} {
		fast := &modelLine{rate: 20 * mbit, buffer: 100 * time.Millisecond,
			rtt: 30 * time.Millisecond, senders: []*modelSender{newSeed(0)}}
		for _, l := range []*modelLine{fast, home(newSeed(0))} {
			l.foreign = tt.foreign
			l.run(8 * time.Second)
			l.clear()
			l.run(68 * time.Second)
			used := l.senders[0].sent / 60 / l.rate
			t.Logf("%s: used %.3f, queue %v", tt.name, used, l.quantile(0.5))
			if used < tt.least {
				t.Errorf("%s: %.3f of %v Mbit/s is used, want %v", tt.name, used, l.rate/mbit,
					tt.least)
			}
		}
	}
}

// TestPoliteLeavesFastAlone: what the line does not bound is not held.
func TestPoliteLeavesFastAlone(t *testing.T) {
	for _, queue := range []time.Duration{0, 5 * time.Millisecond, 20 * time.Millisecond} {
		p := new(polite)
		for i := range 600 {
			v := uplinkView{queue: queue, known: true, up: 125e6 / 10, eager: true}
			if got := p.look(time.Unix(1, 0).Add(time.Duration(i)*politeEvery), v); got != 0 {
				t.Fatalf("held to %v after %d looks at a queue of %v", got, i, queue)
			}
		}
	}
}

// TestPoliteFloor: however long the delay is, and for however long, the rate does not fall
// below a share of what it was. When the delay ends, the rate comes back.
func TestPoliteFloor(t *testing.T) {
	p := new(polite)
	at, rate := time.Unix(1, 0), 1e6
	look := func(queue time.Duration) {
		at = at.Add(politeEvery)
		limit := p.look(at, uplinkView{queue: queue, known: true, eager: true,
			up: rate * politeEvery.Seconds()})
		if rate = 1e6; limit > 0 {
			rate = min(rate, limit)
		}
	}
	for range 600 {
		look(10 * time.Second)
		if rate < 0.9*politeFloor*1e6 {
			t.Fatalf("the rate has fallen to %v", rate)
		}
	}
	if rate > 0.3e6 {
		t.Errorf("the rate is %v with a queue of 10 s", rate)
	}
	for range 200 {
		look(0)
	}
	if rate < 0.95e6 {
		t.Errorf("the rate is %v 20 s after the queue has gone", rate)
	}
}

// TestPoliteLetsGo: a hold ends when there is less to send than it allows, when nothing is
// known of the queue, and when the engine fetches.
func TestPoliteLetsGo(t *testing.T) {
	full := uplinkView{queue: 200 * time.Millisecond, known: true, eager: true, up: 50e3}
	for _, tt := range []struct {
		name   string
		then   uplinkView
		within time.Duration
	}{
		{"less to send", uplinkView{known: true, up: 5e3}, freeAfter + 2*time.Second},
		{"nobody to ask", uplinkView{up: 1e3, eager: true}, freeAfter + 2*time.Second},
		{"fetching", uplinkView{queue: full.queue, known: true, eager: true, up: full.up,
			down: 2 * full.up}, fetchOver},
	} {
		p := new(polite)
		at := time.Unix(1, 0)
		look := func(v uplinkView) float64 {
			at = at.Add(politeEvery)
			return p.look(at, v)
		}
		for range 40 {
			look(full)
		}
		if p.limit == 0 {
			t.Fatalf("%s: nothing is held", tt.name)
		}
		for range int(tt.within / politeEvery) {
			look(tt.then)
		}
		if p.limit != 0 {
			t.Errorf("%s: still held to %v after %v", tt.name, p.limit, tt.within)
		}
	}
}

// TestPoliteStaysBesideOthers: a hold goes on while others keep a queue, also when the
// streams do not use all that it allows.
func TestPoliteStaysBesideOthers(t *testing.T) {
	p := new(polite)
	at := time.Unix(1, 0)
	for i := range 200 {
		v := uplinkView{queue: 90 * time.Millisecond, known: true, eager: true, up: 50e3}
		if i > 100 {
			v.up = 10e3
		}
		at = at.Add(politeEvery)
		if p.look(at, v); i > 30 && p.limit == 0 {
			t.Fatalf("let go after %d looks", i)
		}
	}
}

// TestPolitePauses: a pause of all sends does not upset the hold, a long one ends it.
func TestPolitePauses(t *testing.T) {
	for pause, held := range map[time.Duration]bool{10 * time.Second: true,
		politeMemory + time.Second: false} {
		p := new(polite)
		at := time.Unix(1, 0)
		v := uplinkView{queue: 100 * time.Millisecond, known: true, eager: true, up: 50e3}
		for range 40 {
			at = at.Add(politeEvery)
			p.look(at, v)
		}
		before := p.limit
		got := p.look(at.Add(pause), uplinkView{known: true, eager: true, up: 1})
		if (got > 0) != held || got > 2*before {
			t.Errorf("held to %v after a pause of %v, to %v before", got, pause, before)
		}
	}
}

// TestDeepOf: who sends more is held for a longer queue only.
func TestDeepOf(t *testing.T) {
	for rate, want := range map[float64]time.Duration{0: politeDeep, politeFast: politeDeep,
		2 * politeFast: politeFull, 1e9: politeFull} {
		if got := deepOf(rate, false); got != want {
			t.Errorf("%v bytes per second are held beyond %v, want %v", rate, got, want)
		}
	}
	for rate, want := range map[float64]time.Duration{0: aimFast, 2 * politeFast: politeFull} {
		if got := deepOf(rate, true); got != want {
			t.Errorf("%v bytes per second beside uTP are held beyond %v, want %v", rate, got, want)
		}
	}
}

// TestAimOf: who sends more aims at less.
func TestAimOf(t *testing.T) {
	for _, tt := range []struct {
		rate float64
		want time.Duration
	}{{0, aimSlow}, {aimRate, aimSlow}, {2 * aimRate, aimSlow - aimStep}, {1e9, aimFast},
		{math.Inf(1), aimFast}} {
		if got := aimOf(tt.rate); got != tt.want {
			t.Errorf("%v bytes per second aim at %v, want %v", tt.rate, got, tt.want)
		}
	}
}

// FuzzPolite: whatever the streams show, the rate to which they are held is none, or at
// least its floor.
func FuzzPolite(f *testing.F) {
	f.Add([]byte{100, 0, 80, 3, 200, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		p := new(polite)
		at := time.Unix(1, 0)
		for ; len(in) >= 6; in = in[6:] {
			at = at.Add(time.Duration(int8(in[0])) * 10 * time.Millisecond)
			if in[3]&8 != 0 {
				at = at.Add(time.Duration(in[0]) * time.Second)
			}
			v := uplinkView{queue: time.Duration(in[1])*5*time.Millisecond +
				time.Duration(in[2])*time.Duration(in[2])*time.Second, known: in[3]&1 != 0,
				eager: in[3]&2 != 0, up: math.Ldexp(float64(in[4]), int(in[3]>>3))}
			if in[3]&4 != 0 {
				v.down = float64(binary.BigEndian.Uint16(in[4:])) * 16
			}
			got := p.look(at, v)
			if err := sane(p, got); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// sane returns an error if a rate breaks an invariant of the polite that returned it.
func sane(p *polite, rate float64) error {
	floor := max(politeLeast, p.best*politeFloor)
	if rate != 0 && !(rate >= floor*(1-1e-9)) || math.IsInf(rate, 0) {
		return fmt.Errorf("held to %v, the floor is %v", rate, floor)
	}
	if p.foreign < 0 || p.foreign > foreignMax {
		return fmt.Errorf("%v is foreign", p.foreign)
	}
	return nil
}
