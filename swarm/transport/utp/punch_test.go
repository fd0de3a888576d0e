package utp

import (
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// synTimes returns when a machine sends its SYNs while nobody answers. It is told to hasten
// at a time, if that is not negative.
func synTimes(punch bool, hastenAt time.Duration) (times []time.Duration) {
	p := &pair{now: time.Unix(1000, 0)}
	p.a = newDialled(p.now, machineConfig{connectTimeout: 5 * time.Second})
	if punch {
		p.a.timers.synSoon = synSoonMax
	}
	start := p.now
	for {
		h, _ := p.next(p.a)
		for range h {
			times = append(times, p.now.Sub(start))
		}
		if over, _ := p.a.closed(); over {
			return times
		}
		at := p.a.deadline()
		hasten := start.Add(hastenAt)
		if hastenAt >= 0 && p.now.Before(hasten) && hasten.Before(at) {
			p.now = hasten
			p.a.hasten(p.now)
			continue
		}
		p.now = at
		p.a.tick(p.now)
	}
}

// TestSynTimes: SYNs follow each other quickly where the other end connects to us too, and in
// either case there are few.
func TestSynTimes(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name     string
		punch    bool
		hastenAt time.Duration
		want     []time.Duration
	}{
		{"as a rule", false, -1, []time.Duration{0, 1000 * ms, 3000 * ms}},
		{"a punch", true, -1, []time.Duration{0, 250 * ms, 500 * ms, 750 * ms, 1750 * ms,
			3750 * ms}},
		{"hastened between two", false, 400 * ms, []time.Duration{0, 400 * ms, 650 * ms, 900 * ms,
			1150 * ms, 3150 * ms}},
		{"hastened late", false, 3500 * ms, []time.Duration{0, 1000 * ms, 3000 * ms, 3500 * ms,
			3750 * ms, 4000 * ms, 4250 * ms}},
	} {
		got := synTimes(tt.punch, tt.hastenAt)
		for i := range got {
			got[i] = got[i].Round(ms)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: SYNs at %v, want %v", tt.name, got, tt.want)
		}
	}
}

// A doors are two routers that let in who was sent something.
type doors struct {
	mu   sync.Mutex
	sent map[[2]netip.AddrPort]bool
	lost int
}

func (d *doors) lose(g fakeDatagram) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sent[[2]netip.AddrPort{g.from, g.to}] = true
	if d.sent[[2]netip.AddrPort{g.to, g.from}] {
		return false
	}
	d.lost++
	return true
}

// TestPunchThroughTwoRouters: two ends that dial each other, one of them a little later, meet
// soon after the second has begun, whether the first knew of it or was told while it dialled.
func TestPunchThroughTwoRouters(t *testing.T) {
	for _, told := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			n := newFakeNet(t)
			here, there := n.socket(hereAt, Config{}), n.socket(thereAt, Config{})
			way := doors{sent: map[[2]netip.AddrPort]bool{}}
			n.lose = way.lose
			start := time.Now()
			met := make(chan time.Duration, 2)
			dial := func(s *Socket, to netip.AddrPort, by func() error) {
				if err := by(); err != nil {
					t.Errorf("%v: %v", s.AddrPort(), err)
				}
				met <- time.Since(start)
			}
			go dial(here, there.AddrPort(), func() error {
				if told {
					_, err := here.Dial(t.Context(), there.AddrPort())
					return err
				}
				_, err := here.Punch(t.Context(), there.AddrPort())
				return err
			})
			const late = 150 * time.Millisecond
			time.Sleep(late)
			if told {
				here.Hasten(there.AddrPort())
				synctest.Wait()
			}
			go dial(there, here.AddrPort(), func() error {
				_, err := there.Punch(t.Context(), here.AddrPort())
				return err
			})
			for range 2 {
				if at := <-met; at > late+synSoonEvery+100*time.Millisecond {
					t.Errorf("told %v: a side was connected after %v", told, at)
				}
			}
			if way.lost == 0 {
				t.Error("no SYN was lost: the test shows nothing")
			}
		})
	}
}

// TestHastenNobody: an address that nobody is being dialled at is left alone.
func TestHastenNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet(t)
		here, there := n.socket(hereAt, Config{}), n.socket(thereAt, Config{})
		connect(t, here, there)
		var seen tap
		n.lose = seen.lose
		here.Hasten(there.AddrPort())
		here.Hasten(netip.MustParseAddrPort("203.0.113.9:1"))
		synctest.Wait()
		if seen.kinds[typeSyn] > 0 {
			t.Errorf("%d SYNs were sent", seen.kinds[typeSyn])
		}
	})
}
