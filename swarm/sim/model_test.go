package sim

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/core"
	"swarmnode/swarm/wire"
)

// pair is a swarm of a seed and one leech with these lines.
func pair(s, leech Class) Scenario {
	s.Name, s.Seed = "seed", true
	leech.Name = "leech"
	s.Count, leech.Count = max(1, s.Count), max(1, leech.Count)
	return Scenario{Name: "pair", Pieces: 64, PieceLength: 256 << 10, Limit: 10 * time.Minute,
		Classes: []Class{s, leech}}
}

// TestLinesHaveTheirRates: the narrower of uplink and downlink sets the time of a
// transfer. Headers and the start take a tenth at most.
func TestLinesHaveTheirRates(t *testing.T) {
	for _, c := range []struct{ up, down int64 }{
		{8 * Mbit, 0}, {0, 8 * Mbit}, {8 * Mbit, 100 * Mbit}, {100 * Mbit, 8 * Mbit},
		{80 * Mbit, 80 * Mbit},
	} {
		s := pair(Class{Up: c.up}, Class{Down: c.down})
		narrow := max(c.up, c.down)
		if c.up > 0 && c.down > 0 {
			narrow = min(c.up, c.down)
		}
		r := run(t, s, 1)
		least := float64(s.Length()) / float64(narrow)
		if got := r.Last.Seconds(); !r.Done() || got < least || got > 1.1*least+0.5 {
			t.Errorf("up %d, down %d: done %v after %.2f s, want %.2f s and a tenth more at most",
				c.up, c.down, r.Done(), got, least)
		}
	}
}

// TestDistanceAndLossCost: a longer way and lost packets delay a transfer.
func TestDistanceAndLossCost(t *testing.T) {
	near := run(t, pair(Class{Up: 20 * Mbit}, Class{Down: 20 * Mbit}), 1)
	far := run(t, pair(Class{Up: 20 * Mbit, Distance: 100 * time.Millisecond},
		Class{Down: 20 * Mbit, Distance: 100 * time.Millisecond}), 1)
	// The handshake takes one and a half round trips of 400 ms.
	if far.Last < near.Last+600*time.Millisecond {
		t.Errorf("%v over a long way, %v over none", far.Last, near.Last)
	}
	lossy := run(t, pair(Class{Up: 20 * Mbit, Loss: 0.05, Distance: 100 * time.Millisecond},
		Class{Down: 20 * Mbit, Distance: 100 * time.Millisecond}), 1)
	if !lossy.Done() || lossy.Last <= far.Last {
		t.Errorf("done %v after %v with loss, %v without", lossy.Done(), lossy.Last, far.Last)
	}
}

// TestNATs: a node behind a NAT connects to others, and nobody connects to it unless both dial
// each other. In the last case the seed hears of nobody.
func TestNATs(t *testing.T) {
	for _, c := range []struct {
		seed, leech float64
		alone       bool
		done        bool
	}{
		{0, 0, false, true}, {1, 0, false, true}, {0, 1, false, true}, {1, 1, false, true},
		{1, 1, true, false},
	} {
		s := pair(Class{Up: 80 * Mbit, NAT: c.seed}, Class{NAT: c.leech})
		s.Limit = trackerEvery + 30*time.Second // the seed hears of the leech then
		s.Introducer = c.alone
		r := run(t, s, 1)
		if r.Done() != c.done || !c.done && r.Graph.Parts != 2 {
			t.Errorf("seed %v, leech %v behind a NAT: done %v, %d parts", c.seed, c.leech, r.Done(),
				r.Graph.Parts)
		}
		if g := r.Graph; g.Parts == 2 && (g.Least != 0 || g.Median != 0) {
			t.Errorf("seed %v, leech %v behind a NAT: apart, but with connections: %+v", c.seed,
				c.leech, g)
		}
		if !c.done && (r.Last != s.Limit || r.Lacking != s.Pieces || r.Lost != 0) {
			t.Errorf("not done: last %v, %d pieces are lacking, %d lost", r.Last, r.Lacking, r.Lost)
		}
	}
}

