package portmap

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// busyMax is how many requests are made of a device at a time: many devices confuse two.
	// When all ends, there is no time for that, and busyClosing are made.
	busyMax     = 1
	busyClosing = 4
	queueMax    = 128
	// conflictsMax is how many external ports are tried that others have.
	conflictsMax = 4
	// description is the name by which the user interfaces of routers show our mappings.
	description = "swarmnode"
	// portsFirst is the least port that is asked for in place of one that is taken.
	portsFirst = 1024
)

// A jobKind says what a request to a device is for.
type jobKind uint8

const (
	jobDescribe jobKind = iota + 1 // fetch a description
	jobInspect                     // ask a service that may come into use for its external address
	jobLook                        // ask the service in use for it
	jobCheck                       // ask whether a mapping is still there
	jobAdd                         // make or renew a mapping
	jobRemove                      // remove one
)

// A job is a request to a device that waits for its turn or its answer.
type job struct {
	kind    jobKind
	at      address
	service service
	lease   *lease
	removal *removal
}

// push queues a job.
func (d *igd) push(j job) {
	if len(d.queue) < queueMax {
		d.queue = append(d.queue, j)
	}
}

// add queues the request for the mapping of a lease.
func (d *igd) add(l *lease) { d.push(job{kind: jobAdd, lease: l}) }

// drop takes back what waits for a lease.
func (d *igd) drop(l *lease) {
	d.queue = slices.DeleteFunc(d.queue, func(j job) bool { return j.lease == l })
}

// stop takes back everything but removals.
func (d *igd) stop() {
	d.queue = slices.DeleteFunc(d.queue, func(j job) bool { return j.kind != jobRemove })
}

// changing reports whether requests are on their way that change mappings.
func (d *igd) changing() bool {
	for _, j := range d.busy {
		if j.kind == jobAdd || j.kind == jobRemove {
			return true
		}
	}
	return false
}

// removing reports whether the request for a removal is on its way.
func (d *igd) removing(r *removal) bool {
	for _, j := range d.busy {
		if j.removal == r {
			return true
		}
	}
	return false
}

// pump makes the requests that may be made now. It reports whether one turned out to be
// pointless, after which something else may be due.
func (g *gateway) pump(now time.Time) (pointless bool) {
	d := &g.igd
	bound := busyMax
	if g.closing {
		bound = busyClosing
	}
	for len(d.busy) < bound && len(d.queue) > 0 {
		j := d.queue[0]
		d.queue = d.queue[1:]
		r := g.prepare(now, &j)
		if r == nil {
			pointless = true
			continue
		}
		if d.busy == nil {
			d.busy = make(map[uint64]job)
		}
		d.made++
		r.id = d.made
		d.busy[r.id] = j
		g.do(effect{request: r})
	}
	return pointless
}

// prepare returns the request of a job, or nil if it has become pointless.
func (g *gateway) prepare(now time.Time, j *job) *request {
	if j.kind == jobDescribe {
		return &request{at: j.at}
	}
	if j.kind != jobInspect {
		if g.igd.current == nil {
			g.finish(now, j, ErrSilent)
			return nil
		}
		j.service = *g.igd.current
	}
	s := &j.service
	switch j.kind {
	case jobInspect, jobLook:
		if s.kind == kindWall {
			return s.call("GetFirewallStatus")
		}
		return s.call("GetExternalIPAddress")
	case jobCheck:
		if j.lease.held.by != UPnP {
			return nil
		}
		return s.call("GetSpecificPortMappingEntry", argument{"NewRemoteHost", ""},
			argument{"NewExternalPort", number(j.lease.held.external.Port())},
			argument{"NewProtocol", j.lease.want.Proto.String()})
	case jobAdd:
		return g.prepareAdd(now, j)
	}
	if s.kind == kindWall {
		return s.call("DeletePinhole", argument{"UniqueID", j.removal.had.pinhole})
	}
	return s.call("DeletePortMapping", argument{"NewRemoteHost", ""},
		argument{"NewExternalPort", number(j.removal.had.external.Port())},
		argument{"NewProtocol", j.removal.want.Proto.String()})
}

