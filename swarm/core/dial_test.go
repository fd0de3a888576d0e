package core

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
)

// A dialling is a dialer without a torrent, and what the torrent would say to it.
type dialling struct {
	dialer
	now                         time.Duration
	table                       peerTable
	box                         outbox
	deadlines                   timers
	broken, full, fast, useless bool
}

func newDialling(limits Limits) *dialling {
	limits = limits.withDefaults()
	d := &dialling{table: newPeerTable(), deadlines: newTimers()}
	d.dialer = dialer{
		book:  book.New(book.Config{Start: time.Unix(0, 0), Rand: rand.New(rand.NewPCG(1, 1))}),
		peers: &d.table, out: &d.box, timers: &d.deadlines,
		peersMax: limits.PeersMax, dialsMax: limits.HalfOpenMax,
		needs: d, tokens: dialBurst, punch: &punch{pex: &pex{off: true}},
	}
	return d
}

func (d *dialling) usable() bool      { return !d.broken }
func (d *dialling) seeding() bool     { return d.full }
func (d *dialling) flowing() bool     { return d.fast }
func (d *dialling) replaceable() bool { return d.useless }

// found tells of n endpoints, each in a network of its own.
func (d *dialling) found(n int, source book.Source) {
	for i := range n {
		d.hear(d.now, book.Rumour{Endpoint: endpoint.IP(benchAddr(int(source)<<12 + i)),
			Source: source})
	}
}

// connect adds n peers.
func (d *dialling) connect(n int) {
	for range n {
		d.table.add(&peer{ref: PeerRef(d.table.count() + 1), silence: newSilence(d.now)})
	}
}

// run dials when that is due, for some time, and returns how many Dials and calls for
// peers there were, as "3d 1w".
func (d *dialling) run(for_ time.Duration) string {
	dials, wants := 0, 0
	for end := d.now + for_; ; {
		if d.deadlines.due(timerDial, d.now) {
			d.dial(d.now)
		}
		for _, a := range d.box.take(nil) {
			switch a.Kind {
			case Dial:
				dials++
			case WantPeers:
				wants++
			}
		}
		next := d.deadlines.next()
		if next > end {
			d.now = end
			return strings.TrimSpace(fmt.Sprintf("%dd %dw", dials, wants))
		}
		d.now = max(d.now, next)
	}
}

// TestDialPace: dialBurst at once, then 20 a second, as many as may be half open.
func TestDialPace(t *testing.T) {
	d := newDialling(Limits{HalfOpenMax: 1000, PeersMax: 1000})
	d.found(400, book.SourceDHT)
	if got := d.run(0); got != "20d 0w" {
		t.Errorf("at once: %s", got)
	}
	if got := d.run(time.Second); got != "20d 0w" {
		t.Errorf("in the first second: %s", got)
	}
	if got := d.run(2 * time.Second); got != "40d 0w" {
		t.Errorf("in two more: %s", got)
	}
	d.dialsMax = 80
	if got := d.run(time.Minute); got != "0d 0w" {
		t.Errorf("with 80 half open: %s", got)
	}
	d.broken = true
	d.dialsMax = 1000
	d.deadlines.by(timerDial, d.now)
	if got := d.run(time.Minute); got != "0d 0w" {
		t.Errorf("of a torrent that cannot be used: %s", got)
	}
}

