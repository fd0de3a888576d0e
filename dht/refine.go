package dht

// gapQuery is a question of a lookup beside those to the closest nodes. To a node
// that has answered: which nodes does it know beside the target, where the first
// answer ended? To one far away: which does it know that are close?
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
	l.askBeside(now, near[skip], target)
}

// askBeside asks c for nodes close to target. c need not be among the candidates.
func (l *lookup) askBeside(now instant, c *candidate, target ID) {
	req := request{method: methodFindNode, target: target}
	q := &query{owner: &gapQuery{l: l, path: c.path}, rtt: c.rtt}
	if l.f.c.ask(now, c.addr, &req, q) == nil {
		l.gaps++
		l.asked++
	}
}

// farQueries is how many contacts a lookup for the table asks wherever they are.
const farQueries = 2

// askFar asks some contacts at random, whichever part of the id space they are in.
// Nodes that join at one instant know the nodes close to their own ids, and so do all
// the nodes that a lookup asks: without a contact from elsewhere they would never hear
// of the other parts.
func (l *lookup) askFar(now instant) {
	for range farQueries {
		if c := l.f.table.random(l.f.c.rng); c != nil && l.find(c.addr()) < 0 {
			l.askBeside(now, &candidate{addr: c.addr(), path: l.newPath(), rtt: c.rtt},
				l.req.target)
		}
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
