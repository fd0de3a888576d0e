package core

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/metainfo/bencode"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

var update = flag.Bool("update", false, "write what the torrents do into testdata/*.txt")

// TestScripts runs the dialogues of testdata. In them each line is an event,
// and the indented lines below it are the actions that follow; -update rewrites
// the actions. A line starts with:
//
//	torrent   a new torrent: pieces=N size=BYTES magnet have=x.x. seed=N max=N superseed
//	          v2 or hybrid, without piece layers if bare
//	info      storage is open: have=x.x. late=.x.. need=x..x
//	connect   REF ADDR [out] [plain] [noext] [id=C] [knows-v2] [link=v2]
//	failed    PIECE [the blocks that are wrong: .x]
//	hashed    PIECE [unreadable]
//	after     DURATION: time passes
//	peers     what is shown of each connection, and of the pieces
//	REF       a peer says something: choke, have 3, block 1.0, ...
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := &script{t: t}
			got := s.run(string(text))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(text) {
				t.Errorf("%s: the first difference is in line %d:\n%s", file,
					firstDifference(got, string(text)), got)
			}
		})
	}
}

func firstDifference(a, b string) int {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return i + 1
		}
	}
	return min(len(as), len(bs))
}

// A script is a dialogue under way.
type script struct {
	t       *testing.T
	torrent *Torrent
	now     time.Time
	info    *metainfo.Info
	v2      *metainfo.Layout // with all hashes, of a v2 torrent
	content []byte           // of a v2 torrent
	out     strings.Builder
}

func (s *script) run(text string) string {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "  ") {
			continue
		}
		s.out.WriteString(line + "\n")
		if line != "" && line[0] != '#' {
			s.line(strings.Fields(line))
		}
	}
	return s.out.String()
}

// options reads name=value and plain words.
func options(fields []string) map[string]string {
	m := map[string]string{}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		m[name] = value
	}
	return m
}

func number(s string, fallback int) int {
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	return fallback
}

func picture(s string) *bits.Set {
	set := bits.New(len(s))
	for i, c := range s {
		if c == 'x' {
			set.Add(i)
		}
	}
	return set
}

func testInfo(pieces, size int, length int64) *metainfo.Info {
	b := []byte("d")
	b = bencode.AppendString(b, "length")
	b = bencode.AppendInt(b, length)
	b = bencode.AppendString(b, "name")
	b = bencode.AppendString(b, "test")
	b = bencode.AppendString(b, "piece length")
	b = bencode.AppendInt(b, int64(size))
	b = bencode.AppendString(b, "pieces")
	b = bencode.AppendString(b, strings.Repeat("0123456789abcdefghij", pieces))
	info, err := metainfo.ParseInfo(append(b, 'e'))
	if err != nil {
		panic(err)
	}
	return info
}

func (s *script) line(f []string) {
	switch f[0] {
	case "torrent":
		s.begin(options(f[1:]))
	case "info":
		s.ready(options(f[1:]))
	case "infofailed":
		s.step(Event{Kind: InfoFailed, Err: errors.New("no room")})
	case "found":
		s.step(Event{Kind: Found, Endpoint: endpoint.IP(netip.MustParseAddrPort(f[1])),
			Source: book.SourceDHT})
	case "dialfailed":
		s.step(Event{Kind: DialFailed, Endpoint: endpoint.IP(netip.MustParseAddrPort(f[1]))})
	case "connect":
		s.connect(f[1], f[2], options(f[3:]))
	case "close":
		s.step(Event{Kind: Closed, Peer: PeerRef(number(f[1], 0))})
	case "sent":
		s.step(Event{Kind: Sent, Peer: PeerRef(number(f[1], 0)), Count: number(f[2], 1)})
	case "readfailed":
		s.step(Event{Kind: ReadFailed, Peer: PeerRef(number(f[1], 0)), Ref: s.block(f[2])})
	case "verified", "failed", "storagefailed":
		if f[0] == "failed" && len(f) > 2 {
			s.failedBlocks(number(f[1], 0), f[2])
			return
		}
		kind := map[string]EventKind{"verified": Verified, "failed": Failed,
			"storagefailed": StorageFailed}[f[0]]
		s.step(Event{Kind: kind, Ref: block.Ref{Piece: uint32(number(f[1], 0))},
			Err: errors.New("disk full")})
	case "paused", "resumed":
		s.step(Event{Kind: map[string]EventKind{"paused": Paused, "resumed": Resumed}[f[0]]})
	case "doubted":
		s.step(Event{Kind: Doubted, Ref: block.Ref{Piece: uint32(number(f[1], 0))}})
	case "storageworks":
		s.step(Event{Kind: StorageWorks})
	case "after":
		d, err := time.ParseDuration(f[1])
		if err != nil {
			s.t.Fatal(err)
		}
		s.after(d)
	case "state":
		s.state()
	case "peers":
		s.peers()
	case "hashed":
		s.hashed(number(f[1], 0), f[2:])
	default:
		s.says(PeerRef(number(f[0], 0)), f[1], f[2:])
	}
}

