package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"swarmnode"
)

const (
	// headMax bounds the head of a request, in bytes; headTime the time for it.
	headMax  = 16 << 10
	headTime = 10 * time.Second
	// requestTime bounds the time for a request and its body, and writeTime that for the
	// answer, unless a handler sets deadlines of its own. idleTime is how long a connection
	// waits for the next request.
	requestTime = 30 * time.Second
	writeTime   = 60 * time.Second
	idleTime    = 2 * time.Minute
	// closeTime is how long Close waits for answers that are on their way.
	closeTime = 2 * time.Second
)

// A Config describes a Server.
type Config struct {
	Gate *Gate
	// Network is that of the node; see swarmnode.Network.Serve.
	Network *swarmnode.Network
	// Socket is the path of the Unix socket; empty for none. Local serves it. Group, if it is
	// not empty, is a group of users, by name or number, that may use it besides the owner.
	Socket string
	Group  string
	Local  http.Handler
	// TCP are the addresses to listen on.
	TCP []Listener
	// Logger takes faults of handlers; nil logs nothing.
	Logger *slog.Logger
}

// A Listener is an address to listen on over TCP.
type Listener struct {
	Name    string // for errors: the flag that named the address
	Addr    netip.AddrPort
	Handler http.Handler
}

// A NoPasswordError says that an address beyond loopback needs a password file.
type NoPasswordError struct{ Listener Listener }

func (e *NoPasswordError) Error() string {
	return fmt.Sprintf("--%s %v: an address beyond this machine needs a password (try: node password)",
		e.Listener.Name, e.Listener.Addr)
}

// A BindError says why an address cannot be listened on.
type BindError struct {
	Listener Listener
	Err      error
}

func (e *BindError) Error() string {
	return fmt.Sprintf("--%s %v: %v", e.Listener.Name, e.Listener.Addr, e.Err)
}

// Unwrap returns the cause.
func (e *BindError) Unwrap() error { return e.Err }

// A Server is a set of listeners with their connections.
type Server struct {
	log     *slog.Logger
	gate    *Gate
	socket  *socket // nil for none
	servers []*http.Server
	addrs   []netip.AddrPort
	tables  [2]*conns // of the socket and of TCP
	cancel  context.CancelFunc
	unhook  func() bool
	wait    sync.WaitGroup
	once    sync.Once
}

// Serve listens until ctx ends or Close is called. The error is a *SocketError, a
// *NoPasswordError or a *BindError.
func Serve(ctx context.Context, cfg Config) (*Server, error) {
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	for _, l := range cfg.TCP {
		if !l.Addr.Addr().IsLoopback() && !cfg.Gate.NeedsLogin() {
			return nil, &NoPasswordError{l}
		}
	}
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &Server{log: log, gate: cfg.Gate, cancel: cancel, tables: [2]*conns{
		{max: socketConnsMax, open: make(map[*conn]struct{})},
		{max: tcpConnsMax, open: make(map[*conn]struct{})},
	}}
	listeners, err := s.listen(ctx, &cfg)
	if err != nil {
		cancel()
		s.closeSocket()
		for _, l := range listeners {
			l.Close()
		}
		return nil, err
	}
	for i, server := range s.servers {
		server.BaseContext = func(net.Listener) context.Context { return requests }
		s.wait.Go(func() {
			err := server.Serve(listeners[i])
			// Close closes the socket before the server that accepts there.
			if !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
				log.Error("requests are no longer served", "at", listeners[i].Addr(), "err", err)
			}
		})
	}
	s.unhook = context.AfterFunc(ctx, s.end)
	return s, nil
}

// listen makes the listeners, and a server for each. With an error it returns those that are
// open.
func (s *Server) listen(ctx context.Context, cfg *Config) (listeners []net.Listener, err error) {
	if cfg.Socket != "" {
		if s.socket, err = listenUnix(ctx, cfg.Socket, cfg.Group); err != nil {
			return nil, err
		}
		listeners = append(listeners, &gated{s.socket.listener, s.tables[0], cfg.Group != ""})
		s.servers = append(s.servers, s.server(cfg.Local))
	}
	for _, l := range cfg.TCP {
		tcp, err := cfg.Network.Serve(ctx, l.Addr)
		if err != nil {
			return listeners, &BindError{l, err}
		}
		listeners = append(listeners, &gated{tcp, s.tables[1], false})
		s.servers = append(s.servers, s.server(l.Handler))
		if at, ok := tcp.Addr().(*net.TCPAddr); ok {
			s.addrs = append(s.addrs, at.AddrPort())
		}
	}
	return listeners, nil
}

// server returns the server for a listener.
func (s *Server) server(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: s.busy(handler), MaxHeaderBytes: headMax, ReadHeaderTimeout: headTime,
		ReadTimeout: requestTime, WriteTimeout: writeTime, IdleTimeout: idleTime,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey, c)
		},
	}
}

// busy keeps the connection of a request while it is served, and answers in the place of a
// handler that panics.
func (s *Server) busy(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := connOf(r.Context()); c != nil {
			c.setBusy(true)
			defer c.setBusy(false)
		}
		counted := &counted{ResponseWriter: w}
		defer func() {
			fault := recover()
			if fault == nil {
				s.gate.answered(cmp.Or(counted.status, http.StatusOK))
				return
			}
			s.gate.answered(http.StatusInternalServerError)
			if err, ok := fault.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				s.log.Error("a request made the daemon fail", "path", r.URL.Path,
					"fault", fault, "stack", string(debug.Stack()))
			}
			panic(http.ErrAbortHandler)
		}()
		if r.ContentLength == 0 {
			bodyIsRead(w)
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		handler.ServeHTTP(counted, r)
	})
}

// counted is an http.ResponseWriter that knows its status.
type counted struct {
	http.ResponseWriter
	status int
}

// WriteHeader begins the answer.
func (c *counted) WriteHeader(status int) {
	if c.status == 0 || c.status < 200 {
		c.status = status
	}
	c.ResponseWriter.WriteHeader(status)
}

// Unwrap returns what http.ResponseController works with.
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// Addrs returns the TCP addresses, in the order of Config.TCP, with their ports.
func (s *Server) Addrs() []netip.AddrPort { return s.addrs }

// Socket returns the path of the Unix socket, or nothing.
func (s *Server) Socket() string {
	if s.socket == nil {
		return ""
	}
	return s.socket.path
}

// Connections returns how many connections there are: to the socket, and over TCP.
func (s *Server) Connections() (socket, tcp int) {
	return s.tables[0].count(), s.tables[1].count()
}

// Close ends all listeners and connections. Answers that are on their way have two seconds; the
// contexts of requests end at once.
func (s *Server) Close() {
	s.unhook()
	s.end()
	s.wait.Wait()
}

// end closes everything, once.
func (s *Server) end() {
	s.once.Do(func() {
		s.closeSocket()
		s.cancel()
		ctx, cancel := context.WithTimeout(context.Background(), closeTime)
		defer cancel()
		for _, server := range s.servers {
			if server.Shutdown(ctx) != nil {
				server.Close()
			}
		}
	})
}

// closeSocket ends the socket, if there is one.
func (s *Server) closeSocket() {
	if s.socket != nil {
		s.socket.close()
	}
}
