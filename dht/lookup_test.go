package dht

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// A walk is a lookup whose nodes are letters: "a" is the node closest to the target,
// "b" the next. Capital letters are bootstrap hosts, and digits nodes far away.
type walk struct {
	*bench
	l        *lookup
	finished bool
	late     string // nodes that answered after the end
	read     int    // packets that asked has returned
}

// walkTarget is the target of every walk, far from the id of the bench.
var walkTarget = ID{0xf0}

// letterID returns the id of the node of a letter: its distance from walkTarget grows
// with the letter.
func letterID(c byte) ID {
	if c < 'a' {
		return ID{0x80, c}
	}
	return ID{0xf0, c}
}

func letterAddr(c byte) netip.AddrPort { return publicAddr(int(c)) }

// newWalk returns a walk in a table that knows the nodes of known, and a list of
// bootstrap hosts.
func newWalk(t *testing.T, known, hosts string) *walk {
	w := &walk{bench: newBench(t, coreConfig{})}
	w.f.joining, w.f.upkeepAt = true, forever // the family asks nothing by itself
	for i := range len(known) {
		w.f.table.answered(w.now, letterID(known[i]), letterAddr(known[i]), 10*time.Millisecond)
	}
	for i := range len(hosts) {
		w.f.hosts = append(w.f.hosts, letterAddr(hosts[i]))
	}
	return w
}

// start begins the walk. A walk that stores asks late nodes and is refined.
func (w *walk) start(stores bool) {
	sink := lookupSink{finished: func(instant, *lookup) { w.finished = true }}
	if stores {
		sink.late = func(_ instant, c *candidate) { w.late += letterOf(c.addr) }
	}
	w.l = w.f.newLookup(w.now, &request{method: methodGetPeers, target: walkTarget}, sink)
	w.core.start(w.now, w.l)
}

func letterOf(a netip.AddrPort) string {
	b := a.Addr().As4()
	return string(rune(b[2]))
}

// String draws the candidates by distance: "a" is fresh, "a?" waits for an answer,
// "a~" has stalled, "a!" has answered, and "ax" has failed.
func (w *walk) String() string {
	var list []string
	for _, c := range w.l.candidates {
		mark := map[candidateState]string{fresh: "", waiting: "?", stalled: "~", answered: "!",
			failed: "x"}[c.state]
		list = append(list, letterOf(c.addr)+mark)
	}
	return strings.Join(list, " ")
}

func (w *walk) want(state, why string) {
	w.t.Helper()
	if got := w.String(); got != state {
		w.t.Errorf("%s: %s\n%*s want: %s", why, got, len(why)-5, "", state)
	}
}

// nodes returns the bencoded "nodes" of an answer.
func nodes(letters string) string {
	var b []byte
	for i := range len(letters) {
		id := letterID(letters[i])
		b = appendAddr(append(b, id[:]...), letterAddr(letters[i]))
	}
	return fmt.Sprintf("5:nodes%d:%s5:token2:ab", len(b), b)
}

// answer lets a node answer its last query with the nodes of letters.
func (w *walk) answer(node byte, letters string) { w.answerAs(node, letterID(node), letters) }

func (w *walk) answerAs(node byte, id ID, letters string) {
	w.t.Helper()
	for _, p := range slices.Backward(w.sent) {
		if p.to != letterAddr(node) {
			continue
		}
		m := parsed(w.t, p.data)
		w.core.receive(w.now, p.to, fmt.Appendf(nil, "d1:rd2:id20:%s%se1:t4:%s1:y1:re", id[:],
			nodes(letters), m.tid))
		return
	}
	w.t.Fatalf("node %c was not asked", node)
}

// refuse lets a node answer its last query with an error.
func (w *walk) refuse(node byte) {
	for _, p := range slices.Backward(w.sent) {
		if p.to == letterAddr(node) {
			m := parsed(w.t, p.data)
			w.core.receive(w.now, p.to, appendErrorReply(nil, m.tid, errorMethod))
			return
		}
	}
}

// pass lets time pass.
func (w *walk) pass(d time.Duration) {
	w.now += d
	for w.core.next() <= w.now {
		w.core.tick(w.now)
	}
}

