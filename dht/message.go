package dht

import (
	"errors"
	"net/netip"

	"swarmnode/metainfo/bencode"
)

const (
	// packetMax is the longest datagram that is read. The longest useful one is a
	// put with 1,000 bytes of value. The socket cuts longer ones, so they fail to
	// parse.
	packetMax = 2048

	// tidMax bounds the transaction id that we echo, so that a query cannot
	// lengthen its reply at will.
	tidMax = 32

	// tokenMax bounds the tokens that we keep. Real ones have 4 to 20 bytes.
	tokenMax = 64
)

// krpcLimits bound the work per packet. Only a value of BEP 44 may nest deeper
// than 4.
var krpcLimits = bencode.Limits{DepthMax: 32, ValuesMax: 1024}

var (
	errShape  = errors.New("dht: not a KRPC message")
	errMethod = errors.New("dht: message without a type")
)

// method is the name of a query.
type method uint8

const (
	methodUnknown method = iota
	methodPing
	methodFindNode
	methodGetPeers
	methodAnnounce
	methodGet
	methodPut
	methodSample
	methodTurn
	methodCount
)

var methodNames = [methodCount]string{
	"", "ping", "find_node", "get_peers", "announce_peer", "get", "put", "sample_infohashes",
	"turn_credentials",
}

func parseMethod(name []byte) method {
	for m := methodPing; m < methodCount; m++ {
		if string(name) == methodNames[m] {
			return m
		}
	}
	return methodUnknown
}

// message is one scanned packet. Its slices are views of the packet and valid only
// as long as the packet is.
type message struct {
	size     int  // bytes of the packet
	kind     byte // 'q', 'r' or 'e', BEP 5
	tid      []byte
	method   method
	readOnly bool           // BEP 43
	external netip.AddrPort // "ip": where the sender sees us, BEP 42
	version  []byte

	id        ID
	hasID     bool
	target    ID // target or info_hash
	hasTarget bool

	token   []byte
	port    int64
	hasPort bool
	implied bool
	seed    bool // BEP 33
	noSeed  bool
	scrape  bool
	wants4  bool // BEP 32
	wants6  bool

	nodes  []byte // compact nodes, a multiple of compactNode4
	nodes6 []byte // a multiple of compactNode6
	values []byte // bencoded list, sound

	value  []byte // v of BEP 44, bencoded and sound
	key    []byte // 32 bytes or nil
	sig    []byte // 64 bytes or nil
	salt   []byte
	seq    int64
	hasSeq bool
	cas    int64
	hasCas bool

	samples  []byte // BEP 51, a multiple of 20
	interval int64
	num      int64
	seeds    []byte // BFsd, 256 bytes or nil, BEP 33
	leeches  []byte // BFpe

	user     []byte // of credentials for a TURN server
	password []byte
	life     int64 // seconds

	errCode int64
	errText []byte
}

// parse scans packet into m. It allocates nothing. A field of the wrong type or size
// counts as absent. The error says that packet is not bencoded, or not a dictionary
// with a message type.
func (m *message) parse(r *bencode.Reader, packet []byte) error {
	*m = message{size: len(packet)}
	r.Reset(packet, krpcLimits)
	if r.Kind() != bencode.Dict {
		return errShape
	}
	for key := range r.Dict() {
		switch string(key) {
		case "t":
			m.tid, _ = r.TryBytes()
		case "y":
			if y, _ := r.TryBytes(); len(y) == 1 {
				m.kind = y[0]
			}
		case "q":
			name, _ := r.TryBytes()
			m.method = parseMethod(name)
		case "ro":
			n, _ := r.TryInt()
			m.readOnly = n == 1
		case "ip":
			b, _ := r.TryBytes()
			m.external, _ = parseAddr(b)
		case "v":
			m.version, _ = r.TryBytes()
		case "a", "r":
			if r.Kind() == bencode.Dict {
				m.parseBody(r)
			}
		case "e":
			m.parseError(r)
		}
	}
	if err := r.Close(); err != nil {
		return err
	}
	if m.kind != 'q' && m.kind != 'r' && m.kind != 'e' {
		return errMethod
	}
	return nil
}

