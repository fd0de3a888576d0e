package reach

import (
	"net/netip"
	"slices"
	"time"
)

const (
	// quietNAT is how long nobody comes unasked, after our address is known, until a NAT
	// is taken for one that lets in only whom we have sent to.
	quietNAT = 30 * time.Second
	// quietPublic is the same for a public address of this machine, which only a firewall
	// protects. A node on IPv4 hardly ever has one.
	quietPublic = 3 * time.Minute
	// usedAge is how long after the end of an earlier process NATs let in whom it has sent
	// to: they forget idle mappings sooner (RFC 4787, section 4.3).
	usedAge = 5 * time.Minute
	// mappingsMax and relayedMax bound what the callers tell.
	mappingsMax = 64
	relayedMax  = 8
)

// A Machine finds out where we stand. One goroutine at a time may use it.
type Machine struct {
	families [2]family // IPv4, IPv6
	bound    bool      // it was told where we are
	placed   bool      // it was told the addresses of this machine
	offline  bool      // this machine has no addresses but those of loopback
	proxied  bool
	noUTP    bool
	noTCP    bool
	mappings Mappings
	asked    bool      // it was told of mappings
	askedAt  time.Time // since when answers of routers are awaited
	silent   bool      // nobody answers datagrams
	used     time.Time // until when an earlier process has used our port
	relayed  []netip.AddrPort
	standing Standing
}

// A family is what is known of one address family.
type family struct {
	listen   uint16 // our port; 0 without one
	loopback bool   // it is open to this machine alone
	machine  map[netip.Addr]bool
	own      netip.Addr // a public address of this machine; not valid without one
	election election
	elected  time.Time // since when the elected address is known
	came     arrivals
}

// New returns a Machine that knows nothing.
func New(now time.Time) *Machine {
	m := &Machine{}
	m.standing = m.judge(now)
	return m
}

// Standing returns where we stand. Nobody may change its Relayed.
func (m *Machine) Standing() Standing { return m.standing }

// Observe takes in what was observed at a moment, and reports whether the standing has
// changed.
func (m *Machine) Observe(now time.Time, o Observation) (changed bool) {
	return o.observe(m, now) && m.update(now)
}

// Tick tells the machine that time has passed, and reports whether the standing has changed. See
// NextTick.
func (m *Machine) Tick(now time.Time) (changed bool) {
	for i := range m.families {
		f := &m.families[i]
		if f.election.expire(now) {
			f.moved(now)
		}
	}
	return m.update(now)
}

// NextTick returns when Tick has something to do, or the zero Time.
func (m *Machine) NextTick(now time.Time) (t time.Time) {
	for i := range m.families {
		f := &m.families[i]
		t = earlier(earlier(t, f.election.next()), f.came.next(now))
		if at := f.quietAt(); now.Before(at) {
			t = earlier(t, at)
		}
	}
	if m.asking(now) {
		t = earlier(t, m.askedAt.Add(askingMax))
	}
	return t
}

// update forms the standing again, and reports whether it has changed.
func (m *Machine) update(now time.Time) (changed bool) {
	is := m.judge(now)
	changed = !is.Equal(m.standing)
	m.standing = is
	return changed
}

// observe counts a vote. Only what hosts of the internet say of addresses of the internet
// counts.
func (o Seen) observe(m *Machine, now time.Time) bool {
	by, as := clean(o.By), netip.AddrPortFrom(clean(o.As.Addr()), o.As.Port())
	if !public(by) || !public(as.Addr()) || familyOf(by) != familyOf(as.Addr()) {
		return false
	}
	f := &m.families[familyOf(by)]
	was := f.election.addr
	if !f.election.cast(now, network(by), as) {
		return false
	}
	if f.election.addr != was {
		f.moved(now)
	}
	return true
}

// moved forgets who has come, since it came to another address of ours.
func (f *family) moved(now time.Time) { f.elected, f.came = now, arrivals{} }

func (o Came) observe(m *Machine, now time.Time) bool {
	ip := clean(o.From.Addr())
	if !ip.IsValid() || !m.outside(ip) || o.Via != TCP && now.Before(m.used.Add(usedAge)) {
		return false
	}
	return m.families[familyOf(ip)].came.take(now, &o)
}