func (s *script) begin(o map[string]string) {
	pieces, size := number(o["pieces"], 4), number(o["size"], 2*block.Size)
	length := int64(pieces)*int64(size) - int64(number(o["short"], 0))
	s.info = testInfo(pieces, size, length)
	if kind := kindOf(o); kind != metainfo.V1 {
		s.beginV2(kind, size, length, o)
	}
	s.now = time.Unix(1_000_000, 0)
	_, super := o["superseed"]
	_, alone := o["metadata-only"]
	s.torrent = New(s.now, Config{
		InfoHash: s.info.Hash(), MetadataOnly: alone, PeerID: [20]byte{'M'},
		Seed: uint64(number(o["seed"], 1)), Client: "test", Port: 6881,
		SuperSeed: super, Limits: Limits{PeersMax: number(o["max"], 0),
			RequestsMax: number(o["requests"], 0)},
	})
	if _, magnet := o["magnet"]; !magnet {
		s.ready(o)
	}
}

func (s *script) ready(o map[string]string) {
	e := Event{Kind: InfoReady, Info: s.info}
	if need := o["need"]; need != "" {
		e.Need = picture(need)
	}
	if late := o["late"]; late != "" {
		e.Late = picture(late)
	}
	if have := o["have"]; have != "" {
		e.Have = picture(have)
	}
	s.step(e)
}

func (s *script) connect(ref, addr string, o map[string]string) {
	hello := wire.Hello{InfoHash: s.info.Hash()}
	copy(hello.PeerID[:], "P"+ref)
	if id := o["id"]; id != "" {
		hello.PeerID = [20]byte{}
		copy(hello.PeerID[:], id)
	}
	if _, plain := o["plain"]; !plain {
		hello.Reserved = hello.Reserved.With(wire.FeatureFast)
	}
	if _, noext := o["noext"]; !noext {
		hello.Reserved = hello.Reserved.With(wire.FeatureExtension)
	}
	if _, knows := o["knows-v2"]; knows {
		hello.Reserved = hello.Reserved.With(wire.FeatureV2)
	}
	if long, ok := s.info.HashV2(); ok && o["link"] == "v2" {
		hello.InfoHash = long.Short()
	}
	_, out := o["out"]
	_, encrypted := o["encrypted"]
	s.step(Event{
		Kind: Connected, Peer: PeerRef(number(ref, 0)),
		Endpoint: endpoint.IP(netip.MustParseAddrPort(addr)),
		Hello:    &hello, Outgoing: out,
		Encrypted: encrypted,
	})
}

// block reads PIECE.INDEX.
func (s *script) block(text string) block.Ref {
	piece, index, _ := strings.Cut(text, ".")
	r := block.Ref{Piece: uint32(number(piece, 0)), Begin: uint32(number(index, 0) * block.Size),
		Length: block.Size}
	if l := s.info.Layout(); int(r.Piece) < l.Pieces() {
		r.Length = uint32(min(block.Size, max(0, l.PieceSize(int(r.Piece))-int(r.Begin))))
	}
	return r
}

var sayings = map[string]wire.ID{
	"choke": wire.Choke, "unchoke": wire.Unchoke, "interested": wire.Interested,
	"not-interested": wire.NotInterested,
	"have":           wire.Have, "have-all": wire.HaveAll, "have-none": wire.HaveNone,
	"suggest": wire.Suggest,
	"allowed": wire.AllowedFast, "request": wire.Request, "cancel": wire.Cancel,
	"reject":     wire.Reject,
	"keep-alive": wire.KeepAlive,
}

