package transport

import (
	"math"
	"net"
	"net/netip"
	"testing"
	"time"
)

// TestPoliteLeavesRoomForUTP: a seed that sends to one peer over TCP and to another over uTP
// gives both their part of the line, whichever began first, and the queue stays short.
func TestPoliteLeavesRoomForUTP(t *testing.T) {
	for _, rate := range []float64{1, 2, 5, 20} {
		for _, begins := range [][2]time.Duration{{0, 20}, {20, 0}, {0, 0}} {
			utp := &modelSender{utp: true, begins: begins[1] * time.Second}
			tcp := newSeed(begins[0] * time.Second)
			tcp.beside = utp
			l := home(tcp, utp)
			l.rate = rate * mbit
			l.run(40 * time.Second)
			l.clear()
			l.run(100 * time.Second)
			used, share := (tcp.sent+utp.sent)/60/l.rate, utp.sent/tcp.sent
			p50, p95 := l.quantile(0.5), l.quantile(0.95)
			t.Logf("%v Mbit/s, TCP from %v, uTP from %v: share %.2f, used %.3f, queue p50 %v p95 %v",
				rate, begins[0]*time.Second, begins[1]*time.Second, share, used, p50, p95)
			if share < 0.8 || share > 1.25 || used < 0.97 || p95 > 60*time.Millisecond {
				t.Errorf("%v Mbit/s, TCP from %v, uTP from %v: share %.2f, used %.3f, queue p95 %v",
					rate, begins[0]*time.Second, begins[1]*time.Second, share, used, p95)
			}
		}
	}
}

// TestPoliteBesideSlowUTP: a peer over uTP that cannot take its part costs the line nothing,
// with or without a queue that others keep.
func TestPoliteBesideSlowUTP(t *testing.T) {
	for _, foreign := range []time.Duration{0, 40 * time.Millisecond, 60 * time.Millisecond} {
		utp := &modelSender{utp: true, limit: 0.3 * mbit}
		tcp := newSeed(0)
		tcp.beside = utp
		l := home(tcp, utp)
		l.foreign = func(at time.Duration) time.Duration {
			if at < 5*time.Second {
				return 0
			}
			return foreign
		}
		l.run(20 * time.Second)
		l.clear()
		l.run(140 * time.Second)
		used := (tcp.sent + utp.sent) / 120 / l.rate
		t.Logf("foreign queue of %v: used %.3f, %.2f over uTP, queue p95 %v", foreign, used,
			utp.sent/120/mbit, l.quantile(0.95))
		if used < 0.93 {
			t.Errorf("foreign queue of %v: %.3f of the line is used", foreign, used)
		}
	}
}

// TestPoliteWithUTPGivesWay: a seed that sends over both gives way to others at home as one
// does that sends over TCP alone.
func TestPoliteWithUTPGivesWay(t *testing.T) {
	for _, tt := range []struct {
		name  string
		other modelSender
		least float64 // of the other, in Mbit/s
		both  float64 // of all together
	}{
		{"a call", modelSender{constant: 2 * mbit}, 1.95, 4.8},
		{"an upload over TCP", modelSender{}, 3, 4.9},
	} {
		utp := &modelSender{utp: true}
		tcp := newSeed(0)
		tcp.beside = utp
		tt.other.begins = 20 * time.Second
		l := home(tcp, utp, &tt.other)
		l.run(30 * time.Second)
		l.clear()
		l.run(60 * time.Second)
		own, other := (tcp.sent+utp.sent)/30/mbit, tt.other.sent/30/mbit
		t.Logf("%s: %.2f of ours and %.2f Mbit/s", tt.name, own, other)
		if other < tt.least || own+other < tt.both {
			t.Errorf("%s: %.2f Mbit/s and %.2f of ours", tt.name, other, own)
		}
	}
}

// TestPoliteAfterUTP: the hold outlives the stream over uTP, and its queue stays short.
func TestPoliteAfterUTP(t *testing.T) {
	utp := &modelSender{utp: true}
	tcp := newSeed(0)
	tcp.beside = utp
	l := home(tcp, utp)
	l.run(30 * time.Second)
	utp.begins = time.Hour
	l.run(35 * time.Second)
	l.clear()
	l.run(65 * time.Second)
	if used := tcp.sent / 30 / l.rate; used < 0.97 || l.quantile(0.95) > 90*time.Millisecond {
		t.Errorf("%.3f of the line is used, with a queue of %v", used, l.quantile(0.95))
	}
}

