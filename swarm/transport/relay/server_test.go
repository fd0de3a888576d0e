package relay

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"

	"swarmnode/swarm/egress"
)

// A server does not relay where it could do harm, whatever a client asks for.
func TestServerRefusesTargets(t *testing.T) {
	s := serve(t, func(c *ServerConfig) { c.anywhere = false })
	a := allocate(t, s, "127.0.1.1", UDP)
	for _, text := range []string{"10.0.0.1", "127.0.0.1", "127.0.2.1", "169.254.169.254",
		"192.168.1.1", "224.0.0.1", "255.255.255.255", "0.0.0.0"} {
		err := a.Permit(t.Context(), []netip.Addr{netip.MustParseAddr(text)})
		if !errors.Is(err, ErrForbidden) {
			t.Errorf("%s: %v", text, err)
		}
	}
	// Those that may be relayed to get their permits beside one that may not.
	err := a.Permit(t.Context(), []netip.Addr{hostN(1), netip.MustParseAddr("10.0.0.1"), hostN(2)})
	if !errors.Is(err, ErrForbidden) || !a.peers.permitted(a.now(), hostN(1)) ||
		!a.peers.permitted(a.now(), hostN(2)) || len(a.peers.permits) != 2 {
		t.Errorf("three hosts: %v, permits %v", err, a.peers.permits)
	}
	if n := s.Stats().Forbidden; n < 9 {
		t.Errorf("%d permits were forbidden", n)
	}
}

// Only uTP and KRPC pass, and only to ports of users, in both directions.
func TestServerRefusesPayload(t *testing.T) {
	s := serve(t, nil)
	a := allocate(t, s, "127.0.1.1", UDP)
	letIn(t, a, "127.0.2.1")
	peer := socket(t, "127.0.2.1")
	at := addrPortOf(peer.LocalAddr())
	dns := []byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\xff\x00\x01")
	for range 6 { // with and without a channel
		_, _ = a.WriteToUDPAddrPort(dns, at)
		_, _ = a.WriteToUDPAddrPort(utpPayload, netip.MustParseAddrPort("127.0.2.1:53"))
		send(t, a, "good", at)
		if got, _ := receive(t, peer); got != "good" {
			t.Fatalf("the peer got %q", got)
		}
		_, _ = peer.WriteToUDPAddrPort(dns, a.AddrPort())
		send(t, peer, "good", a.AddrPort())
		if got, _ := receive(t, a); got != "good" {
			t.Fatalf("got %q", got)
		}
	}
	if got := s.Stats(); got.Unfit != 12 || got.Unpermitted != 6 || got.Relayed != 12 {
		t.Errorf("%+v", got)
	}
}

// What exceeds the rate for a moment waits and keeps its order, in both directions; what exceeds
// it for longer is lost.
func TestServerQueues(t *testing.T) {
	const size = 1000
	s := serve(t, func(c *ServerConfig) {
		c.Limits = Limits{TenantRate: 100_000, TenantBurst: 2 * size}
	})
	a := allocate(t, s, "127.0.1.1", UDP)
	letIn(t, a, "127.0.2.1")
	peer := socket(t, "127.0.2.1")
	at := addrPortOf(peer.LocalAddr())
	fill := strings.Repeat(" ", size-30)
	for i := range 15 {
		send(t, a, fmt.Sprintf("%10d", i)+fill, at)
	}
	for i := range 15 {
		if got, _ := receive(t, peer); got != fmt.Sprintf("%10d", i)+fill {
			t.Fatalf("datagram %d is %.10s", i, got)
		}
	}
	for i := range 15 {
		send(t, peer, fmt.Sprintf("%10d", i)+fill, a.AddrPort())
	}
	for i := range 15 {
		if got, _ := receive(t, a); got != fmt.Sprintf("%10d", i)+fill {
			t.Fatalf("datagram %d is %.10s", i, got)
		}
	}
	if n := s.Stats().OverLimit; n != 0 {
		t.Errorf("%d datagrams were lost", n)
	}
	for range 2 * queueMin / size {
		send(t, a, fill, at)
	}
	eventually(t, "datagrams are lost", func() bool {
		return s.Stats().OverLimit >= queueMin/size/2
	})
}

