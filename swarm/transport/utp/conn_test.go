package utp

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipe returns the two ends of a connection, which are closed at the end of the test.
func pipe(t testing.TB) (a, b *Conn) {
	t.Helper()
	a, b = connect(t, listen(t), listen(t))
	t.Cleanup(func() {
		a.Close()
		b.Close()
	})
	return a, b
}

// timedOut checks that an error is that of a deadline, as those of package net are.
func timedOut(t *testing.T, what string, err error) {
	t.Helper()
	var n net.Error
	if !errors.As(err, &n) || !n.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%s: %v, want a time-out", what, err)
	}
}

// Whoever speaks first is heard: the end that accepted has been told that the other is there.
func TestServerSpeaksFirst(t *testing.T) {
	a, b := pipe(t)
	a.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(b, "hello"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(a, got); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
}

// Both ends talk in turns.
func TestPingPong(t *testing.T) {
	a, b := pipe(t)
	go func() {
		io.Copy(b, b)
		b.CloseWrite()
	}()
	a.SetDeadline(time.Now().Add(patience))
	for i := range 500 {
		out := bytes.Repeat([]byte{byte(i)}, 1+i*7)
		if _, err := a.Write(out); err != nil {
			t.Fatal(err)
		}
		in := make([]byte, len(out))
		if _, err := io.ReadFull(a, in); err != nil || !bytes.Equal(in, out) {
			t.Fatalf("turn %d: %v", i, err)
		}
	}
	a.CloseWrite()
	if n, err := a.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("after both have finished: %d, %v", n, err)
	}
}

// Each direction ends by itself.
func TestHalfClose(t *testing.T) {
	a, b := pipe(t)
	a.SetDeadline(time.Now().Add(patience))
	b.SetDeadline(time.Now().Add(patience))
	io.WriteString(a, "last words")
	if err := a.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a write after CloseWrite: %v", err)
	}
	if err := a.CloseWrite(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a second CloseWrite: %v", err)
	}
	if got, err := io.ReadAll(b); string(got) != "last words" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for range 3 {
		if n, err := b.Read(make([]byte, 9)); n != 0 || err != io.EOF {
			t.Errorf("after the end: %d, %v", n, err)
		}
	}
	io.WriteString(b, "an answer")
	b.Close()
	if got, err := io.ReadAll(a); string(got) != "an answer" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// What was written before Close arrives whole, without anybody waiting for it.
func TestCloseLingers(t *testing.T) {
	a, b := pipe(t)
	content := make([]byte, 150_000)
	if _, err := a.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	b.SetReadDeadline(time.Now().Add(patience))
	if got, err := io.ReadAll(b); len(got) != len(content) || err != nil {
		t.Errorf("%d bytes, %v; want %d", len(got), err, len(content))
	}
}

