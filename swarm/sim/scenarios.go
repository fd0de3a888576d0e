package sim

import (
	"errors"
	"fmt"
	"time"
)

// Scenarios returns what can be simulated by name, at sizes that take seconds.
func Scenarios() []Scenario {
	return []Scenario{
		nine(), home(), mixed(), poisoned(), leaving(), rare(), natted(), forty(), churn(),
		streaming(), reading(4, mib/4), reading(16, mib), reading(40, 2*mib), magnet(),
		super(), lossy(), pex(), crowd(),
		allbut(), spoilt(), hundred(), flash(), random(),
	}
}

// Find returns the scenario of that name.
func Find(name string) (Scenario, bool) {
	for _, s := range Scenarios() {
		if s.Name == name {
			return s, true
		}
	}
	return Scenario{}, false
}

const (
	mib  = 1 << 20
	near = 8 * time.Millisecond
)

// seed returns the class of one seed with an uplink.
func seed(up int64) Class {
	return Class{Name: "seed", Count: 1, Seed: true, Up: up, Down: up, Distance: near}
}

// all is a Check that all of several hold.
func all(checks ...func(*Result) error) func(*Result) error {
	return func(r *Result) error {
		errs := []error{complete(r)}
		for _, c := range checks {
			errs = append(errs, c(r))
		}
		return errors.Join(errs...)
	}
}

func complete(r *Result) error {
	for _, c := range r.Classes {
		if c.Done < c.Count {
			return fmt.Errorf("%d of %d nodes of class %s are done", c.Done, c.Count, c.Name)
		}
	}
	return nil
}

// within checks the time of the last leech against the fluid bound.
func within(ratio float64) func(*Result) error {
	return func(r *Result) error {
		if got := r.Ratio(); got > ratio {
			return fmt.Errorf("the last leech took %.3f times the bound, want at most %.2f", got,
				ratio)
		}
		return nil
	}
}

func copies(most float64) func(*Result) error {
	return func(r *Result) error {
		if r.Copies > most {
			return fmt.Errorf("the seeds sent %.3f copies, want at most %.2f", r.Copies, most)
		}
		return nil
	}
}

func waste(most float64) func(*Result) error {
	return func(r *Result) error {
		if r.Waste > most {
			return fmt.Errorf("%.2f %% of what came was waste, want at most %.2f %%", 100*r.Waste,
				100*most)
		}
		return nil
	}
}

// before checks that the median of one class is less than that of another.
func before(quick, slow string) func(*Result) error {
	return func(r *Result) error {
		q, s := r.Class(quick).Median, r.Class(slow).Median
		if q >= s {
			return fmt.Errorf("class %s took %v, class %s %v", quick, q, slow, s)
		}
		return nil
	}
}

func nine() Scenario {
	return Scenario{
		Name: "nine", About: "1 seed and 9 leeches, 20 Mbit/s each way",
		Pieces: 256, PieceLength: 256 << 10, Limit: 10 * time.Minute,
		Classes: []Class{
			seed(20 * Mbit),
			{Name: "leech", Count: 9, Up: 20 * Mbit, Down: 20 * Mbit, Distance: near},
		},
		Check: all(within(1.15), copies(1.15), waste(0.02)),
	}
}

// home is what "make lab" measures with real sockets, so that the model can be compared.
func home() Scenario {
	s := nine()
	s.Name, s.About = "home", "as nine, over streams with slow starts, queues and acknowledgements"
	s.Streams = true
	s.Check = all(within(1.25), copies(1.15), waste(0.02))
	return s
}

func hundred() Scenario {
	return Scenario{
		Name: "hundred", About: "1 seed and 100 leeches, 20 Mbit/s each way",
		Pieces: 2048, PieceLength: 128 << 10, Limit: 20 * time.Minute,
		Classes: []Class{
			seed(20 * Mbit),
			{Name: "leech", Count: 100, Up: 20 * Mbit, Down: 20 * Mbit, Distance: near,
				Jitter: 10 * time.Millisecond},
		},
		// A piece takes a second or two to reach everybody, which at the start no
		// other piece makes use of.
		Check: all(within(1.2), copies(1.15), waste(0.02)), Large: true,
	}
}

