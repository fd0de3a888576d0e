package dht

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anacrolix/dht/v2/bep44"
	"github.com/anacrolix/dht/v2/krpc"
)

// The sentences of BEP 32, 33, 42, 43, 44 and 51, each held by a test.

var sixAddr = netip.MustParseAddrPort("[2001:e::1]:5")

// withSix opens the IPv6 family of a bench.
func (b *bench) withSix() *bench {
	return &bench{t: b.t, now: b.now, core: b.core, f: b.core.addFamily(b.now, v6, ID{2})}
}

// BEP 32: "nodes6" is a list of 38-byte entries, and the two tables are distinct.
func TestBEP32TablesAreDistinct(t *testing.T) {
	b := newBench(t, coreConfig{})
	six := b.withSix()
	b.core.ping(b.now, askAddr)
	b.answerTo(b.sent[0], "")
	if b.f.table.count != 1 || six.f.table.count != 0 {
		t.Errorf("an IPv4 contact: %d and %d contacts, want 1 and 0", b.f.table.count,
			six.f.table.count)
	}
	b.core.ping(b.now, sixAddr)
	b.answerTo(b.sent[1], "")
	if b.f.table.count != 1 || six.f.table.count != 1 {
		t.Errorf("an IPv6 contact: %d and %d contacts, want 1 and 1", b.f.table.count,
			six.f.table.count)
	}
}

// BEP 32: "values" of an answer are peers of the address family of the query.
func TestBEP32ValuesOfOneFamily(t *testing.T) {
	b := newBench(t, coreConfig{})
	b.withSix()
	b.announce(askAddr, someHash, "i1e")
	b.announce(sixAddr, someHash, "i1e")
	for _, from := range []netip.AddrPort{otherAddr, netip.MustParseAddrPort("[2001:f::1]:6")} {
		m := parsed(t, b.ask(from, queryPacket("get_peers", target("info_hash", someHash))))
		var peers []netip.AddrPort
		m.eachValue(func(a netip.AddrPort) { peers = append(peers, a) })
		if len(peers) != 1 || familyOf(peers[0].Addr()) != familyOf(from.Addr()) {
			t.Errorf("peers %v for %v, want one of its family", peers, from)
		}
	}
}

// BEP 32: a node with few contacts in one family asks for both kinds of nodes, so that
// one DHT helps the other to start.
func TestBEP32WantsBoth(t *testing.T) {
	b := newBench(t, coreConfig{})
	six := b.withSix()
	b.f.setHosts(b.now, []netip.AddrPort{askAddr})
	b.core.tick(b.now)
	if m := parsed(t, b.sent[0].data); !m.wants4 || !m.wants6 {
		t.Fatalf("the query wants n4 %v, n6 %v; want both", m.wants4, m.wants6)
	}
	entry := string(otherID[:]) + string(appendAddr(nil, sixAddr))
	b.sent = b.sent[:1]
	b.answerTo(b.sent[0], fmt.Sprintf("6:nodes6%d:%s", len(entry), entry))
	pinged := false
	for _, p := range b.sent {
		pinged = pinged || p.to == sixAddr
	}
	if !pinged {
		t.Error("the IPv6 node of the answer is not pinged")
	}
	six.fill(100)
	b.f.joinAt, b.f.joining, b.sent = b.now, false, nil
	b.core.tick(b.now)
	for _, p := range b.sent {
		if m := parsed(t, p.data); m.method == methodFindNode && m.wants6 && p.to.Addr().Is4() {
			t.Errorf("a query to %v wants n6 with %d IPv6 contacts", p.to, six.f.table.count)
		}
	}
}

// BEP 33: without "scrape" an answer has no filters, and without peers neither.
func TestBEP33FiltersOnDemand(t *testing.T) {
	b := newBench(t, coreConfig{})
	_, m := b.peersOf(someHash, "6:scrapei1e")
	if m.seeds != nil || m.leeches != nil {
		t.Error("filters without a peer")
	}
	b.announce(askAddr, someHash, "i1e4:seedi1e")
	if _, m := b.peersOf(someHash, ""); m.seeds != nil || m.leeches != nil {
		t.Error("filters that nobody asked for")
	}
	_, m = b.peersOf(someHash, "6:scrapei1e")
	var none krpc.ScrapeBloomFilter
	if len(m.seeds) != len(none) || !bytes.Equal(m.leeches, none[:]) {
		t.Errorf("filters of %d and %d bytes, want %d and an empty one", len(m.seeds),
			len(m.leeches), len(none))
	}
}

