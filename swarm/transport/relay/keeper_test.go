package relay

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/stun/v4"
)

// A script is a leg to a server that exists in the test alone. It answers at once.
type script struct {
	a     *Allocation
	start time.Time
	key   stun.MessageIntegrity

	arriving sync.Mutex

	mu     sync.Mutex
	silent bool          // answers nothing
	code   int           // answers requests with this error, if not 0
	only   stun.Method   // those of this method alone, if not 0
	nonce  string        // requests with another one are answered with 438
	life   time.Duration // that the server grants
	stream bool
	log    []call
}

// A call is a message that the client has sent.
type call struct {
	at     time.Duration
	method stun.Method // 0 for ChannelData
	hosts  int
}

func (s *script) send(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if isChannel(b) {
		s.log = append(s.log, call{at: time.Since(s.start)})
		return nil
	}
	m := &stun.Message{Raw: slices.Clip(slices.Clone(b))}
	if err := m.Decode(); err != nil {
		return err
	}
	hosts := 0
	for _, attr := range m.Attributes {
		if attr.Type == stun.AttrXORPeerAddress {
			hosts++
		}
	}
	s.log = append(s.log, call{time.Since(s.start), m.Type.Method, hosts})
	if m.Type.Class == stun.ClassRequest && !s.silent {
		answer := s.answer(m).Raw
		go func() {
			s.arriving.Lock() // one at a time
			defer s.arriving.Unlock()
			s.a.arrived(answer)
		}()
	}
	return nil
}

// answer answers a request as a TURN server does.
func (s *script) answer(m *stun.Message) *stun.Message {
	var nonce stun.Nonce
	_ = nonce.GetFrom(m)
	success := stun.NewType(m.Type.Method, stun.ClassSuccessResponse)
	failure := stun.NewType(m.Type.Method, stun.ClassErrorResponse)
	id := stun.NewTransactionIDSetter(m.TransactionID)
	refuse := func(code int, more ...stun.Setter) *stun.Message {
		return stun.MustBuild(append([]stun.Setter{id, failure,
			stun.ErrorCodeAttribute{Code: stun.ErrorCode(code)}}, more...)...)
	}
	switch {
	case !m.Contains(stun.AttrMessageIntegrity):
		return refuse(401, stun.NewRealm("r"), stun.NewNonce(s.nonce))
	case nonce.String() != s.nonce:
		return refuse(438, stun.NewRealm("r"), stun.NewNonce(s.nonce))
	case s.key.Check(m) != nil:
		return refuse(401, stun.NewRealm("r"), stun.NewNonce(s.nonce))
	case s.code != 0 && (s.only == 0 || s.only == m.Type.Method):
		return refuse(s.code, s.key)
	}
	return stun.MustBuild(id, success, lifetimeOf(s.life), relayedAt, s.key)
}

type rawAddress netip.AddrPort

func (a rawAddress) AddTo(m *stun.Message) error {
	return xorAddress(netip.AddrPort(a)).AddToAs(m, stun.AttrXORRelayedAddress)
}

var relayedAt = rawAddress(netip.MustParseAddrPort("11.0.0.99:40000"))

func (s *script) reliable() bool { return s.stream }
func (s *script) close()         {}

// pass lets time pass, as fast as it does in a bubble.
func (s *script) pass(d time.Duration) { time.Sleep(d) }

// set changes the script.
func (s *script) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// calls returns when messages of a method were sent, and begins a new log.
func (s *script) calls(method stun.Method) (at []time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.log {
		if c.method == method {
			at = append(at, c.at)
		}
	}
	s.log = nil
	return at
}

// scripted returns an allocation on a script. It must be called in a bubble.
func scripted(t *testing.T, change func(*script)) (*Allocation, *script) {
	t.Helper()
	cfg := &Config{Log: slog.New(slog.DiscardHandler),
		Server: URI{User: "u", Password: "p"}}
	a := newAllocation(cfg, netip.MustParseAddrPort("11.0.0.99:3478"))
	s := &script{a: a, start: time.Now(), nonce: "n1", life: 10 * time.Minute,
		key: stun.NewLongTermIntegrity("u", "r", "p")}
	if change != nil {
		change(s)
	}
	a.leg = s
	if _, err := a.begin(t.Context(), cfg, answerWait); err != nil {
		t.Fatal(err)
	}
	return a, s
}

// in runs a test in a bubble.
func in(t *testing.T, change func(*script),
	f func(t *testing.T, a *Allocation, s *script),
) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a, s := scripted(t, change)
		f(t, a, s)
		a.Close()
	})
}

