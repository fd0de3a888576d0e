package choke

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// contenders reads "rate[flags]": u unchoked, s snubbed, i idle, n new, b
// barren, o has an optimistic slot; :N waits for so many seconds.
func readContenders(text string) []contender {
	var list []contender
	for i, word := range strings.Fields(text) {
		var rate int64
		var flags string
		waited := 0
		word, after, _ := strings.Cut(word, ":")
		fmt.Sscanf(after, "%d", &waited)
		fmt.Sscanf(word, "%d%s", &rate, &flags)
		p := &Peer{ref: Ref(i + 1)}
		p.optimistic = strings.Contains(flags, "o")
		list = append(list, contender{
			p: p, rate: rate, waited: time.Duration(waited) * time.Second,
			unchoked: strings.Contains(flags, "u"), snubbed: strings.Contains(flags, "s"),
			idle: strings.Contains(flags, "i"), newcomer: strings.Contains(flags, "n"),
			barren: strings.Contains(flags, "b"),
		})
	}
	return list
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		name    string
		peers   string
		slots   int
		seeding bool
		rotate  bool
		always  []Ref // chosen whatever the dice say
		never   []Ref
	}{
		{name: "everybody when there is room", peers: "0 0 0", slots: 4,
			always: []Ref{1, 2, 3}},
		{name: "who gives most, and one in turn", peers: "10 50 30 40 0 0", slots: 4,
			always: []Ref{2, 3, 4}},
		{name: "who gives nothing for its slot goes last", peers: "90us 10 20 30", slots: 3,
			always: []Ref{3, 4}},
		{name: "whoever has the optimistic slot keeps it", peers: "9u 8u 7u 0uo 0 0 0", slots: 4,
			always: []Ref{1, 2, 3, 4}},
		{name: "until it rotates", peers: "9u 8u 7u 0uo 0 0 0", slots: 4, rotate: true,
			always: []Ref{1, 2, 3}, never: []Ref{4}},
		{name: "a seed gives each its turn", peers: "90u:70 10u:5 20u:5 0:30 0:80", slots: 4,
			seeding: true,
			always:  []Ref{2, 3, 5}},
		{name: "and nothing to those who take nothing", peers: "0ui:15 10u:15 0:1 0:2", slots: 3,
			seeding: true,
			always:  []Ref{2, 4}, never: nil},
		{name: "who only takes comes after who gave", peers: "90ub:5 0:1 0:2", slots: 3,
			seeding: true,
			always:  []Ref{1, 2, 3}},
		{name: "and finds no regular slot there", peers: "90ub:5 80ub:5 70ub:5 0:1 0:2 0:3",
			slots: 4, seeding: true,
			always: []Ref{4, 5, 6}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(50) {
				list := readContenders(c.peers)
				n := min(c.slots, len(list))
				var got []Ref
				for _, p := range choose(list, c.slots, c.seeding, c.rotate,
					rand.New(rand.NewPCG(seed, 1))) {
					got = append(got, p.ref)
				}
				slices.Sort(got)
				if len(got) != n || len(slices.Compact(slices.Clone(got))) != n {
					t.Fatalf("chose %v, want %d different ones", got, n)
				}
				for _, ref := range c.always {
					if !slices.Contains(got, ref) {
						t.Fatalf("chose %v, want %d among them", got, ref)
					}
				}
				for _, ref := range c.never {
					if slices.Contains(got, ref) {
						t.Fatalf("chose %v, want %d not among them", got, ref)
					}
				}
			}
		})
	}
}

// TestEveryoneHasATurn: over many rounds every waiting peer gets a slot.
func TestEveryoneHasATurn(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	seen := map[Ref]bool{}
	for range 100 {
		for _, p := range choose(readContenders("9u 8u 7u 0 0 0 0 0 0 0"), 4, false, true, rng) {
			seen[p.ref] = true
		}
	}
	if len(seen) != 10 {
		t.Errorf("only %d of 10 peers ever had a slot", len(seen))
	}
}

func TestSlots(t *testing.T) {
	for _, c := range []struct {
		rate int64
		want int
	}{{0, slotsFirst}, {50_000, slotsMin}, {1_250_000, 6}, {2_500_000, 11}, {125_000_000, 52},
		{1 << 40, 64}} {
		ch := New(Config{SlotsMax: 64})
		ch.adapt(c.rate)
		if ch.slots != c.want {
			t.Errorf("%d bytes per second: %d slots, want %d", c.rate, ch.slots, c.want)
		}
	}
}
