package peer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/simnet"
	"swarmnode/swarm/wire"
)

var (
	ours = wire.Hello{
		InfoHash: metainfo.Hash{1, 2, 3},
		PeerID:   [20]byte{'-', 'S', 'N'},
		Reserved: wire.Reserved{}.With(wire.FeatureExtension).With(wire.FeatureFast),
	}
	theirs = wire.Hello{InfoHash: ours.InfoHash, PeerID: [20]byte{'-', 'X', 'X'}}
)

func answerOurs(h wire.Hello) (wire.Hello, bool) {
	return ours, h.InfoHash == ours.InfoHash
}

func TestHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := simPair(t, simnet.Link{Latency: 100 * time.Millisecond})
		type result struct {
			theirs, mine wire.Hello
			err          error
		}
		accepted := make(chan result)
		go func() {
			th, mine, err := Accept(t.Context(), b, answerOurs)
			accepted <- result{th, mine, err}
		}()
		got, err := Dial(t.Context(), a, theirs)
		if err != nil || got != ours {
			t.Errorf("Dial: %v, %v; want %v", got, err, ours)
		}
		if r := <-accepted; r.err != nil || r.theirs != theirs || r.mine != ours {
			t.Errorf("Accept: %+v", r)
		}
		// No deadline is left behind, and no byte was taken that is not ours.
		time.Sleep(2 * HandshakeTimeout)
		go a.Write([]byte{0, 0, 0, 0})
		var p [4]byte
		if _, err := io.ReadFull(b, p[:]); err != nil {
			t.Errorf("after the handshake: %v", err)
		}
		a.Close()
		b.Close()
	})
}

// TestAcceptBadPeers has the rows of what a stranger may do before the
// handshake is over.
func TestAcceptBadPeers(t *testing.T) {
	hello := wire.AppendHello(nil, theirs)
	other := wire.AppendHello(nil, wire.Hello{InfoHash: metainfo.Hash{9}})
	at := func(b []byte) func(net.Conn) { return slow(b, 0) }
	for _, tt := range []struct {
		name   string
		peer   func(net.Conn)
		want   error
		after  time.Duration
		answer int // bytes that the peer gets to see
	}{
		{"silence", func(net.Conn) {}, os.ErrDeadlineExceeded, HandshakeTimeout, 0},
		{"http", at([]byte("GET / HTTP/1.1\r\n\r\n")), wire.ProtocolError{Rule: wire.RuleHandshake}, 0, 0},
		{"zeros", at(make([]byte, 100)), wire.ProtocolError{Rule: wire.RuleHandshake}, 0, 0},
		{"other protocol", at([]byte("\x13BitTorrent protocoL")), wire.ProtocolError{Rule: wire.RuleHandshake}, 0, 0},
		{"one byte per 2 s", slow(hello, 2*time.Second), os.ErrDeadlineExceeded, HandshakeTimeout, 0},
		{"half", at(hello[:30]), os.ErrDeadlineExceeded, HandshakeTimeout, 0},
		{"half and gone", func(c net.Conn) { c.Write(hello[:30]); c.Close() }, io.EOF, 0, 0},
		{"unknown torrent", at(other), ErrUnknownHash, 0, 0},
		{"no peer id", at(hello[:wire.HelloHashEnd]), os.ErrDeadlineExceeded, HandshakeTimeout, wire.HelloSize},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := simPair(t, simnet.Link{})
				defer func() {
					a.Close()
					time.Sleep(time.Minute) // for the peer to notice
				}()
				go tt.peer(a)
				seen := make(chan []byte)
				go func() {
					got, _ := io.ReadAll(a)
					seen <- got
				}()
				start := time.Now()
				_, _, err := Accept(t.Context(), b, answerOurs)
				if !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
				if d := time.Since(start); d != tt.after {
					t.Errorf("ended after %v, want %v", d, tt.after)
				}
				if _, err := b.Write([]byte{0}); !errors.Is(err, net.ErrClosed) {
					t.Errorf("the connection is still open: %v", err)
				}
				synctest.Wait()
				a.Close()
				if got := <-seen; tt.answer == 0 && len(got) != 0 {
					t.Errorf("the peer was told %q, want nothing", got)
				}
			})
		})
	}
}

func TestDialBadPeers(t *testing.T) {
	v2 := metainfo.Hash{7}
	for _, tt := range []struct {
		name   string
		answer []byte
		want   error
	}{
		{"right", wire.AppendHello(nil, theirs), nil},
		{"the other hash of a hybrid", wire.AppendHello(nil, wire.Hello{InfoHash: v2}), nil},
		{"another torrent", wire.AppendHello(nil, wire.Hello{InfoHash: metainfo.Hash{8}}), ErrOtherHash},
		{"garbage", bytes.Repeat([]byte("x"), 68), wire.ProtocolError{Rule: wire.RuleHandshake}},
		{"nothing", nil, os.ErrDeadlineExceeded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := simPair(t, simnet.Link{})
				defer a.Close()
				defer b.Close()
				if tt.answer != nil {
					go b.Write(tt.answer)
				}
				if _, err := Dial(t.Context(), a, ours, v2); !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
			})
		})
	}
}

func TestHandshakeEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := simPair(t, simnet.Link{})
		defer b.Close()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		if _, err := Dial(ctx, a, ours); !errors.Is(err, context.Canceled) || time.Since(start) != time.Second {
			t.Errorf("got %v after %v, want the end of the context after 1s", err, time.Since(start))
		}
	})
}
