// Package lsd finds peers on the local network by multicast (BEP 14, "Local Service
// Discovery"), on every interface and in both families, or where we can be reached.
//
// A Service announces each torrent when it is added, again a little later, since multicast
// gets lost on wireless networks, and then every five minutes. A peer that is heard for
// the first time is yielded at once and answered by one announce of ours, so that it does
// not matter which side came first. The caller keeps private torrents (BEP 27) away.
//
// Everybody on the network can send anything. So a packet costs no more than its parsing,
// the memory for peers is bounded, and so is the rate of our answers. The package never
// connects to a peer.
//
// Its nouns: a search is one packet, named after its first word, BT-SEARCH; a link is one
// interface in one family, with its socket and the address that it announces; a torrent is
// what is searched for.
package lsd

import (
	"context"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/egress"
)

const (
	// interval is the time between announces (BEP 14 asks for five minutes).
	interval = 5 * time.Minute
	// repeatAfter is when the first announce is repeated.
	repeatAfter = 10 * time.Second
	// answerEvery bounds how often a torrent is announced, whatever the reason.
	answerEvery = 10 * time.Second
	// gatherTime is how long an announce waits for those of other torrents, which go out
	// in the same packet.
	gatherTime = 20 * time.Millisecond
	// scanEvery is how often we look at the interfaces: a cable should take effect while
	// the user is watching.
	scanEvery = 750 * time.Millisecond

	// foundMax bounds the peers of a torrent that wait for the caller. More are dropped,
	// since they will announce again.
	foundMax = 64
	// knownMax bounds the peers of a torrent that are remembered, so that each is answered
	// once. Beyond it, an old one is forgotten and may be answered again.
	knownMax = 256
	// perSenderMax bounds the remembered peers of one sender, which can make up any port
	// and cookie.
	perSenderMax = 8
	// torrentsMax bounds the torrents that are remembered, including those of the past few
	// seconds.
	torrentsMax = 50_000
)

// Config describes a Service. The zero value is ready for use.
type Config struct {
	// Bound are the addresses at which we can be reached. Each is announced from itself,
	// since others take us to be where a packet comes from; nothing is announced on other
	// interfaces. An unspecified address stands for all addresses of its family, and no
	// address at all for all of both families.
	Bound []netip.Addr
	// Net makes the sockets, and says which interfaces there are; nil is the system's choice
	// of everything.
	Net *egress.Net
	// Logger takes what happens to interfaces. Nothing is logged if it is nil.
	Logger *slog.Logger
}

// A Service is this node on its local networks. Its methods are safe for
// concurrent use.
type Service struct {
	cfg    Config
	cookie string
	places func() map[linkKey]place                          // findPlaces
	open   func(linkKey, *net.Interface) (packetConn, error) // openLink

	ctx    context.Context // done once Close has begun
	cancel context.CancelFunc
	wait   sync.WaitGroup // the loop, and the readers of links
	nudge  chan struct{}  // something may be due

	mu       sync.Mutex
	torrents map[metainfo.Hash]*torrent
	links    map[linkKey]*link
}

// A torrent is announced, or was until a moment ago.
type torrent struct {
	port  uint16
	users []chan netip.AddrPort // one for each call of Peers
	due   time.Time             // of the next announce
	last  time.Time             // of the last announce; zero before the first
	again bool                  // the first announce must be repeated
	known map[identity]time.Time
}

// An identity tells peers apart. A restarted peer has another cookie, and
// counts as another peer.
type identity struct {
	addr   netip.AddrPort
	cookie string
}

// New starts a Service. It looks for interfaces at once and from then on, so it cannot
// fail: a network may come later.
func New(cfg Config) *Service {
	s := newService(cfg)
	s.wait.Go(s.run)
	return s
}

func newService(cfg Config) *Service {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Service{
		cfg: cfg, cookie: strconv.FormatUint(rand.Uint64(), 36), nudge: make(chan struct{}, 1),
		torrents: make(map[metainfo.Hash]*torrent), links: make(map[linkKey]*link),
	}
	s.places, s.open = s.findPlaces, s.openLink
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Close ends the Service.
func (s *Service) Close() {
	s.cancel()
	s.wait.Wait()
}

// Peers announces on the local networks that the torrent ih has a peer at our port, and
// yields the peers that are heard there, until ctx or the Service ends. Another call means
// that more peers are wanted: an announce follows once the last one is ten seconds old.
// BEP 14 cannot say whether we have everything. Without a port nothing is announced, and
// other peers are heard even so.
func (s *Service) Peers(ctx context.Context, ih metainfo.Hash, port uint16,
	seed bool) iter.Seq[netip.AddrPort] {
	return func(yield func(netip.AddrPort) bool) {
		found := make(chan netip.AddrPort, foundMax)
		if !s.join(ih, port, found) {
			return
		}
		defer s.leave(ih, found)
		for ctx.Err() == nil {
			select {
			case addr := <-found:
				if !yield(addr) {
					return
				}
			case <-ctx.Done():
			case <-s.ctx.Done():
				return
			}
		}
	}
}

// join adds a user of a torrent, and reports whether there is room.
func (s *Service) join(ih metainfo.Hash, port uint16, found chan netip.AddrPort) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	t := s.torrents[ih]
	if t == nil {
		if len(s.torrents) >= torrentsMax {
			return false
		}
		t = &torrent{due: now.Add(gatherTime), again: true, known: make(map[identity]time.Time)}
		s.torrents[ih] = t
	} else {
		t.soon(now)
		// Peers that were found before may be wanted now.
		for who := range t.known {
			select {
			case found <- who.addr:
			default:
			}
		}
	}
	t.port = port
	t.users = append(t.users, found)
	s.hurry()
	return true
}

