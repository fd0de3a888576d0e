package socks

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// fieldMax bounds a user name, a password and a host name: each has one byte for its length.
const fieldMax = 255

// A Server is a proxy, and how we make ourselves known to it.
type Server struct {
	Host string // an address or a name
	Port uint16
	// User and Password are sent if User is not empty and the proxy asks for them. Each has
	// at most 255 bytes.
	User, Password string
}

// The faults of a proxy's URL.
var (
	errScheme    = errors.New("its scheme must be socks5")
	errHost      = errors.New("it must name a host and a port")
	errLong      = errors.New("host, user name and password have at most 255 bytes each")
	errMore      = errors.New("nothing may follow the port")
	errUser      = errors.New("a password needs a user name, and a user name a password")
	errNotParsed = errors.New("it must have the form socks5://[USER:PASSWORD@]HOST:PORT")
)

// A URLError says what is wrong with the URL of a proxy. It does not repeat the URL, which
// may hold a password.
type URLError struct{ Err error }

func (e *URLError) Error() string { return "proxy URL: " + e.Err.Error() }

// Unwrap returns the fault.
func (e *URLError) Unwrap() error { return e.Err }

// Parse reads socks5://[USER:PASSWORD@]HOST:PORT. The scheme socks5h, by which other
// programs ask that names be sent to the proxy, means the same: they always are. User name
// and password may be escaped with %. The error is a *URLError.
func Parse(raw string) (Server, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return Server{}, &URLError{errNotParsed} // the error of url.Parse repeats the URL
	}
	if u.Scheme != "socks5" && u.Scheme != "socks5h" {
		return Server{}, &URLError{errScheme}
	}
	if u.Opaque != "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery ||
		u.Fragment != "" {
		return Server{}, &URLError{errMore}
	}
	s := Server{Host: strings.TrimSuffix(u.Hostname(), ".")}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil || port == 0 || s.Host == "" || !validHost(s.Host) {
		return Server{}, &URLError{errHost}
	}
	s.Port = uint16(port)
	if u.User != nil {
		s.User = u.User.Username()
		s.Password, _ = u.User.Password()
		if s.User == "" || s.Password == "" {
			return Server{}, &URLError{errUser}
		}
	}
	if len(s.Host) > fieldMax || len(s.User) > fieldMax || len(s.Password) > fieldMax {
		return Server{}, &URLError{errLong}
	}
	return s, nil
}

// validHost reports whether s is an address, or could be a name.
func validHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return strings.IndexFunc(s, func(r rune) bool {
		return r <= ' ' || r == 0x7f || strings.ContainsRune(`/\@:%[]"<>`, r)
	}) < 0
}

// String returns the URL of the proxy without the user name and the password.
func (s Server) String() string { return "socks5://" + s.address() }

// LogValue implements slog.LogValuer, so that no log holds a password.
func (s Server) LogValue() slog.Value { return slog.StringValue(s.String()) }

// GoString keeps the password out of %#v.
func (s Server) GoString() string { return s.String() }

// address returns HOST:PORT.
func (s Server) address() string {
	return net.JoinHostPort(s.Host, strconv.FormatUint(uint64(s.Port), 10))
}