func TestRefreshAtHalfLife(t *testing.T) {
	short := func(s *script) { s.life = 30 * time.Second }
	in(t, short, func(t *testing.T, a *Allocation, s *script) {
		s.calls(0)
		s.pass(55 * time.Second)
		at := s.calls(stun.MethodRefresh)
		if len(at) != 3 || at[0] < 15*time.Second || at[0] > 15*time.Second+2*keeperTick {
			t.Errorf("refreshed at %v", at)
		}
	})
}

// An idle allocation keeps the mapping of its NAT.
func TestIdle(t *testing.T) {
	in(t, nil, func(t *testing.T, a *Allocation, s *script) {
		s.calls(0)
		s.pass(5 * time.Minute)
		if at := s.calls(stun.MethodRefresh); len(at) < 14 || len(at) > 15 {
			t.Errorf("refreshed %d times: %v", len(at), at)
		}
	})
}

// While we send, a dead server is found out within 3.5 seconds; otherwise at the next probe.
func TestSilence(t *testing.T) {
	for _, c := range []struct {
		name    string
		sending bool
		most    time.Duration
	}{
		{"while we send", true, silence + keeperTick + probeWait},
		{"idle", false, idleProbe + keeperTick + answerWait},
	} {
		in(t, nil, func(t *testing.T, a *Allocation, s *script) {
			peer := netip.AddrPortFrom(hostN(1), 6881)
			if err := a.Permit(t.Context(), []netip.Addr{peer.Addr()}); err != nil {
				t.Fatal(err)
			}
			s.pass(10 * time.Second)
			s.set(func() { s.silent = true })
			start := time.Now()
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for going := true; going; {
				select {
				case <-a.Done():
					going = false
				case <-tick.C:
					if c.sending {
						_, _ = a.WriteToUDPAddrPort(utpPayload, peer)
					}
				}
			}
			if took := time.Since(start); took > c.most {
				t.Errorf("%s: found out after %v, want at most %v", c.name, took, c.most)
			}
			if err := a.Err(); !errors.Is(err, ErrGone) || !errors.Is(err, ErrNoAnswer) {
				t.Errorf("%s: %v", c.name, err)
			}
			if _, err := a.WriteToUDPAddrPort(utpPayload, peer); !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: writing: %v", c.name, err)
			}
		})
	}
}

// A report that nobody listens at the server's port, true or forged, leads to a question.
func TestSuspect(t *testing.T) {
	in(t, nil, func(t *testing.T, a *Allocation, s *script) {
		for range 10 {
			a.suspect()
			s.pass(100 * time.Millisecond)
		}
		if a.Err() != nil {
			t.Errorf("the allocation ended: %v", a.Err())
		}
		if n := len(s.calls(stun.MethodRefresh)); n != 10 {
			t.Errorf("asked %d times", n)
		}
		s.set(func() { s.silent = true })
		a.suspect()
		s.pass(refusedWait + time.Millisecond)
		if !errors.Is(a.Err(), ErrGone) {
			t.Errorf("after %v: %v", refusedWait, a.Err())
		}
	})
}

// A server that no longer knows the allocation says so, and that is the end.
func TestForgotten(t *testing.T) {
	for _, code := range []int{437, 401} {
		in(t, nil, func(t *testing.T, a *Allocation, s *script) {
			s.set(func() { s.code = code })
			s.pass(idleProbe + keeperTick + time.Millisecond)
			var refusal *ServerError
			if err := a.Err(); !errors.Is(err, ErrGone) || !errors.As(err, &refusal) ||
				refusal.Code != code {
				t.Errorf("%d: %v", code, err)
			}
		})
	}
}

// A server may refuse a channel as if it did not know us. That is not the end.
func TestChannelUnauthorized(t *testing.T) {
	in(t, nil, func(t *testing.T, a *Allocation, s *script) {
		peer := netip.AddrPortFrom(hostN(1), 6881)
		if err := a.Permit(t.Context(), []netip.Addr{peer.Addr()}); err != nil {
			t.Fatal(err)
		}
		s.set(func() { s.code, s.only = 401, stun.MethodChannelBind })
		for range 10 {
			_, _ = a.WriteToUDPAddrPort(utpPayload, peer)
			s.pass(keeperTick)
		}
		if at := s.calls(stun.MethodChannelBind); a.Err() != nil || len(at) != 1 {
			t.Errorf("asked for a channel at %v; the allocation: %v", at, a.Err())
		}
	})
}

