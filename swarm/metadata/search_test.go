package metadata

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"swarmnode/metainfo"
)

// dictionary is an info dictionary of that many bytes, for all that a Search knows.
func dictionary(size int) []byte {
	data := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(size)}).Read(data)
	return data
}

// A searchTest drives a Search for a dictionary of five blocks, the last one of 100 bytes, by a
// script, a line at a time: "time command arguments -> result".
//
//	offer PEER [SIZE]            the right size if none is given
//	leave PEER                   "open" if others may be asked in its place
//	ask                          "1:0" for block 0 of peer 1, and when to ask again
//	right|wrong PEER BLOCK       a block; what it was worth, and what to ask for next
//	short PEER BLOCK             a block that is too short
//	reject PEER                  "ignored" if nothing was asked
//	progress                     bytes that have come, of all
type searchTest struct {
	search Search
	whole  []byte
	found  bool
}

const (
	testBlocks = 5
	testSize   = (testBlocks-1)*BlockSize + 100
)

func newSearchTest() *searchTest {
	whole := dictionary(testSize)
	return &searchTest{whole: whole,
		search: NewSearch(Names{Hash: sha1.Sum(whole)}, 64<<20)}
}

func (s *searchTest) play(t *testing.T, script string) {
	t.Helper()
	for i, line := range strings.Split(strings.TrimSpace(script), "\n") {
		call, want, _ := strings.Cut(line, "->")
		words := strings.Fields(call)
		now, err := time.ParseDuration(words[0])
		if err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
		var args [2]int
		for k, word := range words[2:] {
			if args[k], err = strconv.Atoi(word); err != nil {
				t.Fatalf("line %d: %v", i+1, err)
			}
		}
		got := strings.TrimSpace(s.do(now, words[1], uint32(args[0]), args[1], len(words)))
		if want = strings.TrimSpace(want); got != want {
			t.Fatalf("line %d: %s: got %q, want %q", i+1, strings.TrimSpace(call), got, want)
		}
	}
}

func (s *searchTest) do(now time.Duration, command string, peer uint32, n, words int) string {
	defer s.search.Check()
	switch command {
	case "offer":
		if words == 3 {
			n = testSize
		}
		s.search.Offer(peer, int64(n))
	case "leave":
		if s.search.Leave(peer) {
			return "open"
		}
	case "ask":
		asks, again := s.search.Ask(now)
		if again == Never {
			return show(asks) + "again never"
		}
		return show(asks) + "again " + again.String()
	case "right", "wrong", "short":
		return s.receive(now, command, peer, n)
	case "reject":
		if !s.search.Rejected(now, peer) {
			return "ignored"
		}
	case "progress":
		have, size := s.search.Progress()
		return fmt.Sprintf("%d of %d", have, size)
	}
	return ""
}

var worths = map[Worth]string{Unasked: "unasked", Taken: "taken", Wrong: "wrong", Liar: "liar",
	Complete: "complete"}

// receive has a peer send a block.
func (s *searchTest) receive(now time.Duration, how string, peer uint32, n int) string {
	begin := min(n*BlockSize, testSize)
	data := bytes.Clone(s.whole[begin:min(begin+BlockSize, testSize)])
	switch how {
	case "wrong":
		data[0]++
	case "short":
		data = data[1:]
	}
	got := s.search.Received(now, peer, uint32(n), data)
	if got.Worth == Complete && !bytes.Equal(got.Dictionary, s.whole) {
		return "complete, and wrong"
	}
	return worths[got.Worth] + " " + show(got.Asks)
}

func show(asks []Ask) (s string) {
	for _, a := range asks {
		s += fmt.Sprintf("%d:%d ", a.Peer, a.Block)
	}
	return s
}

