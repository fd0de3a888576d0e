package main

import (
	"net/netip"
	"strings"
	"time"

	"swarmnode"
)

const (
	// reachSettled is how long an answer must stand before people are told: a router that
	// maps our port answers a little later than those who see us.
	reachSettled = 3 * time.Second
	// reachGap is the least time between two lines.
	reachGap = 10 * time.Second
)

// reach: how others reach the node has changed.
type reachEvent struct {
	UTP         string   `json:"utp"` // unknown, open, mapped, punch, relay, none
	TCP         string   `json:"tcp"`
	External    []string `json:"external,omitempty"` // of UDP, as others see it
	ExternalTCP []string `json:"external_tcp,omitempty"`
	Mapping     string   `json:"mapping"`
	Filtering   string   `json:"filtering"`
	Ports       string   `json:"ports"`
	Relayed     []string `json:"relayed,omitempty"`
	Why         string   `json:"why"`
}

// reachEventOf returns the event of a standing.
func reachEventOf(is swarmnode.Standing) reachEvent {
	return reachEvent{
		UTP: is.UTP.String(), TCP: is.TCP.String(), Mapping: is.Mapping.String(),
		Filtering: is.Filtering.String(), Ports: is.Ports.String(), Why: is.Why,
		External:    validAddrs(is.External4, is.External6),
		ExternalTCP: validAddrs(is.ExternalTCP4, is.ExternalTCP6),
		Relayed:     validAddrs(is.Relayed...),
	}
}

// validAddrs returns the addresses that are known.
func validAddrs(addrs ...netip.AddrPort) (list []string) {
	for _, a := range addrs {
		if a.IsValid() {
			list = append(list, a.String())
		}
	}
	return list
}

// A reachView says how others reach the node when that changes.
type reachView struct {
	noRelay bool // no relay is used

	last   swarmnode.Standing // as of the last look
	known  bool               // there was an answer
	since  time.Time          // when the answer became that of last
	told   string             // the last line
	toldAt time.Time
}

// look says what has changed. It is called every second or so.
func (v *reachView) look(now time.Time, c *console, is swarmnode.Standing) {
	if !is.Equal(v.last) && (v.known || is.Known()) {
		v.known = true
		c.event("reach", reachEventOf(is))
	}
	if v.since.IsZero() || is.Answer() != v.last.Answer() {
		v.since = now
	}
	v.last = is
	answer := is.Answer()
	switch {
	case !is.Known(), answer == v.told, now.Sub(v.since) < reachSettled,
		!v.toldAt.IsZero() && now.Sub(v.toldAt) < reachGap:
		return
	case v.told == "" && is.Alone: // the user has wanted it so, or is told in other words
		return
	}
	v.told, v.toldAt = answer, now
	c.note("%s", reachLine(is, v.noRelay))
}

// reachLine says how others reach the node, and why.
func reachLine(is swarmnode.Standing, noRelay bool) string {
	line := is.String()
	if noRelay { // whether there is one, nobody has asked
		line = strings.Replace(line, "a relay, and there is none", "a relay, and none is used", 1)
	}
	return line
}
