//go:build linux

package publicdht

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// A Ledger records the queries of one node. It is safe for concurrent use.
type Ledger struct {
	whose netip.Addr

	mu      sync.Mutex
	began   time.Time // of its first query
	seconds []int     // queries by second
	minutes []int     // Distinct nodes asked by minute
	asked   map[string]struct{}
	told    map[string]*telling // by info-hash
	since   int                 // the first second that Traffic has not described
}

// A telling records how an info-hash was announced.
type telling struct {
	first, last time.Duration // since the first query
	gap         time.Duration // the longest between two rounds
}

// round bounds the time that the announcements of one round to several nodes take.
const round = 30 * time.Second

// NewLedger returns a Ledger of the node with an address.
func NewLedger(whose netip.Addr) *Ledger {
	return &Ledger{whose: whose, asked: map[string]struct{}{}, told: map[string]*telling{}}
}

// hashSize is the length of an info-hash, in bytes.
const hashSize = 20

// note records a packet to one node.
func (l *Ledger) note(to string, from netip.Addr, packet []byte) {
	if from != l.whose || !bytes.Contains(packet, []byte("1:y1:q")) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.began.IsZero() {
		l.began = time.Now()
	}
	now := time.Since(l.began)
	for second := int(now / time.Second); len(l.seconds) <= second; {
		l.seconds = append(l.seconds, 0)
	}
	l.seconds[len(l.seconds)-1]++
	for minute := int(now / time.Minute); len(l.minutes) <= minute; {
		l.minutes = append(l.minutes, 0)
		clear(l.asked)
	}
	l.asked[to] = struct{}{}
	l.minutes[len(l.minutes)-1] = len(l.asked)
	key := []byte("9:info_hash20:")
	at := bytes.Index(packet, key)
	if at < 0 || !bytes.Contains(packet, []byte("13:announce_peer")) ||
		len(packet) < at+len(key)+hashSize {
		return
	}
	hash := string(packet[at+len(key):][:hashSize])
	t := l.told[hash]
	if t == nil {
		t = &telling{first: now, last: now}
		l.told[hash] = t
	}
	if gap := now - t.last; gap > round {
		t.gap = max(t.gap, gap)
	}
	t.last = now
}

// Reset forgets all queries so far.
func (l *Ledger) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.began, l.since = time.Time{}, 0
	l.seconds, l.minutes = nil, nil
	clear(l.asked)
	clear(l.told)
}

// Distinct returns how many torrents were announced.
func (l *Ledger) Distinct() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.told)
}

// Traffic describes the queries since it was last called.
func (l *Ledger) Traffic() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	recent := l.seconds[min(l.since, len(l.seconds)):]
	l.since = len(l.seconds)
	if len(recent) == 0 {
		return "no queries"
	}
	sum := 0
	for _, n := range recent {
		sum += n
	}
	return fmt.Sprintf("%d queries a second, %d at most; %d nodes a minute at most",
		sum/len(recent), slices.Max(recent), slices.Max(l.minutes))
}

// Spread describes when torrents were announced first.
func (l *Ledger) Spread() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var firsts []time.Duration
	for _, t := range l.told {
		firsts = append(firsts, t.first)
	}
	slices.Sort(firsts)
	part := func(percent int) float64 { return firsts[(len(firsts)-1)*percent/100].Seconds() }
	return fmt.Sprintf("announced first: half of them after %.0f s, 90 %% after %.0f s, the "+
		"last after %.0f s", part(50), part(90), part(100))
}

// Again describes how long torrents were left without a new announcement.
func (l *Ledger) Again() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Since(l.began)
	var gaps []time.Duration
	for _, t := range l.told {
		gaps = append(gaps, max(t.gap, now-t.last))
	}
	slices.Sort(gaps)
	part := func(percent int) float64 { return gaps[(len(gaps)-1)*percent/100].Minutes() }
	return fmt.Sprintf("the longest time between two announcements: %.0f minutes for half of "+
		"the torrents, %.0f for 90 %%, %.0f for the last", part(50), part(90), part(100))
}
