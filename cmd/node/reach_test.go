package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"swarmnode"
	"swarmnode/swarm/reach"
)

// People are told how others reach the node when the answer has settled, and again when it
// changes, but not of every reason, and not that nobody can if that is so from the start.
func TestReachLines(t *testing.T) {
	at := netip.MustParseAddrPort("50.0.0.1:7")
	unknown := swarmnode.Standing{Why: "nobody says"}
	none := swarmnode.Standing{UTP: reach.None, TCP: reach.None, Alone: true, Why: "no network"}
	silent := swarmnode.Standing{UTP: reach.None, Why: "no answers"}
	punch := swarmnode.Standing{UTP: reach.Punch, TCP: reach.None, External4: at, Why: "a router"}
	other := punch
	other.Why = "another reason"
	open := swarmnode.Standing{UTP: reach.Open, TCP: reach.Open, External4: at, ExternalTCP4: at,
		Why: "they came"}
	const prefix = "node: add: "
	punchLine := prefix + "reachable only by hole punching, seen at 50.0.0.1:7: a router\n"
	openLine := prefix + "reachable over TCP and uTP at 50.0.0.1:7: they came\n"
	for _, c := range []struct {
		why   string
		looks []swarmnode.Standing // one a second
		hold  int                  // for how many more seconds the last one stays
		want  string
	}{
		{"nothing is known", nil, 60, ""},
		{"nobody can, from the start", []swarmnode.Standing{none}, 60, ""},
		{"the network drops datagrams", []swarmnode.Standing{unknown, silent}, 60,
			prefix + "not reachable: no answers\n"},
		{"it has not settled", []swarmnode.Standing{unknown, punch}, 2, ""},
		{"it has", []swarmnode.Standing{unknown, punch}, 3, punchLine},
		{"another reason", []swarmnode.Standing{unknown, punch, other}, 60,
			strings.Replace(punchLine, "a router", "another reason", 1)},
		{"a router maps the port at once", []swarmnode.Standing{punch, punch, open}, 60, openLine},
		{"a router maps the port later",
			[]swarmnode.Standing{punch, punch, punch, punch, open}, 60, punchLine + openLine},
		{"but not at once", []swarmnode.Standing{punch, punch, punch, punch, open}, 5, punchLine},
		{"the network goes", []swarmnode.Standing{open, open, open, open, none}, 60,
			openLine + prefix + "not reachable: no network\n"},
		{"it goes for a moment",
			[]swarmnode.Standing{open, open, open, open, unknown, open}, 60, openLine},
	} {
		console, _, stderr := testConsole()
		var v reachView
		now, is := time.Unix(1000, 0), unknown
		for i := range len(c.looks) + c.hold {
			if i < len(c.looks) {
				is = c.looks[i]
			}
			v.look(now, console, is)
			now = now.Add(time.Second)
		}
		if got := stderr.String(); got != c.want {
			t.Errorf("%s: got\n%swant\n%s", c.why, got, c.want)
		}
	}
}

// With --no-relay it is not said that there is no relay.
func TestReachLineWithoutRelays(t *testing.T) {
	const answer = "reachable only through a relay"
	is := swarmnode.Standing{UTP: reach.RelayOnly, Why: "a router"}
	if got, want := reachLine(is, false), answer+", and there is none: a router"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := reachLine(is, true), answer+", and none is used: a router"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Programs are told of each change once there is an answer.
func TestReachEvents(t *testing.T) {
	console, stdout, stderr := testConsole()
	console.json = true
	var v reachView
	now := time.Unix(1000, 0)
	is := swarmnode.Standing{Why: "nobody says"}
	v.look(now, console, is)
	if stdout.Len() > 0 {
		t.Errorf("told %s", stdout)
	}
	is.UTP, is.External4 = reach.RelayOnly, netip.MustParseAddrPort("50.0.0.1:0")
	is.Relayed = []netip.AddrPort{netip.MustParseAddrPort("60.0.0.1:9")}
	is.Mapping, is.Filtering, is.Ports = reach.AddressDependent, reach.FilteringAddress,
		reach.PortsChanged
	v.look(now, console, is)
	v.look(now, console, is)
	v.look(now, console, swarmnode.Standing{Why: "nobody says"})
	got := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	want := []string{
		`"event":"reach","utp":"relay","tcp":"unknown","external":["50.0.0.1:0"],` +
			`"mapping":"varies","filtering":"by address","ports":"changed",` +
			`"relayed":["60.0.0.1:9"],"why":"nobody says"}`,
		`"event":"reach","utp":"unknown","tcp":"unknown","mapping":"unknown",` +
			`"filtering":"unknown","ports":"unknown","why":"nobody says"}`,
	}
	if len(got) != len(want) {
		t.Fatalf("told\n%s", stdout)
	}
	for i := range want {
		if !strings.HasSuffix(got[i], want[i]) {
			t.Errorf("told\n%s\nwant\n%s", got[i], want[i])
		}
	}
	if stderr.Len() > 0 {
		t.Errorf("people are told %s", stderr)
	}
}
