package relay

import (
	"errors"
	"net/netip"
	"sync"
	"time"

	"swarmnode/swarm/limit"
)

// Reasons why a client gets no allocation.
var (
	errSourceHas  = errors.New("relay: the source has an allocation")
	errNetworkHas = errors.New("relay: the network has allocations enough")
	errFullHouse  = errors.New("relay: all allocations are taken")
	errUsedUp     = errors.New("relay: the source has used up its hour")
)

// A client is the far end of a leg: where its messages come from.
type client struct {
	stream bool // over TCP
	at     netip.AddrPort
}

// A tenant is a client with an allocation. It is guarded by the lock of its table.
type tenant struct {
	client  client
	lent    netip.AddrPort // the relayed address
	user    string
	key     []byte // of the user, for MESSAGE-INTEGRITY
	source  netip.Prefix
	network netip.Prefix
	close   func() // of its socket; may be called again, and without the lock alone

	heard    time.Duration // when the client last sent anything
	relayed  time.Duration // when anything was last relayed
	until    time.Duration // when its life ends
	hosts    map[netip.Addr]struct{}
	granting bucket
	channels int
	listens  bool // to knocks
	knocking bucket
	bytes    bucket // on average
	pace     bucket // at the moment
}

// An hour is what a source has relayed since a time.
type hour struct {
	since time.Duration
	bytes int64
}

// tenants are the allocations of a server, with what they may do. They are told what time it
// is, as the time since the server began. They are safe for concurrent use.
type tenants struct {
	limits  Limits
	crowded bool // sources and networks have no quotas
	private bool // networks have none

	mu      sync.Mutex
	clients map[client]*tenant
	sources map[netip.Prefix]*tenant
	nets    map[netip.Prefix]int
	hours   map[netip.Prefix]*hour
	bytes   bucket
	stats   Stats
}

func newTenants(limits Limits) *tenants {
	return &tenants{
		limits:  limits,
		clients: make(map[client]*tenant), sources: make(map[netip.Prefix]*tenant),
		nets: make(map[netip.Prefix]int), hours: make(map[netip.Prefix]*hour),
		bytes: newBucket(limits.Rate, max(limits.Rate/20, paceBurst), 0),
	}
}

// room returns why a client at ip gets no allocation, or nil.
func (t *tenants) room(now time.Duration, ip netip.Addr) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	err := t.roomFor(now, ip)
	if err != nil {
		t.stats.Refused++
	}
	return err
}

// roomFor is room under the lock.
func (t *tenants) roomFor(now time.Duration, ip netip.Addr) error {
	source := sourceOf(ip)
	if h := t.hours[source]; h != nil && t.spent(now, h) {
		return errUsedUp
	}
	old := t.sources[source]
	switch {
	case len(t.clients) < t.limits.Tenants && t.crowded:
		return nil
	case old != nil && now-old.heard < staleAfter:
		return errSourceHas
	case old != nil: // its place is free
		return nil
	case t.nets[limit.NetworkOf(ip)] >= networkTenants && !t.private:
		return errNetworkHas
	case len(t.clients) >= t.limits.Tenants:
		return errFullHouse
	}
	return nil
}

// spent reports whether a source has used up its hour.
func (t *tenants) spent(now time.Duration, h *hour) bool {
	return now-h.since < time.Hour && h.bytes >= t.limits.Hourly
}

// admit gives an allocation to the client of n, who has set the fields that say who it is. It
// returns the old allocation of the source, which the caller must close, if there was one.
func (t *tenants) admit(now time.Duration, n *tenant) (old *tenant, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ip := n.client.at.Addr()
	if err := t.roomFor(now, ip); err != nil {
		t.stats.Refused++
		return nil, err
	}
	n.source, n.network = sourceOf(ip), limit.NetworkOf(ip)
	if old = t.sources[n.source]; t.crowded {
		old = nil
	} else if old != nil {
		t.forget(old)
	}
	n.heard, n.relayed, n.until = now, now, now+t.limits.Life
	n.hosts = make(map[netip.Addr]struct{})
	n.granting = newBucket(grantsRate, grantsBurst, now)
	n.knocking = newBucket(knocksRate, knocksBurst, now)
	n.bytes = newBucket(t.limits.TenantRate, t.limits.TenantBurst, now)
	n.pace = newBucket(t.limits.TenantRate, paceBurst, now)
	t.clients[n.client], t.sources[n.source] = n, n
	t.nets[n.network]++
	t.stats.Admitted++
	return old, nil
}

// leave forgets a tenant, if it is one still.
func (t *tenants) leave(n *tenant) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(n)
}

// forget forgets a tenant. The caller holds mu.
func (t *tenants) forget(n *tenant) {
	if t.clients[n.client] != n {
		return
	}
	delete(t.clients, n.client)
	if t.sources[n.source] == n {
		delete(t.sources, n.source)
	}
	if t.nets[n.network]--; t.nets[n.network] == 0 {
		delete(t.nets, n.network)
	}
}

// keyOf returns the key of the user who has the allocation of a client.
func (t *tenants) keyOf(c client, user string) ([]byte, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.clients[c]
	if n == nil || n.user != user {
		return nil, false
	}
	return n.key, true
}

