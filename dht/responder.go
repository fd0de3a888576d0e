package dht

import (
	"net/netip"
	"strconv"

	"github.com/anacrolix/dht/v2/krpc"
)

const (
	// replyMax bounds an answer with many peers, nodes or samples, in bytes, BEP 32.
	// Only an item near the limit of BEP 44 makes an answer longer.
	replyMax = 1024

	// replyOverhead is the length of everything around the values of an answer: ip,
	// v, y, keys, id, token and a transaction id of the usual size.
	replyOverhead = 160

	// valuesMax bounds the peers of one answer.
	valuesMax = 50

	// samplesMax bounds the info-hashes of one answer, BEP 51.
	samplesMax = 20

	// amplificationMax bounds the length of an answer with samples to that multiple
	// of the query's length, since every node sends samples to anybody.
	amplificationMax = 6

	// Beside a value of more than itemLarge bytes an answer holds only itemNodes
	// nodes of one family, so that it fits an unfragmented datagram and stays
	// within sixteen times the query.
	itemLarge = 500
	itemNodes = 4

	// sampleInterval is how many seconds we ask a crawler to wait, BEP 51.
	sampleInterval = 300
)

// onQuery answers a query. Nothing is known of m but that it is bencoded.
func (c *core) onQuery(now instant, f *family, from netip.AddrPort, m *message) {
	f.strangers.heard(now, from.Addr())
	if c.readOnly || len(m.tid) == 0 || len(m.tid) > tidMax || m.hasID && m.id == f.id {
		c.stats.Dropped++
		return
	}
	var known *contact
	if m.hasID {
		known = f.table.find(&m.id, from)
	}
	if !c.admits(now, from, m, known) {
		c.stats.Limited++
		return
	}
	c.stats.QueriesIn++
	if known != nil {
		known.asked = now
	}
	c.scratch = c.answer(now, f, from, m, c.scratch[:0])
	c.reply(now, from, c.scratch, known != nil)
	if !m.hasID || m.readOnly || known != nil {
		return
	}
	if f.table.wants(now, &m.id, from) && c.pings.allow(now, from) {
		c.ping(now, from)
	}
}

// admits counts a query and reports whether its sender is within a rate. Contacts,
// which have answered us, and senders with a valid token have a rate of their own
// besides that of their source, so that forged datagrams in their name do not
// silence them.
func (c *core) admits(now instant, from netip.AddrPort, m *message, known *contact) bool {
	if known != nil && known.fails == 0 && known.queries.take(now, c.limiter.pace) {
		return true
	}
	return c.limiter.allow(now, from) || c.proven(from, m) && c.tokened.allow(now, from)
}

// proven reports whether a query carries a token that only the owner of its
// address can have received.
func (c *core) proven(from netip.AddrPort, m *message) bool {
	target := m.target
	switch m.method {
	case methodAnnounce, methodTurn:
	case methodPut:
		var e *krpcError
		if target, e = checkItem(m); e != nil {
			return false
		}
	default:
		return false
	}
	return c.tokens.valid(m.token, from.Addr(), target)
}

// replyReserve is the fraction, 1/replyReserve, of the budget for answers that is
// reserved for contacts, because queries of strangers may be forged.
const replyReserve = 4

// reply sends an answer if the budget for answers allows it.
func (c *core) reply(now instant, to netip.AddrPort, b []byte, known bool) {
	if isLocal(to.Addr()) {
		c.transmit(now, to, b)
		return
	}
	rate, keep := float64(c.limits.ReplyBytes), 0.0
	if !known {
		keep = rate / replyReserve
	}
	c.replies.fill(now, rate, rate)
	if c.replies.tokens < float64(len(b))+keep {
		c.stats.Throttled++
		return
	}
	c.replies.tokens -= float64(len(b))
	c.transmit(now, to, b)
}

