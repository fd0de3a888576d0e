package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"swarmnode/swarm/block"
)

// CheckLength and Parse agree on every id and every size: Parse reads the sizes that
// CheckLength allows, unless the id is unknown.
func TestEveryIDAndSize(t *testing.T) {
	for id := range 256 {
		for n := 1; n < 200; n++ {
			body := make([]byte, n)
			body[0] = byte(id)
			allowed := CheckLength(ID(id), n, 0)
			m, err := Parse(body)
			switch {
			case m.ID != ID(id):
				t.Fatalf("id %d of %d bytes is read as %v", id, n, m.ID)
			case !Known(ID(id)):
				if allowed != nil || !errors.Is(err, ErrUnknownID) {
					t.Fatalf("unknown id %d of %d bytes: %v, %v", id, n, allowed, err)
				}
			case (allowed == nil) != (err == nil) || err != nil && !errors.Is(err, allowed):
				t.Fatalf("%v of %d bytes: allowed %v, read %v", ID(id), n, allowed, err)
			case err == nil:
				if got := Append(nil, &m); !bytes.Equal(got[PrefixSize:], body) ||
					int(binary.BigEndian.Uint32(got)) != n {
					t.Fatalf("%v of %d bytes is written as %x", ID(id), n, got)
				}
			}
		}
	}
}

// The longest message of each id is allowed, and one byte more is not.
func TestLengthMaxIsTheBound(t *testing.T) {
	for id := range 256 {
		for _, pieces := range []int{0, 1, 8, 9, 1000, PiecesMax} {
			most := LengthMax(ID(id), pieces)
			if err := CheckLength(ID(id), most, pieces); err != nil {
				t.Errorf("%v with %d pieces: %d bytes: %v", ID(id), pieces, most, err)
			}
			if CheckLength(ID(id), most+1, pieces) == nil {
				t.Errorf("%v with %d pieces: %d bytes are allowed", ID(id), pieces, most+1)
			}
			if most > 1+(PiecesMax+7)/8 || most < 1 {
				t.Errorf("%v with %d pieces: up to %d bytes", ID(id), pieces, most)
			}
		}
	}
}

