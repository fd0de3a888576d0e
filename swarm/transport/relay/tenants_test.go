package relay

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// newTable returns a table with the default limits, as change has changed them.
func newTable(change func(*Limits)) *tenants {
	var l Limits
	if change != nil {
		change(&l)
	}
	l.setDefaults()
	return newTenants(l)
}

// admitted admits a client at ip.
func admitted(t *tenants, now time.Duration, ip string) (n *tenant, old *tenant, err error) {
	at := netip.AddrPortFrom(netip.MustParseAddr(ip), 50000+uint16(t.stats.Admitted))
	n = &tenant{client: client{at: at}, user: "u", close: func() {},
		lent: netip.AddrPortFrom(hostN(0), 40000+uint16(t.stats.Admitted))}
	old, err = t.admit(now, n)
	return n, old, err
}

func TestQuotas(t *testing.T) {
	table := newTable(nil)
	for _, c := range []struct {
		ip   string
		want error
	}{
		{"11.0.0.1", nil},
		{"11.0.0.1", errSourceHas},
		{"11.0.0.2", nil},
		{"11.0.0.3", nil},
		{"11.0.0.4", errNetworkHas},
		{"11.0.1.4", nil},
		{"2a00:1:2:300::1", nil},
		{"2a00:1:2:3ff::1", errSourceHas}, // the same /56
		{"2a00:1:2:400::1", nil},
		{"2a00:1:2:500::1", nil},
		{"2a00:1:2:600::1", errNetworkHas}, // the same /48
		{"2a00:1:3::1", nil},
	} {
		if _, _, err := admitted(table, 1, c.ip); err != c.want {
			t.Errorf("%s: %v, want %v", c.ip, err, c.want)
		}
	}
	for i := len(table.clients); i < 64; i++ {
		if _, _, err := admitted(table, 1, fmt.Sprintf("12.0.%d.1", i)); err != nil {
			t.Fatal(i, err)
		}
	}
	if _, _, err := admitted(table, 1, "13.0.0.1"); err != errFullHouse {
		t.Errorf("one more: %v", err)
	}
	for _, n := range table.all() {
		table.leave(n)
	}
	if len(table.clients)+len(table.sources)+len(table.nets) != 0 {
		t.Errorf("left behind: %v %v %v", table.clients, table.sources, table.nets)
	}
}