// BEP 33: "noseed" answers hold no seeds; a peer that becomes a seed is one from then on.
func TestBEP33SeedsAreNoted(t *testing.T) {
	b := newBench(t, coreConfig{})
	b.announce(askAddr, someHash, "i1e4:seedi0e")
	if peers, _ := b.peersOf(someHash, "6:noseedi1e"); len(peers) != 1 {
		t.Errorf("peers %v, want the downloader", peers)
	}
	b.announce(askAddr, someHash, "i1e4:seedi1e")
	if peers, _ := b.peersOf(someHash, "6:noseedi1e"); len(peers) != 0 {
		t.Errorf("peers %v, want no seed", peers)
	}
	if peers, _ := b.peersOf(someHash, ""); len(peers) != 1 {
		t.Errorf("peers %v, want the seed", peers)
	}
}

// BEP 42: a reply holds in "ip" the address and port of the querying node.
func TestBEP42RepliesTellTheAddress(t *testing.T) {
	b := newBench(t, coreConfig{})
	b.withSix()
	for _, from := range []netip.AddrPort{askAddr, otherAddr, sixAddr} {
		if m := parsed(t, b.ask(from, queryPacket("ping", ""))); m.external != from {
			t.Errorf("%v is told that it is %v", from, m.external)
		}
	}
}

// vote lets a node of the i-th network answer a ping, and say that we are at seen.
func (b *bench) vote(i int, seen netip.AddrPort) {
	b.sent = nil
	b.core.ping(b.now, publicAddr(i))
	tid := parsed(b.t, b.sent[0].data).tid
	id := randomID(b.core.rng)
	b.core.receive(b.now, publicAddr(i), fmt.Appendf(nil,
		"d2:ip%d:%s1:rd2:id20:%se1:t4:%s1:y1:re", len(appendAddr(nil, seen)),
		appendAddr(nil, seen), id[:], tid))
}

// BEP 42: each answer with a usable address of ours is reported with its sender.
func TestBEP42AnswersAreReported(t *testing.T) {
	var seen []string
	b := newBench(t, coreConfig{seen: func(by, as netip.AddrPort) {
		seen = append(seen, by.String()+" "+as.String())
	}})
	own := netip.MustParseAddrPort("91.1.2.3:1000")
	b.vote(1, own)
	b.vote(2, netip.AddrPortFrom(own.Addr(), 2000))
	b.vote(3, netip.MustParseAddrPort("0.0.0.0:1"))
	b.vote(3, netip.MustParseAddrPort("[2001:db8::1]:1"))
	want := []string{publicAddr(1).String() + " 91.1.2.3:1000",
		publicAddr(2).String() + " 91.1.2.3:2000"}
	if !slices.Equal(seen, want) {
		t.Errorf("reported %v, want %v", seen, want)
	}
}

// An answer that names another address than the elected one makes the node ask a few contacts
// at once, and no more until doubtGap has passed.
func TestDoubtAsksAFew(t *testing.T) {
	b := newBench(t, coreConfig{})
	b.fill(20)
	own, other := netip.MustParseAddrPort("91.1.2.3:1000"), netip.MustParseAddrPort("92.4.5.6:1")
	b.vote(100, other) // nothing is elected yet
	if n := len(b.sent); n != 1 {
		t.Errorf("%d packets before an election", n-1)
	}
	for i := range votesNeeded + 1 {
		b.vote(101+i, own)
	}
	b.now += time.Minute
	asked := func(i int, seen netip.AddrPort) int {
		b.vote(i, seen) // which sends one ping itself
		return len(b.sent) - 1
	}
	for i, step := range []struct {
		after time.Duration
		seen  netip.AddrPort
		want  int
	}{
		{0, own, 0}, {0, other, doubtPings}, {time.Second, other, 0},
		{doubtGap - 2*time.Second, other, 0},
		{time.Second, netip.AddrPortFrom(own.Addr(), 7), doubtPings}, {doubtGap, own, 0},
	} {
		b.now += step.after
		if got := asked(110+i, step.seen); got != step.want {
			t.Errorf("step %d: %d contacts were asked, want %d", i, got, step.want)
		}
	}
}

