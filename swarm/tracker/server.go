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
	// serverInterval is the default time between two announces of a peer. It bounds
	// the age of our peers.
	serverInterval = 30 * time.Minute
	// serverMinInterval is the least time between two announces of a peer.
	serverMinInterval = time.Minute
	// lifetimes is for how many intervals a peer is kept after its last announce.
	lifetimes = 2
	// expireEvery is how often the store is swept.
	expireEvery = time.Minute

	// serverWant is how many peers a client gets that does not ask for a number,
	// and serverWantMax the most that any client gets. 200 peers of IPv4 fit a
	// datagram.
	serverWant    = 50
	serverWantMax = 200

	// connectionsMax bounds the HTTP connections at a time. Beyond it, each new
	// connection replaces one that has not sent a complete request.
	connectionsMax = 1024
	// connectionsPerSource bounds the connections of one source, which also gets at
	// most an eighth of all. A client with hundreds of torrents opens far fewer.
	connectionsPerSource = 64
	// requestTime bounds each of reading a request and writing its answer.
	requestTime = 10 * time.Second
	// keepTime is how long an idle connection is kept.
	keepTime = 5 * time.Second
	// rateDefault and rateBurst bound the requests of one source: in the long run
	// per second, and at once. A starting client announces a thousand torrents
	// together. Fifty requests a second serve 90,000 torrents behind one address.
	rateDefault = 50
	rateBurst   = 1000
	// connectFactor multiplies both limits for UDP connects, whose sender can be
	// forged. An answer is no longer than its request, so a reflector gains
	// nothing, and a low limit would only silence the owner of a forged address.
	connectFactor = 10
	// requestBytesMax bounds the head of a request. A scrape of ScrapeMax torrents
	// with escaped hashes fits.
	requestBytesMax = 8 << 10
)

// ServerConfig describes a Server. The zero value means the defaults.
type ServerConfig struct {
	// Interval is the time between two announces of a peer; 30 minutes if zero.
	Interval time.Duration
	// PeersMax bounds the peers of all torrents together; 400,000 if zero. Each
	// costs up to PeerBytes. At the bound, networks with many peers lose some.
	PeersMax int
	// ConnectionsMax bounds the HTTP connections of a port at a time; 1,024 if
	// zero.
	ConnectionsMax int
	// Rate bounds the requests of one source in the long run, per second; 50
	// if zero. A source is an IPv4 address, or the /64 of an IPv6 one.
	Rate int
	// Logger gets faults of the server itself. May be nil.
	Logger *slog.Logger
}

// ServerStats counts the work of a Server since its start, and the sizes of its store.
type ServerStats struct {
	AnnouncesHTTP uint64 // answered announces
	AnnouncesUDP  uint64
	ScrapesHTTP   uint64
	ScrapesUDP    uint64
	Connects      uint64 // connection ids sent over UDP
	Refused       uint64 // invalid requests
	// Limited counts requests beyond the rate of their source, and connections
	// closed to make room.
	Limited uint64
	Swarms  int
	Peers   int
	Evicted uint64 // peers removed to make room
	Expired uint64 // peers that stopped announcing
}

// A Server is a tracker: it tells peers of each other, and trusts none of them. A peer
// can announce only its own address. The Server ignores parameters that name another
// one, and over UDP a sender has to prove that it receives datagrams at its address
// (BEP 15, connection ids). A Server is safe for concurrent use.
type Server struct {
	cfg   ServerConfig
	store *store
	ids   connectionIDs
	// rate is for proven sources. UDP connects come from unproven ones and have a
	// rate of their own, so that a sender of connects with a forged address does
	// not use up the rate of the address's owner.
	rate, connectRate *limit.Sources

	announcesHTTP, announcesUDP, scrapesHTTP, scrapesUDP, connects, refused, limited atomic.Uint64
}

// NewServer returns a Server without any swarm.
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

// minInterval returns the least time between two announces of a peer.
func (s *Server) minInterval() time.Duration { return min(serverMinInterval, s.cfg.Interval) }

// Stats returns the server's counts.
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

// Serve answers announces and scrapes over HTTP on l and over UDP on p until ctx is
// done or one of them fails. Either may be nil. Serve closes both. Several calls for
// different ports serve one tracker. The error is nil if ctx was done first, whatever
// its cause.
func (s *Server) Serve(ctx context.Context, l Listener, p net.PacketConn) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var serving sync.WaitGroup
	serving.Go(func() { s.sweep(ctx) })
	if l != nil {
		web := s.webServer()
		limited := newConnLimit(l, s.cfg.ConnectionsMax, &s.limited)
		serving.Go(func() { cancel(ending{web.Serve(limited)}) })
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

// An ending is the error with which serving one port ended. The type distinguishes it
// from the cause of our caller's context.
type ending struct{ error }

// sweep removes old peers every expireEvery.
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
		ConnContext:       withLimitedConn,
		ConnState:         onState,
		ErrorLog:          slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug),
	}
}