// asked returns the nodes that were asked something since the last call.
func (w *walk) asked() (letters string) {
	for _, p := range w.sent[w.read:] {
		letters += letterOf(p.to)
	}
	w.read = len(w.sent)
	return letters
}

// TestWalk follows a lookup from its first queries to its end.
func TestWalk(t *testing.T) {
	w := newWalk(t, "ijklmnop", "")
	w.start(false)
	w.want("i? j? k? l? m? n o p", "alpha queries wait at one time")
	w.answer('i', "cdef")
	w.want("c? d? e? f? i! j? k? l? m? n o p", "the four closest are asked at any time")
	w.answer('j', "abcdef")
	w.want("a? b? c? d? e? f? i! j! k? l? m? n o p", "an answer brings closer nodes")
	w.answer('k', "abz")
	w.want("a? b? c? d? e? f? i! j! k! l? m? n o p z", "another path confirms them")
	for _, c := range []byte("abcdef") {
		w.answer(c, "abcdef")
		if w.finished != (c == 'f') {
			t.Fatalf("after the answer of %c: finished %v", c, w.finished)
		}
	}
	w.want("a! b! c! d! e! f! i! j! k! l? m? n o p z", "the k closest have answered")
	if w.l.answers != 9 || w.l.asked != 11 {
		t.Errorf("%d answers to %d queries, want 9 to 11", w.l.answers, w.l.asked)
	}
	var closest string
	w.l.closest(func(c *candidate) { closest += letterOf(c.addr) })
	if closest != "abcdefij" {
		t.Errorf("closest %s, want abcdefij", closest)
	}
}

// A lookup that has arrived asks all of the k closest at once.
func TestWalkArrives(t *testing.T) {
	w := newWalk(t, "abcdefghij", "")
	w.start(false)
	w.want("a? b? c? d? e? f g h i j", "at first")
	w.answer('c', "abz")
	w.want("a? b? c! d? e? f? g? h? i j z", "after an answer without a closer node")
}

// A node past its short timeout frees its slot, and its answer still counts.
func TestWalkPassesSilentNodes(t *testing.T) {
	w := newWalk(t, "abcdefghij", "")
	w.start(false)
	w.answer('e', "")
	w.want("a? b? c? d? e! f? g? h? i j", "before the timeout")
	w.pass(shortTimeoutMin)
	w.want("a~ b~ c~ d~ e! f~ g~ h~ i? j?", "after the short timeout")
	w.answer('b', "")
	w.want("a~ b! c~ d~ e! f~ g~ h~ i? j?", "a late answer")
	w.refuse('i')
	w.answer('j', "")
	w.want("a~ b! c~ d~ e! f~ g~ h~ ix j!", "an error answers, but not the question")
	if !w.finished {
		t.Error("the lookup waits for silent nodes")
	}
	w.pass(queryTimeout)
	if n := w.core.queries.next(); n != forever {
		t.Errorf("a query waits until %v after its full timeout", n)
	}
}

// A lookup that stores something asks silent nodes once more at its end, and tells of
// those among the k closest that answer only then.
func TestWalkLateNodes(t *testing.T) {
	w := newWalk(t, "abcd", "")
	w.start(true)
	w.answer('b', "")
	w.answer('c', "")
	w.answer('d', "")
	w.pass(shortTimeoutMin) // "a" has stalled, and refining begins
	if w.finished {
		t.Fatal("finished before refining")
	}
	w.asked()
	w.pass(shortTimeoutMin)
	if !w.finished {
		t.Fatalf("not finished: %v", w)
	}
	if got := w.asked(); !strings.HasSuffix(got, "a") {
		t.Errorf("asked %q, want the silent node last", got)
	}
	w.want("a? b! c! d!", "the silent node is asked again")
	w.answer('a', "")
	if w.late != "a" {
		t.Errorf("late nodes %q, want a", w.late)
	}
}

// A lookup whose caller is not satisfied asks silent nodes once more before it ends,
// and only once.
func TestWalkUnsatisfied(t *testing.T) {
	w := newWalk(t, "ab", "")
	asked := 0
	w.l = w.f.newLookup(w.now, &request{method: methodGet, target: walkTarget}, lookupSink{
		satisfied: func() bool { asked++; return false },
		finished:  func(instant, *lookup) { w.finished = true },
	})
	w.core.start(w.now, w.l)
	w.answer('a', "")
	w.pass(shortTimeoutMin)
	w.want("a! b?", "the silent node is asked again")
	if w.finished {
		t.Error("finished without an answer")
	}
	w.pass(shortTimeoutMin)
	if !w.finished || asked != 1 {
		t.Errorf("finished %v, asked the caller %d times; want true and once", w.finished, asked)
	}
}