// BEP 3: "All later integers sent in the protocol are encoded as four bytes big-endian."
func TestBEP3IntegersAreBigEndian(t *testing.T) {
	r := block.Ref{Piece: 0x01020304, Begin: 0x05060708, Length: 0x090a0b0c}
	want := []byte{0, 0, 0, 13, 6, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	if got := Append(nil, &Message{ID: Request, Ref: r}); !bytes.Equal(got, want) {
		t.Errorf("request %x, want %x", got, want)
	}
}

// BEP 3: "Messages of length zero are keepalives, and ignored."
func TestBEP3KeepAlive(t *testing.T) {
	m, err := Parse(nil)
	if err != nil || m.ID != KeepAlive || Known(m.ID) {
		t.Errorf("nothing is %v, %v", m.ID, err)
	}
	if got := Append(nil, &m); !bytes.Equal(got, []byte{0, 0, 0, 0}) {
		t.Errorf("written as %x", got)
	}
}

// BEP 3, "piece": the message says which block it carries. Its header holds everything but
// the data.
func TestBEP3PieceHeaders(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 500 {
		r := block.Ref{Piece: rng.Uint32(), Begin: rng.Uint32(),
			Length: uint32(rng.IntN(PieceDataMax + 1))}
		header := AppendPieceHeader(nil, r)
		if got, ok := ParsePieceHeader(header); !ok || got != r {
			t.Fatalf("%v is read as %v, %v", r, got, ok)
		}
		whole := append(header, make([]byte, r.Length)...)
		m, err := Parse(whole[PrefixSize:])
		if err != nil || m.Ref != r || len(m.Payload) != int(r.Length) {
			t.Fatalf("%v is read as %v, %v", r, m.Ref, err)
		}
		header[rng.IntN(2)] ^= 0x80 // a length that no Piece has
		if got, ok := ParsePieceHeader(header); ok {
			t.Fatalf("%x is read as %v", header, got)
		}
	}
}

// BEP 10: "The bit selected for the extension protocol is bit 20 from the right"; BEP 5, 6
// and 52 name the others.
func TestReservedBits(t *testing.T) {
	for f, want := range map[Feature]string{
		FeatureExtension: "0000000000100000", FeatureDHT: "0000000000000001",
		FeatureFast: "0000000000000004", FeatureV2: "0000000000000010",
	} {
		r := Reserved{}.With(f)
		if got := fmt.Sprintf("%x", r[:]); got != want {
			t.Errorf("%x: %s, want %s", uint16(f), got, want)
		}
		for _, other := range []Feature{FeatureExtension, FeatureDHT, FeatureFast, FeatureV2} {
			if r.Has(other) != (other == f) {
				t.Errorf("%s has %x: %v", want, uint16(other), r.Has(other))
			}
		}
		if r.Without(f) != (Reserved{}) {
			t.Errorf("%s without its bit is %x", want, r.Without(f))
		}
	}
}

// BEP 10: "The handshake message [...] m: Dictionary of supported extension messages which
// maps names of extensions to an extended message ID for each extension message. [...]
// Setting an extension number to zero means that the extension is not supported/disabled."
// "subsequent handshake messages can be used to enable/disable extensions".
func TestBEP10NumbersAreTheSenders(t *testing.T) {
	var known Extensions
	for _, step := range []struct {
		m    string
		want [2]uint8 // of ut_metadata and ut_pex
	}{
		{"11:ut_metadatai3e6:ut_pexi1e", [2]uint8{3, 1}},
		{"6:ut_pexi0e", [2]uint8{3, 0}},
		{"", [2]uint8{3, 0}},
		{"11:ut_metadatai255e6:ut_pexi7e", [2]uint8{255, 7}},
		{"11:ut_metadatai256e", [2]uint8{255, 7}},         // no byte
		{"11:ut_metadata1:x6:ut_pexle", [2]uint8{255, 7}}, // no number
		{"3:new" + "i9e", [2]uint8{255, 7}},               // of no meaning to us
	} {
		h, err := ParseExtHandshake([]byte("d1:md" + step.m + "ee"))
		if err != nil {
			t.Fatal(step.m, err)
		}
		known.Merge(h.Extensions)
		got := [2]uint8{known.Number(ExtMetadata), known.Number(ExtPEX)}
		if got != step.want || known.Has(ExtPEX) != (got[1] != 0) {
			t.Errorf("after %q: %v, want %v", step.m, got, step.want)
		}
	}
	if known.Number(0) != 0 || known.Number(200) != 0 || Extension(200).Known() {
		t.Error("there is an extension that nobody knows")
	}
}

// A handshake with random fields is read back as it was written.
func TestExtHandshakesAtRandom(t *testing.T) {
	all := []Extension{ExtMetadata, ExtPEX, ExtDontHave, ExtHolepunch, ExtUploadOnly}
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 2))
		h := ExtHandshake{Reqq: 1 + rng.IntN(ReqqMax)}
		for _, e := range all {
			if rng.IntN(2) == 0 {
				h.Extensions.Set(e, uint8(rng.IntN(256)))
			}
		}
		if rng.IntN(2) == 0 {
			h.MetadataSize = 1 + rng.Int64N(MetadataSizeMax)
			h.Port = uint16(rng.IntN(1 << 16))
			h.Client = strings.Repeat("c", rng.IntN(ClientMax+1))
		}
		if rng.IntN(2) == 0 {
			h.YourIP = netip.AddrFrom4([4]byte{192, 0, 2, byte(rng.IntN(256))})
			h.IPv6 = netip.MustParseAddr("2001:db8::7")
		}
		h.Encrypts, h.UploadOnly = rng.IntN(2) == 0, rng.IntN(2) == 0
		payload := AppendExtHandshake(nil, h)
		got, err := ParseExtHandshake(payload)
		if err != nil || got != h {
			t.Fatalf("seed %d: %q\nread    %+v, %v\nwritten %+v", seed, payload, got, err, h)
		}
		for n := range len(payload) {
			if _, err := ParseExtHandshake(payload[:n]); err == nil {
				t.Fatalf("seed %d: the first %d bytes of %q are taken", seed, n, payload)
			}
		}
	}
}

// BEP 11, "added.f": one byte of flags for each contact. Peers of both families are read
// back by family, with their flags.
func TestBEP11PEXAtRandom(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 3))
		addr := func() netip.AddrPort {
			port := uint16(1 + rng.IntN(1<<16-1))
			if rng.IntN(2) == 0 {
				return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 2, byte(rng.IntN(256))}),
					port)
			}
			a := netip.MustParseAddr("2001:db8::").As16()
			a[15] = byte(rng.IntN(256))
			return netip.AddrPortFrom(netip.AddrFrom16(a), port)
		}
		var m PEX
		for range rng.IntN(PEXMax + 1) {
			m.Added = append(m.Added, PEXPeer{addr(), PEXFlags(rng.IntN(32))})
		}
		for range rng.IntN(PEXMax + 1) {
			m.Dropped = append(m.Dropped, addr())
		}
		got, err := ParsePEX(AppendPEX(nil, m))
		slices.SortStableFunc(m.Added, func(a, b PEXPeer) int {
			return family(a.Addr) - family(b.Addr)
		})
		slices.SortStableFunc(m.Dropped, func(a, b netip.AddrPort) int {
			return family(a) - family(b)
		})
		if err != nil || !slices.Equal(got.Added, m.Added) ||
			!slices.Equal(got.Dropped, m.Dropped) {
			t.Fatalf("seed %d: read %+v, %v; want %+v", seed, got, err, m)
		}
	}
}

