package control

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

const (
	// sessionIdle is the time without a request after which a session ends, and sessionMax the
	// time after which it ends in any case.
	sessionIdle = 7 * 24 * time.Hour
	sessionMax  = 30 * 24 * time.Hour
	// entrySessionsMax bounds the sessions of one entry of the password file, and sessionsMax
	// those of all. The one that was not used for the longest time gives way.
	entrySessionsMax = 32
	sessionsMax      = 2048
	// sessionBytes is the length of the secret in a cookie.
	sessionBytes = 32
	// cookiesMax bounds the cookies of one request that are looked at.
	cookiesMax = 8
	// cookieName is the name of the cookie of a session. The port follows, because browsers
	// keep the cookies of all ports of a host together.
	cookieName = "swarmnode"
	// hostPrefix before a name makes a browser refuse the cookie unless it came over TLS, from
	// the host itself, for all paths.
	hostPrefix = "__Host-"
)

// sessions are the logins that browsers keep as cookies. They end with the process. It is safe
// for concurrent use.
type sessions struct {
	mu   sync.Mutex
	open map[[sha256.Size]byte]*session // by the hash of the secret
}

// A session is one login.
type session struct {
	id   [sha256.Size]byte // the hash of the secret
	key  *key              // the entry that logged in
	made time.Time
	// Guarded by sessions.mu. Times have the monotonic clock: one that jumps ends nothing.
	used time.Time
}

// over reports whether the time of a session is over. sessions.mu is held.
func (s *session) over(now time.Time) bool {
	return now.Sub(s.used) >= sessionIdle || now.Sub(s.made) >= sessionMax
}

// begin returns a new session of an entry, and its secret. alive reports whether an entry is
// still in force.
func (l *sessions) begin(now time.Time, k *key, alive func(*key) bool) (s *session,
	secret string) {
	random := make([]byte, sessionBytes)
	rand.Read(random)
	secret = base64.RawURLEncoding.EncodeToString(random)
	s = &session{id: sha256.Sum256([]byte(secret)), key: k, made: now, used: now}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		l.open = make(map[[sha256.Size]byte]*session)
	}
	own := 0
	var ownOldest, oldest *session
	for id, other := range l.open {
		if other.over(now) || !alive(other.key) {
			delete(l.open, id)
			continue
		}
		if oldest == nil || other.used.Before(oldest.used) {
			oldest = other
		}
		if other.key.entry.Name != k.entry.Name {
			continue
		}
		own++
		if ownOldest == nil || other.used.Before(ownOldest.used) {
			ownOldest = other
		}
	}
	switch {
	case own >= entrySessionsMax:
		delete(l.open, ownOldest.id)
	case len(l.open) >= sessionsMax:
		delete(l.open, oldest.id)
	}
	l.open[s.id] = s
	return s, secret
}

// find returns the session of a secret, or nil. That counts as a use.
func (l *sessions) find(now time.Time, secret string) *session {
	if len(secret) != base64.RawURLEncoding.EncodedLen(sessionBytes) {
		return nil
	}
	return l.use(now, sha256.Sum256([]byte(secret)))
}

// use returns the session with the id, or nil. That counts as a use.
func (l *sessions) use(now time.Time, id [sha256.Size]byte) *session {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.open[id]
	if s == nil || s.over(now) {
		delete(l.open, id)
		return nil
	}
	s.used = now
	return s
}

// end ends a session.
func (l *sessions) end(s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, s.id)
}

// count returns how many sessions there are.
func (l *sessions) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}

// cookieFor returns the name of the cookie for the host that a request names.
func cookieFor(r *http.Request) string {
	if _, port, err := net.SplitHostPort(r.Host); err == nil && plainPort(port) {
		return cookieName + "-" + port
	}
	return cookieName
}

// plainPort reports whether a port has digits only, so that it may be in the name of a cookie.
func plainPort(port string) bool {
	return port != "" && len(port) <= 5 && strings.Trim(port, "0123456789") == ""
}

// overTLS reports whether a browser sends a request by TLS, which a proxy in front of us takes
// away: pages name their scheme with each POST, and cannot lie about it.
func overTLS(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Origin"), "https://")
}

// fromCookies returns the session of a request, or nil. Other programs of the host can add
// cookies of the same name, so each counts; if they belong to several entries, none does,
// because nobody can say which one is the user's own.
func (g *Gate) fromCookies(r *http.Request) *session {
	if g.keys == nil {
		return nil
	}
	name := cookieFor(r)
	var found *session
	looked := 0
	for _, cookie := range r.Cookies() {
		if strings.TrimPrefix(cookie.Name, hostPrefix) != name {
			continue
		}
		if looked++; looked > cookiesMax {
			return nil
		}
		s := g.sessions.find(g.now(), cookie.Value)
		if s == nil {
			continue
		}
		if !g.keys.holds(g.now(), s.key) {
			g.sessions.end(s)
			continue
		}
		if found != nil && found.key.entry.Name != s.key.entry.Name {
			return nil
		}
		found = s
	}
	return found
}

// identity returns who has the session.
func (s *session) identity() Identity {
	id := s.key.identity()
	id.session = s
	return id
}

// SignIn logs a browser in by the name and the password of a user, or by a token without a
// name, and sets the cookie of a new session. Somebody who needs no login gets no cookie. The
// session of the request before, if it had one, ends. The error is a *Refusal.
func (g *Gate) SignIn(w http.ResponseWriter, r *http.Request, name, password string) (
	Identity, error) {
	if onSocket(r) || !g.NeedsLogin() {
		return g.Login(r)
	}
	from := RemoteAddr(r)
	if wait := g.locked.wait(g.now(), from); wait > 0 {
		return Identity{}, lockedOut(wait)
	}
	id, err := g.proven(r, from, name, password)
	if err != nil {
		return Identity{}, err
	}
	if old := g.fromCookies(r); old != nil {
		g.sessions.end(old)
	}
	s, secret := g.sessions.begin(g.now(), id.key, func(k *key) bool {
		return g.keys.holds(g.now(), k)
	})
	setCookie(w, r, secret, int(sessionMax/time.Second))
	return s.identity(), nil
}

// proven returns who has the password, or the token if name is empty.
func (g *Gate) proven(r *http.Request, from netip.Addr, name, password string) (Identity, error) {
	if name == "" {
		return g.token(r, from, password)
	}
	return g.password(r, from, name, password)
}

// SignOut ends the session of a request, and takes its cookie away.
func (g *Gate) SignOut(w http.ResponseWriter, r *http.Request) {
	name := cookieFor(r)
	for i, cookie := range r.Cookies() {
		if i >= 4*cookiesMax {
			break
		}
		if strings.TrimPrefix(cookie.Name, hostPrefix) != name {
			continue
		}
		if s := g.sessions.find(g.now(), cookie.Value); s != nil {
			g.sessions.end(s)
		}
	}
	setCookie(w, r, "", -1)
}

// setCookie sets the cookie of a session. An age below 0 takes it away.
func setCookie(w http.ResponseWriter, r *http.Request, value string, age int) {
	cookie := &http.Cookie{Name: cookieFor(r), Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if overTLS(r) {
		cookie.Name, cookie.Secure = hostPrefix+cookie.Name, true
	}
	w.Header().Set("Cache-Control", "no-store")
	http.SetCookie(w, cookie)
}
