package hashes

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"swarmnode/metainfo"
)

// A library has hash trees as a Server sees them. A range of base 0 is of leaves, two pieces
// for each range of length 2 from piece Index on; others are of a piece layer that is known.
type library struct{}

const pages = 1000 // ranges beyond are of no file

func (library) AppendHashes(dst []byte, r metainfo.HashRange,
	leaves func(piece int) ([]metainfo.Hash256, bool)) ([]byte, bool) {
	if r.Index >= pages {
		return dst, false
	}
	for i := range int(r.Length) {
		h := metainfo.Hash256{byte(r.Index) + byte(i)}
		if r.Base == 0 {
			of, ok := leaves(int(r.Index) + i)
			if !ok {
				return dst, false
			}
			h = of[0]
		}
		dst = append(dst, h[:]...)
	}
	return dst, true
}

// A serverTest drives a Server by a script. "leaves 5" is a range of leaves of pieces 5 and 6,
// and "layer 5" one of a piece layer:
//
//	has PICTURE                    the pieces that are there, marked x
//	ask PEER leaves|layer INDEX    what becomes of it
//	read PIECE [LETTER]            its leaves, or none; what becomes of requests that wait
//	leave PEER
//	waits PEER                     how many of its requests wait
type serverTest struct {
	server Server
	have   string
}

const headroom = 3

func (s *serverTest) do(_ time.Duration, command string, args []string) (result string) {
	defer s.server.Check()
	switch command {
	case "has":
		s.have = args[0]
		s.server.Begin(library{}, func(piece int) bool {
			return piece < len(s.have) && s.have[piece] == 'x'
		}, headroom)
	case "ask":
		r := metainfo.HashRange{Index: uint32(number(args[2])), Length: 2}
		if args[1] == "layer" {
			r.Base = 1
		}
		return replyOf(s.server.Answer(uint32(number(args[0])), r))
	case "read":
		leaves := []metainfo.Hash256{}
		if len(args) > 1 {
			leaves = leavesOf(args[1])
		}
		if !s.server.Hashed(number(args[0]), leaves) {
			return "nobody waits"
		}
		for r, ok := s.server.Next(); ok; r, ok = s.server.Next() {
			result += fmt.Sprintf("%d: %s ", r.Peer, replyOf(r))
		}
	case "leave":
		s.server.Leave(uint32(number(args[0])))
	case "waits":
		return fmt.Sprint(s.server.Waits(uint32(number(args[0]))))
	}
	return result
}

func replyOf(r Reply) string {
	switch r.Outcome {
	case Refused:
		return "refused"
	case Queued:
		return "queued"
	case Reading:
		return fmt.Sprint("read ", r.Piece)
	}
	if len(r.Answer) != headroom+2*32 {
		return fmt.Sprintf("%d bytes", len(r.Answer))
	}
	first, second := r.Answer[headroom], r.Answer[headroom+32]
	return fmt.Sprintf("%q", bytes.TrimSpace([]byte{first, second}))
}

func TestServer(t *testing.T) {
	for name, script := range map[string]string{
		"without metadata everything is refused": `
			0s ask 1 layer 65 -> refused`,
		"layers are answered at once": `
			0s has x
			0s ask 1 layer 65 -> "AB"
			0s ask 1 layer 1000 -> refused
			0s waits 1 -> 0`,
		"pieces are read for leaves, one at a time": `
			0s has .xx
			0s ask 1 leaves 1 -> read 1
			0s waits 1 -> 1
			0s read 2 x -> nobody waits
			0s read 1 a -> 1: read 2
			0s read 1 a -> nobody waits
			0s read 2 b -> 1: "ab"
			0s waits 1 -> 0`,
		"a piece that is not there cannot be read": `
			0s has x..
			0s ask 1 leaves 1 -> refused
			0s ask 1 leaves 0 -> read 0
			0s read 0 a -> 1: refused`,
		"a piece that cannot be read is not read again": `
			0s has xx
			0s ask 1 leaves 0 -> read 0
			0s ask 2 leaves 0 -> queued
			0s read 0 -> 1: refused 2: read 0
			0s read 0 a -> 2: read 1
			0s read 1 -> 2: refused`,
		"requests are read for in order": `
			0s has xxxx
			0s ask 1 leaves 0 -> read 0
			0s ask 2 leaves 2 -> queued
			0s ask 1 layer 65 -> "AB"
			0s read 0 a -> 1: read 1
			0s read 1 b -> 1: "ab" 2: read 2
			0s read 2 c -> 2: read 3
			0s read 3 d -> 2: "cd"`,
		"two requests of a peer wait": `
			0s has xxxx
			0s ask 1 leaves 0 -> read 0
			0s ask 1 leaves 2 -> queued
			0s ask 1 leaves 1 -> refused
			0s ask 2 leaves 1 -> queued
			0s waits 1 -> 2`,
		"a peer that is gone is not read for": `
			0s has xxxxxx
			0s ask 1 leaves 0 -> read 0
			0s ask 2 leaves 2 -> queued
			0s ask 3 leaves 4 -> queued
			0s leave 2
			0s waits 2 -> 0
			0s read 0 a -> 1: read 1
			0s read 1 b -> 1: "ab" 3: read 4`,
		"but for the piece that is being read": `
			0s has xxxx
			0s ask 1 leaves 0 -> read 0
			0s ask 2 leaves 2 -> queued
			0s leave 1
			0s waits 1 -> 0
			0s ask 1 leaves 0 -> queued
			0s read 0 a -> 2: read 2`,
		"leaves of one request are not those of another": `
			0s has xx
			0s ask 1 leaves 0 -> read 0
			0s ask 2 leaves 0 -> queued
			0s read 0 a -> 1: read 1
			0s read 1 b -> 1: "ab" 2: read 0
			0s read 0 c -> 2: read 1`,
	} {
		t.Run(name, func(t *testing.T) { play(t, script, new(serverTest).do) })
	}
}

// What waits of all peers together is bounded.
func TestServerIsBounded(t *testing.T) {
	var s serverTest
	s.do(0, "has", []string{"xx"})
	for i := range waitingMax + 5 {
		got := s.do(0, "ask", []string{fmt.Sprint(i + 1), "leaves", "0"})
		want := "queued"
		switch {
		case i == 0:
			want = "read 0"
		case i >= waitingMax:
			want = "refused"
		}
		if got != want {
			t.Errorf("request %d: %s, want %s", i, got, want)
		}
	}
}
