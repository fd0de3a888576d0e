package main

import (
	"fmt"
	"strings"
	"time"

	"swarmnode"
	"swarmnode/dht"
)

// silentFor is how long the DHT may stay silent before the user is told. A living node
// answers within a second, however far away it is.
const silentFor = 5 * time.Second

// A dhtView is what a progress line says about the DHT.
type dhtView struct {
	on     bool // the DHT is in use
	nodes  int  // in the routing tables
	silent bool // nobody has answered for silentFor since the start
}

// viewOf returns the view of a node that has run for that long.
func viewOf(st dht.Stats, age time.Duration) dhtView {
	return dhtView{on: true, nodes: st.Contacts[0] + st.Contacts[1], silent: st.Answers == 0 &&
		age >= silentFor}
}

// text returns what to show, or nothing without a DHT.
func (v dhtView) text() (string, paint) {
	switch {
	case !v.on:
		return "", ""
	case v.silent && v.nodes == 0:
		return "dht no answer", yellow
	}
	return "dht " + plural(v.nodes, "node"), ""
}

// A silence warns once if no DHT node has answered.
type silence struct {
	hosts []string // bootstrap hosts, as the user knows them
	told  bool
	cut   time.Time // when nothing could be sent to anybody for the last time
}

// age returns how long a node that was started at since could have been answered. That
// nothing can be sent now, as cutOff says, explains the silence.
func (s *silence) age(now, since time.Time, cutOff bool) time.Duration {
	if cutOff {
		s.cut = now
	}
	if s.cut.After(since) {
		since = s.cut
	}
	return now.Sub(since)
}

// look warns if it is time to. age is how long the node has run.
func (s *silence) look(c *console, st dht.Stats, age time.Duration) {
	if s.told || age < silentFor {
		return
	}
	s.told = true
	if st.Answers > 0 || len(s.hosts)+st.Saved == 0 {
		return
	}
	c.warn("for %s %s (try: another --bootstrap)", formatDuration(silentFor), s.text(st))
}

// text says that no node has answered, and who was asked.
func (s *silence) text(st dht.Stats) string {
	var asked []string
	if len(s.hosts) > 0 {
		asked = append(asked, listHosts(s.hosts))
	}
	if st.Saved > 0 {
		asked = append(asked, plural(st.Saved, "node")+" of an earlier run")
	}
	switch {
	case len(asked) == 0:
		return "no DHT node was asked: none is known"
	case st.QueriesOut == 0:
		return fmt.Sprintf("no DHT node could be asked: there is no address for %s",
			strings.Join(asked, " and "))
	}
	return fmt.Sprintf("no DHT node answered (asked %s)", strings.Join(asked, " and "))
}

// hostsShown is how many hosts a line names.
const hostsShown = 3

// listHosts names the first of hosts, and how many more there are.
func listHosts(hosts []string) string {
	list := strings.Join(hosts[:min(len(hosts), hostsShown)], ", ")
	if n := len(hosts) - hostsShown; n > 0 {
		list += fmt.Sprintf(" and %d more", n)
	}
	return list
}

// dhtNews emits an event if the state of a DHT node that runs differs from last.
func dhtNews(c *console, node *swarmnode.DHT, last dhtEvent) dhtEvent {
	if !node.On() || !c.json {
		return last
	}
	st := node.Stats()
	now := dhtEvent{Nodes: st.Contacts[0] + st.Contacts[1], Good: st.Good[0] + st.Good[1],
		Joined: st.Joined}
	for _, a := range node.External() {
		now.External = append(now.External, a.String())
	}
	if !now.equal(last) {
		c.event("dht", now)
	}
	return now
}