// BEP 42: a node changes its id when others agree on its address, and no more often
// than every renewGap. Upkeep makes a change that came too early later. A few networks,
// or lies about unusable addresses, change nothing.
func TestBEP42IDFollowsTheAddress(t *testing.T) {
	b := newBench(t, coreConfig{})
	first, own := b.f.id, netip.MustParseAddrPort("91.1.2.3:1000")
	for i := range votesNeeded - 2 {
		b.vote(i, own)
	}
	for i := range 20 {
		b.vote(100, own) // one network, however often
		b.vote(200+i, netip.MustParseAddrPort("0.0.0.0:1"))
		b.vote(300+i, netip.MustParseAddrPort("[2001:db8::1]:1"))
		b.vote(400+i, netip.AddrPortFrom(own.Addr(), 0))
	}
	if b.f.id != first {
		t.Fatalf("%d networks have changed the id", votesNeeded-1)
	}
	b.vote(votesNeeded, own)
	if b.f.id == first || !isSecure(b.f.id, own.Addr()) {
		t.Fatalf("id %v does not fit %v", b.f.id, own)
	}
	second, moved := b.f.id, netip.MustParseAddrPort("92.4.5.6:1000")
	for i := range votersMax {
		b.vote(i, moved)
	}
	if b.f.votes.Elected() != moved {
		t.Fatalf("elected %v, want %v", b.f.votes.Elected(), moved)
	}
	if b.f.id != second {
		t.Errorf("a second id within %v", renewGap)
	}
	b.f.upkeep(b.now + renewGap - time.Second)
	if b.f.id != second {
		t.Errorf("a second id shortly before %v", renewGap)
	}
	b.f.upkeep(b.now + renewGap)
	if !isSecure(b.f.id, moved.Addr()) {
		t.Errorf("id %v does not fit %v after %v", b.f.id, moved, renewGap)
	}
}

// BEP 42: with EnforceID a node whose id does not fit its address never enters the
// table, nor does it get our announces.
func TestBEP42Enforced(t *testing.T) {
	for _, strict := range []bool{false, true} {
		b := newBench(t, coreConfig{strict: strict})
		b.core.ping(b.now, askAddr)
		b.answerTo(b.sent[0], "")
		if got := b.f.table.count == 1; got == strict {
			t.Errorf("enforced %v: a node with any id is a contact: %v", strict, got)
		}
		to := candidate{id: otherID, addr: askAddr, token: []byte("t")}
		if got := b.core.mayStore(&to); got == strict {
			t.Errorf("enforced %v: it gets our announces: %v", strict, got)
		}
		to.id = secureID(b.core.rng, askAddr.Addr())
		if !b.core.mayStore(&to) {
			t.Errorf("enforced %v: a node whose id fits gets no announces", strict)
		}
	}
}

// BEP 43: a node that marks its query "ro" is not pinged, and does not enter the table.
func TestBEP43ReadOnlyNodesAreNoContacts(t *testing.T) {
	b := newBench(t, coreConfig{})
	mark := func(value string) string {
		return strings.Replace(queryPacket("find_node", target("target", someHash)), "1:t2:aa",
			"2:ro"+value+"1:t2:aa", 1)
	}
	if b.ask(askAddr, mark("i1e")) == nil || len(b.sent) != 1 {
		t.Errorf("%d packets for a read-only node, want its answer", len(b.sent))
	}
	if b.ask(otherAddr, mark("i0e")) == nil || len(b.sent) != 2 {
		t.Errorf("%d packets with ro 0, want an answer and a ping", len(b.sent))
	}
}

// bep44Key is the key of the mutable items of these tests.
var bep44Key = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32))

// putMutable puts a value under bep44Key with a salt, and returns the error code.
func (b *bench) putMutable(salt, value string, seq int64, extra string) int64 {
	public := bep44Key.Public().(ed25519.PublicKey)
	sig := bep44.Sign(bep44Key, []byte(salt), seq, []byte(value))
	args := extra + fmt.Sprintf("1:k32:%s", public)
	if salt != "" {
		args += fmt.Sprintf("4:salt%d:%s", len(salt), salt)
	}
	args += fmt.Sprintf("3:seqi%de3:sig64:%s", seq, sig)
	return b.put(value, args, MutableTarget(public, []byte(salt))).errCode
}

// BEP 44: "v" is any bencoded value of less than 1,000 bytes. A larger one gets error
// 205, and "salt" of more than 64 bytes error 207.
func TestBEP44Sizes(t *testing.T) {
	b := newBench(t, coreConfig{})
	for i, c := range []struct {
		salt, value int // bytes
		want        int64
	}{
		{0, 10, 0},
		{itemSaltMax, 10, 0},
		{itemSaltMax + 1, 10, 207},
		{0, itemValueMax, 0},
		{0, itemValueMax + 1, 205},
	} {
		got := b.putMutable(strings.Repeat("s", c.salt), bencodedString(c.value), int64(i), "")
		if got != c.want {
			t.Errorf("a salt of %d and a value of %d bytes: error %d, want %d", c.salt, c.value,
				got, c.want)
		}
	}
}

