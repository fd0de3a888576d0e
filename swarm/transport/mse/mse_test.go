package mse

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/swarm/simnet"
)

var (
	ourKey   = Key{1, 2, 3}
	otherKey = Key{9}
)

func always() bool { return true }

func findOurs(id ID) (Key, bool) { return ourKey, id == ourKey.ID() }

// pair returns the ends of a stream on a simulated network.
func pair(tb testing.TB) (a, b net.Conn) {
	tb.Helper()
	n := simnet.New(1)
	ha := n.Host(netip.MustParseAddr("10.0.0.1"), simnet.Link{Latency: time.Millisecond})
	hb := n.Host(netip.MustParseAddr("10.0.0.2"), simnet.Link{Latency: time.Millisecond})
	l, err := hb.Listen(6881)
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	if a, err = ha.Dial(tb.Context(), l.AddrPort()); err != nil {
		tb.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		tb.Fatal(err)
	}
	return a, b
}

// accepted is what came of an Accept.
type accepted struct {
	conn *Conn
	key  Key
	err  error
}

func accept(conn net.Conn, ahead int, allow Method) <-chan accepted {
	result := make(chan accepted, 1)
	go func() {
		first := make([]byte, ahead)
		_, err := io.ReadFull(conn, first)
		var a accepted
		if err == nil {
			s := Server{Allow: allow, MayCompute: always, Find: findOurs}
			a.conn, a.key, err = s.Accept(conn, first)
		}
		if a.err = err; err != nil {
			conn.Close()
		}
		result <- a
	}()
	return result
}

func TestDialogue(t *testing.T) {
	for _, tt := range []struct {
		offer, allow Method
		ahead        int
		want         Method // 0: none in common
	}{
		{Both, Both, 0, Plain},
		{RC4, Both, 1, RC4},
		{Plain, Both, 48, Plain},
		{Both, RC4, FirstMax, RC4},
		{Both | 1<<31, RC4 | 1<<31, 20, RC4},
		{Plain, RC4, 20, 0},
		{RC4, Plain, 20, 0},
		{1 << 2, Both | 1<<2, 20, 0},
	} {
		t.Run(fmt.Sprint(tt.offer, "/", tt.allow), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := pair(t)
				defer a.Close()
				defer b.Close()
				result := accept(b, tt.ahead, tt.allow)
				dialled, err := Dial(a, ourKey, tt.offer, []byte("hello"))
				got := <-result
				if tt.want == 0 {
					if err == nil || !errors.Is(got.err, ErrNoMethod) {
						t.Errorf("got %v and %v, want no method", err, got.err)
					}
					return
				}
				if err != nil || got.err != nil || got.key != ourKey {
					t.Fatalf("Dial: %v; Accept: %v, %x", err, got.err, got.key)
				}
				if dialled.Method() != tt.want || got.conn.Method() != tt.want {
					t.Errorf("methods %v and %v, want %v", dialled.Method(), got.conn.Method(),
						tt.want)
				}
				if bare := dialled.Bare() == a; bare != (tt.want == Plain) || got.conn.Bare() == b {
					t.Errorf("bare too early or never: %v", bare)
				}
				exchangeData(t, dialled, got.conn)
				if bare := got.conn.Bare() == b; bare != (tt.want == Plain) {
					t.Errorf("bare after the initial payload: %v", bare)
				}
			})
		})
	}
}

// exchangeData has both sides talk, and looks whether all arrives.
func exchangeData(t *testing.T, dialled, accepted *Conn) {
	t.Helper()
	large := bytes.Repeat([]byte("0123456789"), 3*scratchSize/10)
	for _, d := range []struct {
		name     string
		from, to *Conn
		before   string
	}{{"there", dialled, accepted, "hello"}, {"back", accepted, dialled, ""}} {
		go func() {
			d.from.Write([]byte("x"))
			d.from.Write(nil)
			d.from.Write(large)
		}()
		got := make([]byte, len(d.before)+1+len(large))
		if _, err := io.ReadFull(d.to, got); err != nil ||
			!bytes.Equal(got, append([]byte(d.before+"x"), large...)) {
			t.Errorf("%s: %d bytes that differ, %v", d.name, len(got), err)
		}
	}
	if string(large[:10]) != "0123456789" {
		t.Error("Write changed what it was given")
	}
}

func TestUnknownTorrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		defer a.Close()
		result := accept(b, 0, Both)
		if _, err := Dial(a, otherKey, Both, nil); err != io.EOF {
			t.Errorf("Dial: %v, want the end", err)
		}
		if got := <-result; !errors.Is(got.err, ErrUnknownKey) {
			t.Errorf("Accept: %v, want ErrUnknownKey", got.err)
		}
	})
}

func TestDialHungUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		defer a.Close()
		b.Close()
		if _, err := Dial(a, ourKey, Both, nil); !errors.Is(err, ErrHungUp) {
			t.Errorf("got %v, want ErrHungUp", err)
		}
	})
}

