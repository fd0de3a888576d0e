package guard

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"time"

	"swarmnode/metainfo/weburl"
	"swarmnode/swarm/egress"
)

const (
	// RedirectsMax bounds the redirects of a request. No honest server needs more.
	RedirectsMax = 5
	// URLBytesMax bounds a URL, and so the bytes that a redirect can make us send.
	URLBytesMax = weburl.BytesMax

	dialTimeout     = 10 * time.Second
	tlsTimeout      = 10 * time.Second
	headerTimeout   = 20 * time.Second
	headerBytesMax  = 64 << 10
	idlePerHost     = 4
	idleMax         = 64
	idleTimeout     = 60 * time.Second
	connsPerHostMax = 8
)

// Family restricts the addresses that a request may go to.
type Family = egress.Family

// The families.
const (
	Any  = egress.Any
	IPv4 = egress.IPv4
	IPv6 = egress.IPv6
)

// Config describes a Client. The zero value is ready for use.
type Config struct {
	// UserAgent is our name. If it is empty, none is sent.
	UserAgent string
	// TLS is cloned. Nil means the certificate authorities of the system. Names and
	// certificates are always verified.
	TLS *tls.Config
	// Net makes the sockets; nil is the system's choice of everything.
	Net *egress.Net
	// Local returns the address to connect to another address from; the zero Addr leaves
	// the choice to the system. It may be nil.
	Local func(remote netip.Addr) netip.Addr
}

// A Client makes HTTP requests to Targets. It is safe for concurrent use. It ignores the
// proxies of the environment. Through the proxy of Config.Net, hosts are judged by their names.
type Client struct {
	cfg Config

	mu         sync.Mutex
	transports map[key]*http.Transport
}

// A key names a transport. Each rule has a pool of connections of its own, so that no
// connection is used again under a stricter rule than it was made under.
type key struct {
	rule   rule
	family Family
}

// New returns a Client. Close closes the connections that it keeps.
func New(cfg Config) *Client {
	return &Client{cfg: cfg, transports: make(map[key]*http.Transport)}
}

// Close closes idle connections. The Client can be used afterwards: Close also serves when
// our own address has changed, and the connections lead nowhere.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.transports {
		t.CloseIdleConnections()
	}
}

func (c *Client) transport(k key) *http.Transport {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.transports[k]; t != nil {
		return t
	}
	secure := c.cfg.TLS.Clone()
	if secure != nil {
		secure.InsecureSkipVerify = false
	}
	t := &http.Transport{
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return c.dial(ctx, k, address)
		},
		TLSClientConfig:        secure,
		TLSHandshakeTimeout:    tlsTimeout,
		ResponseHeaderTimeout:  headerTimeout,
		MaxResponseHeaderBytes: headerBytesMax,
		MaxIdleConns:           idleMax,
		MaxIdleConnsPerHost:    idlePerHost,
		MaxConnsPerHost:        connsPerHostMax,
		IdleConnTimeout:        idleTimeout,
	}
	c.transports[k] = t
	return t
}

// dial connects to HOST:PORT as a key says, from the address that Config.Local returns.
func (c *Client) dial(ctx context.Context, k key, address string) (net.Conn, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("port %q: %w", service, ErrRefused)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	return c.cfg.Net.DialHost(ctx, egress.Host{Name: host, Port: uint16(port), Family: k.family,
		Local: c.cfg.Local, Check: k.rule.check, CheckName: k.rule.checkHost})
}

// Answer is the answer to a request, with the address of the host that gave it. Through a proxy it
// is known only if the URL has it, and then without the port. The caller closes its Body.
type Answer struct {
	*http.Response
	From netip.AddrPort
}

// A SchemeError says that a server redirects us to a URL of another scheme than those of
// HTTP, such as a magnet link. It wraps ErrRefused.
type SchemeError struct {
	Location string // as the server wrote it
}

func (e *SchemeError) Error() string {
	return fmt.Sprintf("redirect to a URL of the scheme %q: %v", weburl.Scheme(e.Location),
		ErrRefused)
}

// Unwrap returns ErrRefused.
func (e *SchemeError) Unwrap() error { return ErrRefused }

// A RedirectError is a failure of the request that a server redirected us to. The server
// that sent the redirect is well.
type RedirectError struct{ Err error }

func (e *RedirectError) Error() string { return "after a redirect: " + e.Err.Error() }

// Unwrap returns why the request failed.
func (e *RedirectError) Unwrap() error { return e.Err }