// prepareAdd returns the request for a mapping or a pinhole.
func (g *gateway) prepareAdd(now time.Time, j *job) *request {
	l, s := j.lease, &j.service
	seconds := strconv.Itoa(int(g.lease / time.Second))
	if s.kind == kindWall {
		if g.igd.open {
			g.granted(now, l, g.grantOf(now, l, nil))
			return nil
		}
		if l.held.by == UPnP && l.held.pinhole != "" {
			return s.call("UpdatePinhole", argument{"UniqueID", l.held.pinhole},
				argument{"NewLeaseTime", seconds})
		}
		return s.call("AddPinhole", argument{"RemoteHost", ""}, argument{"RemotePort", "0"},
			argument{"InternalClient", g.at.local.String()},
			argument{"InternalPort", number(l.want.Port)},
			argument{"Protocol", strconv.Itoa(int(l.want.Proto))},
			argument{"LeaseTime", seconds})
	}
	// What another request has taught meanwhile counts.
	l.try.permanent = l.try.permanent || g.igd.permanent
	l.try.plain = l.try.plain || g.igd.plain
	if l.try.conflicts == 0 {
		l.try.port = g.suggest(l)
	}
	if l.try.permanent {
		seconds = "0"
	}
	action := "AddPortMapping"
	if s.kind == kindIP2 && !l.try.plain {
		action = "AddAnyPortMapping"
	}
	return s.call(action, argument{"NewRemoteHost", ""},
		argument{"NewExternalPort", number(l.try.port)},
		argument{"NewProtocol", l.want.Proto.String()},
		argument{"NewInternalPort", number(l.want.Port)},
		argument{"NewInternalClient", g.at.local.String()},
		argument{"NewEnabled", "1"},
		argument{"NewPortMappingDescription", description},
		argument{"NewLeaseDuration", seconds})
}

// number returns a port as UPnP writes it.
func number(port uint16) string { return strconv.Itoa(int(port)) }

// call returns the request for an action of a service.
func (s *service) call(action string, arguments ...argument) *request {
	return &request{at: s.at, action: `"` + s.urn + "#" + action + `"`,
		body: appendAction(nil, s.urn, action, arguments)}
}

// onReply handles the outcome of a request: a body, or why there is none.
func (g *gateway) onReply(now time.Time, id uint64, body []byte, err error) {
	j, ok := g.igd.busy[id]
	if !ok {
		return
	}
	delete(g.igd.busy, id)
	switch {
	case err != nil:
		g.finish(now, &j, err)
	case j.kind == jobDescribe:
		services, err := parseDescription(body, j.at)
		if err == nil {
			g.igd.services = slices.DeleteFunc(services, func(s service) bool {
				return (s.kind == kindWall) != g.at.local.Is6()
			})
		}
	default:
		answer, err := parseAnswer(body)
		if err != nil {
			g.finish(now, &j, err)
		} else {
			g.answered(now, &j, answer)
		}
	}
	g.work(now)
}

// answered handles the answer to an action.
func (g *gateway) answered(now time.Time, j *job, answer map[string]string) {
	switch j.kind {
	case jobInspect:
		g.onInspected(now, j, answer)
	case jobLook:
		g.onLook(now, j, answer)
	case jobCheck:
		ip, err := netip.ParseAddr(answer["NewInternalClient"])
		if err == nil && !same(ip, g.at.local) {
			j.lease.held.renew = now // somebody else has the port now
		}
	case jobAdd:
		g.onAdded(now, j, answer)
	case jobRemove:
		g.onRemoved(func(r *removal) bool { return r == j.removal })
	}
}

// externalOf returns the external address that a service answered with. That of a firewall is
// our own.
func (g *gateway) externalOf(answer map[string]string) (ip netip.Addr, err error) {
	if g.at.local.Is6() {
		g.igd.open = !isTrue(answer["FirewallEnabled"])
		if !g.igd.open && !isTrue(answer["InboundPinholeAllowed"]) {
			return ip, &RouterError{By: UPnP, Text: "pinholes are not allowed"}
		}
		return g.at.local, nil
	}
	text := answer["NewExternalIPAddress"]
	ip, err = netip.ParseAddr(text)
	switch {
	case text == "", err == nil && ip.IsUnspecified():
		return ip, ErrNoExternal
	case err != nil, !ip.Is4(), !possible(ip):
		return ip, ErrExternal
	}
	return ip, nil
}

// isTrue reports whether a boolean of UPnP is true.
func isTrue(s string) bool {
	return s == "1" || strings.EqualFold(s, "true") || strings.EqualFold(s, "yes")
}

// onInspected puts a service into use that has a public external address, or keeps it for the
// case that no other one has.
func (g *gateway) onInspected(now time.Time, j *job, answer map[string]string) {
	ip, err := g.externalOf(answer)
	switch {
	case err != nil:
		g.igd.err = err
	case public(ip) || len(g.igd.services) == 0 && g.igd.fallback == nil:
		g.adopt(now, j.service, ip)
	case g.igd.fallback == nil:
		g.igd.fallback = &choice{j.service, ip}
	}
}

