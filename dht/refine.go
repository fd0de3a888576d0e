package dht

// refineQuery is a query of a lookup besides its walk to the closest nodes. A node
// that has answered is asked for nodes beside the target, beyond the end of its first
// answer; a distant contact is asked for nodes close to the target.
type refineQuery struct {
	l    *lookup
	path int
	over bool
}

// refine asks some of the nodes that answered for nodes on the other side of the
// bits at which the neighbourhood of the target ends. Within such a half of the
// neighbourhood the order by distance is that of the target itself, so the answers
// begin with the nodes for which the first answers had no room.
func (l *lookup) refine(now instant) {
	l.refined = true
	depth, n := idBits, 0
	for i := range l.candidates {
		if c := &l.candidates[i]; c.state != failed && c.state != stalled && !c.host && n < k {
			depth = min(depth, commonBits(&l.req.target, &c.id))
			n++
		}
	}
	for i := range refineQueries {
		bit := depth + i%2
		if bit >= idBits {
			break
		}
		target := l.req.target
		target[bit/8] ^= 0x80 >> (bit % 8)
		l.askRefining(now, target, i/2)
	}
}

// askRefining asks one of the nodes that answered: the one closest to target after
// skip others.
func (l *lookup) askRefining(now instant, target ID, skip int) {
	var near [refineQueries]*candidate
	n := 0
	for i := range l.candidates {
		c := &l.candidates[i]
		if c.state != answered {
			continue
		}
		at := n
		for at > 0 && compareDistance(&target, &c.id, &near[at-1].id) < 0 {
			at--
		}
		if at < len(near) {
			n = min(n+1, len(near))
			copy(near[at+1:n], near[at:n-1])
			near[at] = c
		}
	}
	if skip >= n {
		return
	}
	l.askAside(now, near[skip], target)
}

// askAside asks c, which need not be a candidate, for nodes close to target.
func (l *lookup) askAside(now instant, c *candidate, target ID) {
	req := request{method: methodFindNode, target: target}
	q := &query{owner: &refineQuery{l: l, path: c.path}, rtt: c.rtt}
	if l.f.c.ask(now, c.addr, &req, q) == nil {
		l.refining++
		l.asked++
	}
}

// farQueries is how many random contacts a lookup for the table asks.
const farQueries = 2

// askFar asks some random contacts, from any part of the id space. Nodes that join
// at the same instant know only the nodes close to their own ids, and so do all the
// nodes that a lookup asks: without a contact from elsewhere they would never hear
// of the other parts.
func (l *lookup) askFar(now instant) {
	for range farQueries {
		if c := l.f.table.random(l.f.c.rng); c != nil && l.find(c.addr()) < 0 {
			l.askAside(now, &candidate{addr: c.addr(), path: l.newPath(), rtt: c.rtt},
				l.req.target)
		}
	}
}

func (r *refineQuery) answered(now instant, q *query, m *message) {
	r.l.learn(now, q.to, r.path, m)
	r.end(now)
}

func (r *refineQuery) stalled(now instant, _ *query) { r.end(now) }

func (r *refineQuery) failed(now instant, _ *query, _ error) { r.end(now) }

// end counts the query as done, once, and lets the lookup advance.
func (r *refineQuery) end(now instant) {
	if !r.over {
		r.over = true
		r.l.refining--
	}
	r.l.advance(now)
}
