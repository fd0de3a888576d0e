package control

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"swarmnode/daemon"
	"swarmnode/swarm/limit"
)

const (
	// hashWaiting bounds the requests that wait until their password is hashed, one after the
	// other; hashWait is how long one waits.
	hashWaiting = 16
	hashWait    = 5 * time.Second
	// bodiesMax bounds the bodies of all requests that are in memory, in bytes.
	bodiesMax = 64 << 20
)

// A GateConfig describes a Gate.
type GateConfig struct {
	// Passwords is the path of the password file; empty if no password is needed. With Optional
	// none is needed either until there is such a file.
	Passwords string
	Optional  bool
	// Hosts are the names by which the listeners may be reached besides localhost and IP
	// addresses, while no password is needed.
	Hosts []string
	// Logger takes a line per lockout; nil logs nothing.
	Logger *slog.Logger
}

// A Gate decides who may ask. Its methods are safe for concurrent use.
type Gate struct {
	hosts    []string
	log      *slog.Logger
	keys     *keyring // nil if no password is ever needed
	posts    *http.CrossOriginProtection
	locked   lockout
	memory   *limit.Memory
	hash     chan struct{} // held while a password is hashed
	queue    atomic.Int64  // requests that wait for it
	dummy    *secretHash   // hashed for users that there are not
	sessions sessions      // of browsers
	bodies   atomic.Int64  // bytes of bodies in memory
	// answers counts answers by their class, from 1xx; wrongs counts wrong passwords.
	answers [5]atomic.Uint64
	wrongs  atomic.Uint64
	now     func() time.Time
	// ticketKey is the key of tickets, and began is when their time begins. A clock that jumps
	// changes nothing: both are of this process.
	ticketKey [32]byte
	began     time.Time
}

// NewGate returns a Gate. The error is a *PasswordsError.
func NewGate(cfg GateConfig) (*Gate, error) {
	g := &Gate{hosts: cfg.Hosts, log: cfg.Logger, posts: http.NewCrossOriginProtection(),
		memory: limit.NewMemory(nil), hash: make(chan struct{}, 1), now: time.Now,
		dummy: &secretHash{kind: hashArgon, n: argonMemory, r: argonPasses, lanes: 1,
			salt: make([]byte, saltBytes), key: make([]byte, keyBytes)}}
	g.began = g.now()
	rand.Read(g.ticketKey[:])
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	if cfg.Passwords != "" {
		keys, err := openKeys(cfg.Passwords, cfg.Optional, g.log)
		if err != nil {
			return nil, err
		}
		g.keys = keys
	}
	return g, nil
}

// NeedsLogin reports whether a request over TCP needs a password or a token.
func (g *Gate) NeedsLogin() bool { return g.keys != nil && g.keys.needed(g.now()) }

// Still reports whether somebody who was let in as id would be let in as the same now: whether
// the entry of the password file is as it was, its time is not over, and its session goes on.
// Asking for a session counts as a use of it.
func (g *Gate) Still(id Identity) bool {
	if id.grant != nil && g.now().Sub(g.began) >= id.grant.end {
		return false
	}
	if id.key != nil {
		return g.keys.holds(g.now(), id.key) &&
			(id.session == nil || g.sessions.use(g.now(), id.session.id) != nil)
	}
	onSocket := id.Name != ""
	return onSocket || !g.NeedsLogin()
}

// Stats are what a Gate has seen.
type Stats struct {
	// Answers counts the answers by the class of their status, 1xx to 5xx.
	Answers [5]uint64
	Wrong   uint64 // passwords and tokens
	Bodies  int64  // bytes of bodies in memory now
}

// Stats returns what the gate has seen.
func (g *Gate) Stats() (s Stats) {
	for i := range g.answers {
		s.Answers[i] = g.answers[i].Load()
	}
	s.Wrong, s.Bodies = g.wrongs.Load(), g.bodies.Load()
	return s
}