// TestBehaviours: what each kind of node does not do, it does not do.
func TestBehaviours(t *testing.T) {
	s := pair(Class{Up: 20 * Mbit}, Class{Count: 3, Up: 20 * Mbit})
	rider := Class{Name: "rider", Count: 2, Up: 20 * Mbit, Acts: FreeRider}
	mute := Class{Name: "mute", Count: 1, Up: 20 * Mbit, Acts: Mute, All: 1}
	liar := Class{Name: "liar", Count: 1, Up: 20 * Mbit, Acts: Liar, All: 1}
	s.Classes = append(s.Classes, rider, mute, liar)
	r := run(t, s, 3)
	if !r.Done() {
		t.Errorf("not done:\n%v", r.String())
	}
	if sent := r.Class("rider").Sent; sent != 0 {
		t.Errorf("free riders sent %.2f copies", sent)
	}
	if sent := r.Class("mute").Sent; sent != 0 {
		t.Errorf("mutes sent %.2f copies", sent)
	}
	if c := r.Class("liar"); c.Sent == 0 || c.Banned != 1 {
		t.Errorf("the liar sent %.2f copies, banned %d", c.Sent, c.Banned)
	}
	for _, name := range []string{"seed", "leech", "rider", "mute"} {
		if n := r.Class(name).Banned; n != 0 {
			t.Errorf("%d of class %s are banned", n, name)
		}
	}
	if r.Waste <= 0 || r.Wasted[core.ReasonBadPiece.String()] == 0 && len(r.Wasted) == 0 {
		t.Errorf("waste %.3f, %v", r.Waste, r.Wasted)
	}
}

// TestSeedThatLeaves: a seed goes when it has sent its copies, and its pieces with it.
func TestSeedThatLeaves(t *testing.T) {
	s := pair(Class{Up: 20 * Mbit, Copies: 0.5}, Class{})
	s.Limit = time.Minute
	r := run(t, s, 1)
	if r.Done() || r.Copies < 0.5 || r.Copies > 0.55 || r.Class("seed").Left == 0 {
		t.Errorf("done %v, %.2f copies, left after %v", r.Done(), r.Copies, r.Class("seed").Left)
	}
	if want := s.Pieces / 2; r.Lost < want-4 || r.Lost > want {
		t.Errorf("%d of %d pieces are lost, want about a half", r.Lost, s.Pieces)
	}
}

// TestLifeAndReturn: a node that comes back goes on with the pieces of before.
func TestLifeAndReturn(t *testing.T) {
	s := pair(Class{Up: 8 * Mbit}, Class{Life: 4 * time.Second, Away: time.Second})
	tl := observed(t, s)
	if r := tl.Result; !r.Done() || r.Class("leech").Left == 0 || r.Copies > 1.3 {
		t.Errorf("done %v, left last after %v, %.2f copies", r.Done(), r.Class("leech").Left,
			r.Copies)
	}
}

// TestPauses: nodes that pause in the middle of the swarm, seeds and leeches, go on with what
// they had, and all complete.
func TestPauses(t *testing.T) {
	for seed := range uint64(4) {
		s := pair(Class{Count: 2, Up: 8 * Mbit, Runs: 6 * time.Second, Pause: 3 * time.Second},
			Class{Count: 12, Up: 8 * Mbit, Down: 20 * Mbit, Runs: 5 * time.Second,
				Pause: 4 * time.Second})
		s.Limit = 20 * time.Minute
		r := run(t, s, seed+1)
		if !r.Done() || r.Waste > 0.05 {
			t.Errorf("seed %d: done %v, %.2f copies, waste %.3f %v\n%v", seed+1, r.Done(), r.Copies,
				r.Waste, r.Wasted, r.String())
		}
	}
}

// TestLateJoiners come over the time that their class says.
func TestLateJoiners(t *testing.T) {
	s := pair(Class{Up: 80 * Mbit}, Class{Count: 4, Join: 20 * time.Second,
		JoinOver: 40 * time.Second})
	tl := observed(t, s)
	for node, done := range tl.Classes[1].Done {
		joined := 20*time.Second + time.Duration(node)*10*time.Second
		if done < joined || done > joined+15*time.Second {
			t.Errorf("leech %d, who comes after %v, is done after %v", node, joined, done)
		}
	}
	if first := tl.Result.Class("leech").First; first > 5*time.Second {
		t.Errorf("the first leech took %v from when it came", first)
	}
}

