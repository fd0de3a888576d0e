package tracker

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"swarmnode/swarm/limit"
)

const (
	// serverInterval is what announcers are asked to wait by default; it bounds
	// how old what we tell can be.
	serverInterval = 30 * time.Minute
	// serverMinInterval is how soon they may come back.
	serverMinInterval = time.Minute
	// lifetimes is how many intervals a peer is told of after its last announce.
	lifetimes = 2
	// expireEvery is how often the store is swept.
	expireEvery = time.Minute

	// serverWant is how many peers are told to whoever does not say how many;
	// serverWantMax is the most. 200 peers of IPv4 fit a datagram.
	serverWant    = 50
	serverWantMax = 200

	// connectionsMax bounds the HTTP connections at a time. Beyond it, each new
	// connection replaces one that has not sent a complete request.
	connectionsMax = 1024
	// connectionsPerSource bounds the connections of one source, which also has at
	// most an eighth of all: several times what a client with hundreds of torrents
	// opens.
	connectionsPerSource = 64
	// requestTime bounds each of reading a request and writing its answer.
	requestTime = 10 * time.Second
	// keepTime is how long a connection is kept for another request.
	keepTime = 5 * time.Second
	// rateDefault and rateBurst bound the requests of one source: in the long
	// run per second, and at once. A client that starts announces a thousand
	// torrents together; fifty a second are those of as many clients behind
	// one address as have 90,000 torrents.
	rateDefault = 50
	rateBurst   = 1000
	// connectFactor multiplies both limits for UDP connects, which can be forged.
	// Their answer is no longer than the request, so reflecting them gains nothing,
	// and a low limit would only silence the owner of a forged address.
	connectFactor = 10
	// requestBytesMax bounds the head of a request: a scrape of ScrapeMax
	// torrents, each hash escaped, and some more.
	requestBytesMax = 8 << 10
)

// ServerConfig describes a Server. The zero value is of use.
type ServerConfig struct {
	// Interval is what announcers are asked to wait; 30 minutes if zero.
	Interval time.Duration
	// PeersMax bounds the peers that are remembered, of all torrents together;
	// 400,000 if zero. Each costs up to PeerBytes. Beyond, networks that have
	// many peers lose some.
	PeersMax int
	// ConnectionsMax bounds the HTTP connections of a port at a time; 1,024 if
	// zero.
	ConnectionsMax int
	// Rate bounds the requests of one source in the long run, per second; 50
	// if zero. A source is an IPv4 address, or the /64 of an IPv6 one.
	Rate int
	// Logger takes faults of the server itself. None if nil.
	Logger *slog.Logger
}

// ServerStats count what a Server has done since its start, and what it holds.
type ServerStats struct {
	AnnouncesHTTP uint64 // that were answered
	AnnouncesUDP  uint64
	ScrapesHTTP   uint64
	ScrapesUDP    uint64
	Connects      uint64 // connection ids given out over UDP
	Refused       uint64 // requests that made no sense
	// requests beyond the rate of their source, and connections that had to make
	// room
	Limited uint64
	Swarms  int
	Peers   int
	Evicted uint64 // peers that had to make room
	Expired uint64 // peers that did not come back
}

// A Server is a tracker: it tells peers of each other, and trusts none of them.
// A peer is what an address says of itself and of no other, so parameters that
// name another address are ignored; whoever cannot receive datagrams at an
// address cannot announce it (BEP 15, connection ids). It is safe for
// concurrent use.
type Server struct {
	cfg   ServerConfig
	store *store
	ids   connectionIDs
	// rate is for sources that are what they say. Connects by UDP are not, so
	// that they have a rate of their own: whoever sends them under a foreign
	// address must not use up what that has for announces.
	rate, connectRate *limit.Sources

	announcesHTTP, announcesUDP, scrapesHTTP, scrapesUDP, connects, refused, limited atomic.Uint64
}

// NewServer returns a Server that knows no swarm yet.
func NewServer(cfg ServerConfig) *Server {
	if cfg.Interval <= 0 {
		cfg.Interval = serverInterval
	}
	cfg.Interval = max(cfg.Interval, time.Second)
	if cfg.PeersMax <= 0 {
		cfg.PeersMax = peersMaxDefault
	}
	if cfg.ConnectionsMax <= 0 {
		cfg.ConnectionsMax = connectionsMax
	}
	if cfg.Rate <= 0 {
		cfg.Rate = rateDefault
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Server{
		cfg: cfg, store: newStore(time.Now(), cfg.PeersMax), ids: newConnectionIDs(),
		rate:        limit.NewSources(cfg.Rate, rateBurst),
		connectRate: limit.NewSources(connectFactor*cfg.Rate, connectFactor*rateBurst),
	}
}

// minInterval returns how soon announcers may come back.
func (s *Server) minInterval() time.Duration { return min(serverMinInterval, s.cfg.Interval) }

// Stats returns what the server has done so far.
func (s *Server) Stats() ServerStats {
	st := ServerStats{
		AnnouncesHTTP: s.announcesHTTP.Load(), AnnouncesUDP: s.announcesUDP.Load(),
		ScrapesHTTP: s.scrapesHTTP.Load(), ScrapesUDP: s.scrapesUDP.Load(),
		Connects: s.connects.Load(), Refused: s.refused.Load(), Limited: s.limited.Load(),
	}
	st.Swarms, st.Peers, st.Evicted, st.Expired = s.store.size()
	return st
}

// A Listener yields HTTP connections: a net.Listener does, and a
// transport.Listener.
type Listener interface {
	Accept() (net.Conn, error)
	Close() error
}

// Serve answers announces and scrapes over HTTP on l and over UDP on p, until
// ctx ends or one of them fails; either may be nil. It closes both. It may be
// called for several ports at a time, which then are one tracker. The error is
// nil when ctx ended first, whatever its cause.
func (s *Server) Serve(ctx context.Context, l Listener, p net.PacketConn) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var serving sync.WaitGroup
	serving.Go(func() { s.sweep(ctx) })
	if l != nil {
		web := s.webServer()
		gate := newTurnstile(l, s.cfg.ConnectionsMax, &s.limited)
		serving.Go(func() { cancel(ending{web.Serve(gate)}) })
		serving.Go(func() {
			<-ctx.Done()
			web.Close()
		})
	}
	if p != nil {
		serving.Go(func() { cancel(ending{s.servePackets(p)}) })
		serving.Go(func() {
			<-ctx.Done()
			p.Close()
		})
	}
	<-ctx.Done()
	serving.Wait()
	if e, ok := context.Cause(ctx).(ending); ok {
		return e.error
	}
	return nil
}

// An ending is how the serving of one port ended, which tells it from whatever
// our caller ends its context with.
type ending struct{ error }

// sweep forgets old peers from time to time.
func (s *Server) sweep(ctx context.Context) {
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			s.store.expire(now.Add(-lifetimes * s.cfg.Interval))
		case <-ctx.Done():
			return
		}
	}
}

func (s *Server) webServer() *http.Server {
	return &http.Server{
		Handler:           s,
		ReadTimeout:       requestTime,
		ReadHeaderTimeout: requestTime,
		WriteTimeout:      requestTime,
		IdleTimeout:       keepTime,
		MaxHeaderBytes:    requestBytesMax,
		ConnContext:       withVisitor,
		ConnState:         onState,
		ErrorLog:          slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug),
	}
}