// One source has one allocation, a network three, and the server what its limits say.
func TestServerQuotas(t *testing.T) {
	s := serve(t, func(c *ServerConfig) { c.Limits.Tenants = 5 })
	try := func(ip string, want error) {
		t.Helper()
		a, err := Dial(t.Context(), configFor(s, netip.MustParseAddr(ip), UDP))
		if err == nil {
			t.Cleanup(func() { a.Close() })
		}
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", ip, err, want)
		}
	}
	for _, c := range []struct {
		ip   string
		want error
	}{
		{"127.0.1.1", nil}, {"127.0.1.1", ErrQuota}, {"127.0.1.2", nil}, {"127.0.1.3", nil},
		{"127.0.1.4", ErrQuota}, {"127.0.2.1", nil}, {"127.0.3.1", nil}, {"127.0.4.1", ErrQuota},
	} {
		try(c.ip, c.want)
	}
	if got := s.Stats(); got.Tenants != 5 || got.Refused < 3 { // a repeat counts
		t.Errorf("%+v", got)
	}
}

// flood sends messages to a server, and returns how many bytes were sent, how many came back,
// and what the answers were. After the last message it waits for an answer to a request that
// is long enough.
func flood(t *testing.T, s *Server, messages ...[]byte) (sent, got int, answers []*stun.Message) {
	t.Helper()
	pc := socket(t, "127.0.9.1")
	to := s.Addrs()[0]
	last := stun.MustBuild(stun.TransactionID, stun.BindingRequest,
		stun.RawAttribute{Type: stun.AttrSoftware, Value: make([]byte, padTo)})
	for _, b := range messages {
		if _, err := pc.WriteToUDPAddrPort(b, to); err != nil {
			t.Fatal(err)
		}
		sent += len(b)
	}
	buf := make([]byte, 2048)
	for range 100 { // the system may have lost the last message after so many
		if _, err := pc.WriteToUDPAddrPort(last.Raw, to); err != nil {
			t.Fatal(err)
		}
		_ = pc.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		for {
			n, err := pc.Read(buf)
			if err != nil {
				break
			}
			m := &stun.Message{Raw: append([]byte(nil), buf[:n]...)}
			if err := m.Decode(); err != nil {
				t.Fatal(err)
			}
			if m.TransactionID == last.TransactionID {
				return sent, got, answers
			}
			got += n
			answers = append(answers, m)
		}
	}
	t.Fatal("the server answers no more")
	return 0, 0, nil
}

// A server answers strangers with no more bytes than they have sent, since it cannot know that
// they have.
func TestNoAmplification(t *testing.T) {
	binding := stun.MustBuild(stun.TransactionID, stun.BindingRequest)
	request := func(m stun.Method) stun.Setter { return stun.NewType(m, stun.ClassRequest) }
	bare := stun.MustBuild(stun.TransactionID, request(stun.MethodAllocate),
		stun.RawAttribute{Type: stun.AttrRequestedTransport, Value: []byte{17, 0, 0, 0}})
	forged := stun.MustBuild(stun.TransactionID, request(stun.MethodRefresh),
		stun.NewUsername("1"), stun.NewRealm(Realm), stun.NewNonce("n"),
		stun.NewShortTermIntegrity("x"))
	odd := stun.MustBuild(stun.TransactionID, stun.BindingRequest,
		stun.RawAttribute{Type: 0x7ff0}, stun.RawAttribute{Type: 0x7ff1})
	for _, c := range []struct {
		name string
		m    *stun.Message
		most int // of repeats until there is an answer; 0 if there must be none
	}{
		{"a binding request", binding, 2},
		{"a request for an allocation", bare, 3},
		{"a forged refresh", forged, 1},
		{"unknown attributes", odd, 2},
		{"an indication", stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodSend,
			stun.ClassIndication)), 0},
		{"an answer", stun.MustBuild(stun.TransactionID, stun.BindingSuccess), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, nil)
			for n := 1; n <= 5; n++ { // more is more than a source may ask
				var repeats [][]byte
				for range n {
					repeats = append(repeats, c.m.Raw)
				}
				sent, got, answers := flood(t, s, repeats...)
				if got > sent {
					t.Errorf("%d repeats: %d bytes were answered with %d", n, sent, got)
				}
				if answered := len(answers) > 0; answered != (c.most != 0 && n >= c.most) {
					t.Errorf("%d repeats of %d bytes have %d answers", n, len(c.m.Raw),
						len(answers))
				}
			}
		})
	}
}