// TestPoliteDoubtsClaims: a queue that only a peer over uTP claims holds nobody for long.
func TestPoliteDoubtsClaims(t *testing.T) {
	p := new(polite)
	held := 0
	const looks = 1200
	for i := range looks {
		v := uplinkView{known: true, up: 1e6 / 10, eager: true, yields: true,
			yielded: time.Second}
		if p.look(time.Unix(1, 0).Add(time.Duration(i)*politeEvery), v) > 0 {
			held++
		}
	}
	if held > looks/2+looks/5 {
		t.Errorf("held at %d of %d looks", held, looks)
	}
}

// TestUplinkMayHold: nothing is held that may fill the queue.
func TestUplinkMayHold(t *testing.T) {
	if !NewUplink(UplinkConfig{SystemCongestion: true}).Holds() && tellsQueue {
		t.Error("nothing is held, on a system that says how long queues are")
	}
	if NewUplink(UplinkConfig{Greedy: true}).Holds() {
		t.Error("greedy streams are held")
	}
}

// A fakeYielder is a stream over uTP.
type fakeYielder struct {
	net.Conn
	remote net.Addr
	acked  uint64
	queue  time.Duration
}

func (y *fakeYielder) RemoteAddr() net.Addr { return y.remote }

func (y *fakeYielder) Delivery() (uint64, time.Duration) { return y.acked, y.queue }

func yielderAt(ip string) *fakeYielder {
	return &fakeYielder{
		remote: net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(ip), 6881))}
}

// TestUplinkWatchesUTP: streams over uTP through the uplink are watched, and held by nobody.
func TestUplinkWatchesUTP(t *testing.T) {
	for _, tt := range []struct {
		cfg  UplinkConfig
		ip   string
		want bool
	}{
		{UplinkConfig{}, "11.0.0.1", true},
		{UplinkConfig{SystemCongestion: true}, "11.0.0.1", true},
		{UplinkConfig{Greedy: true}, "11.0.0.1", false},
		{UplinkConfig{}, "192.168.1.2", false},
	} {
		u := NewUplink(tt.cfg)
		p := u.Watch(yielderAt(tt.ip))
		if (p != nil) != tt.want {
			t.Errorf("%+v, %s: watched %v, want %v", tt.cfg, tt.ip, p != nil, tt.want)
		}
		p.Sent(time.Unix(1, 0))
		if want := map[bool]int{true: 1}[tt.want]; len(u.yielders) != want || len(u.flows) != 0 {
			t.Errorf("%+v, %s: %d streams yield, want %d", tt.cfg, tt.ip, len(u.yielders), want)
		}
	}
}

// TestUplinkCountsUTP: a stream over uTP counts for the rate of the uplink and for the parts,
// but not among those that share it over TCP.
func TestUplinkCountsUTP(t *testing.T) {
	const rate = 100 << 10
	u := NewUplink(UplinkConfig{})
	u.at = time.Unix(1, 0)
	f, s := fakeFlow(1)
	y := yielderAt("11.0.2.1")
	y.queue = 45 * time.Millisecond
	path := u.Watch(y)
	for range 100 {
		y.acked += uint64(rate * politeEvery.Seconds())
		path.Sent(u.at)
		path.next = time.Time{}
		seedFor(u, []*flow{f}, []*fakeSocket{s}, politeEvery, rate, 45*time.Millisecond)
	}
	if u.polite.limit < 1.8*rate || math.Abs(u.level-rate) > 0.2*rate {
		t.Errorf("held to %v together, the one over TCP to %v; want %v and %v", u.polite.limit,
			u.level, 2*rate, rate)
	}
	if got := u.sends(u.at, f); got != 1 {
		t.Errorf("%d streams share the uplink over TCP, want 1", got)
	}
	s.paced = nil
	later := u.at.Add(flowFor)
	u.sends(later, f)
	if len(u.yielders) != 0 {
		t.Error("a stream that has stopped counts")
	}
}
