package swarm

import (
	"net/netip"
	"slices"
	"time"

	"swarmnode/swarm/book"
)

const (
	// permitsKnown is how many hosts are remembered that should reach us through a relay: as
	// many as an allocation lets through.
	permitsKnown = 64
	// permitsAgain is how soon an allocation is asked again to let a host through that is
	// named again, and permitsRetry how soon after it had no room.
	permitsAgain = 2 * time.Minute
	permitsRetry = 5 * time.Second
	// permitsBatch is how many hosts are let through with one request.
	permitsBatch = 8
)

// permitList remembers the hosts that should reach us through a relay, the one that was named
// last in front. It is for one goroutine at a time. len(hosts) <= permitsKnown.
type permitList struct {
	hosts []permitHost
}

// A permitHost is a host of a permitList.
type permitHost struct {
	ip    netip.Addr
	named time.Time
}

// name puts a host in front, and forgets the oldest one if there are too many.
func (l *permitList) name(now time.Time, ip netip.Addr) {
	if i := slices.IndexFunc(l.hosts, func(h permitHost) bool { return h.ip == ip }); i >= 0 {
		l.hosts = slices.Delete(l.hosts, i, i+1)
	} else if len(l.hosts) >= permitsKnown {
		l.hosts = l.hosts[:permitsKnown-1]
	}
	l.hosts = slices.Insert(l.hosts, 0, permitHost{ip, now})
}

// A permitter decides for one allocation which hosts it is asked to let through. It is for one
// goroutine at a time. It forgets what the list has forgotten.
type permitter struct {
	asked map[netip.Addr]permitAsked
}

// A permitAsked says when an allocation was asked to let a host through.
type permitAsked struct {
	at   time.Time // zero if it had no room
	next time.Time // not asked again before
}

// next returns hosts of l to ask for, at most permitsBatch, those named last in front, and
// counts them as asked for. at is when there will be others; zero means never.
func (p *permitter) next(now time.Time, l *permitList, is4 bool) (hosts []netip.Addr,
	at time.Time) {
	known := make(map[netip.Addr]permitAsked, len(l.hosts))
	for _, h := range l.hosts {
		if h.ip.Is4() != is4 {
			continue
		}
		asked := p.asked[h.ip]
		if h.named.After(asked.at) {
			switch {
			case len(hosts) < permitsBatch && !asked.next.After(now):
				hosts = append(hosts, h.ip)
				asked = permitAsked{now, now.Add(permitsAgain)}
			case at.IsZero() || asked.next.Before(at):
				at = asked.next
				if at.Before(now) {
					at = now
				}
			}
		}
		known[h.ip] = asked
	}
	p.asked = known
	return hosts, at
}

// full records that the allocation had no room for hosts: they are asked for again soon.
func (p *permitter) full(now time.Time, hosts []netip.Addr) {
	for _, ip := range hosts {
		p.asked[ip] = permitAsked{next: now.Add(permitsRetry)}
	}
}

// relayable reports whether a relay at an address may be asked to let a host through. Hosts of
// local networks are reached without a relay; only a relay in such a network relays to them.
func relayable(server, host netip.Addr) bool {
	return host.IsValid() && !host.IsUnspecified() && !host.IsMulticast() &&
		(!book.Local(host) || book.Local(server))
}
