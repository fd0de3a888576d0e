package dht

import (
	"context"
	"net/netip"

	"swarmnode/metainfo"
)

// pollNodes is how many nodes of each family a poll asks. A peer announces to the k closest
// nodes, so most of these know of it.
const pollNodes = 4

// Poll asks some of the nodes that the last lookup of ih found closest to it, again, and calls
// each with every distinct peer that they know, from the caller's goroutine. That costs a
// tenth of a lookup and tells soon of a peer that has announced since; it finds no nodes that
// have come closer. A node that has not looked ih up within the last hour asks nobody. The
// error is that of ctx, ErrBusy if our budget for queries is used up, or ErrClosed.
func (n *Node) Poll(ctx context.Context, ih metainfo.Hash, each func(netip.AddrPort)) error {
	p := &poll{found: newFound(), done: make(chan struct{})}
	if err := n.do(func(c *core, now instant) { p.start(c, now, ID(ih)) }); err != nil {
		return err
	}
	seen := make(map[netip.AddrPort]struct{})
	flush := func() {
		for _, a := range p.found.take() {
			if _, dup := seen[a]; !dup && len(seen) < yieldedMax {
				seen[a] = struct{}{}
				each(a)
			}
		}
	}
	for {
		select {
		case <-p.found.ready:
			flush()
		case <-p.done:
			flush()
			return p.err
		case <-ctx.Done():
			return ctx.Err()
		case <-n.ctx.Done():
			return ErrClosed
		}
	}
}

// A poll is one Poll, as the loop has it.
type poll struct {
	found *found
	open  int           // queries without an outcome
	err   error         // ErrBusy if none could be asked for lack of budget
	done  chan struct{} // closed when there are none open; err is set before
}

// start asks the nodes.
func (p *poll) start(c *core, now instant, target ID) {
	req := request{method: methodGetPeers, target: target}
	for _, f := range c.families {
		if f == nil {
			continue
		}
		nodes := c.cache.get(now, f.index, target)
		for _, node := range nodes[:min(len(nodes), pollNodes)] {
			switch err := c.ask(now, node.at.addrPort(), &req, &query{owner: p}); err {
			case nil:
				p.open++
			case ErrBusy:
				p.err = err
			}
		}
	}
	if p.open == 0 {
		close(p.done)
		return
	}
	p.err = nil
}

func (p *poll) answered(now instant, q *query, m *message) {
	p.found.onAnswer(now, q.to, m)
	p.end()
}

// stalled does not wait for a node that is slow: its answer counts if it comes before those of
// the others, and in the next poll.
func (p *poll) stalled(instant, *query) {}

func (p *poll) failed(instant, *query, error) { p.end() }

func (p *poll) end() {
	if p.open--; p.open == 0 {
		close(p.done)
	}
}