// says is something that a peer says.
func (s *script) says(ref PeerRef, what string, args []string) {
	m := wire.Message{}
	switch what {
	case "block":
		s.step(Event{Kind: ReceivedBlock, Peer: ref, Ref: s.block(args[0])})
		return
	case "request", "cancel", "reject":
		m.Ref = s.block(args[0])
	case "have", "suggest", "allowed":
		m.Ref.Piece = uint32(number(args[0], 0))
	case "bitfield":
		m.ID, m.Payload = wire.Bitfield, picture(args[0]).AppendWire(nil)
	case "extended":
		o := options(args)
		h := wire.ExtHandshake{
			Extensions: wire.OurExtensions(wire.ExtMetadata, wire.ExtPEX, wire.ExtDontHave,
				wire.ExtUploadOnly),
			MetadataSize: int64(number(o["size"], 0)), Port: uint16(number(o["port"], 0)),
			Reqq: number(o["reqq"], 0),
		}
		_, h.UploadOnly = o["upload-only"]
		m = wire.Message{ID: wire.Extended, Payload: wire.AppendExtHandshake(nil, h)}
	case "metadata":
		m = wire.Message{ID: wire.Extended, Ext: uint8(wire.ExtMetadata),
			Payload: wire.AppendMetadata(nil, s.metadata(args))}
	case "pex":
		var p wire.PEX
		for _, a := range args {
			p.Added = append(p.Added, wire.PEXPeer{Addr: netip.MustParseAddrPort(a)})
		}
		m = wire.Message{ID: wire.Extended, Ext: uint8(wire.ExtPEX),
			Payload: wire.AppendPEX(nil, p)}
	case "dont-have":
		m = wire.Message{ID: wire.Extended, Ext: uint8(wire.ExtDontHave),
			Payload: wire.AppendDontHave(nil, uint32(number(args[0], 0)))}
	}
	if id, ok := hashSayings[what]; ok {
		m = wire.Message{ID: id, Payload: s.hashPayload(id, args)}
	} else if id, ok := sayings[what]; ok {
		m.ID = id
	} else if m.ID == 0 {
		s.t.Fatalf("no such saying: %s", what)
	}
	s.step(Event{Kind: Received, Peer: ref, Msg: m})
}

// metadata reads "request N", "reject N", "data N", "lie N", or "missized N": data with
// a total_size that is wrong.
func (s *script) metadata(args []string) wire.Metadata {
	raw := s.info.Raw()
	m := wire.Metadata{Piece: uint32(number(args[1], 0))}
	switch args[0] {
	case "request":
		m.Type = wire.MetadataRequest
	case "reject":
		m.Type = wire.MetadataReject
	default:
		begin := min(int(m.Piece)*wire.MetadataBlock, len(raw))
		m.Type, m.TotalSize = wire.MetadataData, int64(len(raw))
		m.Data = bytes.Clone(raw[begin:min(begin+wire.MetadataBlock, len(raw))])
		switch args[0] {
		case "lie":
			m.Data[0] ^= 1
		case "missized":
			m.TotalSize = 5
		}
	}
	return m
}

func (s *script) step(e Event) {
	s.torrent.Step(s.now, e)
	s.torrent.check()
	s.report("  ")
}

// after lets time pass, and shows when what is done.
func (s *script) after(d time.Duration) {
	end, start := s.now.Add(d), s.now
	for n := 0; ; n++ {
		next := s.torrent.NextTick()
		if next.IsZero() || next.After(end) {
			break
		}
		if n > 10_000 {
			s.t.Fatal("ticks without end")
		}
		if next.After(s.now) {
			s.now = next
		}
		s.torrent.Step(s.now, Event{Kind: Tick})
		s.report(fmt.Sprintf("  %v ", s.now.Sub(start).Round(time.Millisecond)))
	}
	s.now = end
}

func (s *script) report(prefix string) {
	for _, a := range s.torrent.Actions(nil) {
		s.out.WriteString(prefix + showAction(&a) + "\n")
	}
}

func (s *script) state() {
	n := s.torrent.Snapshot()
	fmt.Fprintf(&s.out, "  %v have %d/%d pieces, left %d, asked %d, waste %d, peers %d\n",
		n.State, n.PiecesHave, n.Pieces, n.Left, n.Asked, n.Wasted(), n.PeersConnected)
}

// numbered returns an address of one network for each number.
func numbered(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{30, byte(i >> 16), byte(i >> 8), byte(i)}),
		6881)
}

// benchAddr returns an address of its own for each number.
func benchAddr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 1}), 6881)
}