// TestDialTarget: a download dials up to its limit, and beyond when a peer is useless; a
// seed leaves a quarter for peers that come by themselves.
func TestDialTarget(t *testing.T) {
	for _, c := range []struct {
		name             string
		connected, known int
		full, useless    bool
		want             string
		halfOpen         int
	}{
		{name: "room for all", connected: 3, known: 5, want: "5d 1w"},
		{name: "room for some", connected: 17, known: 5, want: "3d 0w"},
		{name: "no room", connected: 20, known: 5, want: "0d 0w"},
		{name: "a useless one makes room, once", connected: 20, known: 5, useless: true,
			want: "1d 0w"},
		{name: "two too many", connected: 21, known: 5, useless: true, want: "0d 0w"},
		{name: "a seed", connected: 13, known: 5, full: true, want: "2d 0w"},
		{name: "a full seed", connected: 15, known: 5, full: true, useless: true, want: "0d 0w"},
		{name: "half open", known: 9, halfOpen: 4, want: "4d 0w"},
	} {
		d := newDialling(Limits{PeersMax: 20, HalfOpenMax: c.halfOpen})
		d.full, d.useless = c.full, c.useless
		d.connect(c.connected)
		d.found(c.known, book.SourceUser)
		if got := d.run(time.Second); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestWantPeers: addresses are asked for when none is left, less and less often.
func TestWantPeers(t *testing.T) {
	d := newDialling(Limits{})
	d.now = time.Second
	d.deadlines.by(timerDial, d.now)
	for _, c := range []struct {
		passed time.Duration
		want   string
	}{
		{0, "0d 1w"}, {15*time.Second - 1, "0d 0w"}, {1, "0d 1w"}, {30 * time.Second, "0d 1w"},
		{time.Minute, "0d 1w"}, {2 * time.Minute, "0d 1w"}, {10 * time.Minute, "0d 5w"},
	} {
		if got := d.run(c.passed); got != c.want {
			t.Errorf("%v later, at %v: %s, want %s", c.passed, d.now, got, c.want)
		}
	}
	// News resets the wait.
	d.found(1, book.SourceUser)
	if got := d.run(15 * time.Second); got != "1d 1w" {
		t.Errorf("after news: %s", got)
	}
	// A seed wants nobody, nor a download that has half of its peers and goes on.
	d.full = true
	if got := d.run(time.Hour); got != "0d 0w" {
		t.Errorf("a seed: %s", got)
	}
	d.full, d.fast = false, true
	d.connect(40)
	d.deadlines.by(timerDial, d.now)
	if got := d.run(time.Hour); got != "0d 0w" {
		t.Errorf("a download with peers: %s", got)
	}
	d.fast = false
	d.deadlines.by(timerDial, d.now)
	if got := d.run(time.Second); got != "0d 1w" {
		t.Errorf("one in which nothing moves: %s", got)
	}
}

// An address that a connected peer says of itself is no reason to dial.
func TestIncomingIsNoNews(t *testing.T) {
	d := newDialling(Limits{})
	d.found(3, book.SourceIncoming)
	if at := d.deadlines.next(); at != never {
		t.Errorf("a dial is due at %v", at)
	}
	d.found(1, book.SourceDHT)
	d.deadlines.due(timerDial, 0)
	d.found(1, book.SourceDHT) // again
	if at := d.deadlines.next(); at != never {
		t.Errorf("an address that is known makes a dial due at %v", at)
	}
}

func TestEndOf(t *testing.T) {
	for r := range reasonCount {
		want := book.EndUnwanted
		switch r {
		case ReasonNone, ReasonIdle, ReasonDuplicate:
			want = book.EndLeft
		case ReasonRefresh, ReasonPaused:
			want = book.EndRefresh
		case ReasonUpgrade:
			want = book.EndUpgrade
		}
		if got := endOf(r); got != want {
			t.Errorf("%v: %v, want %v", r, got, want)
		}
	}
}

// TestProbes: a peer that falls silent in the middle of its blocks is dialled again, at
// longer and longer intervals, and few at a time.
func TestProbes(t *testing.T) {
	d := newDialling(Limits{})
	silent := func(i int) *peer {
		at := endpoint.IP(benchAddr(i))
		p := &peer{ref: PeerRef(i), endpoint: at, listen: at, silence: newSilence(d.now)}
		p.ask.live, p.trust.proven = 4, true
		d.hear(d.now, book.Rumour{Endpoint: at, Source: book.SourceUser})
		d.book.Connected(d.now, at, book.Conn(i), true)
		d.table.add(p)
		p.down.add(d.now, 1<<20)
		return p
	}
	probes := func() (n int) {
		for _, p := range d.table.all() {
			d.sweep(d.now, p)
		}
		for _, a := range d.box.take(nil) {
			if a.Kind == Dial {
				n++
			}
		}
		return n
	}
	d.now = time.Second
	p := silent(1)
	d.now += silenceMin - 1
	if n := probes(); n != 0 {
		t.Fatalf("%d probes after less than %v", n, silenceMin)
	}
	d.now++
	if n := probes(); n != 1 {
		t.Fatalf("%d probes of a silent peer", n)
	}
	if n := probes(); n != 0 {
		t.Errorf("%d more while it is under way", n)
	}
	for _, wait := range []time.Duration{1, 2, 4} {
		d.failed(d.now, p.endpoint, book.FaultTimeout)
		d.now += wait*probeFirst - 1
		if n := probes(); n != 0 {
			t.Errorf("%d probes before %v s passed", n, wait)
		}
		d.now++
		if n := probes(); n != 1 {
			t.Errorf("%d probes after %v s", n, wait)
		}
	}
	for i := range 2 * probesMax {
		silent(10 + i)
	}
	d.now += silenceMin
	if n := probes(); n != probesMax-1 {
		t.Errorf("%d probes of many silent peers, want %d besides the first", n, probesMax-1)
	}
	for name, change := range map[string]func(){
		"chokes us":        func() { p.ask.choking = true },
		"is snubbed":       func() { p.ask.snubbed = true },
		"owes nothing":     func() { p.ask.live = 0 },
		"proved nothing":   func() { p.trust.proven = false },
		"has said a word":  func() { p.silence.hear(d.now) },
		"listens nowhere":  func() { p.listen = endpoint.Endpoint{} },
		"gave nothing yet": func() { p.down = meter{} },
	} {
		d = newDialling(Limits{})
		d.now = time.Second
		p = silent(1)
		d.now += silenceMin
		change()
		if n := probes(); n != 0 {
			t.Errorf("a peer that %s is probed", name)
		}
	}
}