// Forged senders fill no memory, and do not keep a request that is long enough from its answer.
func TestCreditsAreBounded(t *testing.T) {
	g := newGate(&Server{}, nil)
	ask := func(i, size int, now time.Duration) bool {
		g.current, g.size = netip.AddrPortFrom(hostN(i), 50000), size
		return g.afford(now, g.current, 68)
	}
	for i := range 5 * creditsMax {
		if ask(i, 36, 0) {
			t.Fatal("a short request is answered")
		}
	}
	if len(g.credits) > creditsMax {
		t.Errorf("%d addresses are remembered", len(g.credits))
	}
	if !ask(9999, padTo, 0) {
		t.Error("a long request is not answered")
	}
	for range 3 {
		if ask(9998, 36, 0) {
			t.Error("a credit beyond the bound")
		}
	}
	if ask(9998, 36, creditLife) || !ask(9998, 36, creditLife) {
		t.Error("no credit after the flood")
	}
	if ask(9997, 36, 2*creditLife) || ask(9997, 31, 3*creditLife) {
		t.Error("an old credit counts")
	}
	if g.afford(3*creditLife, netip.AddrPortFrom(hostN(1), 1), 1) {
		t.Error("an answer to somebody else")
	}
}

// A client whose allocation the server has ended finds that out when it sends.
func TestEndedByServer(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	a := allocate(t, s, "127.0.1.1", UDP)
	letIn(t, a, "127.0.2.1")
	for _, n := range s.tenants.overdue(s.now() + time.Hour) {
		n.close()
	}
	eventually(t, "the server forgets it", func() bool { return s.turn.AllocationCount() == 0 })
	start := time.Now()
	to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.2.1:6881"))
	// An answer may still be on its way, so that one datagram is not enough.
	eventually(t, "the allocation ends", func() bool {
		a.WriteTo(packet(""), to)
		return a.Err() != nil
	})
	if err := ended(t, a); !errors.Is(err, ErrGone) || !errors.Is(err, ErrCredentials) {
		t.Errorf("the end: %v", err)
	}
	t.Logf("found out after %v", time.Since(start))
	allocate(t, s, "127.0.1.1", UDP)
}

// What is not TURN has no answer, and harms nobody.
func TestGarbage(t *testing.T) {
	s := serve(t, nil)
	a := allocate(t, s, "127.0.1.1", UDP)
	var garbage [][]byte
	for i := range 256 {
		garbage = append(garbage, []byte{byte(i)}, append([]byte{byte(i)}, make([]byte, i)...))
	}
	garbage = append(garbage, []byte{}, packet("x"),
		appendChannel(nil, channelFirst, packet("x"), false),
		[]byte("d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"), make([]byte, 3000))
	if _, got, answers := flood(t, s, garbage...); got != 0 {
		t.Errorf("%d bytes of answers: %v", got, answers)
	}
	letIn(t, a, "127.0.2.1")
}

