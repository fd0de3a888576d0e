package sim

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// Each node of a simulated swarm does the same again when its recorded events are replayed:
// seeds, leeches that start from a magnet link, peers that lie and peers that leave.
func TestNodesReplay(t *testing.T) {
	s := Scenario{Name: "replayed", Pieces: 40, PieceLength: 64 << 10, Limit: time.Hour,
		Classes: []Class{
			{Name: "seed", Count: 1, Seed: true, Up: 2 * Mbit, Down: 2 * Mbit},
			{Name: "liar", Count: 1, Acts: Liar, Up: 2 * Mbit, Down: 2 * Mbit},
			{Name: "leech", Count: 6, Up: 2 * Mbit, Down: 8 * Mbit, JoinOver: 20 * time.Second},
			{Name: "magnet", Count: 2, Magnet: true, Up: 1 * Mbit, Down: 8 * Mbit,
				Join: 5 * time.Second},
		}}
	var dump bytes.Buffer
	if _, err := Observe(context.Background(), s, 7, Observer{Dump: &dump}); err != nil {
		t.Fatal(err)
	}
	replayed := 0
	err := ReplayAll(context.Background(), bytes.NewReader(dump.Bytes()), nil, func(r *Replay) {
		replayed++
		if !r.Partial && (r.Differs != 0 || r.Inexact) || r.Broken != nil || r.Events < 50 {
			t.Errorf("node %d: %v", replayed, r)
		}
	})
	if err != nil || replayed != 10 {
		t.Errorf("%d of 10 nodes: %v", replayed, err)
	}
}

// A file that is no dump leads to one error.
func TestReplayRefuses(t *testing.T) {
	for _, text := range []string{"", "hello\n", "swarmnode dump 1\nend\nhello\n"} {
		err := ReplayAll(context.Background(), strings.NewReader(text), nil, func(*Replay) {})
		if !errors.Is(err, ErrNotDump) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