// parseBody scans the arguments of a query or the values of a reply.
func (m *message) parseBody(r *bencode.Reader) {
	for key := range r.Dict() {
		switch string(key) {
		case "id":
			m.hasID = fixed(r, &m.id)
		case "target", "info_hash":
			m.hasTarget = fixed(r, &m.target)
		case "token":
			m.token, _ = r.TryBytes()
		case "port":
			m.port, m.hasPort = r.TryInt()
		case "implied_port":
			m.implied = flag(r)
		case "seed":
			m.seed = flag(r)
		case "noseed":
			m.noSeed = flag(r)
		case "scrape":
			m.scrape = flag(r)
		case "want":
			m.parseWant(r)
		case "nodes":
			m.nodes = multiple(r, compactNode4)
		case "nodes6":
			m.nodes6 = multiple(r, compactNode6)
		case "values":
			if r.Kind() == bencode.List {
				m.values = r.Raw()
			}
		default:
			m.parseExtra(r, key)
		}
	}
}

// parseExtra scans the fields of BEP 33, 44 and 51, and of our query for credentials.
func (m *message) parseExtra(r *bencode.Reader, key []byte) {
	switch string(key) {
	case "v":
		m.value = r.Raw()
	case "k":
		m.key = sized(r, 32)
	case "sig":
		m.sig = sized(r, 64)
	case "salt":
		m.salt, _ = r.TryBytes()
	case "seq":
		m.seq, m.hasSeq = r.TryInt()
	case "cas":
		m.cas, m.hasCas = r.TryInt()
	case "samples":
		m.samples = multiple(r, len(ID{}))
	case "interval":
		m.interval, _ = r.TryInt()
	case "num":
		m.num, _ = r.TryInt()
	case "user":
		m.user, _ = r.TryBytes()
	case "password":
		m.password, _ = r.TryBytes()
	case "life":
		m.life, _ = r.TryInt()
	case "BFsd":
		m.seeds = sized(r, 256)
	case "BFpe":
		m.leeches = sized(r, 256)
	}
}

func (m *message) parseWant(r *bencode.Reader) {
	if r.Kind() != bencode.List {
		return
	}
	for range r.List() {
		family, _ := r.TryBytes()
		m.wants4 = m.wants4 || string(family) == "n4"
		m.wants6 = m.wants6 || string(family) == "n6"
	}
}

// parseError scans a list of code and text.
func (m *message) parseError(r *bencode.Reader) {
	if r.Kind() != bencode.List {
		return
	}
	for i := range r.List() {
		switch i {
		case 0:
			m.errCode, _ = r.TryInt()
		case 1:
			m.errText, _ = r.TryBytes()
		}
	}
}

// eachValue calls f with the peers of a get_peers reply. It skips values that are
// not compact addresses.
func (m *message) eachValue(f func(netip.AddrPort)) {
	if m.values == nil {
		return
	}
	r := bencode.NewReader(m.values, krpcLimits)
	for range r.List() {
		if b, ok := r.TryBytes(); ok {
			if a, ok := parseAddr(b); ok {
				f(a)
			}
		}
	}
}

// eachNode calls f with the nodes of a compact list, at most max of them.
func eachNode(list []byte, size, max int, f func(ID, netip.AddrPort)) {
	for n := 0; len(list) >= size && n < max; n++ {
		a, _ := parseAddr(list[20:size])
		f(ID(list[:20]), a)
		list = list[size:]
	}
}

// fixed reads a string of 20 bytes into id and reports whether it was one.
func fixed(r *bencode.Reader, id *ID) bool {
	b, _ := r.TryBytes()
	if len(b) != len(id) {
		return false
	}
	copy(id[:], b)
	return true
}

// sized returns a string of n bytes, or nil.
func sized(r *bencode.Reader, n int) []byte {
	if b, _ := r.TryBytes(); len(b) == n {
		return b
	}
	return nil
}

// multiple returns a string whose length is a multiple of n, or nil.
func multiple(r *bencode.Reader, n int) []byte {
	if b, _ := r.TryBytes(); len(b)%n == 0 {
		return b
	}
	return nil
}

// flag reports whether a number other than 0 follows.
func flag(r *bencode.Reader) bool {
	n, _ := r.TryInt()
	return n != 0
}