// soon makes an announce due as soon as the bounds allow.
func (t *torrent) soon(now time.Time) {
	at := now.Add(gatherTime)
	if earliest := t.last.Add(answerEvery); !t.last.IsZero() && earliest.After(at) {
		at = earliest
	}
	if at.Before(t.due) {
		t.due = at
	}
}

func (s *Service) leave(ih metainfo.Hash, found chan netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.torrents[ih]
	for i, user := range t.users {
		if user == found {
			t.users = append(t.users[:i], t.users[i+1:]...)
			break
		}
	}
	// An entry without users stays for a moment, see forget.
}

// hurry wakes the loop.
func (s *Service) hurry() {
	select {
	case s.nudge <- struct{}{}:
	default:
	}
}

// run is the loop of the Service. It sends announces and maintains the links.
func (s *Service) run() {
	defer s.closeLinks()
	scan := time.NewTicker(scanEvery)
	defer scan.Stop()
	s.scan()
	timer := time.NewTimer(gatherTime)
	defer timer.Stop()
	nudged := true // the timer runs for gatherTime
	for {
		select {
		case now := <-timer.C:
			nudged = false
			timer.Reset(max(gatherTime, s.announce(now).Sub(now)))
		case <-s.nudge:
			if !nudged {
				nudged = true
				timer.Reset(gatherTime)
			}
		case <-scan.C:
			s.scan()
			s.forget(time.Now())
		case <-s.ctx.Done():
			return
		}
	}
}

// announce sends the announces that are due, and returns when the next one is.
func (s *Service) announce(now time.Time) (next time.Time) {
	byPort := make(map[uint16][]metainfo.Hash)
	next = now.Add(interval)
	s.mu.Lock()
	for ih, t := range s.torrents {
		if len(t.users) == 0 || t.port == 0 || len(s.links) == 0 {
			continue
		}
		if !t.due.After(now) {
			byPort[t.port] = append(byPort[t.port], ih)
			t.last = now
			t.due = now.Add(interval + rand.N(interval/10))
			if t.again {
				t.again = false
				t.due = now.Add(repeatAfter + rand.N(time.Second))
			}
		}
		if t.due.Before(next) {
			next = t.due
		}
	}
	links := make([]*link, 0, len(s.links))
	for _, l := range s.links {
		links = append(links, l)
	}
	s.mu.Unlock()
	for port, hashes := range byPort {
		for ; len(hashes) > 0; hashes = hashes[min(len(hashes), hashesMax):] {
			part := hashes[:min(len(hashes), hashesMax)]
			for _, l := range links {
				l.send(appendSearch(nil, &search{host: l.to.String(), port: port, cookie: s.cookie,
					hashes: part}))
			}
		}
	}
	return next
}

// forget drops torrents that nobody has asked for since their last announce could have
// been the last one. Until then the entry keeps a torrent that comes and goes from being
// announced each time.
func (s *Service) forget(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ih, t := range s.torrents {
		if len(t.users) == 0 && now.Sub(t.last) > answerEvery {
			delete(s.torrents, ih)
		}
	}
}

// heard handles a search that came from an address on a link.
func (s *Service) heard(m *search, from netip.Addr) {
	if m.cookie == s.cookie {
		return
	}
	now := time.Now()
	who := identity{netip.AddrPortFrom(from, m.port), m.cookie}
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := false
	for _, ih := range m.hashes {
		t := s.torrents[ih]
		if t == nil || len(t.users) == 0 {
			continue
		}
		for _, user := range t.users {
			select {
			case user <- who.addr:
			default:
			}
		}
		if _, known := t.known[who]; !known {
			t.soon(now)
			answer = true
		}
		t.remember(who, now)
	}
	if answer {
		s.hurry()
	}
}

// remember records a peer. If its sender, or all senders, have too many, the one of those
// that was silent for longest is forgotten.
func (t *torrent) remember(who identity, now time.Time) {
	if _, known := t.known[who]; !known {
		sender, mine := senderOf(who.addr.Addr()), 0
		var oldest, oldestMine identity
		for other, at := range t.known {
			if old, ok := t.known[oldest]; !ok || at.Before(old) {
				oldest = other
			}
			if senderOf(other.addr.Addr()) != sender {
				continue
			}
			mine++
			if old, ok := t.known[oldestMine]; !ok || at.Before(old) {
				oldestMine = other
			}
		}
		switch {
		case mine >= perSenderMax:
			delete(t.known, oldestMine)
		case len(t.known) >= knownMax:
			delete(t.known, oldest)
		}
	}
	t.known[who] = now
}
