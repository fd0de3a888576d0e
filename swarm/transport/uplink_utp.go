package transport

import (
	"net/netip"
	"slices"
	"time"

	"swarmnode/swarm/limit"
)

const (
	// yieldsAim is the longest queue at which streams over TCP may take more, while others
	// yield: those over uTP aim at 30 ms to 50 ms, and would yield to them.
	yieldsAim = 25 * time.Millisecond
	// yieldsMost is the longest queue that those over uTP keep.
	yieldsMost = 60 * time.Millisecond
	// leaveOver is how long those over TCP take to leave their part.
	leaveOver = time.Second
	// yieldsLeast is the queue without which nothing has to be left to those over uTP.
	yieldsLeast = 5 * time.Millisecond
)

// A yielder is a stream over uTP. LEDBAT gives way to everything else in the queue before the
// uplink, and so to our own streams over TCP.
type yielder interface {
	// Delivery returns how many bytes have arrived since the stream began, and how long the
	// queue on their way is.
	Delivery() (acked uint64, queue time.Duration)
}

// A yieldingProbe is the probe of a yielder.
type yieldingProbe struct{ stream yielder }

func (p yieldingProbe) condition() (condition, bool) {
	acked, queue := p.stream.Delivery()
	return condition{acked: acked, rtt: queue}, true
}

func (p yieldingProbe) pace(float64) {}

// watchYielder returns the Path of a stream over uTP to a host.
func (u *Uplink) watchYielder(s yielder, remote netip.Addr) *Path {
	if u.cfg.Greedy {
		return nil
	}
	return &Path{uplink: u, changed: true,
		flow: flow{socket: yieldingProbe{s}, network: limit.NetworkOf(remote), yields: true}}
}

// listOf returns the list to which a stream belongs.
func (u *Uplink) listOf(f *flow) *[]*flow {
	if f.yields {
		return &u.yielders
	}
	return &u.flows
}

// sending returns those of all streams that have sent of late. The others are forgotten.
func sending(all []*flow, now time.Time) []*flow {
	return slices.DeleteFunc(all, func(f *flow) bool {
		f.listed = now.Sub(f.seen) < flowFor
		return !f.listed
	})
}

// lookAtYielders adds what the streams over uTP send to what is seen of the uplink.
func (u *Uplink) lookAtYielders(passed time.Duration, v *uplinkView) {
	if len(u.flows) == 0 {
		return // nothing can be held
	}
	u.readings = u.readings[:0]
	for _, f := range u.yielders {
		c, _ := f.socket.condition()
		sent, counts := f.look(passed, c)
		v.up += sent
		if counts {
			u.readings = append(u.readings, reading{f.network, c.rtt - c.rttMin})
		}
	}
	v.yielded, v.yields = agreed(u.readings)
}