// answer appends the answer to m, which may be an error.
func (c *core) answer(now instant, f *family, from netip.AddrPort, m *message, dst []byte) []byte {
	if !m.hasID {
		return appendErrorReply(dst, m.tid, errorID)
	}
	if m.method == methodTurn && (c.grant == nil || m.hasTarget && m.target != ID(RelayTarget)) {
		m.method = methodUnknown
	}
	if m.method != methodPing && !m.hasTarget && m.method != methodPut {
		if m.method == methodUnknown {
			return appendErrorReply(dst, m.tid, errorMethod)
		}
		return appendErrorReply(dst, m.tid, errorTarget)
	}
	switch m.method {
	case methodPing:
		dst = appendReplyHead(dst, from)
		dst = appendPair(dst, "id", f.id[:])
	case methodGetPeers:
		dst = c.answerGetPeers(now, f, from, m, dst)
	case methodAnnounce:
		if e := c.takeAnnounce(now, f, from, m); e != nil {
			return appendErrorReply(dst, m.tid, *e)
		}
		dst = appendReplyHead(dst, from)
		dst = appendPair(dst, "id", f.id[:])
	case methodGet:
		dst = c.answerGet(now, f, from, m, dst)
	case methodPut:
		if e := c.takePut(now, f, from, m); e != nil {
			return appendErrorReply(dst, m.tid, *e)
		}
		dst = appendReplyHead(dst, from)
		dst = appendPair(dst, "id", f.id[:])
	case methodSample:
		dst = c.answerSample(f, from, m, dst)
	case methodTurn:
		if !c.tokens.valid(m.token, from.Addr(), m.target) {
			return appendErrorReply(dst, m.tid, errorToken)
		}
		dst = c.answerTurn(f, from, dst)
	default: // find_node, and unknown methods with a target
		dst = appendReplyHead(dst, from)
		dst = appendPair(dst, "id", f.id[:])
		dst = c.appendNodes(dst, f, m, k)
	}
	dst = append(dst, 'e')
	return appendTail(dst, m.tid, "r")
}

// appendNodes appends, for each family that the sender wants, up to n nodes closest
// to the target, BEP 32.
func (c *core) appendNodes(dst []byte, f *family, m *message, n int) []byte {
	wants := [families]bool{m.wants4, m.wants6}
	if !m.wants4 && !m.wants6 {
		wants[f.index] = true
	}
	for i, key := range [families]string{"nodes", "nodes6"} {
		other := c.families[i]
		if !wants[i] || other == nil {
			continue
		}
		near := c.nearest[:other.table.closest(&m.target, c.nearest[:n])]
		size := [families]int{compactNode4, compactNode6}[i]
		dst = appendKey(dst, key)
		dst = appendLength(dst, size*len(near))
		for _, n := range near {
			dst = append(dst, n.id[:]...)
			dst = appendAddr(dst, n.addr())
		}
	}
	return dst
}

// nodesLen returns an upper bound of the bytes that appendNodes appends.
func (c *core) nodesLen(f *family, m *message) int {
	n := 0
	if m.wants4 || f.index == v4 && !m.wants6 {
		n += k*compactNode4 + 12
	}
	if m.wants6 || f.index == v6 && !m.wants4 {
		n += k*compactNode6 + 12
	}
	return n
}

func (c *core) answerGetPeers(now instant, f *family, from netip.AddrPort, m *message,
	dst []byte) []byte {
	room := replyMax - replyOverhead - c.nodesLen(f, m)
	dst = appendReplyHead(dst, from)
	if m.scrape && len(f.peers.of(m.target)) > 0 {
		var seeds, leeches krpc.ScrapeBloomFilter
		f.peers.scrape(now, m.target, &seeds, &leeches)
		dst = appendPair(dst, "BFpe", leeches[:])
		dst = appendPair(dst, "BFsd", seeds[:])
		room -= len(seeds) + len(leeches) + 20
	}
	dst = appendPair(dst, "id", f.id[:])
	dst = c.appendNodes(dst, f, m, k)
	token := c.tokens.make(from.Addr(), m.target)
	dst = appendPair(dst, "token", token[:])
	entry := [families]int{compactAddr4 + 2, compactAddr6 + 3}[f.index]
	n := min(valuesMax, max(0, room)/entry)
	if n == 0 || len(f.peers.of(m.target)) == 0 {
		return dst
	}
	start := len(dst)
	dst = append(appendKey(dst, "values"), 'l')
	empty := len(dst)
	f.peers.sample(now, m.target, n, m.noSeed, c.rng, func(a netip.AddrPort) {
		dst = appendCompact(dst, a)
	})
	if len(dst) == empty {
		return dst[:start]
	}
	return append(dst, 'e')
}