// Bootstrap hosts have no id until they answer; then they take their place.
func TestWalkFromHosts(t *testing.T) {
	w := newWalk(t, "", "H")
	w.start(false)
	w.want("H?", "a host")
	w.answerAs('H', letterID('c'), "ab")
	w.want("a? b? H!", "its answer gives it an id")
	w.answer('a', "")
	w.answer('b', "")
	if !w.finished {
		t.Error("not finished")
	}
}

// With k contacts, a lookup leaves the bootstrap hosts alone.
func TestWalkSparesHosts(t *testing.T) {
	w := newWalk(t, "abcdefgh", "H")
	w.start(false)
	if strings.Contains(w.String(), "H") {
		t.Errorf("candidates %v", w)
	}
	w = newWalk(t, "abcdefg", "H")
	w.start(false)
	if !strings.HasSuffix(w.String(), "H") {
		t.Errorf("candidates %v, want the host last", w)
	}
}

// A lookup without anybody to ask ends at once.
func TestWalkAlone(t *testing.T) {
	w := newWalk(t, "", "")
	if w.start(false); !w.finished || len(w.core.lookups) != 0 {
		t.Errorf("finished %v, %d lookups run", w.finished, len(w.core.lookups))
	}
}

// A public node that calls itself otherwise than we were told has to obey BEP 42.
func TestWalkSlander(t *testing.T) {
	w := newWalk(t, "i", "")
	w.start(false)
	w.answer('i', "ab")
	w.answerAs('a', ID{0xf0, 1}, "c") // random ids never fit an address
	w.want("ax b? i!", "a node with another id")
	secure := secureID(w.core.rng, letterAddr('b').Addr())
	w.answerAs('b', secure, "c")
	if s := w.String(); !strings.Contains(s, "b!") || !strings.Contains(s, "c?") {
		t.Errorf("candidates %s, want b at its true place, and its node", s)
	}
}

// Neither we nor a known address nor an unusable one becomes a candidate.
func TestWalkCandidates(t *testing.T) {
	w := newWalk(t, "b", "")
	w.start(false)
	local := netip.MustParseAddrPort("10.0.0.1:1")
	six := netip.MustParseAddrPort("[2001:db8::1]:1")
	for _, c := range []struct {
		why  string
		id   ID
		addr netip.AddrPort
	}{
		{"our own id", w.f.id, letterAddr('c')},
		{"a known address with another id", letterID('a'), letterAddr('b')},
		{"port 0", letterID('a'), netip.AddrPortFrom(letterAddr('a').Addr(), 0)},
		{"another family", letterID('a'), six},
	} {
		if w.l.add(c.id, c.addr, 1, 0); len(w.l.candidates) != 1 {
			t.Fatalf("%s is a candidate: %v", c.why, w.l.candidates)
		}
	}
	w.answer('b', "")
	w.l.done = false
	id, from := letterID('a'), letterAddr('b')
	m := message{nodes: appendAddr(append([]byte(nil), id[:]...), local)}
	if w.l.learn(w.now, from, 1, &m); len(w.l.candidates) != 1 {
		t.Errorf("a public node has named a local one: %v", w.l.candidates)
	}
}

// One network has candidatesPerNetwork candidates, local addresses any number.
func TestWalkNetworks(t *testing.T) {
	w := newWalk(t, "", "")
	w.start(false)
	count := func(format string) int {
		w.l.candidates = nil
		for i := range 9 {
			w.l.add(ID{0xf0, byte(i)}, netip.MustParseAddrPort(fmt.Sprintf(format, i+1)), 1, 0)
		}
		return len(w.l.candidates)
	}
	if n := count("20.1.1.%d:1"); n != candidatesPerNetwork {
		t.Errorf("%d candidates of one /24, want %d", n, candidatesPerNetwork)
	}
	if n := count("20.1.%d.1:1"); n != 9 {
		t.Errorf("%d candidates of nine networks", n)
	}
	if n := count("127.0.0.1:%d"); n != 9 {
		t.Errorf("%d candidates of one local address, want 9", n)
	}
}