func (o Mappings) observe(m *Machine, now time.Time) bool {
	if o.Asking && !m.mappings.Asking {
		m.askedAt = now
	}
	m.asked = true
	m.mappings = o
	m.mappings.Ports = slices.Clone(o.Ports[:min(len(o.Ports), mappingsMax)])
	return true
}

func (o Relayed) observe(m *Machine, _ time.Time) bool {
	m.relayed = slices.Clone(o.Addrs[:min(len(o.Addrs), relayedMax)])
	return true
}

func (o Moved) observe(m *Machine, _ time.Time) bool {
	for i := range m.families {
		m.families[i].reset()
	}
	m.silent = false
	return true
}

func (o Used) observe(m *Machine, now time.Time) bool {
	m.used = o.Until
	if m.used.After(now) { // the clock was set back
		m.used = now
	}
	return false
}

func (o Silent) observe(m *Machine, _ time.Time) bool {
	changed := m.silent != o.On
	m.silent = o.On
	return changed
}

// reset forgets what was observed.
func (f *family) reset() {
	f.election = election{}
	f.elected, f.came = time.Time{}, arrivals{}
}

func (o Bound) observe(m *Machine, _ time.Time) bool {
	m.bound, m.proxied, m.noUTP, m.noTCP = true, o.Proxied, o.NoUTP, o.NoTCP
	m.placed = o.Machine != nil
	m.offline = m.placed
	var is [2]family
	for i := range is {
		is[i].machine = make(map[netip.Addr]bool)
	}
	for _, ip := range o.Machine {
		if ip = clean(ip); ip.IsValid() && !ip.IsLoopback() {
			is[familyOf(ip)].machine[ip] = true
			m.offline = false
		}
	}
	for _, at := range o.Listen {
		is[familyOf(clean(at.Addr()))].bind(clean(at.Addr()), at.Port())
	}
	for i := range is {
		m.families[i].place(&is[i])
	}
	return true
}

// bind adds an address at which we listen.
func (f *family) bind(ip netip.Addr, port uint16) {
	if f.listen != 0 && !f.loopback { // the first one names us
		return
	}
	f.listen, f.loopback = port, ip.IsLoopback()
	switch {
	case public(ip):
		f.own = ip
	case ip.IsUnspecified():
		for at := range f.machine {
			if public(at) && (!f.own.IsValid() || at.Less(f.own)) {
				f.own = at
			}
		}
	}
}

// place makes f be where is is. What was observed at another place counts no more.
func (f *family) place(is *family) {
	same := f.listen == is.listen && f.loopback == is.loopback && f.own == is.own &&
		len(f.machine) == len(is.machine)
	for ip := range is.machine {
		same = same && f.machine[ip]
	}
	f.listen, f.loopback, f.own, f.machine = is.listen, is.loopback, is.own, is.machine
	if !same {
		f.reset()
	}
}

// direct reports whether there is no NAT: this machine has the address at which others see
// us, or a public one while nobody has said.
func (f *family) direct() bool {
	if f.election.addr.IsValid() {
		return f.machine[f.election.addr]
	}
	return f.own.IsValid()
}

// quietAt returns when the silence of strangers says that they cannot reach us, or the zero
// Time while nobody knows us.
func (f *family) quietAt() time.Time {
	switch {
	case !f.election.addr.IsValid():
		return time.Time{}
	case f.direct():
		return f.elected.Add(quietPublic)
	}
	return f.elected.Add(quietNAT)
}

// quiet reports whether strangers would have come by now if they could.
func (f *family) quiet(now time.Time) bool {
	at := f.quietAt()
	return !at.IsZero() && !now.Before(at)
}

// filtering returns who can send to us.
func (f *family) filtering(now time.Time) Filtering {
	switch {
	case lasts(now, f.came.udp):
		return FilteringOpen
	case lasts(now, f.came.known):
		return FilteringAddress
	case f.quiet(now):
		return FilteringRestricted
	}
	return FilteringUnknown
}