// other returns the allocation of a client if it is of another user, or nil.
func (t *tenants) other(c client, user string) *tenant {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.clients[c]; n != nil && n.user != user {
		return n
	}
	return nil
}

// hear notes that a client has sent something, and reports whether it has an allocation.
func (t *tenants) hear(now time.Duration, c client) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.clients[c]
	if n != nil {
		n.heard = now
	}
	return n != nil
}

// grant reports whether a client may exchange datagrams with a host. Whether the host is one
// that may be relayed to at all was decided before.
func (t *tenants) grant(now time.Duration, c client, host netip.Addr) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.clients[c]
	if n == nil || n.channels >= channelsMax {
		return false
	}
	if _, known := n.hosts[host]; known || host.IsUnspecified() {
		return true
	}
	if len(n.hosts) >= PermitsMax || !n.granting.take(now, 1) {
		t.stats.GrantsRefused++
		return false
	}
	return true
}

// granted records that a permit of an allocation has begun or ended.
func (t *tenants) granted(c client, lent netip.AddrPort, host netip.Addr, begun bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.clients[c]
	switch {
	case n == nil || n.lent != lent: // of the one before
	case host.IsUnspecified():
		n.listens = begun
	case begun && len(n.hosts) < PermitsMax:
		n.hosts[host] = struct{}{}
	case !begun:
		delete(n.hosts, host)
	}
}

// bound records that n channels of an allocation have begun; less than 0, that they have ended.
func (t *tenants) bound(c client, lent netip.AddrPort, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if tenant := t.clients[c]; tenant != nil && tenant.lent == lent {
		tenant.channels = max(0, tenant.channels+n)
	}
}

// fits reports whether a datagram between a tenant and a peer may be relayed at all.
func (t *tenants) fits(now time.Duration, n *tenant, peer netip.AddrPort, data []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.clients[n.client] != n {
		return false
	}
	if _, permitted := n.hosts[peer.Addr()]; !permitted || peer.Port() < portMin {
		t.stats.Unpermitted++
		return false
	}
	if len(data) > relayedMax || !carried(data) {
		t.stats.Unfit++
		return false
	}
	if h := t.hours[n.source]; h != nil && t.spent(now, h) {
		t.stats.OverLimit++
		return false
	}
	return true
}

// charge charges a datagram of n bytes to a tenant. If it must wait for the rates, charge
// returns for how long at least. It returns false if the tenant has left.
func (t *tenants) charge(now time.Duration, n *tenant, size int) (wait time.Duration, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.clients[n.client] != n {
		return 0, false
	}
	wait = max(n.bytes.wait(now, size), t.bytes.wait(now, size))
	// The first bytes go faster, and the rate falls slowly from there: uTP would lose most of
	// a window where line speed ends at once.
	n.pace.rate = n.bytes.rate * (1 + (paceMax-1)*n.bytes.level/n.bytes.burst)
	if wait = max(wait, n.pace.wait(now, size)); wait > 0 {
		return wait, true
	}
	n.bytes.take(now, size)
	n.pace.take(now, size)
	t.bytes.take(now, size)
	t.hourOf(now, n.source).bytes += int64(size)
	n.relayed = now
	t.stats.Relayed++
	t.stats.RelayedBytes += uint64(size)
	return 0, true
}

// hourOf returns the account of a source for the current hour. The caller holds mu.
func (t *tenants) hourOf(now time.Duration, source netip.Prefix) *hour {
	h := t.hours[source]
	if h == nil {
		if len(t.hours) >= hoursMax {
			t.forgetHour()
		}
		h = &hour{since: now}
		t.hours[source] = h
	}
	if now-h.since >= time.Hour {
		*h = hour{since: now}
	}
	return h
}

// forgetHour forgets the account of the source that has used least, of those without an
// allocation. The caller holds mu.
func (t *tenants) forgetHour() {
	var least netip.Prefix
	for source, h := range t.hours {
		if t.sources[source] == nil && (!least.IsValid() || h.bytes < t.hours[least].bytes) {
			least = source
		}
	}
	delete(t.hours, least)
}

// overdue forgets the tenants whose time is over, and returns them to be closed.
func (t *tenants) overdue(now time.Duration) (ended []*tenant) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range t.clients {
		h := t.hours[n.source]
		switch {
		case now-n.relayed >= t.limits.Idle, h != nil && t.spent(now, h):
		case now < n.until:
			continue
		case len(t.clients) <= t.limits.Tenants*3/4:
			n.until = now + t.limits.Life
			continue
		}
		t.forget(n)
		t.stats.Ended++
		ended = append(ended, n)
	}
	for source, h := range t.hours {
		if now-h.since >= time.Hour && t.sources[source] == nil {
			delete(t.hours, source)
		}
	}
	return ended
}

// all forgets all tenants, and returns them to be closed.
func (t *tenants) all() (ended []*tenant) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range t.clients {
		t.forget(n)
		ended = append(ended, n)
	}
	return ended
}

// count changes the counters.
func (t *tenants) count(change func(*Stats)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.stats)
}

// snapshot returns the counters.
func (t *tenants) snapshot() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.stats
	s.Tenants = len(t.clients)
	return s
}