// BEP 9: "The metadata is handled in blocks of 16KiB (16384 Bytes)." "If the piece is the
// last piece of the metadata, it may be less than 16kiB."
func TestBEP9Blocks(t *testing.T) {
	for size, want := range map[int64]int{0: 0, -1: 0, 1: 1, 16 << 10: 1, 16<<10 + 1: 2,
		MetadataSizeMax: metadataPieces, MetadataSizeMax + 1: 0, 1 << 62: 0} {
		if got := MetadataPieces(size); got != want {
			t.Errorf("%d bytes: %d blocks, want %d", size, got, want)
		}
	}
	for _, n := range []int{0, 1, MetadataBlock} {
		m := Metadata{Type: MetadataData, Piece: 5, TotalSize: 1 << 20,
			Data: bytes.Repeat([]byte("e"), n)}
		got, err := ParseMetadata(AppendMetadata(nil, m))
		if err != nil || got.Piece != 5 || got.TotalSize != 1<<20 ||
			!bytes.Equal(got.Data, m.Data) {
			t.Errorf("%d bytes: %+v, %v", n, got.Piece, err)
		}
	}
	m := Metadata{Type: MetadataData, Data: make([]byte, MetadataBlock+1)}
	if _, err := ParseMetadata(AppendMetadata(nil, m)); err == nil {
		t.Error("a block of 16 KiB and a byte is taken")
	}
}

// BEP 9: "In order to support future extensability, an unrecognized message ID MUST be
// ignored."
func TestBEP9UnknownTypes(t *testing.T) {
	for kind, want := range map[string]MetadataType{"0": MetadataRequest, "2": MetadataReject,
		"3": MetadataOther, "255": MetadataOther, "9223372036854775807": MetadataOther} {
		got, err := ParseMetadata([]byte("d8:msg_typei" + kind + "e5:piecei0ee"))
		if err != nil || got.Type != want {
			t.Errorf("type %s: %v, %v; want %v", kind, got.Type, err, want)
		}
	}
	if _, err := ParseMetadata([]byte("d8:msg_typei-1e5:piecei0ee")); err == nil {
		t.Error("a negative type is taken")
	}
}

// BEP 52, "hashes": the uncle hashes let the receiver compute the root; those that follow
// from the run itself are left out.
func TestBEP52Uncles(t *testing.T) {
	for _, tt := range []struct {
		length, proof uint32
		want          int
	}{
		{2, 0, 0}, {2, 1, 1}, {2, 5, 5}, {4, 1, 0}, {4, 2, 1}, {512, 8, 0}, {512, 9, 1},
		{512, 40, 32},
	} {
		h := HashRange{Length: tt.length, Proof: tt.proof}
		if got := h.Uncles(); got != tt.want {
			t.Errorf("%d hashes, %d layers of proof: %d uncles, want %d", tt.length, tt.proof, got,
				tt.want)
		}
		all := append(AppendHashRange(nil, h), make([]byte, hashSize*(int(tt.length)+tt.want))...)
		if _, hashes, err := ParseHashRange(all); err != nil ||
			len(hashes) != hashSize*(int(tt.length)+tt.want) {
			t.Errorf("%+v: %v", h, err)
		}
		if _, _, err := ParseHashRange(all[:len(all)-hashSize]); err == nil {
			t.Errorf("%+v: an answer that lacks a hash is taken", h)
		}
	}
}

// BEP 6, "Allowed Fast Set Generation": the set depends on the /24 of the peer and on the
// torrent, has no piece twice, and grows without changing its start.
func TestBEP6SetsGrow(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for range 200 {
		var hash [20]byte
		for i := range hash {
			hash[i] = byte(rng.Uint32())
		}
		ip := netip.AddrFrom4([4]byte{byte(rng.Uint32()), 2, 3, byte(rng.Uint32())})
		pieces := 1 + rng.IntN(50)
		var last []uint32
		for k := range AllowedFastMax + 3 {
			set := AllowedFastSet(nil, ip, hash, pieces, k)
			if len(set) != min(k, AllowedFastMax, pieces) {
				t.Fatalf("%d of %d pieces: %v", k, pieces, set)
			}
			if k < pieces && !slices.Equal(set[:min(len(last), len(set))], last) {
				t.Fatalf("%v does not begin with %v", set, last)
			}
			sorted := slices.Sorted(slices.Values(set))
			if len(slices.Compact(sorted)) != len(set) ||
				len(set) > 0 && sorted[len(set)-1] >= uint32(pieces) {
				t.Fatalf("of %d pieces: %v", pieces, set)
			}
			last = set
		}
		four := ip.As4()
		four[3]++
		near := AllowedFastSet(nil, netip.AddrFrom4(four), hash, pieces, AllowedFastMax)
		if !slices.Equal(near, AllowedFastSet(nil, ip, hash, pieces, AllowedFastMax)) {
			t.Fatal("two addresses of one /24 have two sets")
		}
	}
}