// answered counts an answer.
func (g *Gate) answered(status int) {
	if class := status/100 - 1; class >= 0 && class < len(g.answers) {
		g.answers[class].Add(1)
	}
}

// A Refusal says why a request is not served.
type Refusal struct {
	Status int           // of HTTP
	Err    error         // one sentence for users
	Retry  time.Duration // when it may be tried again; 0 says nothing
	// Challenge says that a login in the header Authorization would help. Pages are not told:
	// browsers would open a dialog of their own over them.
	Challenge bool
}

func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// Header sets the headers that belong to the refusal.
func (r *Refusal) Header(h http.Header) {
	if r.Challenge {
		h.Set("WWW-Authenticate", `Basic realm="swarmnode", charset="UTF-8"`)
	}
	if r.Retry > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(r.Retry.Seconds()))))
	}
}

// refuse returns a Refusal.
func refuse(status int, format string, args ...any) *Refusal {
	return &Refusal{Status: status, Err: fmt.Errorf(format, args...)}
}

// Login returns who sends a request. The error is a *Refusal.
func (g *Gate) Login(r *http.Request) (Identity, error) {
	if c := connOf(r.Context()); c != nil && c.socket {
		if c.refused != nil {
			return Identity{}, c.refused
		}
		return c.identity, nil
	}
	from := RemoteAddr(r)
	if !g.NeedsLogin() {
		if !from.IsLoopback() {
			return Identity{}, refuse(http.StatusForbidden,
				"without a password only programs of this machine are served")
		}
		return Identity{Scope: Admin}, nil
	}
	method, credentials, given := strings.Cut(r.Header.Get("Authorization"), " ")
	if !given {
		// Nobody can guess these, so that a lockout does not concern them.
		if s := g.fromCookies(r); s != nil {
			return s.identity(), nil
		}
		if id, ok := g.fromTicket(r); ok {
			return id, nil
		}
	}
	if wait := g.locked.wait(g.now(), from); wait > 0 {
		return Identity{}, lockedOut(wait)
	}
	switch {
	case strings.EqualFold(method, "Bearer"):
		return g.token(r, from, strings.TrimSpace(credentials))
	case strings.EqualFold(method, "Basic"):
		name, password, ok := r.BasicAuth()
		if !ok {
			return Identity{}, g.wrong(r, from, "the header Authorization cannot be read")
		}
		return g.password(r, from, name, password)
	}
	return Identity{}, &Refusal{Status: http.StatusUnauthorized, Challenge: challenged(r),
		Err: errors.New("a password or a token is needed")}
}

// token checks a token.
func (g *Gate) token(r *http.Request, from netip.Addr, token string) (Identity, error) {
	k := g.keys.token(g.now(), token)
	if k == nil {
		return Identity{}, g.wrong(r, from, "the token is not known, or its time is over")
	}
	g.locked.right(from)
	return k.identity(), nil
}

// password checks the password of a user.
func (g *Gate) password(r *http.Request, from netip.Addr, name, password string) (Identity,
	error) {
	user, proven := g.keys.user(g.now(), name, password)
	if !proven {
		right, err := g.hashed(r.Context(), user, password)
		if err != nil {
			return Identity{}, err
		}
		if !right {
			return Identity{}, g.wrong(r, from, "the name or the password is wrong")
		}
		g.keys.prove(user, password)
	}
	g.locked.right(from)
	return user.identity(), nil
}

// hashed reports whether a password is that of a user, who is nil if there is none of the
// name. That takes as long.
func (g *Gate) hashed(ctx context.Context, user *key, password string) (bool, error) {
	busy := &Refusal{Status: http.StatusServiceUnavailable, Retry: hashWait,
		Err: errors.New("too many passwords are being checked")}
	if g.queue.Add(1) > hashWaiting {
		g.queue.Add(-1)
		return false, busy
	}
	defer g.queue.Add(-1)
	timeout, cancel := context.WithTimeout(ctx, hashWait)
	defer cancel()
	select {
	case g.hash <- struct{}{}:
	case <-timeout.Done():
		return false, busy
	}
	defer func() { <-g.hash }()
	hash := g.dummy
	if user != nil {
		hash = user.hash
	}
	if !g.memory.Room(hash.memory()) {
		return false, noMemory()
	}
	right := hash.matches(password)
	return right && user != nil, nil
}

