package core

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// randomEntry returns an entry with any fields.
func randomEntry(rng *rand.Rand, at time.Duration) entry {
	some := func(n uint64) uint64 {
		if rng.IntN(2) == 0 {
			return 0
		}
		return rng.Uint64N(n)
	}
	e := entry{at: at, digest: uint8(rng.Uint32()), kind: EventKind(rng.IntN(int(eventKinds))),
		marks: marks(some(uint64(marksEnd))), peer: PeerRef(some(1 << 32)),
		count: int(some(1 << 31)), met: time.Duration(some(1<<62)) - 1<<61}
	e.setSource(some(1 << 16))
	e.setMsg(some(1 << 16))
	e.ref = block.Ref{Piece: uint32(some(1 << 32)), Begin: uint32(some(1 << 32)),
		Length: uint32(some(1 << 32))}
	switch rng.IntN(4) {
	case 0:
		e.endpoint = benchEndpoint(rng.IntN(1000))
	case 1:
		e.endpoint = endpoint.WebSeed(endpoint.Key(rng.Uint32()))
	case 2:
		e.endpoint = endpoint.IP(netip.MustParseAddrPort("[2a00::1]:80"))
		e.ref.Length = block.Size
	}
	if n := some(300); n > 0 {
		e.body = bytes.Repeat([]byte{byte(n)}, int(n))
	}
	return e
}

func benchEndpoint(n int) endpoint.Endpoint { return endpoint.IP(benchAddr(n)) }

// What is recorded is read back as it was, however many rows it takes, and the oldest
// entries are forgotten first.
func TestRecorderKeepsTheLastEntries(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var r recorder
	var want []entry
	at := time.Duration(0)
	for range 20_000 {
		at += time.Duration(rng.Int64N(int64(time.Minute)))
		e := randomEntry(rng, at)
		r.add(&e)
		want = append(want, e)
	}
	got := r.entries()
	if len(got) < 500 || uint64(len(got))+r.lost() != 20_000 {
		t.Fatalf("%d entries are there and %d lost of 20,000", len(got), r.lost())
	}
	if want = want[len(want)-len(got):]; !reflect.DeepEqual(got, want) {
		for k := range got {
			if !reflect.DeepEqual(got[k], want[k]) {
				t.Fatalf("entry %d is\n%+v, want\n%+v", k, got[k], want[k])
			}
		}
	}
	size := 0
	for _, c := range r.chunks {
		size += cap(c.bytes)
	}
	if size > recordedMax*5/4 {
		t.Errorf("the recorder takes %d bytes", size)
	}
}

// A full recorder costs a block no memory, and a quiet torrent has a small one.
func TestRecorderMemory(t *testing.T) {
	var r recorder
	e := entry{kind: ReceivedBlock, peer: 3, ref: blockIn(1000, 3)}
	next := func() {
		e.at += time.Millisecond
		r.add(&e)
	}
	for range 40 {
		next()
	}
	if n := cap(r.chunks[0].bytes); n > 1024 {
		t.Errorf("40 events take %d bytes", n)
	}
	for range 100_000 {
		next()
	}
	if allocs := testing.AllocsPerRun(10_000, next); allocs != 0 {
		t.Errorf("an event costs %v allocations", allocs)
	}
	if n := len(r.entries()); n < 10_000 {
		t.Errorf("only %d blocks are remembered", n)
	}
}

// Each field of an Event is recorded, or is known to be of no use for a replay. Whoever
// adds one has to decide which.
func TestEveryFieldOfAnEventIsRecorded(t *testing.T) {
	known := []string{"Kind", "Source", "Fault", "Outgoing", "Encrypted", "Broken", "Vouched",
		"Peer", "Count", "Ref", "Endpoint", "Msg", "Hello", "Info", "Have", "Need", "Met",
		"Hashes", "Transport", "UTP",
		"Buf", "Err", "Parts", // decide nothing
		"Late", // of trees, which make a replay inexact
	}
	for field := range reflect.TypeFor[Event]().Fields() {
		if !slices.Contains(known, field.Name) {
			t.Errorf("the recorder does not know the field %s of Event", field.Name)
		}
	}
}

// Each field of a Config is in a dump, or is known to be of no use for a replay.
func TestEveryFieldOfAConfigIsDumped(t *testing.T) {
	known := []string{"PeerID", "Seed", "Client", "Port", "Home", "MetadataOnly", "SuperSeed",
		"Private", "PeersOnly", "NoPEX", "Limits",
		"InfoHash", "HashV2", "disguised", // made up
	}
	for field := range reflect.TypeFor[Config]().Fields() {
		if !slices.Contains(known, field.Name) {
			t.Errorf("a dump lacks the field %s of Config", field.Name)
		}
	}
	if n := reflect.TypeFor[Limits]().NumField(); n != 5 {
		t.Errorf("Limits has %d fields, a dump has five", n)
	}
}

// Bytes come back from their short form, and are never much longer in it.
func TestRuns(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for n := range 300 {
		b := make([]byte, n)
		for k := range b {
			if b[k] = 0xff; rng.IntN(300) < n {
				b[k] = byte(rng.Uint32())
			}
		}
		short := appendRuns(nil, b)
		if got, ok := parseRuns(short, n); !ok || !bytes.Equal(got, b) || len(short) > n+1 {
			t.Fatalf("%x becomes %x, and that %x, %v", b, short, got, ok)
		}
		if _, ok := parseRuns(short, n-1); ok {
			t.Fatalf("%d bytes are more than %d", n, n-1)
		}
	}
	if n := len(appendRuns(nil, bytes.Repeat([]byte{255}, 10_000))); n > 4 {
		t.Errorf("a seed's bitfield takes %d bytes", n)
	}
	for _, bad := range []string{"", "\x02", "\x01\x05", "\x01\xff\xff\xff\xff\x0f\x01",
		"\x01\x80"} {
		if _, ok := parseRuns([]byte(bad), 1000); ok {
			t.Errorf("%q is taken", bad)
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("the pipe is closed") }

func TestWriteEventsSaysWhatFailed(t *testing.T) {
	s := &script{t: t}
	s.run("torrent pieces=4 magnet seed=1\nafter 1s")
	err := s.torrent.WriteEvents(brokenWriter{})
	if err == nil || err.Error() != "writing recorded events: the pipe is closed" {
		t.Errorf("error %v", err)
	}
}

// What a message of an unknown extension says is not kept, nor is more than a row has room
// for.
func TestRecorderIsBounded(t *testing.T) {
	s := &script{t: t}
	s.run("torrent pieces=4 magnet seed=1\nconnect 1 20.0.0.1:6881")
	for range 100 {
		s.torrent.Step(s.now, Event{Kind: Received, Peer: 1, Msg: wire.Message{ID: wire.Extended,
			Payload: bytes.Repeat([]byte("x"), wire.ExtendedMax)}})
	}
	for _, e := range s.torrent.recorder.entries() {
		if len(e.body) > recordedBody {
			t.Fatalf("a message of %d bytes is kept", len(e.body))
		}
	}
}