// Get makes a request to t within a family, and follows redirects. It sends header, which
// may be nil. Cookies that a server sets with a redirect are sent to the redirect's
// target, if they are meant for it, and forgotten afterwards. Only ctx bounds the whole:
// the body comes as slowly as the server likes. Errors do not repeat the URL, which may
// hold secrets of the user and the server. The error of a redirect to a scheme other than
// HTTP is a *SchemeError, and a failure after a redirect is a *RedirectError.
func (c *Client) Get(ctx context.Context, t Target, family Family,
	header http.Header) (Answer, error) {
	u, least := t.URL, LinkLocal
	cookies, err := cookiejar.New(nil)
	if err != nil {
		return Answer{}, err
	}
	cookies.SetCookies(u, t.Cookies)
	for hop := range RedirectsMax + 1 {
		if err := checkURL(u); err != nil {
			return Answer{}, err
		}
		a, err := c.once(ctx, key{t.rule(u, least), family}, u, header, cookies.Cookies(u))
		if err != nil && hop > 0 {
			err = &RedirectError{err}
		}
		if err != nil {
			return Answer{}, err
		}
		next, err := redirect(a.Response)
		if err != nil || next == nil {
			if err != nil {
				a.Body.Close()
			}
			return a, err
		}
		a.Body.Close()
		cookies.SetCookies(u, a.Cookies())
		if u.Scheme == "https" && next.Scheme != "https" {
			return Answer{}, fmt.Errorf("redirect from https to %s: %w", next.Scheme, ErrRefused)
		}
		// A redirect never leads inward: a host that everybody can reach must not be able
		// to send us to one that only we can reach.
		u, least = next, max(least, c.reachOf(u, a.From.Addr()))
	}
	return Answer{}, fmt.Errorf("more than %d redirects: %w", RedirectsMax, ErrRefused)
}

// reachOf returns the reach of the host of u, which answered from an address. Through a proxy
// the address is not known.
func (c *Client) reachOf(u *url.URL, from netip.Addr) Reach {
	reach, _ := ReachOf(from)
	if c.cfg.Net.Proxy() != nil {
		reach, _ = ReachOfName(u.Hostname())
	}
	return reach
}

// once makes one request.
func (c *Client) once(
	ctx context.Context, k key, u *url.URL, header http.Header, cookies []*http.Cookie,
) (Answer, error) {
	var (
		mu   sync.Mutex
		from netip.AddrPort
	)
	ctx = httptrace.WithClientTrace(ctx,
		&httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
			if addr, ok := info.Conn.RemoteAddr().(*net.TCPAddr); ok && c.cfg.Net.Proxy() == nil {
				mu.Lock()
				from = addr.AddrPort()
				mu.Unlock()
			}
		}})
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return Answer{}, errors.New("the URL cannot be asked for")
	}
	for name, values := range header {
		request.Header[name] = values
	}
	for _, cookie := range cookies {
		request.AddCookie(cookie)
	}
	// An empty value keeps the library from naming itself.
	request.Header.Set("User-Agent", c.cfg.UserAgent)
	if u.User != nil {
		password, _ := u.User.Password()
		request.SetBasicAuth(u.User.Username(), password)
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && c.cfg.Net.Proxy() != nil {
		from = netip.AddrPortFrom(ip, 0)
	}
	response, err := c.transport(k).RoundTrip(request)
	if err != nil {
		return Answer{}, err
	}
	mu.Lock()
	defer mu.Unlock()
	return Answer{response, netip.AddrPortFrom(from.Addr().Unmap(), from.Port())}, nil
}

func checkURL(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("URL scheme %q: %w", u.Scheme, ErrRefused)
	case u.Hostname() == "":
		return errors.New("URL without a host")
	case len(u.String()) > URLBytesMax:
		return fmt.Errorf("URL of more than %d bytes: %w", URLBytesMax, ErrRefused)
	}
	return nil
}

// redirect returns the target of the redirect in r, or nil if r is none.
func redirect(r *http.Response) (*url.URL, error) {
	switch r.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, nil
	}
	location := r.Header.Get("Location")
	if scheme := weburl.Scheme(location); scheme != "" && scheme != "http" && scheme != "https" {
		return nil, &SchemeError{location}
	}
	next, err := weburl.Resolve(r.Request.URL, location)
	if err != nil || location == "" {
		return nil, errors.New("redirect without a location that can be read")
	}
	return next, nil
}
