package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/simnet"
	"swarmnode/swarm/transport/mse"
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

// welcome answers under a policy, and has time for every key.
func welcome(policy Encryption) Welcome {
	return Welcome{
		Answer: answerOurs, Encryption: policy, MayCompute: func() bool { return true },
		Key: func(id mse.ID) (mse.Key, bool) {
			key := mse.Key(ours.InfoHash)
			return key, id == key.ID()
		},
	}
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
			s, err := Accept(t.Context(), b, Welcome{Answer: answerOurs, Encryption: EncryptionOff})
			accepted <- result{s.Theirs, s.Mine, err}
		}()
		got, err := Dial(t.Context(), a, Offer{Mine: theirs})
		if err != nil || got.Theirs != ours || got.Conn != a || got.Encrypted {
			t.Errorf("Dial: %+v, %v; want %v", got, err, ours)
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
		{"http", at([]byte("GET / HTTP/1.1\r\n\r\n")), wire.ProtocolError{Rule: wire.RuleHandshake},
			0, 0},
		{"zeros", at(make([]byte, 100)), wire.ProtocolError{Rule: wire.RuleHandshake}, 0, 0},
		{"other protocol", at([]byte("\x13BitTorrent protocoL")),
			wire.ProtocolError{Rule: wire.RuleHandshake}, 0, 0},
		{"one byte per 2 s", slow(hello, 2*time.Second), os.ErrDeadlineExceeded, HandshakeTimeout,
			0},
		{"half", at(hello[:30]), os.ErrDeadlineExceeded, HandshakeTimeout, 0},
		{"half and gone", func(c net.Conn) { c.Write(hello[:30]); c.Close() }, io.EOF, 0, 0},
		{"unknown torrent", at(other), ErrUnknownHash, 0, 0},
		{"no peer id", at(hello[:wire.HelloHashEnd]), os.ErrDeadlineExceeded, HandshakeTimeout,
			wire.HelloSize},
	} {
		for _, policy := range []Encryption{EncryptionAllowed, EncryptionOff} {
			t.Run(fmt.Sprint(tt.name, " ", policy), func(t *testing.T) {
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
					_, err := Accept(t.Context(), b, welcome(policy))
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
		{"another torrent", wire.AppendHello(nil, wire.Hello{InfoHash: metainfo.Hash{8}}),
			ErrOtherHash},
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
				if _, err := Dial(t.Context(), a, Offer{Mine: ours,
					Others: []metainfo.Hash{v2}}); !errors.Is(err, tt.want) {
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
		if _, err := Dial(ctx, a, Offer{Mine: ours}); !errors.Is(err, context.Canceled) ||
			time.Since(start) != time.Second {
			t.Errorf("got %v after %v, want the end of the context after 1s",
				err, time.Since(start))
		}
	})
}

// TestEncryptedHandshake: what comes of each attempt under each policy, and the
// streams that both sides go on with.
func TestEncryptedHandshake(t *testing.T) {
	for _, tt := range []struct {
		attempt mse.Method
		policy  Encryption
		want    mse.Method // 0: a bare connection after a plain handshake
	}{
		{0, EncryptionAllowed, 0},
		{0, EncryptionPreferred, 0},
		{0, EncryptionOff, 0},
		{mse.Both, EncryptionAllowed, mse.Plain},
		{mse.RC4, EncryptionAllowed, mse.RC4},
		{mse.RC4, EncryptionPreferred, mse.RC4},
		{mse.Both, EncryptionRequired, mse.RC4},
	} {
		t.Run(fmt.Sprint(tt.attempt, " ", tt.policy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := simPair(t, simnet.Link{Latency: time.Millisecond})
				defer a.Close()
				defer b.Close()
				accepted := make(chan Shaken)
				go func() {
					s, err := Accept(t.Context(), b, welcome(tt.policy))
					if err != nil {
						t.Error(err)
					}
					accepted <- s
				}()
				dialled, err := Dial(t.Context(), a, Offer{Mine: theirs, Encrypt: tt.attempt})
				if err != nil {
					t.Fatal(err)
				}
				other := <-accepted
				if dialled.Theirs != ours || other.Theirs != theirs {
					t.Errorf("told %v and %v", dialled.Theirs, other.Theirs)
				}
				if hidden := tt.attempt != 0; dialled.Encrypted != hidden ||
					other.Encrypted != hidden {
					t.Errorf("encrypted: %v and %v", dialled.Encrypted, other.Encrypted)
				}
				if bare := tt.want != mse.RC4; (dialled.Conn == a) != bare ||
					(other.Conn == b) != bare {
					t.Errorf("goes on with %T and %T", dialled.Conn, other.Conn)
				}
				go dialled.Conn.Write([]byte("message"))
				var p [7]byte
				if _, err := io.ReadFull(other.Conn, p[:]); err != nil ||
					string(p[:]) != "message" {
					t.Errorf("got %q, %v", p, err)
				}
			})
		})
	}
}