func TestBound(t *testing.T) {
	const content = 16 << 20
	for _, c := range []struct {
		name    string
		classes []Class
		want    float64 // seconds
	}{
		{"the uplink of the seed", []Class{{Seed: true, Count: 1, Up: 1 << 20}, {Count: 1}}, 16},
		{"two seeds", []Class{{Seed: true, Count: 2, Up: 1 << 20}, {Count: 1}}, 8},
		{"the slowest downlink", []Class{{Seed: true, Count: 1, Up: 8 << 20},
			{Count: 1, Up: 8 << 20, Down: 4 << 20}, {Count: 1, Up: 8 << 20, Down: 1 << 20}}, 16},
		{"all uplinks", []Class{{Seed: true, Count: 1, Up: 4 << 20}, {Count: 4, Up: 1 << 20}}, 8},
		{"free riders add nothing", []Class{{Seed: true, Count: 1, Up: 4 << 20},
			{Count: 4, Up: 1 << 20, Acts: FreeRider}}, 16},
		{"liars neither give nor take", []Class{{Seed: true, Count: 1, Up: 4 << 20},
			{Count: 9, Up: 1 << 20, Acts: Liar}, {Count: 9, Acts: Mute}, {Count: 1}}, 4},
		{"nothing known", []Class{{Count: 1}}, 0},
	} {
		s := Scenario{Pieces: 64, PieceLength: content / 64, Classes: c.classes}
		if got := s.Bound().Seconds(); math.Abs(got-c.want) > 1e-6 {
			t.Errorf("%s: %.3f s, want %.3f s", c.name, got, c.want)
		}
	}
}

func TestResultIsATable(t *testing.T) {
	r := Result{Scenario: "two", Seed: 3, Bound: 10 * time.Second, Last: 15 * time.Second,
		Copies: 1.25, Waste: 0.015, Events: 12, Graph: Graph{Parts: 1, Least: 2, Median: 3},
		Classes: []ClassResult{{Name: "seed", Count: 1, Done: 1, Sent: 1.25},
			{Name: "player", Count: 2, Done: 1, First: time.Second, Median: 2 * time.Second,
				Last: 3 * time.Second, Startup: 4 * time.Second, Stalled: 500 * time.Millisecond}}}
	want := `two, seed 3: last 15.0 s, bound 10.0 s, ratio 1.50, seeds sent 1.25 copies, waste 1.50 %, 12 events
connections of a node at the end: least 2, median 3; groups of connected nodes: 1
class               done   first s  median s    last s   copies
seed              1/   1       0.0       0.0       0.0     1.25
player            1/   2       1.0       2.0       3.0     0.00  startup 4.0 s, stalled 0.5 s
`
	if got := r.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if r.Done() || r.Class("player").Count != 2 || r.Class("nobody").Name != "" {
		t.Errorf("done %v, player %+v, nobody %+v", r.Done(), r.Class("player"), r.Class("nobody"))
	}
	if (&Result{Last: time.Second}).Ratio() != 0 {
		t.Error("a ratio without a bound")
	}
}

// TestChecks: the demands of scenarios refuse what they are to refuse.
func TestChecks(t *testing.T) {
	good := Result{Scenario: "s", Last: 11 * time.Second, Bound: 10 * time.Second, Copies: 1.1,
		Waste: 0.01, Classes: []ClassResult{{Name: "fast", Count: 1, Done: 1, Median: time.Second},
			{Name: "slow", Count: 1, Done: 1, Median: 2 * time.Second, Banned: 1}}}
	for name, c := range map[string]struct {
		check func(*Result) error
		spoil func(*Result)
	}{
		"complete": {complete, func(r *Result) { r.Classes[0].Done = 0 }},
		"within":   {within(1.2), func(r *Result) { r.Last = 13 * time.Second }},
		"copies":   {copies(1.2), func(r *Result) { r.Copies = 1.3 }},
		"waste":    {waste(0.02), func(r *Result) { r.Waste = 0.03 }},
		"before": {before("fast", "slow"), func(r *Result) {
			r.Classes[0].Median = time.Minute
		}},
		"banned":                {banned("slow"), func(r *Result) { r.Classes[1].Banned = 0 }},
		"nobody else is banned": {banned("slow"), func(r *Result) { r.Classes[0].Banned = 1 }},
	} {
		r := good
		r.Classes = slices.Clone(good.Classes)
		if err := c.check(&r); err != nil {
			t.Errorf("%s: a good result is refused: %v", name, err)
		}
		c.spoil(&r)
		if c.check(&r) == nil {
			t.Errorf("%s: a bad result is taken", name)
		}
	}
	wrong := errors.New("wrong")
	yes, no := func(*Result) error { return nil }, func(*Result) error { return wrong }
	if err := all(yes, no)(&good); !errors.Is(err, wrong) {
		t.Errorf("all: %v", err)
	}
	if err := all(yes, yes)(&good); err != nil {
		t.Errorf("all: %v", err)
	}
}