// A lookup remembers candidatesMax nodes, the closest.
func TestWalkRemembersTheClosest(t *testing.T) {
	w := newWalk(t, "", "")
	w.start(false)
	for i := range 2 * candidatesMax {
		far := 2*candidatesMax - i // each is closer than all before
		w.l.add(ID{0xf0, 0, byte(far >> 8), byte(far)}, publicAddr(i), 1, 0)
	}
	if n := len(w.l.candidates); n != candidatesMax {
		t.Fatalf("%d candidates, want %d", n, candidatesMax)
	}
	if last := w.l.candidates[candidatesMax-1].id; last[3] != candidatesMax {
		t.Errorf("the farthest candidate is %v, want that at distance %d", last, candidatesMax)
	}
	if w.l.add(ID{0xf1}, publicAddr(9999), 1, 0) || len(w.l.candidates) != candidatesMax {
		t.Error("a farther node has found a place")
	}
}

// Of the k nodes that decide the end of a lookup, one path alone gives pathShare.
func TestWindow(t *testing.T) {
	for _, c := range []struct {
		paths string // of the live candidates by distance; capital: other paths know it too
		want  int    // how many count
	}{
		{"", 0},
		{"abc", 3},
		{"aaa", 3},
		{"aaaa", 3},
		{"aaaabbbb", 6},
		{"aaaaAAAA", 7},
		{"abababab", 6},
		{"aaaaaaaabc", 5},
	} {
		w := window{paths: 3}
		for i := range len(c.paths) {
			w.count(&candidate{path: int(c.paths[i]|0x20) - 'a', known: c.paths[i] < 'a'})
		}
		if w.counted != c.want {
			t.Errorf("%q: %d count, want %d", c.paths, w.counted, c.want)
		}
	}
	alone := window{paths: 1}
	for range 8 {
		alone.count(&candidate{})
	}
	if alone.counted != 8 {
		t.Errorf("the only path: %d count, want 8", alone.counted)
	}
}

// No more than lookupsMax lookups run. One too many ends without a query.
func TestLookupsAreBounded(t *testing.T) {
	w := newWalk(t, "abcdefgh", "")
	for range lookupsMax {
		w.start(false)
	}
	if len(w.core.lookups) != lookupsMax || w.finished {
		t.Fatalf("%d lookups run, finished %v", len(w.core.lookups), w.finished)
	}
	w.asked()
	if w.start(false); !w.finished || len(w.core.lookups) != lookupsMax || w.l.asked != 0 {
		t.Errorf("one too many: finished %v, %d run, %d queries", w.finished, len(w.core.lookups),
			w.l.asked)
	}
	for len(w.core.lookups) > 0 {
		w.core.stop(w.core.lookups[0])
	}
	if len(w.core.turns.queue) > 0 {
		t.Errorf("%d stopped lookups wait for budget", len(w.core.turns.queue))
	}
}

// A refined lookup asks nodes that answered for the other side of the neighbourhood.
func TestRefine(t *testing.T) {
	w := newWalk(t, "abcdefgh", "")
	w.start(true)
	for _, c := range []byte("bcde") {
		w.answer(c, "")
	}
	w.asked()
	w.pass(shortTimeoutMin) // "a" and "fgh" are silent
	targets := make(map[ID]int)
	for _, p := range w.sent[w.read:] {
		if m := parsed(t, p.data); m.method == methodFindNode {
			targets[m.target]++
		}
	}
	if len(targets) != 2 {
		t.Fatalf("refining asks for %d targets, want 2: %v", len(targets), targets)
	}
	for target, n := range targets {
		// The neighbourhood of the target shares 9 bits with it: "a" is 0x61.
		if shared := commonBits(&walkTarget, &target); shared != 9 && shared != 10 {
			t.Errorf("a query for %v, which shares %d bits with the target", target, shared)
		}
		if n != gapsPerTarget {
			t.Errorf("%d nodes are asked for %v, want %d", n, target, gapsPerTarget)
		}
	}
	if w.finished {
		t.Error("finished before the answers")
	}
}

const gapsPerTarget = refineQueries / 2
