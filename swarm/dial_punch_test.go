package swarm

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
)

// A punchWay is a fakeWay that records how it was used, and when, since it was made.
type punchWay struct {
	*fakeWay
	began time.Time

	mu  sync.Mutex
	did []string
}

func (w *punchWay) note(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.did = append(w.did, what+" "+time.Since(w.began).String())
}

func (w *punchWay) dial(ctx context.Context, to endpoint.Endpoint) (net.Conn, error) {
	w.note("dial")
	return w.fakeWay.dial(ctx, to)
}

func (w *punchWay) punch(ctx context.Context, to endpoint.Endpoint) (net.Conn, error) {
	w.note("punch")
	return w.fakeWay.dial(ctx, to)
}

func (w *punchWay) hasten(endpoint.Endpoint) { w.note("hasten") }

// TestPunchedRace: a call of a peer that dials us takes all ways at once, and one under way
// that is told so starts the others, or tries again, and has one outcome.
func TestPunchedRace(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name     string
		told     limit.Told
		hastenAt []time.Duration
		want     []string
		after    time.Duration
	}{
		{"from the start", limit.Introduced, nil, []string{"punch 0s"}, time.Second},
		{"before uTP has begun", limit.ByRumour, []time.Duration{100 * ms},
			[]string{"punch 100ms"}, 1100 * ms},
		{"after uTP has begun", limit.ByRumour, []time.Duration{300 * ms, 600 * ms},
			[]string{"dial 250ms", "hasten 300ms", "hasten 600ms"}, 1250 * ms},
		{"too often", limit.ByRumour, []time.Duration{300 * ms, 400 * ms, 500 * ms, 600 * ms,
			700 * ms}, []string{"dial 250ms", "hasten 300ms", "hasten 400ms", "hasten 500ms"},
			1250 * ms},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tcp := &fakeWay{over: byTCP, takes: time.Hour}
				utp := &punchWay{fakeWay: &fakeWay{over: byUTP, takes: time.Second,
					knows: calledHash}, began: time.Now()}
				d := dialerOf(EncryptionOff, tcp, utp)
				c := callTo(tt.told, calledHash)
				for _, at := range tt.hastenAt {
					time.AfterFunc(at, func() {
						if !d.hasten(c.owner, c.to) {
							t.Errorf("no call is under way after %v", at)
						}
					})
				}
				start := time.Now()
				got, err := meet(t, d, c, tcp, utp.fakeWay)
				if after := time.Since(start); err != nil || after != tt.after {
					t.Fatalf("met over %v after %v, %v; want after %v", got.over, after, err,
						tt.after)
				}
				synctest.Wait()
				utp.mu.Lock()
				defer utp.mu.Unlock()
				if !slices.Equal(utp.did, tt.want) {
					t.Errorf("uTP did %q, want %q", utp.did, tt.want)
				}
				if d.hasten(c.owner, c.to) {
					t.Error("a call that has an outcome counts as under way")
				}
			})
		})
	}
}

// TestHastenFindsItsOwnCall: a call of another torrent, or to another peer, is left alone; and
// a call that waits for its turn goes on with zeal.
func TestHastenFindsItsOwnCall(t *testing.T) {
	var u underway
	mine, theirs := callTo(limit.ByRumour, calledHash), callTo(limit.ByRumour, calledHash)
	theirs.owner = "another torrent"
	endMine, endTheirs := u.begin(&mine), u.begin(&theirs)
	if u.find(mine.owner, mine.to) != mine.zeal || u.find(theirs.owner, mine.to) != theirs.zeal {
		t.Error("the calls of two torrents are mistaken for each other")
	}
	again := callTo(limit.Introduced, calledHash)
	endAgain := u.begin(&again)
	endMine()
	if u.find(mine.owner, mine.to) != again.zeal || !again.zeal.has() {
		t.Error("the end of a call ends the one after it")
	}
	endAgain()
	endTheirs()
	if len(u.calls) != 0 {
		t.Errorf("%d calls are left", len(u.calls))
	}
}