// TestScenariosAreSound: each can be found by its name and run by anybody.
func TestScenariosAreSound(t *testing.T) {
	names := map[string]bool{}
	for _, s := range Scenarios() {
		if found, ok := Find(s.Name); !ok || found.About != s.About {
			t.Errorf("%s cannot be found", s.Name)
		}
		if names[s.Name] || s.Name != strings.ToLower(s.Name) || s.About == "" || s.Check == nil {
			t.Errorf("%s: name, description or check", s.Name)
		}
		names[s.Name] = true
		if s.Draw != nil {
			s = s.Draw(1)
		}
		if s.Limit <= 0 || s.Pieces <= 0 || s.PieceLength <= 0 || s.PieceLength%block.Size != 0 {
			t.Errorf("%s: limit %v, %d pieces of %d bytes", s.Name, s.Limit, s.Pieces,
				s.PieceLength)
		}
	}
	if _, ok := Find("nowhere"); ok {
		t.Error("found what there is not")
	}
}

// quiet is a world of a seed and a leech that have not joined.
func quiet() (*world, *node, *node) {
	s := pair(Class{Up: 1 * Mbit}, Class{})
	w := &world{scenario: &s, rng: rand.New(rand.NewPCG(1, 1)), info: content(&s)}
	a, b := newNode(w, 0, 0, 1), newNode(w, 1, 1, 1)
	w.nodes = []*node{a, b}
	return w, a, b
}

// ends returns the two ends of a connection.
func ends(a, b *node) [2]end {
	v := newWindow(a.world.scenario)
	return [2]end{{node: a, window: v}, {node: b, window: v}}
}

// TestPacketsKeepTheirOrder: messages travel together, a block ends its packet, and
// the uplink serves its connections in turn.
func TestPacketsKeepTheirOrder(t *testing.T) {
	w, a, b := quiet()
	w.conns = []conn{{ends: ends(a, b)}, {ends: ends(a, b)}}
	a.uplink.push(0, 0) // until all is queued
	say := func(i uint32, piece uint32) {
		a.send(i, item{msg: wire.Message{ID: wire.Have, Ref: block.Ref{Piece: piece}}})
	}
	for piece := range uint32(100) {
		say(0, piece)
	}
	a.send(0, item{block: true, ref: block.Ref{Length: block.Size}})
	say(0, 100)
	say(2, 200)
	a.uplink = line{}
	a.startUplink()
	var got []int // items of each packet
	for range 10 {
		if len(a.uplink.packets) == 0 {
			break
		}
		p := w.packets[a.uplink.packets[0]]
		got = append(got, len(p.items))
		for i, it := range p.items {
			if it.block && i != len(p.items)-1 {
				t.Errorf("packet %d: a block is not its last item", len(got))
			}
		}
		a.uplink = line{}
		a.startUplink()
	}
	if want := []int{64, 1, 37, 1}; !slices.Equal(got, want) {
		t.Errorf("packets of %v items, want %v: 64, then the other connection, then up to the "+
			"block, then the rest", got, want)
	}
	w.conns[0].broken = true
	a.nextSending, a.sending = 0, nil
	say(0, 1)
	if len(a.uplink.packets) > 0 || !w.end(0).talk.empty() {
		t.Error("a broken connection takes something to send")
	}
}

