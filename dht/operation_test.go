package dht

import (
	"errors"
	"net/netip"
	"testing"
	"time"
)

// A storeRun is a storing, and its outcome.
type storeRun struct {
	*bench
	over   int // calls of done
	stored int
	err    error
}

// startStore asks the nodes of letters to store an announce.
func startStore(b *bench, letters string) *storeRun {
	r := &storeRun{bench: b}
	var targets []storeTarget
	for i := range len(letters) {
		targets = append(targets, storeTarget{letterAddr(letters[i]), []byte("token")})
	}
	a := announce{port: 1}
	b.core.store(b.now, targets, a.request(someHash), func(_ instant, s *storing) {
		r.over, r.stored, r.err = r.over+1, s.stored, s.err
	})
	return r
}

func quietBench(t *testing.T, limits Limits) *bench {
	b := newBench(t, coreConfig{limits: limits})
	b.f.joining, b.f.upkeepAt = true, forever // the family asks nothing by itself
	return b
}

// queries returns the letters of the nodes that were asked since the last call.
func (r *storeRun) queries() (letters string) {
	for _, p := range r.sent {
		letters += letterOf(p.to)
	}
	return letters
}

// A storing ends when each node has answered, and counts those that accepted.
func TestStoring(t *testing.T) {
	b := quietBench(t, Limits{})
	r := startStore(b, "abc")
	if got := r.queries(); got != "abc" {
		t.Fatalf("asked %q, want abc", got)
	}
	m := parsed(t, b.sent[0].data)
	if m.method != methodAnnounce || string(m.token) != "token" || m.target != someHash {
		t.Errorf("query %+v, want announce_peer with the token", m)
	}
	b.answerTo(b.sent[0], "")
	refusal := parsed(t, b.sent[1].data)
	b.core.receive(b.now, b.sent[1].to, appendErrorReply(nil, refusal.tid, errorToken))
	if r.over != 0 {
		t.Fatal("over before the last answer")
	}
	b.answerTo(b.sent[2], "")
	var remote *RemoteError
	if r.over != 1 || r.stored != 2 || !errors.As(r.err, &remote) || remote.Code != 203 {
		t.Errorf("over %d times, stored %d, error %v; want once, 2 and error 203", r.over, r.stored,
			r.err)
	}
}

// A silent node is asked storeTries times. An answer to the first query counts while the
// second waits, once.
func TestStoringRetries(t *testing.T) {
	b := quietBench(t, Limits{})
	r := startStore(b, "ac")
	b.runTo(b.now+shortTimeoutInitial, false)
	if got := r.queries(); len(got) != 4 || r.over != 0 {
		t.Fatalf("asked %q after the short timeout, want each node twice", got)
	}
	for i := range b.sent {
		if letterOf(b.sent[i].to) == "a" {
			b.answerTo(b.sent[i], "")
		}
	}
	if r.over != 0 {
		t.Fatal("two answers of one node count for two nodes")
	}
	b.answerTo(b.sent[3], "")
	if r.over != 1 || r.stored != 2 {
		t.Errorf("over %d times, stored %d; want once and 2", r.over, r.stored)
	}
	b.sent = nil
	r = startStore(b, "b")
	b.runTo(b.now+time.Minute, false)
	if r.over != 1 || r.stored != 0 || !errors.Is(r.err, ErrTimeout) {
		t.Errorf("a silent node: over %d times, stored %d, error %v", r.over, r.stored, r.err)
	}
	if got := r.queries(); got != "bb" {
		t.Errorf("asked %q, want the node twice", got)
	}
}

// A storing without targets is over at once.
func TestStoringNowhere(t *testing.T) {
	if r := startStore(quietBench(t, Limits{}), ""); r.over != 1 || r.stored != 0 || r.err != nil {
		t.Errorf("over %d times, stored %d, error %v", r.over, r.stored, r.err)
	}
}

