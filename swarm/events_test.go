package swarm

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/swarm/sim"
)

// The events of real torrents replay with the same actions, while they run and afterwards.
func TestWriteEventsReplays(t *testing.T) {
	synctest.Test(t, testWriteEventsReplays)
}

func testWriteEventsReplays(t *testing.T) {
	e := newBubbleEngine(t)
	a, b := addLink(t, e, 1), addLink(t, e, 2)
	a.AddPeer(netip.MustParseAddrPort("127.0.0.1:1"))
	if err := a.SetSequential(true); err != nil {
		t.Fatal(err)
	}
	var dump bytes.Buffer
	if err := e.WriteEvents(&dump); err != nil {
		t.Fatal(err)
	}
	a.Close()
	b.Close()
	if err := a.WriteEvents(&dump); err != nil {
		t.Fatal(err)
	}
	var transcript strings.Builder
	n := 0
	err := sim.ReplayAll(context.Background(), &dump, &transcript, func(r *sim.Replay) {
		if n++; r.Differs != 0 || r.Broken != nil || r.Partial {
			t.Error(r)
		}
	})
	if err != nil || n != 3 || strings.Count(transcript.String(), "set sequential on") != 2 {
		t.Errorf("%d torrents, %v\n%s", n, err, &transcript)
	}
}

// A loop that hangs holds up nobody for long, and the dump says so.
func TestWriteEventsOfALoopThatHangs(t *testing.T) {
	synctest.Test(t, testLoopThatHangs)
}

func testLoopThatHangs(t *testing.T) {
	e := newBubbleEngine(t)
	torrent := addLink(t, e, 1)
	release, busy := make(chan struct{}), make(chan struct{})
	go torrent.ask(func(time.Time) {
		close(busy)
		<-release
	})
	<-busy
	if err := torrent.WriteEvents(&bytes.Buffer{}); !errors.Is(err, ErrHangs) {
		t.Errorf("error %v", err)
	}
	var dump bytes.Buffer
	if err := e.WriteEvents(&dump); err != nil || dump.String() !=
		"# "+torrent.Hash().Short()+": torrent does not answer\n" {
		t.Errorf("%q, %v", &dump, err)
	}
	close(release)
}
