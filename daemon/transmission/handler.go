package transmission

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"swarmnode"
	"swarmnode/daemon"
	"swarmnode/daemon/control"
	"swarmnode/metainfo"
)

const (
	// BodyBytesMax bounds the body of a request. A .torrent file is a third longer in it.
	BodyBytesMax = 16 << 20
	// pooledMax bounds the memory of an answer that is kept for the next one.
	pooledMax = 4 << 20
	// retryAfter is when a client may ask again after the memory was full.
	retryAfter = time.Second
)

// A Config describes a Handler.
type Config struct {
	Daemon *daemon.Daemon
	// Node is what the node of the daemon was started with. What clients can see of it does
	// not change while the node runs.
	Node swarmnode.Config
	// Gate says who may ask.
	Gate *control.Gate
	// Allow are the addresses of clients; empty means all. Those of the machine's own user on
	// the socket are always allowed.
	Allow []netip.Prefix
	// Base is the path below which everything lies; empty means /transmission/.
	Base string
	// Web is a folder with the files of a web client; empty for none.
	Web string
	// Shutdown ends the daemon; nil if clients cannot do that.
	Shutdown func()
	// Logger takes a line for each change of settings; nil logs nothing.
	Logger *slog.Logger
}

// A Handler answers the RPC of Transmission over HTTP. It is safe for concurrent use.
type Handler struct {
	turn   chan struct{} // has room for the one answer that is made while memory is short
	cfg    Config
	daemon *daemon.Daemon
	base   string // begins and ends with a slash
	web    http.Handler
	id     string // that requests must repeat
	log    *slog.Logger
	now    func() time.Time

	plans   plans
	facts   factBook
	recent  *recent
	answers sync.Pool // of *[]byte
}

// A BaseError says that Config.Base cannot be a path.
type BaseError struct{ Base string }

func (e *BaseError) Error() string {
	return fmt.Sprintf("%q is not a path such as /transmission/", e.Base)
}

// New returns a Handler. The error is a *BaseError, or says why the folder of the web client
// cannot be used.
func New(cfg Config) (*Handler, error) {
	base, err := cleanBase(cfg.Base)
	if err != nil {
		return nil, err
	}
	h := &Handler{turn: make(chan struct{}, 1), cfg: cfg, daemon: cfg.Daemon, base: base,
		id: rand.Text() + rand.Text(), log: cfg.Logger, now: time.Now,
		recent: newRecent(cfg.Daemon)}
	h.answers.New = func() any { return new([]byte) }
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if cfg.Web != "" {
		if h.web, err = newWeb(cfg.Web); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// CheckBase returns a *BaseError if base cannot be Config.Base.
func CheckBase(base string) error {
	_, err := cleanBase(base)
	return err
}

// cleanBase returns a base path that begins and ends with a slash.
func cleanBase(base string) (string, error) {
	if base == "" {
		return "/transmission/", nil
	}
	clean := path.Clean("/" + base)
	for _, c := range []byte(clean) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"%?#\<>{}`, c) >= 0 {
			return "", &BaseError{base}
		}
	}
	if clean != "/" {
		clean += "/"
	}
	return clean, nil
}

// Base returns the path below which the Handler answers, with a slash at both ends.
func (h *Handler) Base() string { return h.base }

// ServeHTTP implements http.Handler. The address of the client comes first, then its login,
// the name by which it calls us, and at last the id that pages of other sites cannot know.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.allows(r) {
		fail(w, http.StatusForbidden, "your address is not allowed here (see --rpc-allow)")
		return
	}
	identity, err := h.cfg.Gate.Login(r)
	if err == nil {
		err = h.cfg.Gate.CheckHost(r)
	}
	if err != nil {
		refuseHTTP(w, err)
		return
	}
	r = r.WithContext(control.Admit(r.Context(), identity))
	switch below, ok := strings.CutPrefix(r.URL.Path, h.base); {
	case r.URL.Path == "/", ok && below == "", r.URL.Path+"/" == h.base, ok && below == "web":
		http.Redirect(w, r, h.base+"web/", http.StatusMovedPermanently)
	case ok && (below == "rpc" || below == "rpc/"):
		h.serveRPC(w, r)
	case ok && strings.HasPrefix(below, "web/") && h.web != nil:
		http.StripPrefix(h.base+"web", h.web).ServeHTTP(w, r)
	case ok && strings.HasPrefix(below, "web/"):
		fail(w, http.StatusNotFound, "no web client is served here (see --rpc-web)")
	default:
		fail(w, http.StatusNotFound, "nothing is here; the RPC is at "+h.base+"rpc")
	}
}

// allows reports whether the address of a client is on the list. A client on the socket has
// none.
func (h *Handler) allows(r *http.Request) bool {
	addr := control.RemoteAddr(r)
	return len(h.cfg.Allow) == 0 || !addr.IsValid() ||
		slices.ContainsFunc(h.cfg.Allow, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// fail answers with a sentence.
func fail(w http.ResponseWriter, status int, sentence string) {
	http.Error(w, strconv.Itoa(status)+": "+http.StatusText(status)+": "+sentence, status)
}

// refuseHTTP answers with a refusal of the gate.
func refuseHTTP(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	if refusal, ok := errors.AsType[*control.Refusal](err); ok {
		refusal.Header(w.Header())
		status = refusal.Status
	}
	fail(w, status, err.Error())
}

// The headers of the protocol.
const (
	idHeader      = "X-Transmission-Session-Id"
	versionHeader = "X-Transmission-Rpc-Version"
)

// serveRPC answers a request for the RPC itself.
func (h *Handler) serveRPC(w http.ResponseWriter, r *http.Request) {
	given := r.Header.Get(idHeader)
	if subtle.ConstantTimeCompare([]byte(given), []byte(h.id)) != 1 {
		w.Header().Set(idHeader, h.id)
		w.Header().Set(versionHeader, rpcVersionSemver)
		fail(w, http.StatusConflict, "repeat the request with the header "+idHeader+
			" of this answer: pages of other sites cannot read it")
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		fail(w, http.StatusMethodNotAllowed, "requests of the RPC are sent by POST")
		return
	}
	body, release, err := h.cfg.Gate.ReadBody(w, r, BodyBytesMax)
	defer release()
	if err != nil {
		refuseHTTP(w, err)
		return
	}
	to := &sender{w: w, r: r}
	buffer := h.answers.Get().(*[]byte)
	answer, err := h.answer(r.Context(), body, (*buffer)[:0], to.part)
	switch {
	case err != nil && to.began:
		to.cut()
		return
	case err != nil:
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
		fail(w, http.StatusServiceUnavailable, err.Error())
		return
	case len(answer) == 0:
		w.WriteHeader(http.StatusNoContent)
	default:
		to.last(answer)
	}
	if cap(answer) <= pooledMax && cap(answer) > 0 {
		*buffer = answer
		h.answers.Put(buffer)
	}
}

// metainfoFile returns where the metainfo of a torrent is kept.
func (h *Handler) metainfoFile(hash metainfo.Hash) string {
	if h.cfg.Node.StateDir == "" {
		return ""
	}
	return filepath.Join(h.cfg.Node.StateDir, "torrents", hash.String()+".torrent")
}
