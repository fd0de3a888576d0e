package core

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"swarmnode/swarm/wire"
)

func TestTimers(t *testing.T) {
	ts := newTimers()
	if ts.next() != never {
		t.Error("a new table waits for something")
	}
	ts.by(timerDial, 5*time.Second)
	ts.by(timerSweep, 3*time.Second)
	ts.by(timerDial, 9*time.Second)
	if ts.next() != 3*time.Second {
		t.Errorf("the next deadline is %v, want 3 s", ts.next())
	}
	if ts.due(timerSweep, 3*time.Second-1) || !ts.due(timerSweep, 3*time.Second) {
		t.Error("a deadline is due when its time has come")
	}
	if ts.due(timerSweep, time.Hour) {
		t.Error("a deadline is due twice")
	}
	if ts.next() != 5*time.Second {
		t.Errorf("by has put a deadline off to %v", ts.next())
	}
	ts.set(timerDial, 9*time.Second)
	if ts.next() != 9*time.Second {
		t.Errorf("set has not put a deadline off: %v", ts.next())
	}
}

// The recorder keeps the last events, in order, and nothing that they point to.
func TestRecorder(t *testing.T) {
	s := &script{t: t}
	s.run("torrent pieces=4 magnet seed=1")
	for i := range recordedMax + 3 {
		s.torrent.Step(s.now.Add(time.Duration(i)*time.Second), Event{Kind: Received, Peer: 7,
			Msg: wire.Message{ID: wire.Have, Ref: blockIn(uint32(i), 0),
				Payload: make([]byte, i%3)}})
	}
	var b bytes.Buffer
	if err := s.torrent.WriteEvents(&b); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) != recordedMax {
		t.Fatalf("%d events are recorded, want %d", len(lines), recordedMax)
	}
	for _, c := range []struct {
		line  int
		words string
	}{
		{0, "3.000000 received peer 7"}, {recordedMax - 1, "4098.000000 received peer 7"},
	} {
		if got := strings.Join(strings.Fields(lines[c.line]), " "); !strings.HasPrefix(got,
			c.words) {
			t.Errorf("line %d is %q, want %q", c.line, got, c.words)
		}
	}
}

// What an event is about is in its line.
func TestRecordLines(t *testing.T) {
	for _, c := range []struct {
		e    Event
		want string
	}{
		{Event{Kind: Tick}, "0.000000 tick"},
		{Event{Kind: Verified, Ref: blockIn(3, 0)}, "0.000000 verified piece 3"},
		{Event{Kind: Sent, Peer: 2, Count: 5}, "0.000000 sent peer 2 x5"},
		{Event{Kind: StorageFailed, Ref: blockIn(3, 0)}, "0.000000 storage failed piece 3"},
		{Event{Kind: eventKindBeyond}, "0.000000 unknown"},
	} {
		var r recorder
		r.add(0, &c.e)
		if got := strings.Join(strings.Fields(r.ring[0].String()), " "); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// eventKindBeyond is a kind of event that there is not.
const eventKindBeyond EventKind = 200

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("the pipe is closed") }

func TestWriteEventsSaysWhatFailed(t *testing.T) {
	s := &script{t: t}
	s.run("torrent pieces=4 magnet seed=1\nafter 1s")
	s.torrent.Step(s.now, Event{Kind: Tick})
	err := s.torrent.WriteEvents(brokenWriter{})
	if err == nil || err.Error() != "writing recorded events: the pipe is closed" {
		t.Errorf("error %v", err)
	}
}

// Every reason, event and state has a name of its own.
func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for r := range reasonCount {
		if name := r.String(); name == "" || seen[name] {
			t.Errorf("reason %d is called %q", r, name)
		}
		seen[r.String()] = true
	}
	seen = map[string]bool{}
	for k := Tick; k <= Hashed; k++ {
		if name := k.String(); name == "" || name == "unknown" || seen[name] {
			t.Errorf("event %d is called %q", k, name)
		}
		seen[k.String()] = true
	}
	if reasonCount.String() != "unknown" {
		t.Error("a reason that there is not has a name")
	}
}