func TestSearch(t *testing.T) {
	for name, script := range map[string]string{
		"nobody offers anything": `
			0s ask -> again never
			0s offer 1 0
			0s ask -> again never
			0s progress -> 0 of 0`,
		"one peer sends all of it, four blocks at a time": `
			0s offer 1
			0s ask -> 1:0 again 500ms
			0s progress -> 0 of 65636
			0.1s right 1 0 -> taken 1:1 1:2 1:3 1:4
			0.1s progress -> 16384 of 65636
			0.1s right 1 2 -> taken
			0.1s right 1 1 -> taken
			0.1s right 1 4 -> taken
			0.1s right 1 3 -> complete
			0.1s right 1 3 -> unasked
			0.1s offer 2
			0.1s ask -> again never`,
		"nobody sends what was not asked for": `
			0s offer 1
			0s right 1 0 -> unasked
			0s ask -> 1:0 again 500ms
			0s right 1 1 -> unasked
			0s right 2 0 -> unasked
			0s right 1 0 -> taken 1:1 1:2 1:3 1:4
			0s right 1 0 -> unasked`,
		"a wrong hash loses what that peer has sent, and no other": `
			0s offer 1
			0s offer 2
			0s ask -> 1:0 2:0 again 500ms
			0s wrong 1 0 -> taken 1:1 1:2 1:3 1:4
			0s right 2 0 -> taken 2:1 2:2 2:3 2:4
			0s right 1 1 -> taken
			0s right 1 2 -> taken
			0s right 1 3 -> taken
			0s right 1 4 -> wrong
			0s right 2 1 -> taken
			0s right 2 2 -> taken
			0s right 2 3 -> taken
			0s right 2 4 -> complete`,
		"the second wrong one shows a liar": `
			0s offer 1
			0s ask -> 1:0 again 500ms
			0s short 1 0 -> wrong
			0s ask -> 1:0 again 500ms
			0s short 1 0 -> liar`,
		"a wrong size is found out by the last block": `
			0s offer 1 16385
			0s ask -> 1:0 again 500ms
			0s right 1 0 -> taken 1:1
			0s right 1 1 -> wrong`,
		"a claim that changes counts from the next start on": `
			0s offer 1
			0s ask -> 1:0 again 500ms
			0s offer 1 100
			0s right 1 0 -> taken 1:1 1:2 1:3 1:4
			0s reject 1
			60s ask -> 1:0 again 1m0.5s
			60s right 1 0 -> wrong`,
		"a peer that rejects is left alone for a minute": `
			0s offer 1
			0s reject 1 -> ignored
			0s ask -> 1:0 again 500ms
			0s reject 1
			0s ask -> again 1m0s
			59s ask -> again 1m0s
			60s ask -> 1:0 again 1m0.5s`,
		"a silent peer is given up after twenty seconds": `
			0s offer 1
			0s ask -> 1:0 again 500ms
			19.9s ask -> again 20.4s
			20s ask -> again 1m20s
			20s right 1 0 -> unasked
			80s ask -> 1:0 again 1m20.5s`,
		"small claims are tried first": `
			0s offer 1 3000000
			0s offer 2 100
			0s offer 3 2000000
			0s ask -> 2:0 3:0 1:0 again 500ms`,
		"eight peers are asked for a first block": `
			0s offer 1
			0s offer 2
			0s offer 3
			0s offer 4
			0s offer 5
			0s offer 6
			0s offer 7
			0s offer 8
			0s offer 9
			0s ask -> 1:0 2:0 3:0 4:0 5:0 6:0 7:0 8:0 again 500ms
			0.4s ask -> again 900ms
			0.5s ask -> 9:0 again 1s`,
		"four that send keep larger claims from beginning, for half a second": `
			1s offer 1
			1s offer 2
			1s offer 3
			1s offer 4
			1s ask -> 1:0 2:0 3:0 4:0 again 1.5s
			1.1s right 1 0 -> taken 1:1 1:2 1:3 1:4
			1.1s right 2 0 -> taken 2:1 2:2 2:3 2:4
			1.1s right 3 0 -> taken 3:1 3:2 3:3 3:4
			1.1s right 4 0 -> taken 4:1 4:2 4:3 4:4
			1.1s offer 5
			1.1s offer 6 100
			1.1s ask -> 6:0 again 1.6s
			1.5s ask -> 5:0 again 2s`,
		"those that send are no probes": `
			0s offer 1
			0s offer 2
			0s ask -> 1:0 2:0 again 500ms
			0s right 1 0 -> taken 1:1 1:2 1:3 1:4
			0s right 2 0 -> taken 2:1 2:2 2:3 2:4
			0s offer 3
			0s offer 4
			0s offer 5
			0s offer 6
			0s offer 7
			0s offer 8
			0s offer 9
			0s ask -> 3:0 4:0 5:0 6:0 7:0 8:0 9:0 again 500ms`,
		"a slow peer is given up twenty seconds after its last block": `
			0s offer 1
			0s ask -> 1:0 again 500ms
			19s right 1 0 -> taken 1:1 1:2 1:3 1:4
			38s right 1 1 -> taken
			38.9s ask -> again 39.4s
			58s ask -> again 1m58s`,
		"a peer that is gone frees its place": `
			0s offer 1
			0s leave 2 ->
			0s leave 1 ->
			0s offer 1
			0s ask -> 1:0 again 500ms
			0s leave 1 -> open
			0s right 1 0 -> unasked
			0s ask -> again never`,
		"a peer that takes no requests any more is asked for no more": `
			0s offer 1
			0s ask -> 1:0 again 500ms
			0s reject 1
			0s offer 1 0
			0s ask -> again never
			61s ask -> again never`,
	} {
		t.Run(name, func(t *testing.T) { newSearchTest().play(t, script) })
	}
}