// A source that floods the server with requests is ignored after a few; others are served.
func TestFloodOfRequests(t *testing.T) {
	s := serve(t, nil)
	pc := socket(t, "127.0.9.1")
	m := stun.MustBuild(stun.TransactionID, stun.BindingRequest,
		stun.RawAttribute{Type: stun.AttrSoftware, Value: make([]byte, padTo)})
	eventually(t, "a flood is ignored", func() bool {
		for range 50 {
			if _, err := pc.WriteToUDPAddrPort(m.Raw, s.Addrs()[0]); err != nil {
				t.Fatal(err)
			}
		}
		return s.Stats().Ignored >= 300
	})
	allocate(t, s, "127.0.1.1", UDP)
}

// A flood of permits gets ten a second, and does not disturb those that there are.
func TestFloodOfPermits(t *testing.T) {
	s := serve(t, nil)
	a := allocate(t, s, "127.0.1.1", UDP)
	granted := 0
	start := time.Now()
	for i := range 100 {
		if a.permit(t.Context(), []netip.Addr{hostN(i)}) == nil {
			granted++
		}
	}
	most := grantsBurst + int(grantsRate*time.Since(start).Seconds()) + 1
	if granted < grantsBurst || granted > min(most, PermitsMax) {
		t.Errorf("%d permits, want at most %d", granted, most)
	}
	if err := a.permit(t.Context(), []netip.Addr{hostN(1)}); err != nil {
		t.Errorf("renewal: %v", err)
	}
}

// Connections that do nothing, send garbage or are too many cost little, and end.
func TestStreams(t *testing.T) {
	s := serve(t, nil)
	var n *egress.Net
	dial := func(from string) net.Conn {
		t.Helper()
		conn, err := n.DialTCP(t.Context(), netip.MustParseAddr(from), s.Addrs()[0])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(patience))
		return conn
	}
	ended := func(what string, conn net.Conn) {
		t.Helper()
		got, err := io.ReadAll(conn)
		if len(got) != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: read %d bytes, %v", what, len(got), err)
		}
	}
	garbage := dial("127.0.5.1")
	_, _ = io.WriteString(garbage, "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")
	ended("garbage", garbage)
	long := dial("127.0.5.1")
	_, _ = long.Write([]byte("\x40\x00\xff\xff" + strings.Repeat("x", 70000)))
	ended("a long message", long)
	useless := dial("127.0.5.1")
	m := stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodSend, stun.ClassIndication),
		stun.RawAttribute{Type: stun.AttrData, Value: make([]byte, 1000)})
	for range 2 * enterBytes / 1000 {
		_, _ = useless.Write(m.Raw)
	}
	ended("much without an allocation", useless)
	var held []net.Conn
	for range sourceStreams {
		held = append(held, dial("127.0.6.1"))
	}
	eventually(t, "the connections are there", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.streams) == sourceStreams
	})
	ended("one too many of a source", dial("127.0.6.1"))
	for _, conn := range held {
		conn.Close()
	}
	eventually(t, "the connections have ended", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.streams) == 0
	})
	allocate(t, s, "127.0.6.1", TCP)
}

// A client that reads nothing holds the server up for two seconds, and loses its connection.
func TestStreamThatReadsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		c, start := &stream{Conn: ours}, time.Now()
		if _, err := c.Write(make([]byte, 100)); err == nil || time.Since(start) != takeWait {
			t.Errorf("written after %v, %v", time.Since(start), err)
		}
		if _, err := theirs.Read(make([]byte, 100)); err != io.EOF {
			t.Errorf("the client reads %v", err)
		}
	})
}

