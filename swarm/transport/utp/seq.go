package utp

// A seq is a sequence number. It counts packets, and wraps from 65,535 to 0.
type seq uint16

// before reports whether s comes before t. Of two numbers, the one that lies up to 32,767
// behind the other comes before it.
func (s seq) before(t seq) bool { return int16(s-t) < 0 }

// until returns how far t is ahead of s: negative if t comes before s.
func (s seq) until(t seq) int { return int(int16(t - s)) }