// Many who ask for permits at a time wait for their turns, since a server gives few a second.
func TestPermitsArePaced(t *testing.T) {
	in(t, nil, func(t *testing.T, a *Allocation, s *script) {
		s.calls(0)
		start := time.Since(s.start)
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				if err := a.Permit(t.Context(), []netip.Addr{hostN(i)}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		at := s.calls(stun.MethodCreatePermission)
		for i, when := range at {
			if most := permitsAtOnce + int(permitsAtOnce*(when-start).Seconds()+0.01); i+1 > most {
				t.Errorf("%d permits after %v", i+1, when-start)
			}
		}
		if took := at[len(at)-1] - start; len(at) != 40 || took > 4*time.Second {
			t.Errorf("%d permits, the last one after %v", len(at), took)
		}
	})
}

// When too many requests wait, the keeper asks later.
func TestBusy(t *testing.T) {
	in(t, nil, func(t *testing.T, a *Allocation, s *script) {
		a.trans.mu.Lock()
		for i := range transactionsMax {
			a.trans.waiting[[stun.TransactionIDSize]byte{byte(i)}] = new(transaction)
		}
		a.trans.mu.Unlock()
		s.pass(2 * idleProbe)
		if err := a.Permit(t.Context(), []netip.Addr{hostN(1)}); !errors.Is(err, ErrBusy) {
			t.Errorf("a permit: %v", err)
		}
		if a.Err() != nil {
			t.Errorf("the allocation: %v", a.Err())
		}
		a.trans.mu.Lock()
		clear(a.trans.waiting)
		a.trans.mu.Unlock()
		s.calls(0)
		s.pass(2 * keeperTick)
		if at := s.calls(stun.MethodRefresh); len(at) != 1 {
			t.Errorf("refreshed at %v", at)
		}
	})
}

// Another nonce is taken over without a pause.
func TestStaleNonce(t *testing.T) {
	in(t, nil, func(t *testing.T, a *Allocation, s *script) {
		s.set(func() { s.nonce = "n2" })
		if err := a.Permit(t.Context(), []netip.Addr{hostN(1)}); err != nil {
			t.Error(err)
		}
		if at := s.calls(stun.MethodCreatePermission); len(at) != 2 || at[1] != at[0] {
			t.Errorf("asked at %v", at)
		}
	})
}

func TestPermitsAreRenewed(t *testing.T) {
	in(t, nil, func(t *testing.T, a *Allocation, s *script) {
		const some = 40 // fewer than are too many to renew all
		var hosts []netip.Addr
		for i := range PermitsMax + 1 {
			hosts = append(hosts, hostN(i))
		}
		if err := a.Permit(t.Context(), hosts); !errors.Is(err, ErrPermits) {
			t.Errorf("one too many: %v", err)
		}
		one := hosts[some:][:1]
		if err := a.Permit(t.Context(), hosts[:some]); err != nil {
			t.Fatal(err)
		}
		if at := s.calls(stun.MethodCreatePermission); len(at) != some/permitsAtOnce {
			t.Errorf("asked at %v", at)
		}
		// Each is renewed before five minutes are over, and after ten minutes without use none.
		s.pass(permitLife - 10*time.Second)
		if at := s.calls(stun.MethodCreatePermission); len(at) != some/permitsAtOnce {
			t.Errorf("renewed at %v", at)
		}
		s.pass(permitIdle)
		s.calls(0)
		s.pass(permitIdle)
		if at := s.calls(stun.MethodCreatePermission); len(at) != 0 {
			t.Errorf("renewed at %v without use", at)
		}
		if err := a.Permit(t.Context(), one); err != nil {
			t.Errorf("after they have expired: %v", err)
		}
	})
}

// The third datagram to an address leads to a channel, which is renewed.
func TestChannelIsBound(t *testing.T) {
	in(t, nil, func(t *testing.T, a *Allocation, s *script) {
		peer := netip.AddrPortFrom(hostN(1), 6881)
		if err := a.Permit(t.Context(), []netip.Addr{peer.Addr()}); err != nil {
			t.Fatal(err)
		}
		s.calls(0)
		for range routeWorth {
			_, _ = a.WriteToUDPAddrPort(utpPayload, peer)
		}
		synctest.Wait()
		s.mu.Lock()
		methods := make(map[stun.Method]int)
		for _, c := range s.log {
			methods[c.method]++
		}
		s.log = nil
		s.mu.Unlock()
		if methods[stun.MethodSend] != routeWorth || methods[stun.MethodChannelBind] != 1 {
			t.Fatalf("sent %v", methods)
		}
		_, _ = a.WriteToUDPAddrPort(utpPayload, peer)
		if at := s.calls(0); len(at) != 1 {
			t.Errorf("%d messages on the channel", len(at))
		}
		a.arrived(appendChannel(nil, channelFirst, utpPayload, false))
		b := make([]byte, 100)
		n, from, err := a.ReadFromUDPAddrPort(b)
		if n != len(utpPayload) || from != peer || err != nil {
			t.Errorf("read %d bytes of %v, %v", n, from, err)
		}
		s.pass(channelRenewal - time.Second)
		_, _ = a.WriteToUDPAddrPort(utpPayload, peer)
		s.pass(2 * time.Second)
		if at := s.calls(stun.MethodChannelBind); len(at) != 1 {
			t.Errorf("renewed at %v", at)
		}
	})
}

// Only its own server can end an allocation or give it data.
func TestForgedAnswers(t *testing.T) {
	in(t, nil, func(t *testing.T, a *Allocation, s *script) {
		s.set(func() { s.silent = true })
		done := make(chan error, 1)
		go func() { done <- a.Permit(t.Context(), []netip.Addr{hostN(1)}) }()
		synctest.Wait()
		a.trans.mu.Lock()
		var id [stun.TransactionIDSize]byte
		for id = range a.trans.waiting {
		}
		a.trans.mu.Unlock()
		with := stun.NewTransactionIDSetter(id)
		success := stun.NewType(stun.MethodCreatePermission, stun.ClassSuccessResponse)
		failure := stun.NewType(stun.MethodCreatePermission, stun.ClassErrorResponse)
		for _, m := range []*stun.Message{
			stun.MustBuild(with, success),
			stun.MustBuild(with, success, stun.NewLongTermIntegrity("u", "r", "another")),
			stun.MustBuild(with, failure, stun.ErrorCodeAttribute{Code: 437}),
			stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodRefresh,
				stun.ClassErrorResponse), stun.ErrorCodeAttribute{Code: 437}, s.key),
		} {
			a.arrived(m.Raw)
		}
		synctest.Wait()
		select {
		case err := <-done:
			t.Errorf("a forged answer counts: %v", err)
		default:
		}
		if err := <-done; !errors.Is(err, ErrNoAnswer) {
			t.Errorf("without an answer: %v", err)
		}
	})
}