// The dictionary must have every hash that is known of it.
func TestNames(t *testing.T) {
	data := dictionary(1000)
	v1, v2 := metainfo.Hash(sha1.Sum(data)), metainfo.Hash256(sha256.Sum256(data))
	for name, test := range map[string]struct {
		names Names
		want  bool
	}{
		"SHA-1":                       {Names{Hash: v1}, true},
		"SHA-256 cut":                 {Names{Hash: v2.Short()}, true},
		"SHA-256":                     {Names{Hash: v2.Short(), HashV2: v2}, true},
		"both of a hybrid":            {Names{Hash: v1, HashV2: v2}, true},
		"another SHA-1":               {Names{Hash: metainfo.Hash{1}}, false},
		"another SHA-256 of a hybrid": {Names{Hash: v1, HashV2: metainfo.Hash256{1}}, false},
		"another SHA-1 of a hybrid":   {Names{Hash: metainfo.Hash{1}, HashV2: v2}, false},
	} {
		if got := test.names.Fit(data); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// Close forgets everything; whoever sends then has not been asked.
func TestClose(t *testing.T) {
	s := newSearchTest()
	s.play(t, `
		0s offer 1
		0s ask -> 1:0 again 500ms`)
	s.search.close()
	s.play(t, `
		0s right 1 0 -> unasked
		0s offer 2
		0s ask -> again never
		0s progress -> 0 of 0`)
}

// A claim of more than may be kept is worth no request, and no memory.
func TestHugeClaims(t *testing.T) {
	s := newSearchTest()
	for peer, size := range []int64{-1, 64<<20 + 1, 1 << 40, 1<<63 - 1} {
		s.search.Offer(uint32(peer+1), size)
	}
	s.play(t, `
		0s ask -> again never
		0s progress -> 0 of 0`)
}

// What is kept of liars is bounded, and the largest claims go first.
func TestLiarsAreBounded(t *testing.T) {
	const liars, claim, bound = 6, 16 << 20, 64 << 20
	s := newSearchTest()
	s.do(0, "offer", 7, testSize, 4)
	s.search.Ask(0)
	s.receive(0, "right", 7, 0)
	for peer := range uint32(liars) {
		s.search.Offer(peer+1, claim)
	}
	sent := 0
	for now := time.Duration(0); now < giveUp; now += time.Second {
		asks, _ := s.search.Ask(now)
		for asks = slices.Clone(asks); len(asks) > 0; {
			var next []Ask
			for _, a := range asks {
				if a.Peer == 7 || a.Block == claim/BlockSize-1 { // the last one is kept back
					continue
				}
				got := s.search.Received(now, a.Peer, a.Block, make([]byte, BlockSize))
				sent += BlockSize
				next = append(next, got.Asks...)
			}
			asks = next
		}
	}
	total := 0
	for _, src := range s.search.sources {
		total += len(src.data)
		if src.peer == 7 && len(src.data) != BlockSize {
			t.Errorf("%d bytes are kept of the honest peer, want %d", len(src.data), BlockSize)
		}
	}
	if sent < bound || total > bound {
		t.Errorf("%d bytes were sent, and %d are kept", sent, total)
	}
}

// One honest peer is enough, whatever the others do, and its dictionary comes in the end.
func TestSearchEnds(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 9))
		s := newSearchTest()
		for peer := range uint32(8) {
			s.do(0, "offer", peer+1, []int{testSize, testSize, 100, 1 << 20}[rng.IntN(4)], 4)
		}
		s.do(0, "offer", 9, testSize, 4)
		var open []Ask
		for now := time.Duration(0); !s.found; now += 100 * time.Millisecond {
			if now > 10*time.Minute {
				t.Fatalf("seed %d: not found", seed)
			}
			asks, _ := s.search.Ask(now)
			for open = append(open, asks...); len(open) > 0; open = open[1:] {
				open = append(open, s.answer(now, open[0], rng.IntN(5))...)
			}
		}
	}
}

// answer has a peer send a block in some way; peer 9 is honest.
func (s *searchTest) answer(now time.Duration, a Ask, how int) []Ask {
	begin := min(int(a.Block)*BlockSize, testSize)
	data := s.whole[begin:min(begin+BlockSize, testSize)]
	switch {
	case a.Peer == 9 || how == 0:
	case how == 1:
		data = make([]byte, len(data))
	case how == 2:
		s.search.Rejected(now, a.Peer)
		return nil
	case how == 3:
		return nil
	default:
		s.search.Leave(a.Peer)
		return nil
	}
	got := s.search.Received(now, a.Peer, a.Block, data)
	s.found = s.found || got.Worth == Complete
	if got.Worth == Liar {
		s.search.Leave(a.Peer)
	}
	return slices.Clone(got.Asks)
}