// onLook handles the external address of the service in use.
func (g *gateway) onLook(now time.Time, j *job, answer map[string]string) {
	d := &g.igd
	if d.current == nil || *d.current != j.service {
		return
	}
	ip, err := g.externalOf(answer)
	if err != nil {
		d.err, d.external = err, netip.Addr{}
		d.due = now.Add(repairFirst)
		g.leave(UPnP)
		return
	}
	if ip != d.external {
		d.external = ip
		g.moveExternal(UPnP, ip)
		g.renewAll(now, UPnP)
	}
	d.failures, d.err = 0, nil
	g.arrive(UPnP)
}

// grantOf returns the mapping that an answer to a request for one stands for.
func (g *gateway) grantOf(now time.Time, l *lease, answer map[string]string) grant {
	got := grant{by: UPnP, external: netip.AddrPortFrom(g.igd.external, l.try.port)}
	got.until, got.renew = lifetime(now, uint32(g.lease/time.Second))
	if g.at.local.Is6() {
		got.external = netip.AddrPortFrom(g.at.local, l.want.Port)
		got.pinhole = answer["UniqueID"]
		if l.held.by == UPnP && got.pinhole == "" {
			got.pinhole = l.held.pinhole // it was renewed
		}
		return got
	}
	if port, err := strconv.ParseUint(answer["NewReservedPort"], 10, 16); err == nil && port > 0 {
		got.external = netip.AddrPortFrom(g.igd.external, uint16(port))
	}
	if l.try.permanent {
		got.until = time.Time{}
	}
	return got
}

// onAdded handles a mapping that the device has made. If nobody wants it any more, it is
// removed.
func (g *gateway) onAdded(now time.Time, j *job, answer map[string]string) {
	l := j.lease
	got := g.grantOf(now, l, answer)
	if !slices.Contains(g.leases, l) || l.try.by != UPnP {
		g.remove(now, l.want, l.nonce, got)
		return
	}
	if !got.external.Addr().IsValid() { // the device has lost its external address meanwhile
		if l.held.by != UPnP {
			g.remove(now, l.want, l.nonce, got)
		}
		g.failed(now, l, ErrNoExternal)
		return
	}
	g.granted(now, l, got)
}

// finish ends a job that failed.
func (g *gateway) finish(now time.Time, j *job, err error) {
	var refused *RouterError
	refuses := errors.As(err, &refused)
	switch j.kind {
	case jobDescribe:
		g.igd.err = nil
	case jobInspect:
		g.igd.err = err
	case jobLook:
		if !refuses {
			g.lostDevice(now)
		}
	case jobCheck:
		if refuses && refused.Code == upnpNoSuchEntry {
			j.lease.held.renew = now
		}
	case jobRemove:
		g.onRemoved(func(r *removal) bool { return r == j.removal })
	case jobAdd:
		if !slices.Contains(g.leases, j.lease) || j.lease.try.by != UPnP {
			return
		}
		if refuses && g.otherwise(j, refused.Code) {
			// Before all others: what the device teaches holds for them as well.
			g.igd.queue = slices.Insert(g.igd.queue, 0, job{kind: jobAdd, lease: j.lease})
			return
		}
		g.failed(now, j.lease, err)
		if !refuses {
			g.lostDevice(now)
		}
	}
}

// otherwise changes a request for a mapping that was refused with a code, and reports whether
// it is worth another attempt.
func (g *gateway) otherwise(j *job, code int) bool {
	l := j.lease
	t := &l.try
	vague := code == upnpInvalidArgs || code == upnpActionFailed
	switch {
	case j.service.kind == kindWall:
		if code != upnpNoSuchPinhole || l.held.pinhole == "" {
			return false
		}
		l.held.pinhole = ""
	case code == upnpPermanentOnly && !t.permanent:
		t.permanent, g.igd.permanent = true, true
	case code == upnpConflict, code == upnpConflictElsewhere:
		if t.conflicts++; t.conflicts > conflictsMax {
			return false
		}
		t.port = portsFirst + uint16(g.random()%(1<<16-portsFirst))
	case j.service.kind == kindIP2 && !t.plain &&
		(vague || code == upnpInvalidAction || code == upnpNotImplemented):
		t.plain, g.igd.plain = true, true
	case vague && !t.permanent:
		t.permanent = true // some devices say this in place of upnpPermanentOnly
	default:
		return false
	}
	return true
}
