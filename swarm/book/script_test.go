package book

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
)

// A script tells a Book what happens, as text. Endpoint 7 is far(7), its connection has
// the number 7. The steps, separated by "|":
//
//	hear 7 pex [seed] [vouched] [by 3]   a rumour, of endpoint 3 as the teller
//	dial                                 Next, until there is none
//	dial 2                               Next, as often
//	meet 7 / accept 7                    Connected: we dialled, or the peer did
//	join 7                               Joined
//	close 7 [moved] [broken] [old] [left|refresh|upgrade|unwanted] [seed]
//	fail 7 / putoff 7 / again 7 / ban 7 / self 7 / stay 7
//	private / moved / seeding / wait 5s / knows 7 / banned 7 / until
//
// What the book answers to dial, again, knows, banned and until is collected.
type script struct {
	t       *testing.T
	book    *Book
	now     time.Duration
	seeding bool
	dials   int // most under way
	out     []string
}

// far returns an endpoint in a network of its own.
func far(i int) endpoint.Endpoint {
	return endpoint.IP(netip.AddrPortFrom(
		netip.AddrFrom4([4]byte{30, byte(i >> 8), byte(i), 1}), 6881))
}

// near returns an endpoint of one /16 for each number: each is a host of its own.
func near(i int) endpoint.Endpoint {
	return endpoint.IP(netip.AddrPortFrom(
		netip.AddrFrom4([4]byte{31, byte(i >> 16), byte(i >> 8), byte(i)}), 6881))
}

func at(addr string) endpoint.Endpoint { return endpoint.IP(netip.MustParseAddrPort(addr)) }

var start = time.Unix(1_000_000, 0)

func newTestBook(cfg Config) *Book {
	cfg.Start, cfg.Rand = start, rand.New(rand.NewPCG(1, 2))
	return New(cfg)
}

func newScript(t *testing.T, cfg Config) *script {
	return &script{t: t, book: newTestBook(cfg), dials: 32}
}

// run carries out the steps of text and returns the answers.
func (s *script) run(text string) string {
	s.t.Helper()
	s.out = nil
	for step := range strings.SplitSeq(text, "|") {
		s.step(strings.Fields(step))
		s.book.Check()
	}
	return strings.Join(s.out, " ")
}

var sources = map[string]Source{"user": SourceUser, "dht": SourceDHT, "pex": SourcePEX,
	"lsd": SourceLSD, "tracker": SourceTracker, "incoming": SourceIncoming,
	"resume": SourceResume, "link": SourceLink}

func (s *script) step(f []string) {
	n := 0
	if len(f) > 1 {
		n, _ = strconv.Atoi(f[1])
	}
	e, conn := far(n), Conn(n)
	switch f[0] {
	case "hear":
		s.hear(e, f[2:])
	case "dial":
		s.dial(n)
	case "meet", "accept":
		s.book.Connected(s.now, e, conn, f[0] == "meet")
	case "join":
		s.book.Joined(s.now, e, conn)
	case "close":
		s.close(n, strings.Join(f[2:], " "))
	case "fail", "putoff":
		got := Conn(0)
		if f[0] == "fail" {
			got = s.book.Failed(s.now, e, FaultTimeout)
		} else {
			got = s.book.PutOff(s.now, e)
		}
		if got != 0 {
			s.say("connected:%d", got)
		}
	case "again":
		d, ok := s.book.Again(s.now, e, conn)
		s.told(d, ok)
	case "ban":
		s.book.Ban(s.now, e)
	case "banned":
		s.say("%v", s.book.Banned(s.now, e))
	case "knows":
		s.say("%v", s.book.Knows(e))
	case "self":
		s.book.Self(e)
	case "stay":
		s.book.Stays(e)
	case "private":
		s.book.SetPrivate()
	case "moved":
		s.book.Moved(s.now)
	case "seeding":
		s.seeding = true
	case "wait":
		d, err := time.ParseDuration(f[1])
		if err != nil {
			s.t.Fatal(err)
		}
		s.now += d
	case "until":
		_, at, ok := s.book.Next(s.now, Wish{Seeding: s.seeding, DialsMax: s.dials})
		switch {
		case ok:
			s.say("now")
		case at == never:
			s.say("never")
		default:
			s.say("%v", (at - s.now).Round(time.Second))
		}
	default:
		s.t.Fatalf("no step %q", f)
	}
}

func (s *script) say(format string, args ...any) {
	s.out = append(s.out, fmt.Sprintf(format, args...))
}

func (s *script) hear(e endpoint.Endpoint, f []string) {
	r := Rumour{Endpoint: e}
	var ok bool
	if r.Source, ok = sources[f[0]]; !ok {
		s.t.Fatalf("no source %q", f[0])
	}
	for i, word := range f[1:] {
		switch word {
		case "seed":
			r.Seed = true
		case "vouched":
			r.Vouched = true
		case "by":
			n, _ := strconv.Atoi(f[i+2])
			r.Teller = far(n).Host()
		}
	}
	s.book.Hear(s.now, r)
}

func (s *script) dial(times int) {
	for i := 0; times == 0 || i < times; i++ {
		d, _, ok := s.book.Next(s.now, Wish{Seeding: s.seeding, DialsMax: s.dials})
		if s.told(d, ok); !ok {
			return
		}
	}
}

// told writes a Dial: the number of the endpoint, "!" if the user named it, "+" if blocks
// moved there.
func (s *script) told(d Dial, ok bool) {
	if !ok {
		s.say("-")
		return
	}
	ip := d.Endpoint.Host().As4()
	s.say("%d%s", int(ip[1])<<8|int(ip[2]),
		map[limit.Told]string{limit.ByUser: "!", limit.ByItself: "+"}[d.Told])
}

func (s *script) close(n int, how string) {
	p := Parting{Conn: Conn(n), At: far(n), Since: s.now}
	for word := range strings.FieldsSeq(how) {
		switch word {
		case "moved":
			p.Down = 1
		case "broken":
			p.Broken = true
		case "old":
			p.Since -= steadyAfter
		case "seed":
			p.Seed = true
		case "left":
			p.End = EndLeft
		case "refresh":
			p.End = EndRefresh
		case "upgrade":
			p.End = EndUpgrade
		case "unwanted":
			p.End = EndUnwanted
		default:
			s.t.Fatalf("no way to close %q", word)
		}
	}
	s.book.Closed(s.now, p)
}

// A scene is a script, and what the book answers.
type scene struct{ name, steps, want string }

func play(t *testing.T, scenes []scene) {
	t.Helper()
	for _, c := range scenes {
		t.Run(c.name, func(t *testing.T) {
			if got := newScript(t, Config{}).run(c.steps); got != c.want {
				t.Errorf("%s\n\tgot  %s\n\twant %s", c.steps, got, c.want)
			}
		})
	}
}
