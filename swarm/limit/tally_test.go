package limit

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// TestTally: what a source was counted for is remembered across addresses of one
// network, and forgotten at a steady rate.
func TestTally(t *testing.T) {
	const rate = 1000
	tally := NewTally(rate, time.Minute)
	now := time.Now()
	one, neighbour := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	other := netip.MustParseAddr("192.0.2.1")
	tally.Add(now, one, 5*rate)
	if got := tally.Of(now, neighbour); got != 5*rate {
		t.Errorf("%d bytes are remembered of the network, want %d", got, 5*rate)
	}
	if got := tally.Of(now, other); got != 0 {
		t.Errorf("%d bytes are remembered of another", got)
	}
	if got := tally.Of(now.Add(3*time.Second), one); got != 2*rate {
		t.Errorf("%d bytes are remembered after 3 s, want %d", got, 2*rate)
	}
	if got := tally.Of(now.Add(time.Hour), one); got != 0 {
		t.Errorf("%d bytes are remembered after an hour", got)
	}
	tally.Add(now, one, 1<<30)
	if got := tally.Of(now.Add(59*time.Second), one); got != rate {
		t.Errorf("%d bytes are remembered, want %d: no source is held against for longer than "+
			"a minute", got, rate)
	}
}

// TestLedger: the account that holds most makes room for others, and whoever
// holds little stays.
func TestLedger(t *testing.T) {
	l := NewLedger(1000)
	evicted := ""
	open := func(name string) *Account { return l.Open(func() { evicted += name }) }
	heavy, light, late := open("h"), open("l"), open("t")
	heavy.Add(700)
	light.Add(100)
	late.Add(200)
	if evicted != "" || l.Used() != 1000 {
		t.Fatalf("%q made room, %d bytes are used", evicted, l.Used())
	}
	late.Add(100)
	if evicted != "h" || l.Used() != 400 {
		t.Fatalf("%q made room, %d bytes are used; want that of 700 bytes to", evicted, l.Used())
	}
	heavy.Add(500) // it is being closed
	heavy.Add(-1200)
	if l.Used() != 400 {
		t.Errorf("%d bytes are used: an account that was closed counts", l.Used())
	}
	light.Add(2000)
	if evicted != "hl" {
		t.Errorf("%q made room, want the one that took more than there is", evicted)
	}
	late.Close()
	late.Close()
	if l.Used() != 0 {
		t.Errorf("%d bytes are used by nobody", l.Used())
	}
	var none *Account
	none.Add(1 << 30)
	none.Close()
}

// TestLedgerBound: whatever many take, all of it together is within the budget.
func TestLedgerBound(t *testing.T) {
	const budget = 1 << 20
	l := NewLedger(budget)
	open := 0
	for i := range 500 {
		open++
		l.Open(func() { open-- }).Add(1 + i*100)
		if l.Used() > budget {
			t.Fatal(fmt.Sprint(l.Used(), " bytes are used"))
		}
	}
	if open < 20 {
		t.Errorf("%d are left, want those that take least", open)
	}
}