// Without budget a store waits, and is sent as soon as the budget allows.
func TestStoringWaitsForBudget(t *testing.T) {
	b := quietBench(t, Limits{QueriesOut: 1, QueriesOutBurst: 2})
	r := startStore(b, "abcd")
	if got := r.queries(); got != "ab" || len(b.core.postponed) != 2 {
		t.Fatalf("asked %q with a burst of 2, %d postponed", got, len(b.core.postponed))
	}
	for i := range b.sent {
		b.answerTo(b.sent[i], "")
	}
	b.runTo(b.now+3*time.Second, true)
	if got := r.queries(); got != "abcd" || r.over != 1 || r.stored != 4 {
		t.Errorf("asked %q in three seconds, over %d times, stored %d", got, r.over, r.stored)
	}
}

// A store waits no longer than storePatience, and postponedMax bounds those that wait.
func TestStoringGivesUp(t *testing.T) {
	b := quietBench(t, Limits{AddressesOut: 1})
	b.core.ping(b.now, otherAddr) // uses up the budget of addresses
	r := startStore(b, "a")
	b.core.budget.began = forever - newAddrsPeriod // which stays used up
	b.runTo(b.now+storePatience-time.Second, false)
	if r.over != 0 {
		t.Errorf("given up before %v", storePatience)
	}
	b.runTo(b.now+2*time.Second, false)
	if r.over != 1 || r.stored != 0 || !errors.Is(r.err, ErrBusy) {
		t.Errorf("over %d times, stored %d, error %v; want ErrBusy", r.over, r.stored, r.err)
	}
	var targets []storeTarget
	for i := range postponedMax + 10 {
		targets = append(targets, storeTarget{publicAddr(i), []byte("t")})
	}
	a, over := announce{port: 1}, false
	b.core.store(b.now, targets, a.request(someHash), func(instant, *storing) { over = true })
	if n := len(b.core.postponed); n != postponedMax || over {
		t.Errorf("%d stores wait, at most %d; over %v", n, postponedMax, over)
	}
}

// An announce with implied_port names port 1, which the other end ignores.
func TestAnnounceRequest(t *testing.T) {
	for _, c := range []struct {
		a       announce
		port    uint16
		implied bool
	}{{announce{port: 6881}, 6881, false}, {announce{seed: true}, 1, true}} {
		r := c.a.request(someHash)
		m := parsed(t, appendQuery(nil, 1, ID{1}, false, &r))
		if m.port != int64(c.port) || m.implied != c.implied || m.seed != c.a.seed {
			t.Errorf("%+v: port %d, implied %v, seed %v", c.a, m.port, m.implied, m.seed)
		}
	}
}

// An operation runs a lookup in each family, and is done once, when both have ended.
func TestOperationOfBothFamilies(t *testing.T) {
	b := quietBench(t, Limits{})
	six := b.withSix()
	six.f.joining, six.f.upkeepAt = true, forever
	b.f.hosts, six.f.hosts = []netip.AddrPort{askAddr}, []netip.AddrPort{sixAddr}
	done := 0
	req := request{method: methodFindNode, target: someHash}
	op := b.core.lookUp(b.now, &req, lookupSink{}, func(instant, *operation) { done++ })
	if len(b.sent) != 2 {
		t.Fatalf("%d queries, want one in each family", len(b.sent))
	}
	b.answerTo(b.sent[0], "")
	if done != 0 {
		t.Fatal("done after one family")
	}
	b.answerTo(b.sent[1], "")
	l := op.result(b.now)
	if done != 1 || l.Asked != 2 || l.Answered != 2 || len(l.Closest) != 2 {
		t.Errorf("done %d times: %+v", done, l)
	}
	op = b.core.lookUp(b.now, &req, lookupSink{}, func(instant, *operation) { done++ })
	op.stop()
	b.runTo(b.now+time.Minute, false)
	if done != 1 || len(b.core.lookups) != 0 {
		t.Errorf("a stopped operation: done %d times, %d lookups run", done, len(b.core.lookups))
	}
}