func TestInitialIsBounded(t *testing.T) {
	if _, err := Dial(nil, ourKey, Both, make([]byte, initialMax+1)); err == nil {
		t.Error("no error")
	}
	s := Server{Allow: Both, MayCompute: always, Find: findOurs}
	if _, _, err := s.Accept(nil, make([]byte, FirstMax+1)); err == nil {
		t.Error("no error for too much read ahead")
	}
}

// TestDegenerateKeys: whoever sends one of these knows the secret without
// knowing anything.
func TestDegenerateKeys(t *testing.T) {
	minus := func(n int64) []byte {
		return new(big.Int).Sub(prime, big.NewInt(n)).FillBytes(make([]byte, groupSize))
	}
	small := func(n int64) []byte { return big.NewInt(n).FillBytes(make([]byte, groupSize)) }
	for _, tt := range []struct {
		name string
		key  []byte
		want bool
	}{
		{"0", small(0), false}, {"1", small(1), false}, {"2", small(2), true},
		{"p-2", minus(2), true}, {"p-1", minus(1), false}, {"p", minus(0), false},
		{"p+1", minus(-1), false}, {"all ones", bytes.Repeat([]byte{0xff}, groupSize), false},
	} {
		if got := usable(tt.key); got != tt.want {
			t.Errorf("%s: usable %v, want %v", tt.name, got, tt.want)
		}
		if _, err := newExchange().secret(tt.key); (err == nil) != tt.want {
			t.Errorf("%s: secret: %v", tt.name, err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		defer a.Close()
		result := accept(b, 0, Both)
		a.Write(minus(1))
		if got := <-result; !errors.Is(got.err, ErrDegenerate) {
			t.Errorf("Accept: %v, want ErrDegenerate", got.err)
		}
		if heard, _ := io.ReadAll(a); len(heard) != 0 {
			t.Errorf("the peer was told %d bytes, want none", len(heard))
		}
	})
}

// TestBusy: without time for a key nothing is said.
func TestBusy(t *testing.T) {
	s := Server{Allow: Both, MayCompute: func() bool { return false }, Find: findOurs}
	if _, _, err := s.Accept(nil, newExchange().public[:]); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want ErrBusy", err)
	}
}

// A script is a connection whose other side knows the key and says what it is
// told to, as soon as it knows the secret.
type script struct {
	net.Conn // nil: nothing else may be called
	x        *exchange
	unread   []byte
	then     func(secret []byte) []byte // nil once called
	heard    int
}

func newScript(then func(secret []byte) []byte) *script {
	x := newExchange()
	return &script{x: x, unread: slices.Clone(x.public[:]), then: then}
}

func (s *script) Read(b []byte) (int, error) {
	if len(s.unread) == 0 {
		return 0, io.EOF
	}
	n := copy(b, s.unread)
	s.unread = s.unread[n:]
	return n, nil
}

func (s *script) Write(b []byte) (int, error) {
	s.heard += len(b)
	if s.then != nil {
		secret, err := s.x.secret(b[:groupSize])
		if err != nil {
			return 0, err
		}
		s.unread = append(s.unread, s.then(secret)...)
		s.then = nil
	}
	return len(b), nil
}

// ask is what a peer says after the keys: padding, the hashes, and a question
// that is encrypted.
func ask(pad []byte, question []byte) func(secret []byte) []byte {
	return func(secret []byte) []byte {
		start, hidden := hash("req1", secret), hiddenID(ourKey.ID(), secret)
		out, _ := ciphers(secret, ourKey)
		hiddenQuestion := make([]byte, len(question))
		out.XORKeyStream(hiddenQuestion, question)
		return slices.Concat(pad, start[:], hidden[:], hiddenQuestion)
	}
}

// question is what a peer asks, with padding and an initial payload.
func question(offer Method, pad, initial []byte) []byte {
	q := binary.BigEndian.AppendUint32(make([]byte, check), uint32(offer))
	q = append(binary.BigEndian.AppendUint16(q, uint16(len(pad))), pad...)
	return append(binary.BigEndian.AppendUint16(q, uint16(len(initial))), initial...)
}

