package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"swarmnode"
	"swarmnode/daemon"
	"swarmnode/daemon/control"
	"swarmnode/daemon/tally"
	"swarmnode/swarm/limit"
)

// Version is that of the interface. It changes when something is taken away.
const Version = 1

// Base is the path below which all routes are.
const Base = "/api/v1"

const (
	// bodyMax bounds a body, torrentBodyMax one with a .torrent file: in base64 it is longer.
	bodyMax        = 1 << 20
	torrentBodyMax = 16 << 20
	// actionTime bounds the time for a request that changes something, besides its body.
	actionTime = 50 * time.Second
)

// policy is what a browser may do with an answer that it is led to.
const policy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// A Config describes an API.
type Config struct {
	Daemon *daemon.Daemon
	Gate   *control.Gate
	Tally  *tally.Tally
	// Network is that of the node, for URLs of torrents.
	Network *swarmnode.Network
	// Log has the last lines of the log; it may be nil.
	Log *Log
	// Reload reads the configuration again, and Shutdown begins the end of the program. Both may be
	// nil.
	Reload   func(context.Context) (Reloaded, error)
	Shutdown func()
	// Logger takes faults; nil logs nothing.
	Logger *slog.Logger
}

// An API answers requests below /api/v1. It is safe for concurrent use.
type API struct {
	cfg     Config
	daemon  *daemon.Daemon
	log     *slog.Logger
	started time.Time
	mux     *http.ServeMux
	handler http.Handler
	open    http.Handler // of requests that need no login
	feeds   atomic.Int64 // requests for the feed that are open
	told    told         // what feeds remember
	packers packers
	// patience is how long the reader of a feed may take; see feedPatience.
	patience time.Duration
	// heartbeat is the longest silence of a feed; see heartbeat.
	heartbeat time.Duration
	every     time.Duration // the least time between two batches of a feed; see feedEvery
	adding    sync.Mutex    // held while a large torrent is parsed
}

// New returns an API. Its requests pass the gate of cfg.
func New(cfg Config) *API {
	a := &API{cfg: cfg, daemon: cfg.Daemon, log: cfg.Logger, started: time.Now(),
		mux: http.NewServeMux(), patience: feedPatience, heartbeat: heartbeat,
		every: feedEvery}
	a.told.memory = limit.NewMemory(nil)
	a.packers.memory = a.told.memory
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	for i := range routes {
		a.mux.Handle(routes[i].method+" "+Base+routes[i].path, a.serve(&routes[i]))
	}
	a.mux.HandleFunc("/", a.unknown)
	refuse := func(w http.ResponseWriter, _ *http.Request, refusal *control.Refusal) {
		writeProblem(w, refusal)
	}
	a.handler, a.open = cfg.Gate.Protect(a.mux, refuse), cfg.Gate.Screen(a.mux, refuse)
	return a
}

// ServeHTTP answers a request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// No answer is a page: whatever names of strangers it has, a browser runs nothing of it, and
	// shows it in no page of another site.
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Referrer-Policy", "no-referrer")
	if needsNoLogin(r) {
		a.open.ServeHTTP(w, r)
		return
	}
	a.handler.ServeHTTP(w, r)
}

// serve returns the handler of a route.
func (a *API) serve(route *route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{api: a, w: w, r: r, who: control.From(r.Context())}
		err := c.allowed(route)
		if err == nil && route.packs {
			defer c.packAnswer()()
		}
		if err == nil && !route.long {
			ctx, cancel := context.WithTimeout(r.Context(), actionTime)
			defer cancel()
			c.r = r.WithContext(ctx)
		}
		if err == nil {
			err = route.serve(c)
		}
		if err == nil {
			return
		}
		problem := writeProblem(w, err)
		if problem.Status >= http.StatusInternalServerError && !errors.Is(err, context.Canceled) {
			a.log.Warn("a request failed", "route", route.name, "err", err)
		}
	})
}

// unknown answers requests that no route takes: those for paths that there are, by other
// methods, and others.
func (a *API) unknown(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := a.mux.Handler(other); pattern != "/" && pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		writeProblem(w, problemf(http.StatusNotFound, "there is nothing at %s", r.URL.Path))
		return
	}
	for _, method := range allowed {
		w.Header().Add("Allow", method)
	}
	writeProblem(w, problemf(http.StatusMethodNotAllowed, "%s is not possible here", r.Method))
}
