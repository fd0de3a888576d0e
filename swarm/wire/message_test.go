package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"swarmnode/swarm/block"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(string(bytes.ReplaceAll([]byte(s), []byte(" "), nil)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestMessages has each message as the BEPs lay it out.
func TestMessages(t *testing.T) {
	ref := block.Ref{Piece: 1, Begin: 0x4000, Length: 0x2000}
	for _, tt := range []struct {
		m    Message
		wire string
	}{
		{Message{ID: KeepAlive}, "00000000"},
		{Message{ID: Choke}, "00000001 00"},
		{Message{ID: Unchoke}, "00000001 01"},
		{Message{ID: Interested}, "00000001 02"},
		{Message{ID: NotInterested}, "00000001 03"},
		{Message{ID: Have, Ref: block.Ref{Piece: 0x01020304}}, "00000005 04 01020304"},
		{Message{ID: Bitfield, Payload: []byte{0xff, 0x80}}, "00000003 05 ff80"},
		{Message{ID: Request, Ref: ref}, "0000000d 06 00000001 00004000 00002000"},
		{Message{ID: Piece, Ref: block.Ref{Piece: 1, Begin: 2, Length: 3}, Payload: []byte("abc")},
			"0000000c 07 00000001 00000002 616263"},
		{Message{ID: Cancel, Ref: ref}, "0000000d 08 00000001 00004000 00002000"},
		{Message{ID: Port, Port: 6881}, "00000003 09 1ae1"},
		{Message{ID: Suggest, Ref: block.Ref{Piece: 5}}, "00000005 0d 00000005"},
		{Message{ID: HaveAll}, "00000001 0e"},
		{Message{ID: HaveNone}, "00000001 0f"},
		{Message{ID: Reject, Ref: ref}, "0000000d 10 00000001 00004000 00002000"},
		{Message{ID: AllowedFast, Ref: block.Ref{Piece: 6}}, "00000005 11 00000006"},
		{Message{ID: Extended, Ext: 3, Payload: []byte("de")}, "00000004 14 03 6465"},
		{Message{ID: HashRequest, Payload: make([]byte, 48)},
			"00000031 15" + hex.EncodeToString(make([]byte, 48))},
		{Message{ID: Hashes, Payload: make([]byte, 48+32)},
			"00000051 16" + hex.EncodeToString(make([]byte, 80))},
		{Message{ID: HashReject, Payload: make([]byte, 48)},
			"00000031 17" + hex.EncodeToString(make([]byte, 48))},
	} {
		t.Run(tt.m.ID.String(), func(t *testing.T) {
			want := unhex(t, tt.wire)
			got := Append([]byte("before"), &tt.m)
			if !bytes.Equal(got, append([]byte("before"), want...)) {
				t.Errorf("Append: %x, want %x", got[6:], want)
			}
			m, err := Parse(want[PrefixSize:])
			if err != nil || m.ID != tt.m.ID || m.Ref != tt.m.Ref || m.Port != tt.m.Port ||
				m.Ext != tt.m.Ext || !bytes.Equal(m.Payload, tt.m.Payload) {
				t.Errorf("Parse: %+v, %v; want %+v", m, err, tt.m)
			}
			if n := len(want) - PrefixSize; tt.m.ID != KeepAlive && n > LengthMax(tt.m.ID, 0) {
				t.Errorf("LengthMax is %d, the message has %d", LengthMax(tt.m.ID, 0), n)
			}
		})
	}
}

func TestPieceHeader(t *testing.T) {
	ref := block.Ref{Piece: 7, Begin: 1 << 20, Length: block.Size}
	b := AppendPieceHeader(nil, ref)
	if want := unhex(t, "00004009 07 00000007 00100000"); !bytes.Equal(b, want) {
		t.Errorf("got %x, want %x", b, want)
	}
	if got, ok := ParsePieceHeader(b); !ok || got != ref {
		t.Errorf("got %v, %v; want %v", got, ok, ref)
	}
	for name, b := range map[string]string{
		"short": "00004009 07 00000007 001000", "other id": "00004009 06 00000007 00100000",
		"no offset": "00000008 07 00000007 00100000", "too long": "0000800a 07 00000007 00100000",
		"4 GiB": "ffffffff 07 00000007 00100000",
	} {
		if got, ok := ParsePieceHeader(unhex(t, b)); ok {
			t.Errorf("%s: got %v, want nothing", name, got)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		want Rule
	}{
		"unknown id":          {"63 0102", RuleUnknownID},
		"id of a keep-alive":  {"ff", RuleUnknownID},
		"choke with a tail":   {"00 00", RuleMessageSize},
		"have without index":  {"04", RuleMessageSize},
		"have, short":         {"04 000000", RuleMessageSize},
		"have, long":          {"04 0000000000", RuleMessageSize},
		"request, short":      {"06 00000001 00004000 000020", RuleMessageSize},
		"request, long":       {"06 00000001 00004000 00002000 00", RuleMessageSize},
		"piece without begin": {"07 00000001 000000", RuleMessageSize},
		"port, long":          {"09 1ae100", RuleMessageSize},
		"have all, long":      {"0e 00", RuleMessageSize},
		"extended, empty":     {"14", RuleMessageSize},
		"hashes, odd":         {"16" + hex.EncodeToString(make([]byte, 49)), RuleMessageSize},
		"hash reject, long":   {"17" + hex.EncodeToString(make([]byte, 49)), RuleMessageSize},
		"piece, too long": {"07" + hex.EncodeToString(make([]byte, 8+PieceDataMax+1)),
			RuleMessageTooLong},
		"extended, too long": {"14" + hex.EncodeToString(make([]byte, ExtendedMax+2)),
			RuleMessageTooLong},
	} {
		if m, err := Parse(unhex(t, tt.body)); !errors.Is(err, ProtocolError{tt.want}) {
			t.Errorf("%s: got %v, %v; want %q", name, m, err, tt.want)
		}
	}
	if _, err := Parse([]byte{99}); !errors.Is(err, ErrUnknownID) {
		t.Errorf("unknown id: %v, want ErrUnknownID", err)
	}
}

func TestLengths(t *testing.T) {
	for _, tt := range []struct {
		id        ID
		n, pieces int
		ok        bool
	}{
		{Bitfield, 1 + 1, 8, true}, {Bitfield, 1 + 2, 8, false}, {Bitfield, 1 + 2, 9, true},
		{Bitfield, 1, 8, false}, {Bitfield, 1, 0, true}, // of no pieces, as far as is known
		{Bitfield, 1 + PiecesMax/8, 0, true}, {Bitfield, 2 + PiecesMax/8, 0, false},
		{Bitfield, 2 + PiecesMax/8, PiecesMax + 1, false},
		{Piece, 9, 0, true}, {Piece, 8, 0, false}, {Piece, 9 + PieceDataMax, 0, true},
		{Piece, 10 + PieceDataMax, 0, false},
		{Extended, 2, 0, true}, {Extended, 1, 0, false}, {Extended, 2 + ExtendedMax, 0, true},
		{Extended, 3 + ExtendedMax, 0, false},
		{Hashes, 49 + 32*(HashesMax+HashProofMax), 0, true},
		{Hashes, 49 + 32*(HashesMax+HashProofMax+1), 0, false},
		{ID(99), UnknownMax, 0, true}, {ID(99), UnknownMax + 1, 0, false},
		{Have, 5, 1, true}, {Have, 1 << 30, 1, false},
	} {
		if err := CheckLength(tt.id, tt.n, tt.pieces); (err == nil) != tt.ok {
			t.Errorf("%v of %d bytes with %d pieces: %v, want ok %v", tt.id, tt.n, tt.pieces, err,
				tt.ok)
		}
	}
}

// TestNoAllocations: what goes with every block costs no memory.
func TestNoAllocations(t *testing.T) {
	buf := make([]byte, 0, 1<<10)
	ref := block.Ref{Piece: 1, Begin: 2, Length: 3}
	m := Message{ID: Request, Ref: ref}
	var sink Message
	if n := testing.AllocsPerRun(100, func() {
		b := Append(buf, &m)
		sink, _ = Parse(b[PrefixSize:])
		h := AppendPieceHeader(b, ref)
		sink.Ref, _ = ParsePieceHeader(h[len(b):])
		_, err := Parse([]byte{4, 0})
		if err == nil {
			t.Error("a short have is accepted")
		}
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, m := range []Message{
		{ID: Have}, {ID: Request}, {ID: Piece, Payload: []byte("data")}, {ID: Port, Port: 1},
		{ID: Extended, Payload: []byte("d1:md11:ut_metadatai1eee")},
		{ID: Bitfield, Payload: []byte{1}},
		{ID: HashRequest, Payload: make([]byte, 48)}, {ID: Hashes, Payload: make([]byte, 48+64)},
	} {
		f.Add(Append(nil, &m)[PrefixSize:])
	}
	f.Add([]byte{})
	f.Add([]byte{255, 0})
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := Parse(body)
		if err != nil {
			return
		}
		_ = m.String()
		again := Append(nil, &m)
		if !bytes.Equal(again[PrefixSize:], body) {
			t.Errorf("%x became %v and then %x", body, m, again[PrefixSize:])
		}
		if h, ok := ParsePieceHeader(again); ok && h != m.Ref {
			t.Errorf("header %v, message %v", h, m.Ref)
		}
	})
}

func BenchmarkRequest(b *testing.B) {
	b.ReportAllocs()
	buf := make([]byte, 0, 64)
	m := Message{ID: Request, Ref: block.Ref{Piece: 9, Begin: 16 << 10, Length: 16 << 10}}
	for b.Loop() {
		p := Append(buf, &m)
		if _, err := Parse(p[PrefixSize:]); err != nil {
			b.Fatal(err)
		}
	}
}