// Everything fails after Close, at the end that is closed, and calls that wait end.
func TestAfterClose(t *testing.T) {
	a, _ := pipe(t)
	var waiting sync.WaitGroup
	for _, call := range []func() error{
		func() error { _, err := a.Read(make([]byte, 1)); return err },
		func() error {
			for {
				if _, err := a.Write(make([]byte, 1<<20)); err != nil {
					return err
				}
			}
		},
	} {
		waiting.Go(func() {
			if err := call(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("a call that waited: %v", err)
			}
		})
	}
	a.SetWriteDeadline(time.Now().Add(time.Minute))
	a.Close()
	waiting.Wait()
	for name, call := range map[string]func() error{
		"Read":         func() error { _, err := a.Read(make([]byte, 1)); return err },
		"Write":        func() error { _, err := a.Write([]byte("x")); return err },
		"WriteBuffers": func() error { _, err := a.WriteBuffers(&net.Buffers{{1}}); return err },
		"Close":        a.Close,
		"CloseWrite":   a.CloseWrite,
		"SetDeadline":  func() error { return a.SetDeadline(time.Time{}) },
	} {
		if err := call(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A read waits until its deadline, and what comes later is not lost.
func TestReadDeadline(t *testing.T) {
	a, b := pipe(t)
	buf := make([]byte, 100)
	a.SetReadDeadline(time.Now().Add(-time.Hour))
	_, err := a.Read(buf)
	timedOut(t, "a deadline that has passed", err)
	a.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
	_, err = a.Read(buf)
	timedOut(t, "a deadline to come", err)
	ended := make(chan error)
	a.SetReadDeadline(time.Time{})
	go func() {
		_, err := a.Read(buf)
		ended <- err
	}()
	a.SetReadDeadline(time.Unix(1, 0))
	timedOut(t, "a read that waits", <-ended)
	a.SetDeadline(time.Now().Add(patience))
	io.WriteString(b, "late")
	if n, err := a.Read(buf); string(buf[:n]) != "late" || err != nil {
		t.Errorf("%q, %v", buf[:n], err)
	}
}

// A write waits until its deadline while nobody reads, and says how much it has taken. All of
// that arrives.
func TestWriteDeadline(t *testing.T) {
	a, b := pipe(t)
	a.SetWriteDeadline(time.Now().Add(-time.Hour))
	_, err := a.Write([]byte("x"))
	timedOut(t, "a deadline that has passed", err)
	sent := 0
	for range 3 {
		a.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		n, err := a.Write(make([]byte, 32<<20))
		timedOut(t, "a write that nobody reads", err)
		sent += n
	}
	v := net.Buffers{make([]byte, 5), make([]byte, 32<<20)}
	a.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	n, err := a.WriteBuffers(&v)
	timedOut(t, "a vector that nobody reads", err)
	left := 0
	for _, p := range v {
		left += len(p)
	}
	if int(n)+left != 32<<20+5 {
		t.Errorf("%d bytes are said to be taken, and %d are left", n, left)
	}
	a.Close()
	b.SetReadDeadline(time.Now().Add(patience))
	if got, err := io.Copy(io.Discard, b); int(got) != sent+int(n) || err != nil {
		t.Errorf("%d bytes, %v; want %d", got, err, sent+int(n))
	}
}

// Vectors arrive in order, and are used up.
func TestWriteBuffers(t *testing.T) {
	a, b := pipe(t)
	var want []byte
	var v net.Buffers
	for i := range 200 {
		part := bytes.Repeat([]byte{byte(i)}, i*i%20_000)
		want = append(want, part...)
		v = append(v, part)
	}
	go func() {
		if n, err := a.WriteBuffers(&v); int(n) != len(want) || err != nil || len(v) != 0 {
			t.Errorf("%d of %d bytes, %v, %d parts left", n, len(want), err, len(v))
		}
		a.Close()
	}()
	b.SetReadDeadline(time.Now().Add(patience))
	if got, err := io.ReadAll(b); !bytes.Equal(got, want) || err != nil {
		t.Errorf("%d bytes, %v; want %d", len(got), err, len(want))
	}
}

// Many goroutines read and write one connection: every byte arrives once.
func TestConcurrentReadsAndWrites(t *testing.T) {
	a, b := pipe(t)
	const writers, each = 8, 200
	var sum, want [256]int
	var writing, readingAll sync.WaitGroup
	for w := range writers {
		for range each {
			want[w] += 1000 + w
		}
		writing.Go(func() {
			for range each {
				if _, err := a.Write(bytes.Repeat([]byte{byte(w)}, 1000+w)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var mu sync.Mutex
	for range writers {
		readingAll.Go(func() {
			buf := make([]byte, 3000)
			for {
				n, err := b.Read(buf)
				mu.Lock()
				for _, x := range buf[:n] {
					sum[x]++
				}
				mu.Unlock()
				if err != nil {
					if err != io.EOF {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	b.SetReadDeadline(time.Now().Add(patience))
	writing.Wait()
	a.Close()
	readingAll.Wait()
	if sum != want {
		t.Error("other bytes came than were written")
	}
}

// All methods at once, and Close in the midst: nothing but errors happens.
func TestConcurrentMethods(t *testing.T) {
	for range 20 {
		a, b := pipe(t)
		var all sync.WaitGroup
		for range 4 {
			for _, call := range []func(){
				func() { a.Read(make([]byte, 1000)) },
				func() { a.Write(make([]byte, 1000)) },
				func() { a.SetDeadline(time.Now().Add(time.Duration(rand.IntN(1e6)))) },
				func() { a.SetReadDeadline(time.Now().Add(time.Millisecond)) },
				func() { a.SetWriteDeadline(time.Now().Add(time.Millisecond)) },
				func() { a.LocalAddr(); a.RemoteAddr() },
				func() { b.Write(make([]byte, 5000)) },
			} {
				all.Go(func() {
					for range 10 {
						call()
					}
				})
			}
		}
		all.Go(func() { b.CloseWrite() })
		all.Go(func() { a.Close() })
		all.Wait()
	}
}

// An end that goes without a word is noticed by the answers that its socket gives.
func TestReset(t *testing.T) {
	from, to := listen(t), listen(t)
	a, b := connect(t, from, to)
	to.Close()
	a.SetDeadline(time.Now().Add(patience))
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, ErrReset) {
		t.Errorf("a read: %v", err)
	}
	if _, err := a.Write([]byte("x")); !errors.Is(err, ErrReset) {
		t.Errorf("a write: %v", err)
	}
	if _, err := b.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("at the end that was closed: %v", err)
	}
	if from.Len() != 0 || to.Len() != 0 {
		t.Errorf("%d and %d connections are left", from.Len(), to.Len())
	}
	var op *net.OpError
	if _, err := a.Read(nil); !errors.As(err, &op) || op.Net != "utp" ||
		op.Addr.String() != to.AddrPort().String() {
		t.Errorf("the error does not say where: %v", err)
	}
}

func TestAddresses(t *testing.T) {
	from, to := listen(t), listen(t)
	a, b := connect(t, from, to)
	for _, c := range []struct {
		name string
		got  net.Addr
		want *Socket
	}{
		{"local", a.LocalAddr(), from}, {"remote", a.RemoteAddr(), to},
		{"local, accepted", b.LocalAddr(), to}, {"remote, accepted", b.RemoteAddr(), from},
	} {
		if got := c.got.(*net.UDPAddr).AddrPort(); got != c.want.AddrPort() {
			t.Errorf("%s: %v, want %v", c.name, got, c.want.AddrPort())
		}
	}
}

// A read into several buffers waits without any of them, and fills them in order.
func TestReadBuffers(t *testing.T) {
	a, b := pipe(t)
	a.SetReadDeadline(time.Now().Add(patience))
	bufs := [][]byte{make([]byte, 2), make([]byte, 3), make([]byte, 100)}
	waits, rooms := make(chan bool, 10), 0
	go func() {
		<-waits
		io.WriteString(b, "abcdefgh")
	}()
	n, err := a.ReadBuffers(func() [][]byte { rooms++; return bufs }, func() { waits <- true })
	if n != 8 || err != nil || rooms != 1 ||
		string(bufs[0])+string(bufs[1])+string(bufs[2][:3]) != "abcdefgh" {
		t.Errorf("%d bytes, %v, %q", n, err, bufs)
	}
	b.Close()
	if n, err := a.ReadBuffers(func() [][]byte { return bufs }, func() {}); n != 0 ||
		err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
}

func TestStats(t *testing.T) {
	a, b := pipe(t)
	go a.Write(make([]byte, 1<<20))
	b.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(b, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	sent, received := a.Stats(), b.Stats()
	if sent.Sent == 0 || received.Received == 0 || sent.RTT <= 0 || sent.RTTMin > sent.RTT ||
		sent.Window <= 0 || sent.Datagram < mtuFloor || sent.Datagram > 65507 ||
		sent.PeerWindow <= 0 || received.Sent != 0 {
		t.Errorf("%+v and %+v", sent, received)
	}
	if acked, queue := b.Delivery(); acked != 0 || queue < 0 {
		t.Errorf("%d bytes of none have arrived, with a queue of %v", acked, queue)
	}
	if acked, _ := a.Delivery(); acked == 0 || acked > 1<<20 {
		t.Errorf("%d bytes of %d have arrived", acked, 1<<20)
	}
}

// The callbacks of ReadBuffers may use the connection: a reader that finds no memory may end
// it, or have another one end that does the same at the same time.
func TestReadBuffersCallbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet(t)
		a, b := connect(t, n.socket(hereAt, Config{}), n.socket(thereAt, Config{}))
		go a.Write([]byte("bytes"))
		buffer := make([]byte, 8)
		got, err := b.ReadBuffers(func() [][]byte {
			b.SetWriteDeadline(time.Unix(1, 0))
			return [][]byte{buffer}
		}, func() { b.Stats() })
		if err != nil || string(buffer[:got]) != "bytes" {
			t.Errorf("%q, %v", buffer[:got], err)
		}
		go a.Write([]byte("lost"))
		_, err = b.ReadBuffers(func() [][]byte {
			b.Close()
			return [][]byte{buffer}
		}, func() {})
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}