// A request that waits ends with its context, and with the allocation.
func TestPermitEnds(t *testing.T) {
	in(t, nil, func(t *testing.T, a *Allocation, s *script) {
		s.set(func() { s.silent = true })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		one := []netip.Addr{hostN(1)}
		if err := a.Permit(ctx, one); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with its context: %v", err)
		}
		time.AfterFunc(time.Second, func() { a.Close() })
		if err := a.Permit(t.Context(), one); !errors.Is(err, net.ErrClosed) {
			t.Errorf("with the allocation: %v", err)
		}
	})
}

func TestAllocateRefused(t *testing.T) {
	wants := map[int]error{486: ErrQuota, 508: ErrFull, 401: ErrCredentials,
		442: errors.ErrUnsupported} // which no code means
	for code, want := range wants {
		synctest.Test(t, func(t *testing.T) {
			cfg := &Config{Log: slog.New(slog.DiscardHandler),
				Server: URI{User: "u", Password: "p"}}
			a := newAllocation(cfg, netip.MustParseAddrPort("11.0.0.99:3478"))
			a.leg = &script{a: a, start: time.Now(), nonce: "n", code: code,
				key: stun.NewLongTermIntegrity("u", "r", "p")}
			_, err := a.begin(t.Context(), cfg, answerWait)
			var refusal *ServerError
			known := want != errors.ErrUnsupported
			if !errors.As(err, &refusal) || refusal.Code != code || errors.Is(err, want) != known {
				t.Errorf("%d: %v", code, err)
			}
		})
	}
}

// A request over UDP is sent four times within three seconds, over TCP once.
func TestRepeats(t *testing.T) {
	for _, stream := range []bool{false, true} {
		in(t, func(s *script) { s.stream = stream }, func(t *testing.T, a *Allocation, s *script) {
			s.set(func() { s.silent = true })
			s.calls(0)
			start := time.Now()
			err := a.Permit(t.Context(), []netip.Addr{hostN(1)})
			took, at := time.Since(start), s.calls(stun.MethodCreatePermission)
			want := 4
			if stream {
				want = 1
			}
			if !errors.Is(err, ErrNoAnswer) || took != answerWait || len(at) != want {
				t.Errorf("stream %v: %v after %v, sent at %v", stream, err, took, at)
			}
		})
	}
}

func TestLifetimes(t *testing.T) {
	for seconds, want := range map[uint32]time.Duration{
		600: 10 * time.Minute, 0: lifetimeMin, 1: lifetimeMin, 1 << 31: lifetimeMax,
	} {
		m := stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodRefresh,
			stun.ClassSuccessResponse), stun.RawAttribute{Type: stun.AttrLifetime,
			Value: binary.BigEndian.AppendUint32(nil, seconds)})
		if got := lifetimeIn(m); got != want {
			t.Errorf("%d s: %v, want %v", seconds, got, want)
		}
	}
}