func mixed() Scenario {
	return Scenario{
		Name: "mixed", About: "who gives more is done sooner; a free rider is done last",
		Pieces: 256, PieceLength: 256 << 10, Limit: 60 * time.Minute,
		Classes: []Class{
			seed(30 * Mbit),
			{Name: "fibre", Count: 4, Up: 20 * Mbit, Down: 100 * Mbit, Distance: near,
				Jitter: near},
			{Name: "cable", Count: 10, Up: 5 * Mbit, Down: 50 * Mbit, Distance: 2 * near,
				Jitter: near},
			{Name: "dsl", Count: 15, Up: 1 * Mbit, Down: 16 * Mbit, Distance: 3 * near,
				Jitter: near},
			{Name: "free rider", Count: 3, Up: 5 * Mbit, Down: 50 * Mbit, Distance: near,
				Acts: FreeRider},
		},
		Check: all(before("fibre", "cable"), before("cable", "dsl"), before("dsl", "free rider"),
			waste(0.02)),
	}
}

func flash() Scenario {
	return Scenario{
		Name: "flash", About: "1,000 leeches within 20 s of each other",
		Pieces: 64, PieceLength: 256 << 10, Limit: 20 * time.Minute, PeersMax: 40,
		Classes: []Class{
			seed(50 * Mbit),
			{Name: "leech", Count: 1000, Up: 10 * Mbit, Down: 50 * Mbit, Distance: near,
				Jitter: 40 * time.Millisecond, JoinOver: 20 * time.Second},
		},
		Check: all(within(2.5), waste(0.03)), Large: true,
	}
}

func crowd() Scenario {
	s := flash()
	s.Name, s.About, s.Large = "crowd", "100 leeches within 20 s of each other", false
	s.Classes[1].Count = 100
	s.Check = all(within(2.5), waste(0.03))
	return s
}

func poisoned() Scenario {
	return Scenario{
		Name: "poisoned", About: "30 % of the peers send wrong blocks",
		Pieces: 256, PieceLength: 256 << 10, Limit: 20 * time.Minute,
		Classes: []Class{
			seed(20 * Mbit),
			{Name: "leech", Count: 20, Up: 20 * Mbit, Down: 20 * Mbit, Distance: near,
				Jitter: near},
			{Name: "liar", Count: 9, Seed: true, Up: 20 * Mbit, Down: 20 * Mbit, Distance: near,
				Jitter: near, Acts: Liar},
		},
		Check: all(waste(0.05), banned("liar")),
	}
}

// banned checks that all nodes of a class are banned, and no other is.
func banned(class string) func(*Result) error {
	return func(r *Result) error {
		var errs []error
		for _, c := range r.Classes {
			if want := c.Count; c.Name == class && c.Banned != want ||
				c.Name != class && c.Banned > 0 {
				errs = append(errs, fmt.Errorf("%d of %d nodes of class %s are banned", c.Banned,
					c.Count, c.Name))
			}
		}
		return errors.Join(errs...)
	}
}

// spoilt has pieces so large and uplinks so slow that many send blocks of one.
func spoilt() Scenario {
	return Scenario{
		Name: "spoilt", About: "of many that send each piece one sends a wrong block to each",
		Pieces: 64, PieceLength: 4 << 20, Limit: 20 * time.Minute,
		Classes: []Class{
			{Name: "seed", Count: 8, Seed: true, Up: 8 * Mbit, Down: 8 * Mbit, Distance: near,
				Jitter: near},
			{Name: "leech", Count: 4, Up: 4 * Mbit, Down: 40 * Mbit, Distance: near, Jitter: near},
			{Name: "spoiler", Count: 1, Seed: true, Up: 8 * Mbit, Down: 8 * Mbit, Distance: near,
				Acts: Spoiler},
		},
		// The piece that was spoilt comes twice, which is 1.6 % for each leech that got
		// all of it; with unlucky seeds a few repeats of the endgame come on top.
		Check: all(waste(0.03), banned("spoiler"), func(r *Result) error {
			if r.Class("leech").Shared == 0 {
				return errors.New("no piece of several senders was wrong")
			}
			return nil
		}),
	}
}