// A client that has crashed, or whose port has changed, does not wait for its old allocation.
func TestSilentTenantMakesRoom(t *testing.T) {
	table := newTable(nil)
	first, _, err := admitted(table, 0, "11.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	table.hear(10*time.Second, first.client)
	if err := table.room(staleAfter, first.client.at.Addr()); !errors.Is(err, errSourceHas) {
		t.Errorf("while it speaks: %v", err)
	}
	second, old, err := admitted(table, 10*time.Second+staleAfter, "11.0.0.1")
	if err != nil || old != first {
		t.Fatalf("%v, the old one %p, want %p", err, old, first)
	}
	table.leave(first) // its socket is closed later
	if !table.hear(0, second.client) || table.hear(0, first.client) {
		t.Error("the second one has left with the first")
	}
}

var utpPayload = packet("payload")

func TestGrants(t *testing.T) {
	table := newTable(nil)
	n, _, _ := admitted(table, 0, "11.0.0.1")
	grant := func(now time.Duration, i int) bool {
		ok := table.grant(now, n.client, hostN(i))
		if ok {
			table.granted(n.client, n.lent, hostN(i), true)
		}
		return ok
	}
	for i := range grantsBurst {
		if !grant(0, i) {
			t.Fatalf("permit %d refused", i)
		}
	}
	if grant(0, grantsBurst) {
		t.Error("more permits at once than allowed")
	}
	if !grant(0, 3) {
		t.Error("renewal refused")
	}
	count := grantsBurst
	for now := time.Duration(0); now < 20*time.Second; now += 50 * time.Millisecond {
		if grant(now, 100+count) {
			count++
		}
	}
	if count != PermitsMax {
		t.Errorf("%d permits in 20 s, want %d", count, PermitsMax)
	}
	table.granted(n.client, n.lent, hostN(3), false)
	if !grant(time.Minute, 999) {
		t.Error("no room after one has ended")
	}
	table.granted(n.client, netip.AddrPort{}, hostN(999), false) // an event of another allocation
	if !table.fits(time.Minute, n, netip.AddrPortFrom(hostN(999), 6881), utpPayload) {
		t.Error("the end of another allocation's permit has ended this one's")
	}
	table.bound(n.client, n.lent, channelsMax)
	if grant(time.Hour, 4) {
		t.Error("more channels than allowed")
	}
	table.bound(n.client, n.lent, -channelsMax)
	if !grant(time.Hour, 4) {
		t.Error("no channels after they have ended")
	}
}

func TestFits(t *testing.T) {
	table := newTable(nil)
	n, _, _ := admitted(table, 0, "11.0.0.1")
	table.granted(n.client, n.lent, hostN(1), true)
	for _, c := range []struct {
		name string
		peer netip.AddrPort
		data []byte
		want bool
	}{
		{"uTP", netip.AddrPortFrom(hostN(1), 6881), utpPayload, true},
		{"to another port", netip.AddrPortFrom(hostN(1), 1024), utpPayload, true},
		{"a service", netip.AddrPortFrom(hostN(1), 1023), utpPayload, false},
		{"without a permit", netip.AddrPortFrom(hostN(2), 6881), utpPayload, false},
		{"the largest", netip.AddrPortFrom(hostN(1), 6881), make([]byte, relayedMax), true},
		{"more than that", netip.AddrPortFrom(hostN(1), 6881), make([]byte, relayedMax+1), false},
		{"another payload", netip.AddrPortFrom(hostN(1), 6881), []byte("GET / HTTP/1.1"), false},
	} {
		if c.data[0] == 0 {
			c.data[0] = 0x01 // uTP
		}
		if got := table.fits(0, n, c.peer, c.data); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if s := table.snapshot(); s.Unpermitted != 2 || s.Unfit != 2 || s.OverLimit != 0 {
		t.Errorf("%+v", s)
	}
	table.leave(n)
	if _, ok := table.charge(0, n, 100); ok {
		t.Error("charged after the end")
	}
	if table.fits(0, n, netip.AddrPortFrom(hostN(1), 6881), utpPayload) {
		t.Error("relayed after the end")
	}
}

// flood relays datagrams of 1,400 bytes, twice as fast as the rate, and returns how many bytes
// have passed.
func (t *tenants) flood(from, to time.Duration, of ...*tenant) (bytes int) {
	big := packet(string(make([]byte, 1380)))
	rate := 2 * t.limits.TenantRate / len(big)
	for now := from; now < to; now += time.Second / time.Duration(rate) {
		for _, n := range of {
			t.granted(n.client, n.lent, hostN(1), true)
			if !t.fits(now, n, netip.AddrPortFrom(hostN(1), 6881), big) {
				continue
			}
			if wait, _ := t.charge(now, n, len(big)); wait == 0 {
				bytes += len(big)
			}
		}
	}
	return bytes
}

func TestRates(t *testing.T) {
	table := newTable(nil)
	n, _, _ := admitted(table, 0, "11.0.0.1")
	got := table.flood(0, 60*time.Second, n)
	if want := 1<<20 + 60*250_000; got > want || got < want*99/100 {
		t.Errorf("one allocation relayed %d bytes in a minute, want %d", got, want)
	}
	// Eight of them share what the server has.
	table = newTable(nil)
	var many []*tenant
	for i := range 8 {
		n, _, _ := admitted(table, 0, fmt.Sprintf("11.0.%d.1", i))
		many = append(many, n)
	}
	got = table.flood(0, 60*time.Second, many...)
	if want := 1_250_000*60 + 1_250_000/20; got > want || got < want*98/100 {
		t.Errorf("eight allocations relayed %d bytes in a minute, want %d", got, want)
	}
}

func TestHour(t *testing.T) {
	table := newTable(func(l *Limits) { l.Hourly = 4 << 20 })
	n, _, _ := admitted(table, 0, "11.0.0.1")
	if got := table.flood(0, 30*time.Second, n); got < 4<<20 || got > 4<<20+1400 {
		t.Errorf("relayed %d bytes", got)
	}
	ended := table.overdue(31 * time.Second)
	if len(ended) != 1 || ended[0] != n {
		t.Errorf("ended %v", ended)
	}
	if _, _, err := admitted(table, 59*time.Minute, "11.0.0.1"); err != errUsedUp {
		t.Errorf("within the hour: %v", err)
	}
	if _, _, err := admitted(table, 61*time.Minute, "11.0.0.1"); err != nil {
		t.Errorf("after the hour: %v", err)
	}
}

// The accounts of an hour are bounded, and those who have used much are remembered longest.
func TestHoursAreBounded(t *testing.T) {
	table := newTable(func(l *Limits) { l.Hourly = 1000 })
	table.mu.Lock()
	defer table.mu.Unlock()
	big := sourceOf(hostN(7))
	for i := range hoursMax + 50 {
		h := table.hourOf(0, netip.PrefixFrom(hostN(i), 32))
		if h.bytes = 1; i == 7 {
			h.bytes = 1000
		}
	}
	if len(table.hours) > hoursMax || table.hours[big] == nil {
		t.Errorf("%d accounts; that of the source that has used most: %v", len(table.hours),
			table.hours[big])
	}
}

func TestLives(t *testing.T) {
	table := newTable(func(l *Limits) { l.Tenants = 4 })
	keep := func(now time.Duration, ns ...*tenant) {
		for _, n := range ns {
			n.relayed = now
		}
	}
	a, _, _ := admitted(table, 0, "11.0.0.1")
	b, _, _ := admitted(table, 0, "11.0.1.1")
	if ended := table.overdue(59 * time.Second); len(ended) != 0 {
		t.Errorf("ended %v within a minute", ended)
	}
	keep(59*time.Second, a)
	if ended := table.overdue(time.Minute); len(ended) != 1 || ended[0] != b {
		t.Errorf("ended %v, want the one that relays nothing", ended)
	}
	// While there is room, the life is prolonged.
	keep(30*time.Minute, a)
	if ended := table.overdue(30 * time.Minute); len(ended) != 0 {
		t.Errorf("ended %v with room", ended)
	}
	var all []*tenant
	for i := range 3 {
		n, _, err := admitted(table, 59*time.Minute, fmt.Sprintf("12.0.%d.1", i))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	keep(60*time.Minute, append(all, a)...)
	if ended := table.overdue(60 * time.Minute); len(ended) != 1 || ended[0] != a {
		t.Errorf("ended %v, want the oldest one", ended)
	}
	if s := table.snapshot(); s.Tenants != 3 || s.Ended != 2 {
		t.Errorf("%+v", s)
	}
}
