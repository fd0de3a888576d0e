package book

import "iter"

// A Fault says how an attempt to meet a peer failed.
type Fault uint8

// The faults.
const (
	FaultNone         Fault = iota
	FaultRefused            // nothing listens there
	FaultTimeout            // no answer, or none in the handshake
	FaultUnreachable        // there is no way there
	FaultHungUp             // closed in the handshake, as by a peer without such a torrent
	FaultOtherTorrent       // it answered for another torrent
	FaultProtocol           // it does not speak BitTorrent
	FaultBanned             // its address is banned
	FaultOther
	FaultDialling // none yet: it is being dialled for the first time
	FaultBlocked  // the user blocks its address
	FaultNoWay    // neither TCP nor uTP is there to dial it by
	FaultInward   // others name it, and it is in the network of our proxy
	// FaultCount is how many there are, with FaultNone.
	FaultCount
)

// String says what happened to the peer, as in "3 refused".
func (f Fault) String() string {
	return [FaultCount]string{
		FaultNone: "not tried yet", FaultRefused: "refused", FaultTimeout: "timed out",
		FaultUnreachable: "unreachable", FaultHungUp: "hung up when asked for this torrent",
		FaultOtherTorrent: "answered for another torrent",
		FaultProtocol:     "did not speak BitTorrent",
		FaultBanned:       "banned", FaultOther: "failed", FaultDialling: "still being dialled",
		FaultBlocked: "blocked by your blocklist",
		FaultNoWay:   "with no transport left to dial by",
		FaultInward:  "left out: in the network of the proxy",
	}[f]
}

// An Unmet counts the known endpoints of peers to which there is no connection, by how
// the last attempt failed. Those under FaultNone were not tried yet.
type Unmet [FaultCount]int

// Count returns how many there are.
func (u *Unmet) Count() int {
	n := 0
	for _, each := range u {
		n += each
	}
	return n
}

// Untried returns how many endpoints were not tried yet.
func (u *Unmet) Untried() int { return u[FaultNone] }

// Failed yields the faults that some endpoints have, with their numbers.
func (u *Unmet) Failed() iter.Seq2[Fault, int] {
	return func(yield func(Fault, int) bool) {
		for fault, n := range u {
			if fault := Fault(fault); n > 0 && fault != FaultNone && !yield(fault, n) {
				return
			}
		}
	}
}

// A Census says how many peers the book knows. Our own endpoints do not count.
type Census struct {
	Known     int   // endpoints
	Dialling  int   // attempts under way
	Unmet     Unmet // those of Known without a connection
	Forgotten int   // dropped from the book because every attempt failed
}

// Census counts the endpoints of others.
func (b *Book) Census() Census {
	c := Census{Dialling: b.dialling, Forgotten: b.forgotten}
	for _, e := range b.list {
		switch {
		case e.state == stateConnected:
			c.Known++
		case e.state == stateSelf, b.own.is(e.endpoint):
		default:
			c.Known++
			fault := e.fault
			if fault == FaultNone && e.state == stateDialling {
				fault = FaultDialling
			}
			c.Unmet[fault]++
		}
	}
	return c
}
