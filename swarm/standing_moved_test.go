package swarm

import (
	"context"
	"iter"
	"net/netip"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/reach"
)

// Only a change from one known address to another one counts, and not too many in a row.
func TestOutsideWatch(t *testing.T) {
	at := func(four, six string) (is reach.Standing) {
		if four != "" {
			is.External4 = netip.MustParseAddrPort(four)
		}
		if six != "" {
			is.External6 = netip.MustParseAddrPort(six)
		}
		return is
	}
	var w outsideWatch
	now := time.Unix(1_000_000, 0)
	for i, step := range []struct {
		after time.Duration
		is    reach.Standing
		want  bool
	}{
		{0, at("", ""), false},
		{0, at("50.0.0.1:7", ""), false},
		{0, at("50.0.0.1:8", ""), false}, // another port
		{0, at("50.0.0.2:8", ""), true},  // another address
		{0, at("", ""), false},           // this machine has moved
		{0, at("50.0.0.3:8", ""), false}, // and is there
		{0, at("50.0.0.3:8", "[2a01::1]:7"), false},
		{0, at("50.0.0.3:8", "[2a01::2]:7"), true},
		{0, at("50.0.0.4:8", ""), true},
		{0, at("50.0.0.5:8", ""), false}, // too many
		{outsidePause - 1, at("50.0.0.6:8", ""), false},
		{1, at("50.0.0.7:8", ""), true},
		{0, at("50.0.0.8:8", ""), false},
		{time.Hour, at("50.0.0.9:8", ""), true},
		{0, at("50.0.0.1:8", ""), true},
		{0, at("50.0.0.2:8", ""), true},
		{0, at("50.0.0.3:8", ""), false},
	} {
		now = now.Add(step.after)
		if got := w.look(now, step.is); got != step.want {
			t.Errorf("step %d: %v, want %v", i, got, step.want)
		}
	}
}

// An asked is a Discovery that says when it is asked.
type asked chan struct{}

// Peers implements Discovery.
func (a asked) Peers(ctx context.Context, _ metainfo.Hash, _ uint16,
	_ bool) iter.Seq[netip.AddrPort] {
	return func(func(netip.AddrPort) bool) {
		a <- struct{}{}
		<-ctx.Done()
	}
}

// When the router gets another address, the torrents search and announce again at once, and
// the driver hears of it.
func TestTorrentsFollowTheRouter(t *testing.T) {
	moved := make(chan struct{}, 10)
	e, err := Listen(Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")},
		NetworkChanged: func() { moved <- struct{}{} }})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	searches := make(asked, 10)
	if _, err := e.Add(Spec{Magnet: metainfo.Magnet{V1: metainfo.Hash{1}, HasV1: true},
		DHT: searches,
		Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	await := func(what string, c <-chan struct{}) {
		t.Helper()
		select {
		case <-c:
		case <-time.After(time.Minute):
			t.Fatal("no ", what)
		}
	}
	await("search", searches)
	e.Observe(reach.Bound{Listen: []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:6881")},
		Machine: []netip.Addr{netip.MustParseAddr("192.168.1.2")}})
	heard := make(chan struct{}, 10)
	defer e.OnReach(func(is reach.Standing) {
		if is.External4.IsValid() {
			heard <- struct{}{}
		}
	})()
	before := netip.AddrPortFrom(netip.MustParseAddr("50.0.0.1"), e.Addr().Port())
	after := netip.AddrPortFrom(netip.MustParseAddr("51.0.0.1"), e.Addr().Port())
	for i := range byte(8) {
		e.Observe(reach.Seen{By: netip.AddrFrom4([4]byte{60, 0, i, 1}), As: before, Via: reach.DHT})
	}
	await("address", heard) // the watch hears before this listener
	for i := range byte(3) {
		e.Observe(reach.Seen{By: netip.AddrFrom4([4]byte{60, 1, i, 1}), As: after, Via: reach.DHT})
	}
	await("call of NetworkChanged", moved)
	await("second search", searches)
	if addrs, _, _ := e.external.since(0); addrs[0].String() != "51.0.0.1" {
		t.Errorf("the external addresses are %v", addrs)
	}
}
