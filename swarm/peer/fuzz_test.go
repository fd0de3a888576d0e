package peer

import (
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"testing/synctest"

	"swarmnode/swarm/block"
	"swarmnode/swarm/wire"
)

// FuzzConn lets a peer say anything, cut into parts of any size. What is heard
// has to be the same as when it comes in one part, and every buffer has to
// come back.
func FuzzConn(f *testing.F) {
	stream := message(wire.Message{ID: wire.Bitfield, Payload: []byte{0x80, 0}})
	stream = append(stream, message(wire.Message{ID: wire.Extended, Payload: []byte("d1:mdee")})...)
	stream = append(stream, message(wire.Message{ID: wire.KeepAlive})...)
	stream = append(stream, message(wire.Message{ID: 99, Payload: []byte("x")})...)
	stream = append(wire.AppendPieceHeader(stream, block.Ref{Piece: 1, Length: 3}), "abc"...)
	stream = append(stream, message(wire.Message{ID: wire.Have, Ref: block.Ref{Piece: 1}})...)
	f.Add(stream, uint16(7), uint16(9))
	f.Add(stream, uint16(1), uint16(0))
	f.Add([]byte{255, 255, 255, 255, 7}, uint16(2), uint16(0))
	f.Add([]byte{0, 0, 0, 9, 7, 0, 0, 0, 0, 0, 0, 0, 0}, uint16(5), uint16(0))
	f.Fuzz(func(t *testing.T, stream []byte, part, pieces uint16) {
		if len(stream) > 1<<16 {
			return
		}
		var whole, parts *record
		synctest.Test(t, func(t *testing.T) { whole = hear(t, stream, len(stream)+1, int(pieces)) })
		synctest.Test(t, func(t *testing.T) { parts = hear(t, stream, int(part)+1, int(pieces)) })
		if len(whole.messages) != len(parts.messages) ||
			!slices.Equal(whole.blocks, parts.blocks) ||
			string(whole.bytes) != string(parts.bytes) {
			t.Errorf("in one part %v %v, in parts of %d %v %v", whole.messages, whole.blocks,
				int(part)+1, parts.messages, parts.blocks)
		}
		var broken wire.ProtocolError
		if errors.As(whole.err, &broken) != errors.As(parts.err, &broken) {
			t.Errorf("ended with %v and %v", whole.err, parts.err)
		}
	})
}

// hear runs a Conn on a stream that comes in parts of equal length.
func hear(t *testing.T, stream []byte, part, pieces int) *record {
	near, far := net.Pipe()
	h := newRecord()
	r := newRig(t, rigOptions{near: near, far: far, handler: h, pieces: pieces})
	go io.Copy(io.Discard, far)
	for p := range slices.Chunk(stream, part) {
		if _, err := far.Write(p); err != nil {
			break
		}
	}
	far.Close()
	<-r.done
	return h
}