// bencodedString returns a bencoded string of size bytes in all.
func bencodedString(size int) string {
	n := size
	for len(fmt.Sprint(n))+1+n > size {
		n--
	}
	return fmt.Sprintf("%d:%s", n, strings.Repeat("v", n))
}

// BEP 44: values of all kinds of bencoding come back byte for byte.
func TestBEP44ValuesComeBack(t *testing.T) {
	b := newBench(t, coreConfig{})
	values := []string{"i-7e", "0:", "le", "de", "d1:ald1:bi1eeee", "4:\x00\xff\x00\xff"}
	for _, value := range values {
		at := immutableTarget([]byte(value))
		if m := b.put(value, "", at); m.errCode != 0 {
			t.Errorf("put %q: error %d", value, m.errCode)
		}
		m := parsed(t, b.ask(otherAddr, queryPacket("get", targetArg(at))))
		if string(m.value) != value {
			t.Errorf("get %q, want %q", m.value, value)
		}
	}
}

// BEP 44: the sequence number "must be monotonically increasing"; a put with a lower
// one, or with the same one and another value, gets error 302. "cas" is compared with
// the stored number, and a mismatch gets error 301. It does not matter to a new item.
func TestBEP44Sequence(t *testing.T) {
	b := newBench(t, coreConfig{})
	for _, c := range []struct {
		why   string
		value string
		seq   int64
		cas   string
		want  int64
	}{
		{"cas of an item that is not there", "1:a", 7, "3:casi3e", 0},
		{"cas of an older version", "1:b", 9, "3:casi6e", 301},
		{"cas of a later version", "1:b", 9, "3:casi8e", 301},
		{"cas of the stored version", "1:b", 9, "3:casi7e", 0},
		{"the stored version again, with its cas", "1:b", 9, "3:casi9e", 0},
		{"a lower number", "1:c", 8, "", 302},
		{"the same number, another value", "1:c", 9, "", 302},
		{"a far higher number", "1:c", 1 << 62, "", 0},
		{"a negative number", "1:c", -1, "", 302},
	} {
		if got := b.putMutable("s", c.value, c.seq, c.cas); got != c.want {
			t.Errorf("%s: error %d, want %d", c.why, got, c.want)
		}
	}
}

// BEP 44: one key has an item for each salt, and nobody else's signature is taken.
func TestBEP44SaltsAreDistinct(t *testing.T) {
	b := newBench(t, coreConfig{})
	items := map[string]string{"": "1:-", "a": "1:a", "b": "1:b"}
	for salt, value := range items {
		if code := b.putMutable(salt, value, 1, ""); code != 0 {
			t.Fatalf("salt %q: error %d", salt, code)
		}
	}
	public := bep44Key.Public().(ed25519.PublicKey)
	for salt, want := range items {
		m := parsed(t, b.ask(otherAddr, queryPacket("get",
			targetArg(MutableTarget(public, []byte(salt))))))
		if string(m.value) != want {
			t.Errorf("salt %q: value %q, want %q", salt, m.value, want)
		}
	}
	// A signature for one salt does not sign another, nor another number or value.
	sig := bep44.Sign(bep44Key, []byte("a"), 5, []byte("1:x"))
	for _, c := range []struct {
		salt, value string
		seq         int64
		want        int64
	}{{"b", "1:x", 5, 206}, {"a", "1:x", 6, 206}, {"a", "1:y", 5, 206}, {"a", "1:x", 5, 0}} {
		args := fmt.Sprintf("1:k32:%s4:salt1:%s3:seqi%de3:sig64:%s", public, c.salt, c.seq, sig)
		got := b.put(c.value, args, MutableTarget(public, []byte(c.salt))).errCode
		if got != c.want {
			t.Errorf("salt %s, value %s, seq %d: error %d, want %d", c.salt, c.value, c.seq, got,
				c.want)
		}
	}
}

// BEP 44, "Expiration": an item lives for two hours after its last put.
func TestBEP44Expiration(t *testing.T) {
	b := newBench(t, coreConfig{})
	at := immutableTarget([]byte("1:a"))
	b.put("1:a", "", at)
	b.now += itemLife - time.Minute
	b.core.tick(b.now)
	b.put("1:a", "", at)
	b.now += itemLife - time.Second
	if m := parsed(t, b.ask(otherAddr, queryPacket("get", targetArg(at)))); m.value == nil {
		t.Error("an item that was put again is gone")
	}
	b.now += time.Second
	if m := parsed(t, b.ask(otherAddr, queryPacket("get", targetArg(at)))); m.value != nil {
		t.Error("an item is there two hours after its last put")
	}
	b.core.tick(b.now)
	if n := len(b.core.items.items); n != 0 {
		t.Errorf("%d items are kept", n)
	}
}

