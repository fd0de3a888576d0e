package core

import "time"

const (
	// keepAliveAfter is how long we are silent towards a peer (BEP 3 names two
	// minutes).
	keepAliveAfter = 120 * time.Second
	// idleAfter is how long a peer may be silent: a keep-alive and its journey.
	idleAfter = 130 * time.Second
	// wakeAfter is how long both sides may be silent, in the first wakeWithin of a
	// connection, until the peer gets a message that it does not need.
	wakeAfter  = time.Second
	wakeWithin = 10 * time.Second
)

// A silence says how long the two ends of a connection have said nothing. It alone
// decides which peer is idle and when a keep-alive is due. A driver bounds how long one
// message may take, and tells of keep-alives so soon that an honest peer is not idle.
type silence struct {
	since time.Duration // the connection was made
	heard time.Duration // last message from the peer, or the handshake
	spoke time.Duration // last message to the peer, or the handshake
	wrote time.Duration // the same, without payload that waits for a rate limit
	said  bool          // the peer has sent some message
	woken bool          // it was woken, or need not be
}

func newSilence(now time.Duration) silence {
	return silence{since: now, heard: now, spoke: now, wrote: now}
}

// hear records that the peer said something.
func (s *silence) hear(now time.Duration) { s.heard, s.said = now, true }

// speak records that we said something, which goes out at once.
func (s *silence) speak(now time.Duration) { s.spoke, s.wrote = now, now }

// queue records that payload is with the writer of the peer. It may wait there for a
// rate limit, for longer than the peer waits for us.
func (s *silence) queue(now time.Duration) { s.spoke = now }

// write records that payload went out.
func (s *silence) write(now time.Duration) { s.wrote = now }

// broken reports whether the peer has sent any message.
func (s *silence) broken() bool { return s.said }

// lastHeard returns when the peer said something last, or when it connected.
func (s *silence) lastHeard() time.Duration { return s.heard }

// idle reports whether the peer has been silent for longer than it may be.
func (s *silence) idle(now time.Duration) bool { return now-s.heard > idleAfter }

// keepAlive reports whether the peer should get a keep-alive (BEP 3).
func (s *silence) keepAlive(now time.Duration) bool { return now-s.wrote >= keepAliveAfter }

// wake reports whether a new peer should get a keep-alive because its connection
// has gone silent: it says so at most once. rtorrent 0.9.8 may read our first
// messages together with an encrypted handshake, and looks at them when something
// more arrives; until then each side waits for the other. The first extension
// handshake of a peer gets a keep-alive too, since rtorrent sends it after that
// read as a rule; this one is for when it did not.
func (s *silence) wake(now time.Duration) bool {
	if s.woken {
		return false
	}
	quiet := now-max(s.heard, s.spoke) >= wakeAfter
	s.woken = quiet || now-s.since >= wakeWithin
	return quiet
}
