package core

import (
	"slices"
	"testing"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/wire"
)

// shown takes the actions and writes each in a few words.
func shown(o *outbox) (list []string) {
	for _, a := range o.take(nil) {
		list = append(list, showAction(&a))
	}
	return list
}

func TestOutbox(t *testing.T) {
	var o outbox
	p, q := &peer{ref: 1, fast: true}, &peer{ref: 2}
	o.advance(3 * time.Second)
	o.sendID(p, wire.Interested)
	mark := o.mark()
	o.sendPiece(q, wire.Have, 5)
	o.upload(p, blockIn(5, 1))
	if o.spokeTo(p, mark) || !o.spokeTo(q, mark) || !o.spokeTo(p, 0) {
		t.Error("an Upload counts as a message, or a Send does not")
	}
	o.reject(p, blockIn(6, 0))
	o.reject(q, blockIn(6, 0))
	o.answer(q, wire.Message{ID: wire.Bitfield, Payload: []byte{1}}, []byte{2})
	o.sendExtended(q, uint8(wire.ExtDontHave), wire.AppendDontHave(nil, 7))
	o.do(Action{Kind: Verify, Ref: block.Ref{Piece: 5}})
	want := []string{"1 <- interested", "2 <- have 5", "1 <- block 5.1", "1 <- reject 6.0",
		"2 <- bitfield [00000001 00000010]", "2 <- dont-have 7", "verify 5"}
	if got := shown(&o); !slices.Equal(got, want) {
		t.Errorf("actions %q, want %q: a peer without BEP 6 gets no Reject", got, want)
	}
	if p.silence.spoke != 3*time.Second || q.silence.spoke != 3*time.Second {
		t.Error("a peer was spoken to and does not know it")
	}
}

// Payload is no message before it went out: the silence of a connection lasts until then.
func TestOutboxPayloadWaits(t *testing.T) {
	var o outbox
	p := &peer{ref: 1, silence: newSilence(0)}
	o.advance(time.Minute)
	o.upload(p, blockIn(5, 1))
	o.answer(p, wire.Message{ID: wire.Hashes}, nil)
	if !p.silence.keepAlive(keepAliveAfter) {
		t.Error("payload in the queue counts as a message")
	}
	o.wrote(p)
	if p.silence.keepAlive(keepAliveAfter) {
		t.Error("payload that went out is no message")
	}
}

// What was taken is the driver's: the outbox keeps no buffer or payload alive.
func TestOutboxForgets(t *testing.T) {
	var o outbox
	buf := &block.Buf{}
	o.do(Action{Kind: Store, Buf: buf})
	if got := o.take(nil); len(got) != 1 || got[0].Buf != buf {
		t.Fatal("the Store is not there")
	}
	if o.mark() != 0 || len(o.take(nil)) != 0 {
		t.Error("an action was given twice")
	}
	if rest := o.actions[:1]; rest[0].Buf != nil {
		t.Error("the outbox keeps a buffer that it gave away")
	}
}

func TestOutboxDoesNotAllocate(t *testing.T) {
	var o outbox
	p := &peer{ref: 1}
	buf := make([]Action, 0, 8)
	step := func() {
		o.sendRef(p, wire.Request, blockIn(0, 0))
		o.do(Action{Kind: Store, Ref: blockIn(0, 0)})
		buf = o.take(buf[:0])
	}
	step()
	if n := testing.AllocsPerRun(100, step); n != 0 {
		t.Errorf("%v allocations for a block, want none", n)
	}
}
