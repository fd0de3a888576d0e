package transport

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

func TestDistant(t *testing.T) {
	for ip, want := range map[string]bool{
		"198.51.100.7": true, "2001:db8::7": true,
		"127.0.0.1": false, "::1": false, "192.168.1.2": false, "10.0.0.1": false,
		"fd00::1": false, "fe80::1": false, "169.254.1.1": false, "100.64.0.1": false,
		"224.0.0.1": false, "0.0.0.0": false,
	} {
		if got := Distant(netip.MustParseAddr(ip)); got != want {
			t.Errorf("Distant(%s) = %v, want %v", ip, got, want)
		}
	}
}

// TestWatchLeavesOthersAlone: streams within a machine, and those that are not TCP.
func TestWatchLeavesOthersAlone(t *testing.T) {
	p := listenPair(t, loopback)
	dialled, err := TCP{}.Dial(t.Context(), p.AddrPort())
	if err != nil {
		t.Fatal(err)
	}
	defer dialled.Close()
	if new(Uplink).Watch(dialled) != nil {
		t.Error("a stream within the machine is watched")
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	path := new(Uplink).Watch(covered{a})
	if path != nil {
		t.Error("a pipe is watched")
	}
	path.Sent(time.Now()) // does nothing
}

// covered is a stream above another one.
type covered struct{ net.Conn }

func (c covered) Below() net.Conn { return c.Conn }

// TestHarms: what is seen in the looks at a path of 50 ms, and after which of them the
// stream changes to BBR; -1 for never.
func TestHarms(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name  string
		queue []time.Duration // beyond the shortest round trip
		lost  []uint32        // since the look before
		want  int
	}{
		{"clean", []time.Duration{0, 5 * ms, 2 * ms}, []uint32{0, 0, 0}, -1},
		{"random losses", []time.Duration{0, 1 * ms, 0, 2 * ms}, []uint32{0, 2, 0, 1}, 3},
		{"one loss", []time.Duration{0, 0, 0, 0}, []uint32{0, 30, 0, 0}, -1},
		{"losses before the first look", []time.Duration{0, 0}, []uint32{50, 1}, -1},
		{"a queue of 100 ms overflows", []time.Duration{40 * ms, 100 * ms, 60 * ms, 99 * ms},
			[]uint32{0, 40, 20, 3}, -1},
		{"a deep queue", []time.Duration{20 * ms, 90 * ms, 200 * ms}, []uint32{0, 0, 0}, 2},
	} {
		at, lost := -1, uint32(1<<32-3) // it wraps
		p := &Path{lost: lost}
		for i := range tt.queue {
			lost += tt.lost[i]
			now := time.Unix(1, 0).Add(time.Duration(i) * lookEvery)
			if p.harms(now, condition{rtt: 50*ms + tt.queue[i], rttMin: 50 * ms, lost: lost}) {
				at = i
				break
			}
		}
		if at != tt.want {
			t.Errorf("%s: changes after look %d, want %d", tt.name, at, tt.want)
		}
	}
}

// TestHarmsSharers: a slow stream with a queue on its path changes to BBR when it has sent
// for a while and others send as well.
func TestHarmsSharers(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name       string
		sharers    int
		rate       uint64
		age        time.Duration
		rtt, queue time.Duration
		want       bool
	}{
		{"shared", sharersMin, sharedRate - 1, sharedFor, 30 * ms, 10 * ms, true},
		{"not shared", sharersMin - 1, sharedRate - 1, sharedFor, 30 * ms, 100 * ms, false},
		{"fast", sharersMin, sharedRate, sharedFor, 30 * ms, 100 * ms, false},
		{"young", sharersMin, sharedRate - 1, sharedFor - 1, 30 * ms, 100 * ms, false},
		{"no queue", sharersMin, sharedRate - 1, sharedFor, 30 * ms, 8 * ms, false},
		{"no queue on a long path", sharersMin, 1, sharedFor, 200 * ms, 25 * ms, false},
		{"a queue on a long path", sharersMin, 1, sharedFor, 200 * ms, 35 * ms, true},
	} {
		p := &Path{}
		now := time.Unix(1, 0)
		c := condition{rtt: tt.rtt, rttMin: tt.rtt, rate: tt.rate, sharers: tt.sharers}
		if p.harms(now, c) {
			t.Errorf("%s: changes at the first look", tt.name)
		}
		c.rtt += tt.queue
		if got := p.harms(now.Add(tt.age), c); got != tt.want {
			t.Errorf("%s: changes %v, want %v", tt.name, got, tt.want)
		}
	}
}
