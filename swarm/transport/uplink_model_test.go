package transport

import (
	"slices"
	"time"
)

const modelStep = time.Millisecond

// A modelLine is an uplink in virtual time: a fluid model of a queue that drains at a rate.
type modelLine struct {
	rate   float64       // bytes per second
	buffer time.Duration // the longest queue
	rtt    time.Duration // without queues
	// foreign is the queue elsewhere on all paths, at a time; nil for none.
	foreign func(at time.Duration) time.Duration
	senders []*modelSender

	at      time.Duration
	backlog float64         // bytes in the queue
	delays  []time.Duration // of the queue, one for each look; for the tests to clear
}

// A modelSender is a host behind the line that sends as TCP does: its window grows by a
// segment each round trip, and falls when the queue is full.
type modelSender struct {
	begins   time.Duration
	constant float64 // bytes per second, instead of TCP
	polite   *polite // nil for a sender that fills the queue
	utp      bool    // it sends by LEDBAT instead of TCP
	// beside is another sender of the same host, by uTP.
	beside *modelSender
	rate   float64 // of a flow of this sender, as an Uplink smooths it

	window, limit float64
	srtt, rttMin  time.Duration
	sent          float64 // that left the queue, for the tests to clear
	up            float64 // since the last look
	lost          time.Duration
}

const modelSegment = 1448

// newSeed returns a host that seeds politely.
func newSeed(begins time.Duration) *modelSender {
	return &modelSender{begins: begins, polite: new(polite)}
}

// run lets the time pass.

func (l *modelLine) run(until time.Duration) {
	for ; l.at < until; l.at += modelStep {
		l.step()
		if l.at%politeEvery == 0 {
			l.delays = append(l.delays, l.queue())
			for _, s := range l.senders {
				l.look(s)
			}
		}
	}
}

// queue returns how long the queue takes to drain.
func (l *modelLine) queue() time.Duration {
	return time.Duration(l.backlog / l.rate * float64(time.Second))
}

// step moves all that senders send in a step into the queue, and as much out as the line
// takes: each sender has its share of what is in the queue.
func (l *modelLine) step() {
	seconds := modelStep.Seconds()
	rtt := l.rtt + l.queue()
	if l.foreign != nil {
		rtt += l.foreign(l.at)
	}
	var in float64
	rates := make([]float64, len(l.senders))
	for i, s := range l.senders {
		if l.at < s.begins {
			continue
		}
		rates[i] = s.constant
		switch {
		case s.utp:
			rates[i] = s.ledbat(rtt, l.queue())
		case s.constant == 0:
			rates[i] = s.tcp(rtt, l.at, l.queue() >= l.buffer)
		}
		in += rates[i]
	}
	out := min(l.rate, in+l.backlog/seconds)
	l.backlog = min(max(l.backlog+(in-out)*seconds, 0), l.buffer.Seconds()*l.rate)
	for i, s := range l.senders {
		if in > 0 {
			s.sent += out * seconds * rates[i] / in
			s.up += out * seconds * rates[i] / in
		}
	}
}

// tcp returns the rate at which a sender sends now.
func (s *modelSender) tcp(rtt, now time.Duration, full bool) float64 {
	if s.srtt == 0 {
		s.srtt, s.rttMin, s.window = rtt, rtt, 10*modelSegment
	}
	s.rttMin = min(s.rttMin, rtt)
	rate := s.window / rtt.Seconds()
	if s.limit > 0 {
		rate = min(rate, s.limit)
	}
	// The system smooths round trips over eight acknowledgements, of two packets each.
	acks := rate / modelSegment / 2 * modelStep.Seconds()
	s.srtt += time.Duration(float64(rtt-s.srtt) * min(1, acks/8))
	switch {
	case full && now-s.lost > rtt:
		s.window, s.lost = max(0.7*s.window, 2*modelSegment), now
	case s.lost == 0:
		if s.limit == 0 || s.window/rtt.Seconds() < 2*s.limit {
			s.window += rate * modelStep.Seconds()
		}
	case s.limit == 0 || s.window/rtt.Seconds() < 1.2*s.limit:
		s.window += modelSegment * modelStep.Seconds() / rtt.Seconds()
	}
	return rate
}

// ledbat returns the rate at which a sender over uTP sends now: its window follows the queue.
func (s *modelSender) ledbat(rtt, queue time.Duration) float64 {
	const aim = 45 * time.Millisecond
	s.window = max(s.window, 2*modelSegment)
	rate := s.window / rtt.Seconds()
	if s.limit > 0 {
		rate = min(rate, s.limit)
	}
	off := max(1-float64(queue)/float64(aim), -1)
	if s.limit == 0 || off < 0 || s.window/rtt.Seconds() < 1.2*s.limit {
		s.window += off * modelSegment * modelStep.Seconds() / rtt.Seconds()
	}
	return rate
}

// look lets a polite sender look at its streams.
func (l *modelLine) look(s *modelSender) {
	if s.polite == nil || l.at < s.begins {
		return
	}
	v := uplinkView{queue: s.srtt - s.rttMin,
		known: s.up >= readRate*politeEvery.Seconds(), up: s.up, eager: true}
	flows, yielders := []*flow{{rate: s.smoothed(), eager: true}}, []*flow(nil)
	if b := s.beside; b != nil && l.at >= b.begins {
		v.up += b.up
		yielders = []*flow{{rate: b.smoothed()}}
		v.yields, v.yielded = b.rate >= readRate, l.queue()
	}
	s.limit = levelOf(s.polite.look(time.Unix(1, 0).Add(l.at), v), flows, yielders)
}

// smoothed returns the rate of a sender as an Uplink has it, at each look.
func (s *modelSender) smoothed() float64 {
	s.rate += (s.up/politeEvery.Seconds() - s.rate) / 4
	s.up = 0
	return s.rate
}

// clear begins a measurement.
func (l *modelLine) clear() {
	l.delays = l.delays[:0]
	for _, s := range l.senders {
		s.sent = 0
	}
}

// quantile returns the queue that a share of the looks did not exceed.
func (l *modelLine) quantile(share float64) time.Duration {
	slices.Sort(l.delays)
	return l.delays[int(share*float64(len(l.delays)-1))]
}

const mbit = 1e6 / 8

// home returns the uplink of a home of 5 Mbit/s with a deep buffer.
func home(senders ...*modelSender) *modelLine {
	return &modelLine{rate: 5 * mbit, buffer: 500 * time.Millisecond, rtt: 21 * time.Millisecond,
		senders: senders}
}
