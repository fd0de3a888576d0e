package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"swarmnode/swarm"
	"swarmnode/swarm/core"
)

const hashA, hashB = "a1b2c3d4e5f60718293a4b5c6d7e8f9001122334",
	"ffeeddcc00112233445566778899aabbccddeeff"

func TestStatusLine(t *testing.T) {
	const mib = 1 << 20
	of := func(nodes int) dhtView { return dhtView{on: true, nodes: nodes} }
	download := status{hash: hashA, state: "downloading", have: 1239 * mib, total: 2867 * mib,
		down: 12*mib + mib/3, up: mib, connected: 12, found: 48}
	for _, c := range []struct {
		name string
		all  []status
		dht  dhtView
		want string
	}{
		{"download", []status{download}, of(212),
			"a1b2c3d4 43.2% 1.21/2.80 GiB  down 12.3 MiB/s  up 1.00 MiB/s  peers 12/48  eta 2m12s"},
		{"no rate, no eta", []status{{hash: hashA, state: "downloading", total: mib}}, of(0),
			"a1b2c3d4 0.0% 0.00/1.00 MiB  down 0 B/s  up 0 B/s  peers 0/0"},
		{"metadata", []status{{hash: hashA, state: "metadata", found: 3, connected: 1}}, of(212),
			"a1b2c3d4 metadata  dht 212 nodes  peers 3 found, 1 connected  18s"},
		{"metadata without DHT", []status{{hash: hashA, state: "metadata"}}, dhtView{},
			"a1b2c3d4 metadata  peers 0 found, 0 connected  18s"},
		{"checking", []status{{hash: hashA, state: "checking", have: mib, total: 4 * mib}}, of(1),
			"a1b2c3d4 checking 25.0% 1.00/4.00 MiB"},
		{"seeding", []status{{hash: hashA, state: "seeding", have: mib, total: mib, up: 2 * mib,
			sent: 3 * mib, connected: 3, found: 12}}, of(1),
			"a1b2c3d4 seeding 1.00 MiB  up 2.00 MiB/s  sent 3.00 MiB  peers 3/12  dht 1 node"},
		{"seeding, nobody answers", []status{{hash: hashA, state: "seeding", have: mib,
			total: mib}}, dhtView{on: true, silent: true},
			"a1b2c3d4 seeding 1.00 MiB  up 0 B/s  sent 0 B  peers 0/0  dht no answer"},
		{"all seeding", []status{{hash: hashA, state: "seeding", have: mib, total: mib},
			{hash: hashB, state: "seeding", have: mib, total: mib}}, of(9),
			"2 torrents, 2 done  100.0% 2.00/2.00 MiB  down 0 B/s  up 0 B/s  peers 0/0  dht " +
				"9 nodes"},
		{"faulty", []status{{hash: hashA, state: "faulty", have: mib, total: 4 * mib,
			fault: "no space left on device"}}, of(1),
			"a1b2c3d4 25.0% 1.00/4.00 MiB  disk: no space left on device, retrying"},
		{"hashing", []status{{state: "hashing", have: mib, total: 4 * mib, down: mib}}, dhtView{},
			"hashing 25.0% 1.00/4.00 MiB  1.00 MiB/s  eta 3s"},
		{"several", []status{download, {hash: hashB, state: "seeding", have: mib, total: mib,
			connected: 1, found: 2}}, of(5),
			"2 torrents, 1 done  43.2% 1.21/2.80 GiB  down 12.3 MiB/s  up 1.00 MiB/s  peers " +
				"13/50  eta 2m12s"},
		{"several, one unknown", []status{download, {hash: hashB, state: "metadata", found: 2}},
			of(5),
			"2 torrents, 0 done, 1 without metadata  dht 5 nodes  43.2% 1.21/2.80 GiB  down " +
				"12.3 MiB/s  up 1.00 MiB/s  peers 12/50"},
	} {
		if got := statusLine(c.all, c.dht, 18*time.Second).String(); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}
}

// Whoever is connected is known, whether the book has it or not.
func TestCountPeers(t *testing.T) {
	for _, c := range []struct{ known, here, all, want int }{
		{0, 0, 0, 0},
		{5, 2, 2, 5},
		{1, 1, 2, 2}, // a web seed
		{5, 2, 3, 6},
		{0, 1, 1, 1}, // a peer that came to us
	} {
		st := swarm.State{Snapshot: core.Snapshot{PeersKnown: c.known, PeersHere: c.here,
			PeersConnected: c.all}}
		var s status
		if s.countPeers(&st); s.connected != c.all || s.found != c.want ||
			s.webSeeds != c.all-c.here {
			t.Errorf("%+v: %+v", c, s)
		}
	}
}

// testConsole is a console that writes into two buffers.
func testConsole() (c *console, stdout, stderr *bytes.Buffer) {
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	return &console{
		command: "add", stdout: stdout, stderr: stderr, raw: true,
		width: func() int { return 0 }, broken: func(error) {},
	}, stdout, stderr
}

// Where lines are not redrawn, there is one every ten seconds, one for each tenth of the
// content, and one for each change of state.
func TestMeterSparse(t *testing.T) {
	c, _, stderr := testConsole()
	start := time.Now()
	m := newMeter(c, start)
	var got []int
	show := func(second int, state string, have int64) {
		stderr.Reset()
		m.update(start.Add(time.Duration(second)*time.Second),
			[]status{{hash: hashA, state: state, have: have, total: 1000}}, dhtView{})
		if n := strings.Count(stderr.String(), "\n"); n > 1 {
			t.Fatalf("%d lines at once", n)
		} else if n == 1 {
			got = append(got, second)
		}
	}
	show(1, "metadata", 0)
	show(2, "metadata", 0)
	show(10, "metadata", 0)    // ten seconds
	show(11, "downloading", 0) // state
	show(12, "downloading", 99)
	show(13, "downloading", 100) // tenth
	show(14, "downloading", 150)
	show(22, "downloading", 199)
	show(23, "downloading", 199) // ten seconds
	show(24, "downloading", 900) // several tenths
	show(25, "seeding", 1000)    // state
	show(36, "seeding", 1000)
	show(85, "seeding", 1000) // a minute
	want := []int{10, 11, 13, 23, 24, 25, 85}
	if len(got) != len(want) {
		t.Fatalf("lines at seconds %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("lines at seconds %v, want %v", got, want)
		}
	}
}

// An event that repeats the last one is held back for ten seconds.
func TestMeterEvents(t *testing.T) {
	c, stdout, stderr := testConsole()
	c.json, c.silent = true, true
	start := time.Now()
	m := newMeter(c, start)
	for second := range 22 {
		have := int64(0)
		if second >= 16 {
			have = 1
		}
		m.update(start.Add(time.Duration(second)*time.Second),
			[]status{{hash: hashA, state: "downloading", have: have, total: 10}}, dhtView{})
	}
	if n := strings.Count(stdout.String(), "\n"); n != 3 { // at 1, 11 and 16
		t.Errorf("%d events, want 3:\n%s", n, stdout)
	}
	if stderr.Len() > 0 {
		t.Errorf("stderr: %s", stderr)
	}
}

// Updates take a two-hundredth of the time, but there is one every ten seconds, however
// long the last one took.
func TestRestAfter(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{
		0: 0, 5 * time.Millisecond: time.Second, 49 * time.Millisecond: 9800 * time.Millisecond,
		time.Minute: 10 * time.Second,
	} {
		if got := restAfter(took); got != want {
			t.Errorf("after %v: %v, want %v", took, got, want)
		}
	}
}