// takeAnnounce stores the peer of an announce_peer.
func (c *core) takeAnnounce(now instant, f *family, from netip.AddrPort, m *message) *krpcError {
	if !c.tokens.valid(m.token, from.Addr(), m.target) {
		return &errorToken
	}
	port := from.Port()
	if !m.implied {
		if !m.hasPort || m.port < 1 || m.port > 65535 {
			return &errorPort
		}
		port = uint16(m.port)
	}
	peer := netip.AddrPortFrom(from.Addr(), port)
	if !f.peers.add(now, f.id, m.target, peer, m.seed, c.rng) {
		return &errorFull
	}
	for _, w := range c.watchers[m.target] {
		w.found(peer)
	}
	return nil
}

func (c *core) answerGet(now instant, f *family, from netip.AddrPort, m *message,
	dst []byte) []byte {
	it := c.items.get(now, m.target)
	if it != nil && it.key != nil && m.hasSeq && it.seq <= m.seq {
		it = &storedItem{seq: it.seq, key: it.key} // the sender has it: BEP 44, "seq"
	}
	dst = appendReplyHead(dst, from)
	dst = appendPair(dst, "id", f.id[:])
	if it != nil && it.sig != nil {
		dst = appendPair(dst, "k", it.key)
	}
	nodes := k
	if it != nil && len(it.value) > itemLarge {
		m.wants4, m.wants6, nodes = false, false, itemNodes
	}
	dst = c.appendNodes(dst, f, m, nodes)
	if it != nil && it.key != nil {
		dst = appendNumber(dst, "seq", it.seq)
	}
	if it != nil && it.sig != nil {
		dst = appendPair(dst, "sig", it.sig)
	}
	token := c.tokens.make(from.Addr(), m.target)
	dst = appendPair(dst, "token", token[:])
	if it != nil && it.value != nil {
		dst = append(appendKey(dst, "v"), it.value...)
	}
	return dst
}

// takePut stores the item of a put.
func (c *core) takePut(now instant, f *family, from netip.AddrPort, m *message) *krpcError {
	target, e := checkItem(m)
	if e != nil {
		return e
	}
	if !c.tokens.valid(m.token, from.Addr(), target) {
		return &errorToken
	}
	return c.items.put(now, f.id, target, m, from.Addr())
}

func (c *core) answerSample(f *family, from netip.AddrPort, m *message, dst []byte) []byte {
	dst = appendReplyHead(dst, from)
	dst = appendPair(dst, "id", f.id[:])
	dst = appendNumber(dst, "interval", sampleInterval)
	dst = c.appendNodes(dst, f, m, k)
	total := len(f.peers.swarms)
	room := amplificationMax*m.size - len(dst) - len(m.tid) - len(
		":num:i0000ee7:samples:4001:t2:1:v4:xxxx1:y1:re")
	n := max(0, min(total, samplesMax, room/len(ID{})))
	dst = appendNumber(dst, "num", int64(total))
	dst = appendKey(dst, "samples")
	dst = appendLength(dst, len(ID{})*n)
	f.peers.hashes(n, func(target ID) { dst = append(dst, target[:]...) })
	return dst
}

// appendLength appends the prefix of a string of n bytes.
func appendLength(dst []byte, n int) []byte {
	return append(strconv.AppendInt(dst, int64(n), 10), ':')
}