func TestDuration(t *testing.T) {
	if got := duration(1000, 500); got != 2*time.Second {
		t.Errorf("1,000 bytes at 500 a second: %v", got)
	}
	if a, b := duration(1<<20, 0), duration(1<<20, unlimited); a != b || a <= 0 {
		t.Errorf("a line without a limit: %v, want %v", a, b)
	}
}

// TestPlayer: playing starts with a full buffer, and stalls for as long as a piece
// that is due is missing.
func TestPlayer(t *testing.T) {
	w, _, b := quiet()
	c := &w.scenario.Classes[1]
	c.Rate, c.StartBuffer = int64(w.scenario.PieceLength), 2*time.Second // a piece a second
	b.join()
	have := func(piece int, at time.Duration) {
		w.now = int64(at)
		b.have.Add(piece)
		b.played()
	}
	have(0, time.Second)
	if b.player.started != 0 {
		t.Fatal("it plays with half of its buffer")
	}
	have(2, 2*time.Second) // not in order: of no use yet
	have(1, 3*time.Second)
	if b.player.started != int64(3*time.Second) {
		t.Fatalf("it started at %v", time.Duration(b.player.started))
	}
	have(3, 5*time.Second) // due at 6 s
	if b.player.stalled != 0 {
		t.Errorf("it stalled for %v", b.player.stalled)
	}
	have(4, 9*time.Second) // due at 7 s
	have(5, 10*time.Second)
	if b.player.stalled != 2*time.Second {
		t.Errorf("it stalled for %v, want 2 s", b.player.stalled)
	}
}

// TestStaleEvents: what was meant for an earlier life of a node does not happen.
func TestStaleEvents(t *testing.T) {
	w, a, _ := quiet()
	a.join()
	e := a.event(evLeave, 0)
	a.leave()
	if a.up() || a.life != 1 {
		t.Fatal("it did not leave")
	}
	a.join()
	w.happen(&e)
	if !a.up() {
		t.Error("the event of its first life ended the second one")
	}
	e = a.event(evLeave, 0)
	w.happen(&e)
	if a.up() {
		t.Error("the event of its own life had no effect")
	}
}

// TestHeapAgainstSort: events leave the heap as if they had been sorted, whatever
// goes in between.
func TestHeapAgainstSort(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var h heap
		var model []event
		for seq := range uint64(rng.IntN(500)) {
			e := event{at: rng.Int64N(50), seq: seq}
			h.push(e)
			at, _ := slices.BinarySearchFunc(model, e, func(a, b event) int {
				if a.before(&b) {
					return -1
				}
				return 1
			})
			model = slices.Insert(model, at, e)
			if rng.IntN(3) == 0 {
				if got := h.pop(); got != model[0] {
					t.Fatalf("got %+v, want %+v", got, model[0])
				}
				model = model[1:]
			}
		}
		for _, want := range model {
			if got := h.pop(); got != want {
				t.Fatalf("got %+v, want %+v", got, want)
			}
		}
	}
}

// TestRandomSwarms: each has somebody who wants the content, and every kind of node
// occurs.
func TestRandomSwarms(t *testing.T) {
	var nats, lossy, churn, liars, mutes, seedless int
	for seed := range uint64(200) {
		s := randomSwarm(seed)
		leeches, seeds := 0, 0
		for _, c := range s.Classes {
			if c.Seed {
				seeds += c.Count
			}
			if c.leech() {
				leeches += c.Count
			}
			if c.NAT > 0 {
				nats++
			}
			if c.Loss > 0 {
				lossy++
			}
			if c.Life > 0 {
				churn++
			}
			switch c.Acts {
			case Liar:
				liars += c.Count
			case Mute:
				mutes += c.Count
			}
		}
		if leeches == 0 {
			t.Errorf("swarm %d has no leech", seed)
		}
		if seeds == 0 {
			seedless++
		}
	}
	for name, n := range map[string]int{"NATs": nats, "loss": lossy, "churn": churn,
		"liars": liars, "mutes": mutes} {
		if n == 0 {
			t.Errorf("no swarm of 200 has %s", name)
		}
	}
	if seedless == 200 {
		t.Error("no swarm has a seed")
	}
}
