package stream

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"swarmnode/daemon"
	"swarmnode/daemon/control"
)

const (
	// policy keeps whatever a torrent contains from doing anything in a browser.
	policy = "sandbox; " + policyRest
	// playPolicy is that of videos and sound. A browser shows one that is opened by itself in a
	// page of its own making, which fetches it again, and in a sandbox of another origin could
	// not. Nothing runs in it either.
	playPolicy = "sandbox allow-same-origin; " + policyRest
	policyRest = "default-src 'none'; img-src 'self'; media-src 'self'; " +
		"style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)

// A Config describes a Handler.
type Config struct {
	Daemon *daemon.Daemon
	Gate   *control.Gate
	// Logger takes a line per viewer that is cut off. Nothing is logged if it is nil.
	Logger *slog.Logger
}

// A Handler serves FilesPath and VisitPath. Files and playlists need the scope control.Read, a
// visit needs control.Control.
type Handler struct {
	cfg   Config
	log   *slog.Logger
	serve http.Handler
	stand stand
	// visits has room for the visits that wait for metadata.
	visits chan struct{}
	stop   context.CancelFunc
	ctx    context.Context // done once the handler is closed
	wait   sync.WaitGroup
}

// New returns a Handler, which Close ends.
func New(cfg Config) *Handler {
	h := &Handler{cfg: cfg, log: cfg.Logger, stand: stand{all: make(map[*viewer]bool)},
		visits: make(chan struct{}, visitorsMax)}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	h.ctx, h.stop = context.WithCancel(context.Background())
	refused := func(w http.ResponseWriter, r *http.Request, refusal *control.Refusal) {
		fail(w, r, refusal)
	}
	h.serve = cfg.Gate.Protect(http.HandlerFunc(h.route), refused)
	h.wait.Go(h.watch)
	return h
}

// Close ends all viewers. The requests of those that still run end soon.
func (h *Handler) Close() {
	h.stop()
	h.stand.close()
	h.wait.Wait()
}

// watch looks at the viewers until the handler is closed.
func (h *Handler) watch() {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	rests := func(v *viewer) bool {
		_, rests := v.torrent.Resting()
		return rests
	}
	still := func(v *viewer) bool { return h.cfg.Gate.Still(v.who) }
	for {
		select {
		case now := <-tick.C:
			h.stand.look(now, rests, still)
		case <-h.ctx.Done():
			return
		}
	}
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Security-Policy", policy)
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Cross-Origin-Resource-Policy", "same-origin")
	head.Set("Cross-Origin-Opener-Policy", "same-origin")
	head.Set("Referrer-Policy", "no-referrer")
	h.serve.ServeHTTP(w, r)
}

// route serves a request of somebody who may ask.
func (h *Handler) route(w http.ResponseWriter, r *http.Request) {
	if err := h.answer(w, r); err != nil {
		fail(w, r, err)
	}
}

// answer is route. An error comes before anything was sent.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return problemf(http.StatusMethodNotAllowed, "only GET and HEAD are possible here")
	}
	need, path, ok := control.Read, Path{}, true
	if r.URL.Path == VisitPath {
		need = control.Control
	} else if path, ok = Parse(r.URL.Path); !ok {
		return problemf(http.StatusNotFound, "want /files/HASH/INDEX/NAME")
	}
	if scope := control.From(r.Context()).Scope; scope < need {
		return problemf(http.StatusForbidden, "this needs the scope %v, the login has %v", need,
			scope)
	}
	switch {
	case need == control.Control:
		return h.visit(w, r)
	case path.List:
		return h.list(w, r, path)
	}
	return h.file(w, r, path)
}

// torrent returns the torrent of a path.
func (h *Handler) torrent(path Path) (*daemon.Torrent, error) {
	if t := h.cfg.Daemon.Torrent(path.Hash); t != nil {
		return t, nil
	}
	return nil, problemf(http.StatusNotFound, "there is no torrent %v", path.Hash)
}