// A connection that gets no allocation ends after ten seconds, whatever it sends, and one that
// has it when its client is silent for two minutes.
func TestStreamsThatWait(t *testing.T) {
	for admitted, want := range map[bool]time.Duration{false: enterWait, true: 20*time.Second +
		streamSilence} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe()
			s := &Server{start: time.Now(), tenants: newTable(nil)}
			c := &stream{Conn: ours, server: s, entered: time.Now(),
				client: client{stream: true, at: netip.AddrPortFrom(hostN(1), 50000)}}
			if admitted {
				n := &tenant{client: c.client, close: func() {}}
				if _, err := s.tenants.admit(0, n); err != nil {
					t.Fatal(err)
				}
			}
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				for range 20 {
					time.Sleep(time.Second)
					_, _ = theirs.Write([]byte{0})
				}
			}()
			start := time.Now()
			for buf := make([]byte, 10); ; {
				if _, err := c.Read(buf); err != nil {
					break
				}
			}
			if took := time.Since(start); took != want {
				t.Errorf("admitted %v: ended after %v, want %v", admitted, took, want)
			}
			ours.Close()
			<-sent
		})
	}
}

// A client of another maker gets an allocation and exchanges datagrams, also with accounts.
func TestPionClient(t *testing.T) {
	s := serve(t, func(c *ServerConfig) { c.Users = map[string]string{"me": "secret"} })
	pc := socket(t, "127.0.1.1")
	c, err := turn.NewClient(&turn.ClientConfig{
		TURNServerAddr: s.Addrs()[0].String(), STUNServerAddr: s.Addrs()[0].String(),
		Conn: pc, Username: "me", Password: "secret", Realm: Realm,
		LoggerFactory: &logging.DefaultLoggerFactory{Writer: io.Discard},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Listen(); err != nil {
		t.Fatal(err)
	}
	mapped, err := c.SendBindingRequest()
	if err != nil || mapped.String() != pc.LocalAddr().String() {
		t.Errorf("mapped to %v, %v", mapped, err)
	}
	relayed, err := c.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	defer relayed.Close()
	peer := socket(t, "127.0.2.1")
	for i := range 10 {
		send(t, relayed, fmt.Sprint(i), addrPortOf(peer.LocalAddr()))
		got, from := receive(t, peer)
		if got != fmt.Sprint(i) || from != addrPortOf(relayed.LocalAddr()) {
			t.Errorf("the peer got %q of %v", got, from)
		}
		send(t, peer, "back", addrPortOf(relayed.LocalAddr()))
		if got, _ := receive(t, relayed); got != "back" {
			t.Errorf("got %q", got)
		}
	}
	if _, err := c.AllocateTCP(); err == nil {
		t.Error("an allocation for TCP")
	}
}

func TestServeRefusesConfig(t *testing.T) {
	at := []netip.AddrPort{netip.AddrPortFrom(loopback, 0)}
	for name, c := range map[string]struct {
		cfg  ServerConfig
		want error
	}{
		"nowhere to listen": {ServerConfig{Lend: []Lent{{Public: loopback}}}, errNoListen},
		"nothing to lend":   {ServerConfig{Listen: at}, errNoLend},
		"two of a family": {ServerConfig{Listen: at, Lend: []Lent{{Public: loopback},
			{Public: loopback}}}, errNoLend},
		"two families in one": {ServerConfig{Listen: at, Lend: []Lent{{Public: loopback,
			Bind: netip.IPv6Loopback()}}}, errNoLend},
	} {
		if s, err := Serve(t.Context(), c.cfg); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
}

// A server keeps to the ports that it may lend, and says when there is none.
func TestPorts(t *testing.T) {
	first := addrPortOf(socket(t, "127.0.0.1").LocalAddr()).Port()
	s := serve(t, func(c *ServerConfig) { c.PortMin, c.PortMax = first, first })
	one := netip.MustParseAddr("127.0.1.1")
	if _, err := Dial(t.Context(), configFor(s, one, UDP)); !errors.Is(err, ErrFull) {
		t.Errorf("a port in use: %v", err)
	}
	s = serve(t, func(c *ServerConfig) { c.PortMin, c.PortMax = 20000, 60000 })
	if p := allocate(t, s, "127.0.1.1", UDP).AddrPort().Port(); p < 20000 || p > 60000 {
		t.Errorf("lent port %d", p)
	}
	// IPv6 is not lent.
	cfg := configFor(s, netip.MustParseAddr("127.0.2.1"), UDP)
	cfg.Family = egress.IPv6
	if _, err := Dial(t.Context(), cfg); !errors.Is(err, ErrFull) {
		t.Errorf("another family: %v", err)
	}
}

// Close ends everything, whatever there is, and may be called again.
func TestServerClose(t *testing.T) {
	s := serve(t, nil)
	a, b := allocate(t, s, "127.0.1.1", UDP), allocate(t, s, "127.0.2.1", TCP)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := ended(t, b); !errors.Is(err, ErrGone) {
		t.Errorf("over TCP: %v", err)
	}
	a.suspect()
	if err := ended(t, a); !errors.Is(err, ErrGone) {
		t.Errorf("over UDP: %v", err)
	}
	if n := s.Stats().Tenants; n != 0 {
		t.Errorf("%d allocations are left", n)
	}
}

// Whatever a client sends, with an allocation or without one, the server goes on.
func FuzzServer(f *testing.F) {
	s := serve(f, nil)
	a := allocate(f, s, "127.0.1.1", UDP)
	letIn(f, a, "127.0.2.1")
	stranger := socket(f, "127.0.9.1")
	m, _, _ := a.login.build(stun.MethodChannelBind, nil)
	f.Add(m.Raw)
	f.Add(appendChannel(nil, channelFirst, packet("x"), false))
	f.Add(stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw)
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = a.leg.send(b)
		_, _ = stranger.WriteToUDPAddrPort(b, s.Addrs()[0])
		if err := a.refresh(patience); err != nil {
			t.Fatal(err)
		}
	})
}

// A server for private networks relays within them, and still to no link, group or loopback.
func TestPrivateServer(t *testing.T) {
	s := serve(t, func(c *ServerConfig) {
		c.anywhere, c.Private = false, true
		c.Lend = []Lent{{Public: netip.MustParseAddr("10.0.0.1"), Bind: loopback}}
	})
	a := allocate(t, s, "127.0.1.1", UDP)
	for text, want := range map[string]error{
		"10.0.0.2": nil, "192.168.1.1": nil, "100.64.0.1": nil, "9.9.9.9": nil,
		"127.0.0.1": ErrForbidden, "169.254.169.254": ErrForbidden, "224.0.0.1": ErrForbidden,
		"255.255.255.255": ErrForbidden, "0.0.0.0": ErrForbidden, "0.1.2.3": ErrForbidden,
		"240.0.0.1": ErrForbidden,
	} {
		err := a.Permit(t.Context(), []netip.Addr{netip.MustParseAddr(text)})
		if !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
	for _, ip := range []string{"127.0.1.2", "127.0.1.3", "127.0.1.4"} { // one network
		allocate(t, s, ip, UDP)
	}
	again := configFor(s, netip.MustParseAddr("127.0.1.4"), UDP)
	if _, err := Dial(t.Context(), again); err == nil {
		t.Error("a source has two allocations")
	}
	here := serve(t, func(c *ServerConfig) { c.anywhere, c.Private = false, true })
	letIn(t, allocate(t, here, "127.0.1.1", UDP), "127.0.2.1")
	for text, want := range map[string]bool{"1.1.1.1": true, "2001:4860::1": true, "fd00::1": true,
		"::ffff:10.0.0.1": true, "fe80::1": false, "fe80::1%lo": false, "ff02::1": false,
		"::1": false, "::": false} {
		if got := within(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	if !Public(netip.MustParseAddr("9.9.9.9")) || Public(loopback) {
		t.Error("9.9.9.9 is not public, or loopback is")
	}
}
