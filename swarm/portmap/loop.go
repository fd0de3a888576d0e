package portmap

import (
	"net/netip"
	"slices"
	"time"
)

const (
	// scanEvery is the time between looks at the routes and addresses of this machine.
	scanEvery = 15 * time.Second
	// tickMin is the least time between two ticks.
	tickMin = 5 * time.Millisecond
)

// An event is something that happened to a path.
type event struct {
	path *path
	kind eventKind
	data []byte         // a datagram, or the body of an answer
	from netip.AddrPort // of found
	id   uint64         // of replied
	err  error          // of replied, or why the socket ended
}

// eventKind says what happened.
type eventKind uint8

const (
	received    eventKind = iota + 1 // a datagram came from the control port of the router
	unreachable                      // nothing listens there
	broken                           // the socket to the control port has ended
	announced                        // the router has said something to all
	noticed                          // a device has said that it is there
	found                            // a device has answered a search
	replied                          // a request has ended
)

// A loop is the goroutine of a Mapper, and owns its paths.
type loop struct {
	m       *Mapper
	paths   []*path
	wants   []Want // that are mapped
	closing bool
}

// run serves the paths until the Mapper is closed.
func (m *Mapper) run() {
	defer close(m.done)
	defer m.wait.Wait()
	l := &loop{m: m}
	defer l.end()
	timer := time.NewTimer(scanEvery)
	defer timer.Stop()
	scan := time.NewTicker(scanEvery)
	defer scan.Stop()
	var over <-chan time.Time // when Close gives up
	for {
		select {
		case e := <-m.events:
			l.handle(time.Now(), &e)
		case <-timer.C:
		case <-scan.C:
			l.scan(time.Now())
		case <-m.poke:
			l.obey(time.Now())
			if l.closing && over == nil {
				over = time.After(closeTime)
			}
		case <-over:
			return
		case <-m.ctx.Done():
			return
		}
		next := l.work(time.Now())
		if l.closing && len(l.paths) == 0 {
			return
		}
		timer.Reset(next)
	}
}

// handle gives an event to its gateway.
func (l *loop) handle(now time.Time, e *event) {
	p := e.path
	if !slices.Contains(l.paths, p) {
		return
	}
	switch e.kind {
	case received:
		p.gateway.onControl(now, e.data)
	case unreachable:
		p.gateway.onUnreachable(now)
	case broken:
		p.controlEnded()
	case announced:
		p.gateway.onAnnounce(now)
	case noticed:
		p.gateway.onNotice(now)
	case found:
		p.gateway.onFound(now, e.from, e.data)
	case replied:
		p.gateway.onReply(now, e.id, e.data, e.err)
	}
}

// obey carries out the orders.
func (l *loop) obey(now time.Time) {
	l.m.mu.Lock()
	o := l.m.orders
	l.m.orders.set, l.m.orders.network, l.m.orders.close = false, false, false
	l.m.mu.Unlock()
	if o.set {
		l.wants = o.wants[:min(len(o.wants), wantsMax)]
	}
	if o.close {
		l.closing = true
		for _, p := range l.paths {
			p.leave(now)
		}
		return
	}
	if o.set && len(l.wants) == 0 {
		for _, p := range l.paths {
			p.leave(now)
		}
	}
	if o.network || o.set {
		l.scan(now)
	}
	for _, p := range l.paths {
		if o.set && p.until.IsZero() {
			p.gateway.set(now, l.wants)
		}
		if o.network && p.until.IsZero() && p.started != now {
			p.gateway.networkChanged(now)
		}
	}
}

// scan opens the paths that are missing, and leaves those whose address or gateway is gone.
// While nothing is wanted there are none.
func (l *loop) scan(now time.Time) {
	if l.closing {
		return
	}
	var sites []site
	if len(l.wants) > 0 {
		var err error
		if sites, err = l.m.sites(l.wants); err != nil {
			l.m.cfg.Log.Debug("portmap: reading routes", "err", err)
			return
		}
	}
	for _, p := range l.paths {
		is := func(s site) bool { return s.place == p.gateway.at }
		if i := slices.IndexFunc(sites, is); i >= 0 && p.until.IsZero() {
			p.gateway.onLink = sites[i].onLink
			sites = slices.Delete(sites, i, i+1)
		} else {
			p.leave(now)
		}
	}
	for i := range sites {
		if len(l.paths) >= pathsMax {
			break
		}
		l.m.cfg.Log.Debug("portmap: asking", "gateway", sites[i].place.router,
			"from", sites[i].place.local)
		p := l.m.newPath(now, &sites[i])
		p.gateway.set(now, l.wants)
		l.paths = append(l.paths, p)
	}
}

// work carries out what the gateways want, and returns the time until the next one wants
// something.
func (l *loop) work(now time.Time) (next time.Duration) {
	next = scanEvery
	l.paths = slices.DeleteFunc(l.paths, func(p *path) bool {
		if at := p.gateway.deadline(); !at.IsZero() && !now.Before(at) {
			p.gateway.tick(now)
		}
		for _, e := range p.gateway.effects() {
			p.carryOut(&e)
		}
		if p.gateway.done() || !p.until.IsZero() && !now.Before(p.until) {
			p.close()
			return true
		}
		for _, at := range []time.Time{p.gateway.deadline(), p.until} {
			if !at.IsZero() {
				next = min(next, max(at.Sub(now), tickMin))
			}
		}
		return false
	})
	l.publish()
	return next
}

// publish shows the mappings, and tells the owner if they have changed.
func (l *loop) publish() {
	var rows []Mapping
	for _, p := range l.paths {
		rows = p.gateway.mappings(rows)
	}
	l.m.mu.Lock()
	before, shown := l.m.rows, l.m.shown
	l.m.rows, l.m.shown = rows, !l.m.orders.set
	l.m.mu.Unlock()
	if shown && slices.EqualFunc(before, rows, alike) {
		return
	}
	for _, row := range rows {
		if slices.ContainsFunc(before, func(b Mapping) bool { return alike(b, row) }) {
			continue
		}
		log := l.m.cfg.Log.With("proto", row.Want.Proto, "port", row.Want.Port,
			"gateway", row.Gateway)
		switch {
		case row.By != None:
			log.Info("port is mapped", "external", row.External, "by", row.By)
		case row.Err != nil:
			log.Info("port is not mapped", "err", row.Err)
		}
	}
	if l.m.cfg.Changed != nil && !l.closing {
		l.m.cfg.Changed()
	}
}

// alike reports whether two mappings are equal but for their ends.
func alike(a, b Mapping) bool {
	text := func(err error) string {
		if err == nil {
			return ""
		}
		return err.Error()
	}
	return a.Want == b.Want && a.Local == b.Local && a.Gateway == b.Gateway &&
		a.External == b.External && a.By == b.By && text(a.Err) == text(b.Err)
}

// end closes everything.
func (l *loop) end() {
	for _, p := range l.paths {
		p.close()
	}
	l.paths = nil
	l.publish()
}
