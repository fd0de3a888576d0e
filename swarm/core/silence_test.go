package core

import (
	"testing"
	"time"
)

// BEP 3: "peers may close a connection if they receive no messages for two minutes".
// So we speak every two minutes, and wait for a journey longer.
func TestSilence(t *testing.T) {
	s := newSilence(time.Minute)
	at := func(d time.Duration) time.Duration { return time.Minute + d }
	if s.keepAlive(at(keepAliveAfter-1)) || !s.keepAlive(at(keepAliveAfter)) {
		t.Error("a keep-alive is due two minutes after the handshake")
	}
	if s.idle(at(idleAfter)) || !s.idle(at(idleAfter+1)) {
		t.Error("a peer is idle that was silent for longer than idleAfter")
	}
	if s.broken() || s.lastHeard() != time.Minute {
		t.Error("the handshake counts as a message")
	}
	s.speak(at(time.Second))
	s.hear(at(2 * time.Second))
	if s.keepAlive(at(keepAliveAfter)) || s.idle(at(idleAfter+time.Second)) {
		t.Error("messages did not put the deadlines off")
	}
	if !s.broken() || s.lastHeard() != at(2*time.Second) {
		t.Error("a message was not heard")
	}
}

// A block that waits for a rate limit is no message to the peer: it gets a keep-alive.
func TestQueuedPayloadIsSilence(t *testing.T) {
	s := newSilence(0)
	s.queue(time.Minute)
	if !s.keepAlive(keepAliveAfter) {
		t.Error("no keep-alive although nothing has gone out")
	}
	s.write(time.Minute)
	if s.keepAlive(keepAliveAfter) || !s.keepAlive(time.Minute+keepAliveAfter) {
		t.Error("payload that went out does not put the keep-alive off")
	}
}

func TestSilenceWakes(t *testing.T) {
	for _, c := range []struct {
		name  string
		speak []time.Duration // when something is said
		woken time.Duration   // when a look wakes the peer; 0 for never
	}{
		{"nothing is said", nil, wakeAfter},
		{"one message, at 3 s", []time.Duration{3 * time.Second}, wakeAfter},
		{"a message each half second for 5 s", every(time.Second/2, 5*time.Second),
			6 * time.Second},
		{"messages all the time", every(time.Second/2, wakeWithin), 0},
	} {
		s := newSilence(0)
		var woken []time.Duration
		for now := time.Duration(0); now <= 20*time.Second; now += time.Second / 2 {
			for _, at := range c.speak {
				if at == now {
					s.hear(now)
				}
			}
			if now%time.Second == 0 && s.wake(now) {
				woken = append(woken, now)
			}
		}
		switch {
		case c.woken == 0 && len(woken) > 0, c.woken > 0 && (len(woken) != 1 ||
			woken[0] != c.woken):
			t.Errorf("%s: woken at %v, want %v", c.name, woken, c.woken)
		}
	}
}

// every returns the moments from a period on, up to an end.
func every(period, end time.Duration) (list []time.Duration) {
	for at := period; at <= end; at += period {
		list = append(list, at)
	}
	return list
}