// allbut is a swarm in which everybody waits for the same piece: to fetch it takes
// the seed 2.1 seconds.
func allbut() Scenario {
	const missing, back = 100, 30 * time.Second
	return Scenario{
		Name: "allbut", About: "all lack the same piece, and after 30 s the seed is back",
		Pieces: 256, PieceLength: 256 << 10, Limit: 10 * time.Minute,
		Classes: []Class{
			{Name: "seed", Count: 1, Seed: true, Up: Mbit, Down: Mbit, Distance: near, Join: back},
			{Name: "leech", Count: 20, Up: 10 * Mbit, Down: 10 * Mbit, Distance: near, Jitter: near,
				All: 1, Without: []int{missing}},
		},
		Check: all(func(r *Result) error {
			if r.Last < back || r.Last > back+10*time.Second {
				return fmt.Errorf("the last one was done %v after the seed came", r.Last-back)
			}
			return nil
		}),
	}
}

// leaving is long from over when the seed goes: the leeches have but a quarter of
// its uplink each.
func leaving() Scenario {
	return Scenario{
		Name: "leaving", About: "the seed leaves after 1.05 copies, a third of the way",
		Pieces: 256, PieceLength: 256 << 10, Limit: 4 * time.Minute,
		Classes: []Class{
			{Name: "seed", Count: 1, Seed: true, Up: 20 * Mbit, Down: 20 * Mbit, Distance: near,
				Copies: 1.05},
			{Name: "leech", Count: 20, Up: 5 * Mbit, Down: 20 * Mbit, Distance: near, Jitter: near},
		},
		Check: func(r *Result) error {
			if at := r.Class("seed").Left; at == 0 || at > r.Last/2 {
				return fmt.Errorf("the seed left after %v of %v", at, r.Last)
			}
			if r.Lost > 0 { // a piece left with the seed: then all have the rest
				return spread(r)
			}
			return all(copies(1.06), within(1.4), waste(0.02))(r)
		},
	}
}

// spread checks that everybody has what anybody has.
func spread(r *Result) error {
	if r.Lacking > 0 {
		return fmt.Errorf("%d times a node lacks a piece that another has", r.Lacking)
	}
	return nil
}

// pex is over before the content has gone round: it is about the graph.
func pex() Scenario {
	return Scenario{
		Name: "pex", About: "200 nodes know one, and find the others by peer exchange alone",
		Pieces: 1024, PieceLength: 256 << 10, Limit: time.Minute, Introducer: true, Large: true,
		Classes: []Class{
			// It accepts all of them: a full node teaches nobody any address.
			{Name: "introducer", Count: 1, Seed: true, Up: 5 * Mbit, Down: 5 * Mbit, Distance: near,
				PeersMax: 250},
			{Name: "leech", Count: 199, Up: 5 * Mbit, Down: 20 * Mbit, Distance: near,
				Jitter: 3 * near, JoinOver: 10 * time.Second},
		},
		Check: func(r *Result) error {
			if g := r.Graph; g.Parts != 1 || g.Least < 20 {
				return fmt.Errorf("%d parts after %v, and %d neighbours at least", g.Parts, r.Ended,
					g.Least)
			}
			return nil
		},
	}
}

func rare() Scenario {
	return Scenario{
		Name: "rare", About: "everyone has a random 90 %, and the seed is slow",
		Pieces: 256, PieceLength: 256 << 10, Limit: 20 * time.Minute,
		Classes: []Class{
			seed(1 * Mbit),
			{Name: "leech", Count: 20, Up: 10 * Mbit, Down: 10 * Mbit, Distance: near, Jitter: near,
				All: 0.9},
		},
		Check: all(waste(0.04)),
	}
}

func natted() Scenario {
	return Scenario{
		Name: "nat", About: "half of the peers are behind routers that let in whom they have sent to",
		Pieces: 256, PieceLength: 256 << 10, Limit: 20 * time.Minute,
		Classes: []Class{
			seed(20 * Mbit),
			{Name: "leech", Count: 30, Up: 20 * Mbit, Down: 20 * Mbit, Distance: near,
				Jitter: 3 * near, NAT: 0.5},
		},
		Check: all(within(1.4), waste(0.02)),
	}
}

