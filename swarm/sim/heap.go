package sim

// eventKind says what happens in the world.
type eventKind uint8

const (
	evTick    eventKind = iota // a core's deadline; node
	evUplink                   // an uplink has sent its packet; node
	evArrive                   // a packet is there; arg: its index
	evDial                     // a connection attempt ends; arg: its index
	evClosed                   // one side learns that a connection is gone; arg: end
	evHashed                   // a piece was hashed; node, arg: piece
	evOpened                   // storage is open; node
	evJoin                     // a node comes, or comes back; node
	evLeave                    // a node goes; node
	evRead                     // the blocks of a piece were hashed; node, arg: piece
	evTracker                  // addresses come from outside; node
	evPause                    // a node pauses, or ends its pause; node
	evAck                      // a block that was sent has come; arg: end
	evKnock                    // a SYN comes to a router; arg: index of the attempt
	evKinds
)

var eventNames = [evKinds]string{
	"tick", "uplink", "arrive", "dial", "closed", "hashed", "opened", "join", "leave", "read",
	"tracker", "pause", "ack", "knock",
}

// An event is something that happens at a time, in nanoseconds.
type event struct {
	at   int64
	seq  uint64 // in the order in which they were made, to break ties
	node int32
	arg  uint32
	life uint32 // of the node: what was meant for an earlier life is void
	kind eventKind
}

func (e *event) before(o *event) bool {
	return e.at < o.at || e.at == o.at && e.seq < o.seq
}

// A heap holds the events to come, the next one first. Each has four children,
// which makes it flatter and kinder to the cache than one of two.
type heap struct {
	events []event
}

func (h *heap) push(e event) {
	h.events = append(h.events, e)
	i := len(h.events) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if !e.before(&h.events[parent]) {
			break
		}
		h.events[i] = h.events[parent]
		i = parent
	}
	h.events[i] = e
}

func (h *heap) pop() event {
	top := h.events[0]
	last := len(h.events) - 1
	e := h.events[last]
	h.events = h.events[:last]
	i := 0
	for {
		first := 4*i + 1
		if first >= last {
			break
		}
		least := first
		for c := first + 1; c < min(first+4, last); c++ {
			if h.events[c].before(&h.events[least]) {
				least = c
			}
		}
		if !h.events[least].before(&e) {
			break
		}
		h.events[i] = h.events[least]
		i = least
	}
	if last > 0 {
		h.events[i] = e
	}
	return top
}