// TestEncryptionRefused: both sides of a handshake that the policy forbids.
func TestEncryptionRefused(t *testing.T) {
	other := theirs
	other.InfoHash = metainfo.Hash{9}
	for _, tt := range []struct {
		name   string
		offer  Offer
		policy Encryption
		want   error
	}{
		{"plain", Offer{Mine: theirs}, EncryptionRequired, ErrPlain},
		{"encrypted", Offer{Mine: theirs, Encrypt: mse.Both}, EncryptionOff,
			wire.ProtocolError{Rule: wire.RuleHandshake}},
		{"plain behind an encrypted handshake", Offer{Mine: theirs, Encrypt: mse.Plain},
			EncryptionRequired, mse.ErrNoMethod},
		{"unknown torrent", Offer{Mine: other, Encrypt: mse.RC4}, EncryptionAllowed,
			ErrUnknownHash},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := simPair(t, simnet.Link{})
				accepted := make(chan error)
				go func() {
					_, err := Accept(t.Context(), b, welcome(tt.policy))
					accepted <- err
				}()
				if _, err := Dial(t.Context(), a, tt.offer); err == nil {
					t.Error("Dial: no error")
				}
				if err := <-accepted; !errors.Is(err, tt.want) {
					t.Errorf("Accept: %v, want %v", err, tt.want)
				}
			})
		})
	}
}

// TestTwoTorrentsInOneHandshake: whoever names one torrent under encryption and
// another behind it is told of neither.
func TestTwoTorrentsInOneHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := simPair(t, simnet.Link{})
		accepted := make(chan error)
		go func() {
			_, err := Accept(t.Context(), b, welcome(EncryptionAllowed))
			accepted <- err
		}()
		lie := theirs
		lie.InfoHash = metainfo.Hash{9}
		c, err := mse.Dial(a, mse.Key(ours.InfoHash), mse.RC4, wire.AppendHello(nil, lie))
		if err != nil {
			t.Fatal(err)
		}
		if err := <-accepted; !errors.Is(err, ErrOtherHash) {
			t.Errorf("Accept: %v, want ErrOtherHash", err)
		}
		if heard, _ := io.ReadAll(c); len(heard) != 0 {
			t.Errorf("was told %q", heard)
		}
	})
}

// TestHungUp: a peer that closes on the handshake can be told from one that
// answers with something else.
func TestHungUp(t *testing.T) {
	for _, tt := range []struct {
		said string
		want bool
	}{{"", true}, {"\x13", false}} {
		for _, attempt := range []mse.Method{0, mse.Both} {
			synctest.Test(t, func(t *testing.T) {
				a, b := simPair(t, simnet.Link{})
				go func() {
					io.ReadFull(b, make([]byte, wire.HelloSize))
					io.WriteString(b, tt.said)
					b.Close()
				}()
				if _, err := Dial(t.Context(), a, Offer{Mine: ours, Encrypt: attempt}); errors.Is(
					err, ErrHungUp) != tt.want {
					t.Errorf("after %q: %v, want ErrHungUp %v", tt.said, err, tt.want)
				}
			})
		}
	}
}