func forty() Scenario {
	return Scenario{
		Name: "forty", About: "1 seed and 39 leeches, four of five behind such routers",
		Pieces: 512, PieceLength: 256 << 10, Limit: 20 * time.Minute,
		Classes: []Class{
			seed(20 * Mbit),
			{Name: "leech", Count: 39, Up: 20 * Mbit, Down: 20 * Mbit, Distance: near,
				Jitter: 3 * near, NAT: 0.8},
		},
		Check: all(within(1.25), waste(0.02)),
	}
}

func churn() Scenario {
	return Scenario{
		Name: "churn", About: "peers stay two minutes, and come back after one",
		Pieces: 512, PieceLength: 256 << 10, Limit: 60 * time.Minute,
		Classes: []Class{
			seed(5 * Mbit),
			{Name: "leech", Count: 30, Up: 5 * Mbit, Down: 20 * Mbit, Distance: near,
				Jitter:   3 * near,
				JoinOver: time.Minute, Life: 2 * time.Minute, Away: time.Minute},
		},
		Check: all(waste(0.05)),
	}
}

func streaming() Scenario {
	return Scenario{
		Name: "streaming", About: "a player at 4 Mbit/s, where each peer gets twice that",
		Pieces: 256, PieceLength: 256 << 10, Limit: 20 * time.Minute,
		Classes: []Class{
			seed(16 * Mbit),
			{Name: "leech", Count: 9, Up: 8 * Mbit, Down: 20 * Mbit, Distance: near},
			{Name: "player", Count: 1, Up: 8 * Mbit, Down: 20 * Mbit, Distance: near,
				Rate:        4 * Mbit,
				StartBuffer: 5 * time.Second, Join: 10 * time.Second},
		},
		// While the seed still sends first copies, what the player needs may be nowhere else:
		// it stalls with half of the seeds, for 1.5 s on average.
		Check: all(func(r *Result) error {
			if p := r.Class("player"); p.Startup == 0 || p.Stalled > 5*time.Second ||
				p.Startup > 15*time.Second {
				return fmt.Errorf("the player started after %v and stalled for %v", p.Startup,
					p.Stalled)
			}
			return nil
		}),
	}
}

// reading is a player whose peers together send half as much again as it plays. It has no
// other leech to compete with, and no peer that is fast enough by itself.
func reading(mbits int64, pieceLength int) Scenario {
	rate := mbits * Mbit
	seed := func(name string, percent int64) Class {
		return Class{Name: name, Count: 1, Seed: true, Up: rate * percent / 100, Down: rate,
			Distance: 2 * near}
	}
	return Scenario{
		Name: fmt.Sprintf("read%d", mbits),
		About: fmt.Sprintf("a player at %d Mbit/s, which three unequal seeds bring 1.5 times",
			mbits),
		Pieces: 256, PieceLength: pieceLength, Limit: 20 * time.Minute,
		Classes: []Class{
			seed("fast", 90), seed("medium", 40), seed("slow", 20),
			{Name: "player", Count: 1, Up: rate, Down: 10 * rate, Distance: near, Rate: rate,
				StartBuffer: time.Second},
		},
		Check: all(waste(0.02), func(r *Result) error {
			if p := r.Class("player"); p.Startup == 0 || p.Stalled > 0 ||
				p.Startup > 3*time.Second {
				return fmt.Errorf("the player started after %v and stalled for %v", p.Startup,
					p.Stalled)
			}
			return nil
		}),
	}
}

func magnet() Scenario {
	s := nine()
	s.Name, s.About = "magnet", "as nine, without metadata to begin with"
	s.Classes[1].Magnet = true
	s.Check = all(within(1.2), copies(1.15))
	return s
}

func super() Scenario {
	s := nine()
	s.Name, s.About = "super", "as nine, super-seeding"
	s.Classes[0].SuperSeed = true
	s.Check = all(within(1.3), copies(1.2))
	return s
}

func lossy() Scenario {
	s := nine()
	s.Name, s.About = "lossy", "as nine, with 1 % loss and mute peers"
	for i := range s.Classes {
		s.Classes[i].Loss = 0.005
	}
	s.Classes = append(s.Classes, Class{Name: "mute", Count: 5, Seed: true, Up: Mbit, Down: Mbit,
		Distance: near, Acts: Mute})
	s.Check = all(within(1.3), waste(0.02))
	return s
}