// wrong counts a wrong password or token.
func (g *Gate) wrong(r *http.Request, from netip.Addr, why string) error {
	g.wrongs.Add(1)
	if d := g.locked.failed(g.now(), from); d > 0 {
		g.log.Warn("too many wrong passwords", "from", from, "locked_out", d)
		return lockedOut(d)
	}
	return &Refusal{Status: http.StatusUnauthorized, Challenge: challenged(r),
		Err: errors.New(why)}
}

// lockedOut refuses a request of a source that gave too many wrong passwords.
func lockedOut(wait time.Duration) *Refusal {
	return &Refusal{Status: http.StatusTooManyRequests, Retry: wait, Err: fmt.Errorf(
		"too many wrong passwords from this address: try again in %v", wait.Round(time.Second))}
}

// noMemory refuses a request for want of memory.
func noMemory() *Refusal {
	return &Refusal{Status: http.StatusServiceUnavailable, Retry: time.Second,
		Err: errors.New("memory limit reached")}
}

// identity returns who has the entry.
func (k *key) identity() Identity {
	return Identity{Name: k.entry.Name, Scope: k.entry.Scope, key: k}
}

// RemoteAddr returns the address of the other end of a request; it is not valid on the
// socket.
func RemoteAddr(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}

// Protect returns a handler that lets only those in who may ask, and hands their requests to
// next, in whose context From finds them. Requests of others than the daemon's own user are
// confined (daemon.Confine). Others are answered by write, or in plain text if it is nil.
func (g *Gate) Protect(next http.Handler,
	write func(http.ResponseWriter, *http.Request, *Refusal)) http.Handler {
	return behind(g.Enter, next, write)
}

// Screen is Protect for requests that need no login, such as a login itself: it refuses those
// of other sites alone.
func (g *Gate) Screen(next http.Handler,
	write func(http.ResponseWriter, *http.Request, *Refusal)) http.Handler {
	return behind(func(r *http.Request) (context.Context, error) {
		return r.Context(), g.checkOrigin(r)
	}, next, write)
}

// behind returns a handler of the requests that enter lets in.
func behind(enter func(*http.Request) (context.Context, error), next http.Handler,
	write func(http.ResponseWriter, *http.Request, *Refusal)) http.Handler {
	if write == nil {
		write = writeRefusal
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, err := enter(r)
		if err != nil {
			refusal, ok := errors.AsType[*Refusal](err)
			if !ok {
				refusal = refuse(http.StatusInternalServerError, "%v", err)
			}
			write(w, r, refusal)
			return
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// Enter checks a request as Protect does, and returns the context for it.
func (g *Gate) Enter(r *http.Request) (context.Context, error) {
	if err := g.checkOrigin(r); err != nil {
		return nil, err
	}
	id, err := g.Login(r)
	if err != nil {
		return nil, err
	}
	return Admit(r.Context(), id), nil
}

// checkOrigin refuses requests that a page of another site may have sent.
func (g *Gate) checkOrigin(r *http.Request) error {
	if err := g.CheckHost(r); err != nil {
		return err
	}
	return g.CheckSite(r)
}

// Admit returns a context in which From finds id, and which is confined unless id is the
// daemon's own user.
func Admit(ctx context.Context, id Identity) context.Context {
	if !id.Owner {
		ctx = daemon.Confine(ctx)
	}
	return With(ctx, id)
}

// writeRefusal answers in plain text.
func writeRefusal(w http.ResponseWriter, _ *http.Request, refusal *Refusal) {
	refusal.Header(w.Header())
	http.Error(w, refusal.Error(), refusal.Status)
}
