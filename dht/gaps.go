package dht

// gapQuery is the second question of a lookup to a node that has answered it:
// which nodes does it know beside the target, where the first answer ended?
type gapQuery struct {
	l    *lookup
	path int
	over bool
}

// fillGaps asks some of those that answered for nodes on the other side of the
// bits at which the neighbourhood of the target ends. In such a half of the
// neighbourhood the order by distance is that of the target itself, so that
// the answer begins with what the first ones had no room for.
func (l *lookup) fillGaps(now instant) {
	l.gapped = true
	depth, n := idBits, 0
	for i := range l.candidates {
		if c := &l.candidates[i]; c.state != failed && c.state != stalled && !c.host && n < k {
			depth = min(depth, commonBits(&l.req.target, &c.id))
			n++
		}
	}
	for i := range gapQueries {
		bit := depth + i%2
		if bit >= idBits {
			break
		}
		target := l.req.target
		target[bit/8] ^= 0x80 >> (bit % 8)
		l.askGap(now, target, i/2)
	}
}

// askGap asks that of the nodes that answered which is closest to target but
// for skip others.
func (l *lookup) askGap(now instant, target ID, skip int) {
	var near [gapQueries]*candidate
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
	c := near[skip]
	req := request{method: methodFindNode, target: target}
	q := &query{owner: &gapQuery{l: l, path: c.path}, rtt: c.rtt}
	if l.f.c.ask(now, c.addr, &req, q) == nil {
		l.gaps++
		l.asked++
	}
}

func (g *gapQuery) answered(now instant, q *query, m *message) {
	g.l.learn(now, q.to, g.path, m)
	g.end(now)
}

func (g *gapQuery) stalled(now instant, _ *query) { g.end(now) }

func (g *gapQuery) failed(now instant, _ *query, _ error) { g.end(now) }

// end counts the query off once, and has the lookup go on.
func (g *gapQuery) end(now instant) {
	if !g.over {
		g.over = true
		g.l.gaps--
	}
	g.l.pump(now)
}