// BEP 51: "num" counts the info-hashes of the node, of which an answer is a sample, and
// "interval" is at most 6 hours. A query of the usual length gets several.
func TestBEP51Sample(t *testing.T) {
	b := newBench(t, coreConfig{})
	stored := make(map[ID]bool)
	for i := range 100 {
		id := randomID(b.core.rng)
		stored[id] = true
		b.f.peers.add(b.now, b.f.id, id, publicAddr(i), false, b.core.rng)
	}
	got := make(map[ID]bool)
	for range 50 {
		b.now += time.Second
		m := parsed(t, b.ask(askAddr, queryPacket("sample_infohashes", target("target", someHash))))
		if m.num != 100 || m.interval <= 0 || m.interval > 21600 {
			t.Fatalf("num %d, interval %d", m.num, m.interval)
		}
		s := sampleOf(askAddr, m)
		if len(s.Hashes) == 0 || len(s.Hashes) > samplesMax {
			t.Fatalf("%d samples, want 1 to %d", len(s.Hashes), samplesMax)
		}
		for _, id := range s.Hashes {
			if got[id] = true; !stored[id] {
				t.Fatalf("sample %v is not stored", id)
			}
		}
	}
	if len(got) < 80 {
		t.Errorf("50 answers have named %d of 100 info-hashes", len(got))
	}
}

// A crawler's view of a hostile sample: absurd numbers are clamped, unusable nodes left
// out.
func TestBEP51HostileSample(t *testing.T) {
	local, public := netip.MustParseAddrPort("10.0.0.1:1"), publicAddr(1)
	entry := func(a netip.AddrPort) []byte { return appendAddr(bytes.Clone(otherID[:]), a) }
	m := &message{num: 1 << 60, interval: 1 << 60, samples: someHash[:],
		nodes: append(entry(local), entry(public)...)}
	s := sampleOf(askAddr, m)
	if s.Num != 1<<31-1 || s.Interval != 6*time.Hour || len(s.Hashes) != 1 {
		t.Errorf("num %d, interval %v, %d hashes", s.Num, s.Interval, len(s.Hashes))
	}
	if len(s.Nodes) != 1 || s.Nodes[0].Addr != public {
		t.Errorf("nodes %v, want the public one", s.Nodes)
	}
	if s := sampleOf(askAddr, &message{num: -5, interval: -5}); s.Num != 0 || s.Interval != 0 {
		t.Errorf("negative numbers give num %d, interval %v", s.Num, s.Interval)
	}
}

// What BEP 44 forbids is refused before anybody is asked.
func TestBEP44RefusesBadItems(t *testing.T) {
	n, _ := startNode(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nothing may need the network
	big := []byte(bencodedString(itemValueMax + 1))
	salt := bytes.Repeat([]byte{'s'}, itemSaltMax+1)
	keep := func(Item) []byte { return []byte("1:a") }
	for why, try := range map[string]func() error{
		"a value that is too large": func() error {
			_, _, err := n.PutImmutable(ctx, big)
			return err
		},
		"a value that is not bencoded": func() error {
			_, _, err := n.PutImmutable(ctx, []byte("plain"))
			return err
		},
		"two values": func() error {
			_, _, err := n.PutImmutable(ctx, []byte("1:a1:b"))
			return err
		},
		"a key of 31 bytes": func() error {
			_, _, err := n.GetMutable(ctx, make(ed25519.PublicKey, 31), nil)
			return err
		},
		"a salt that is too long": func() error {
			_, _, err := n.GetMutable(ctx, make(ed25519.PublicKey, 32), salt)
			return err
		},
		"a salt that is too long, to put": func() error {
			_, _, err := n.PutMutable(ctx, bep44Key, salt, keep)
			return err
		},
		"a private key of 10 bytes": func() error {
			_, _, err := n.PutMutable(ctx, bep44Key[:10], nil, keep)
			return err
		},
		"a signature of somebody else": func() error {
			item, err := Sign(bep44Key, nil, 1, []byte("1:a"))
			if err != nil {
				return err
			}
			item.Seq++
			_, err = n.PutSigned(ctx, item)
			return err
		},
		"a value that is too large, to sign": func() error {
			_, err := Sign(bep44Key, nil, 1, big)
			return err
		},
	} {
		if err := try(); !errors.Is(err, ErrItem) {
			t.Errorf("%s: error %v, want ErrItem", why, err)
		}
	}
}