func TestAcceptReadsWhatPeersSend(t *testing.T) {
	zeros := func(n int) []byte { return make([]byte, n) }
	whole := question(Both, zeros(7), []byte("hello"))
	for _, tt := range []struct {
		name string
		said func(secret []byte) []byte
		want error
	}{
		{"as it should be", ask(zeros(9), whole), nil},
		{"no padding", ask(nil, question(RC4, nil, nil)), nil},
		{"as much as may be", ask(zeros(padMax), question(RC4, zeros(padMax), zeros(initialMax))),
			nil},
		{"padding like the start", func(secret []byte) []byte {
			start := hash("req1", secret)
			nearly := start // but for the last byte, whatever the keys make of it
			nearly[len(nearly)-1] ^= 1
			return slices.Concat(nearly[:], start[:5], ask(start[:10], whole)(secret))
		}, nil},
		{"too much padding", ask(zeros(padMax+1), whole), ErrNoSync},
		{"endless padding", ask(zeros(1<<20), nil), ErrNoSync},
		{"other key than named", ask(nil, append([]byte{1}, whole...)), ErrNoSync},
		{"too much padding inside", ask(nil, question(Both, zeros(padMax+1), nil)), ErrNoSync},
		{"too much payload", ask(nil, question(Both, nil, zeros(initialMax+1))), ErrNoSync},
		{"cut in the padding", ask(zeros(5), nil), io.EOF},
		{"cut in the question", ask(nil, whole[:12]), io.EOF},
		{"cut in the payload", ask(nil, whole[:len(whole)-1]), io.EOF},
		{"nothing more", func([]byte) []byte { return nil }, io.EOF},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn := newScript(func(secret []byte) []byte {
				return append(tt.said(secret), "rest"...)
			})
			if tt.want == io.EOF {
				conn.then = tt.said
			}
			s := Server{Allow: Both, MayCompute: always, Find: findOurs}
			_, _, err := s.Accept(conn, nil)
			if err != tt.want {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if err == nil && string(conn.unread) != "rest" {
				t.Errorf("%d bytes were left, want those of the stream", len(conn.unread))
			}
		})
	}
}

// TestText: requests of other protocols are no keys, and cost no computation.
func TestText(t *testing.T) {
	for _, text := range []string{"GET / HTTP/1.1\r\n\r\n", "\x13BitTorrent protocoL",
		string(make([]byte, 96))} {
		s := Server{Allow: Both, MayCompute: func() bool { t.Error("computed"); return false },
			Find: findOurs}
		if _, _, err := s.Accept(nil, []byte(text)); !errors.Is(err, ErrNoSync) {
			t.Errorf("%q: got %v, want ErrNoSync", text, err)
		}
	}
}

// A stutterer takes few bytes at a time and then wants to be asked again.
type stutterer struct {
	net.Conn
	taken []byte
	step  int
}

func (s *stutterer) Write(b []byte) (int, error) {
	s.step = s.step*7%1000 + 1
	n := min(s.step, len(b))
	s.taken = append(s.taken, b[:n]...)
	if n < len(b) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

// TestWriteGoesOn: a write that was cut short goes on where it stopped, though
// the cipher is ahead.
func TestWriteGoesOn(t *testing.T) {
	secret := []byte("secret")
	far := &stutterer{step: 1}
	_, out := ciphers(secret, ourKey)
	c := newConn(far, RC4, nil, nil, out)
	data := bytes.Repeat([]byte("0123456789abcdef"), 10_000)
	for left := data; len(left) > 0; {
		n, err := c.Write(left[:min(len(left), 100_000)])
		if n == 0 && err != nil {
			t.Fatal(err)
		}
		left = left[n:]
	}
	_, again := ciphers(secret, ourKey)
	got := make([]byte, len(far.taken))
	again.XORKeyStream(got, far.taken)
	if !bytes.Equal(got, data) {
		t.Errorf("%d bytes arrived, not the %d that were written", len(got), len(data))
	}
}

// FuzzAccept lets a peer that knows the torrent say anything. What is read is
// bounded, and nothing is read beyond a dialogue that comes to something.
func FuzzAccept(f *testing.F) {
	f.Add([]byte{}, []byte{1, 2, 3}, question(Both, []byte("pad"), []byte("initial")), true)
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), []byte{}, []byte{}, false)
	f.Add(bytes.Repeat([]byte{0xff}, groupSize), []byte{}, []byte{}, false)
	f.Add([]byte{}, make([]byte, 600), question(RC4, nil, nil), true)
	f.Add([]byte{}, []byte{}, question(0, nil, nil), true)
	f.Fuzz(func(t *testing.T, first, pad, question []byte, sane bool) {
		if len(pad)+len(question) > 1<<16 || len(first) > FirstMax {
			return
		}
		conn := newScript(ask(pad, question))
		if sane {
			first = nil
		} else {
			conn.then = func([]byte) []byte { return append(pad, question...) }
		}
		s := Server{Allow: Both, MayCompute: always, Find: findOurs}
		c, key, err := s.Accept(conn, first)
		if err != nil {
			return
		}
		if !sane || key != ourKey || c.Method() != Plain && c.Method() != RC4 {
			t.Errorf("accepted with key %x and method %v", key, c.Method())
		}
		used := check + 8 + int(binary.BigEndian.Uint16(question[check+4:]))
		used += int(binary.BigEndian.Uint16(question[used-2:]))
		if got := len(question) - len(conn.unread); got != used {
			t.Errorf("%d bytes of the question were read, want %d", got, used)
		}
	})
}

func BenchmarkExchange(b *testing.B) {
	theirs := newExchange()
	for b.Loop() {
		newExchange().secret(theirs.public[:])
	}
}

func BenchmarkRC4(b *testing.B) {
	_, out := ciphers([]byte("secret"), ourKey)
	c := newConn(discard{}, RC4, nil, nil, out)
	data := make([]byte, 256<<10)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		c.Write(data)
	}
}

type discard struct{ net.Conn }

func (discard) Write(b []byte) (int, error) { return len(b), nil }
