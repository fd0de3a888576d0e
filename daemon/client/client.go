package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"swarmnode/daemon/api"
	"swarmnode/swarm/egress"
)

const (
	// answerMax bounds the body of an answer, in bytes. A list of all fields of 10,000 torrents
	// has about ten million.
	answerMax = 256 << 20
	// problemMax bounds the body of an answer that is an error.
	problemMax = 64 << 10
	// headerMax bounds the head of an answer.
	headerMax = 64 << 10
	// dialTime bounds the time to connect, headerTime that from a request to its answer: more
	// than the daemon takes for one.
	dialTime   = 10 * time.Second
	headerTime = 70 * time.Second
	// idleTime is how long an unused connection stays open.
	idleTime = 30 * time.Second
)

// A Config says where a daemon is, and how to log in.
type Config struct {
	// Socket is the path of its Unix socket. If it is empty, URL counts, such as
	// http://nas:9080; a proxy in front of the daemon may put it below a path.
	Socket string
	URL    string
	// Token logs in over HTTP, or else User with Password. A URL may have the latter two.
	Token, User, Password string
	// Egress makes the connections to URL; nil is the system's choice of everything.
	Egress *egress.Net
	// Agent is the name of the program.
	Agent string
}

// A Client sends requests to a daemon. Its methods are safe for concurrent use. An error of any
// of them is an *UnreachableError, an *api.Problem, or that of the context.
type Client struct {
	where  string // for users
	base   string // of all URLs, without a slash at the end
	cfg    Config
	client http.Client
}

// New returns a Client. Nothing is sent before the first request.
func New(cfg Config) (*Client, error) {
	c := &Client{cfg: cfg, where: cfg.Socket, base: "http://localhost" + api.Base}
	transport := &http.Transport{MaxResponseHeaderBytes: headerMax, IdleConnTimeout: idleTime,
		TLSHandshakeTimeout: dialTime, ResponseHeaderTimeout: headerTime, MaxIdleConnsPerHost: 4}
	if cfg.Socket != "" {
		transport.DialContext = dialSocket(cfg.Socket)
		transport.DisableCompression = true // the daemon is on this machine
	} else {
		at, err := parseURL(cfg.URL)
		if err != nil {
			return nil, err
		}
		if at.User != nil {
			c.cfg.User = at.User.Username()
			c.cfg.Password, _ = at.User.Password()
			at.User = nil
		}
		c.where = at.String()
		c.base = strings.TrimSuffix(c.where, "/") + api.Base
		transport.DialContext = dialHost(cfg.Egress)
	}
	c.client = http.Client{Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}}
	return c, nil
}

// parseURL parses the URL of a daemon.
func parseURL(text string) (*url.URL, error) {
	at, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("not a URL such as http://localhost:9080")
	case at.Scheme != "http" && at.Scheme != "https" || at.Hostname() == "":
		return nil, errors.New("not a URL such as http://localhost:9080")
	case at.RawQuery != "" || at.Fragment != "":
		return nil, errors.New("the URL of a daemon has neither a query nor a fragment")
	}
	return at, nil
}

// Where returns where the daemon is, for users: a path or a URL without a password.
func (c *Client) Where() string { return c.where }

// Close closes the connections that are not in use.
func (c *Client) Close() { c.client.CloseIdleConnections() }

// An UnreachableError says that no daemon answers.
type UnreachableError struct {
	Where string // a path or a URL
	Err   error
}

func (e *UnreachableError) Error() string { return fmt.Sprintf("%s: %v", e.Where, e.Err) }

// Unwrap returns the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// errStrange says that the other end is something else.
var errStrange = errors.New("the answer is not one of a daemon")

// A request is what is sent.
type request struct {
	method, path string // below api.Base
	query        url.Values
	body         any    // sent as JSON; nil for none
	raw          []byte // sent as it is, in place of body
	media        string // the content type of raw
	header       http.Header
}

// send sends a request, and returns the answer if its status is one of success. The caller closes
// the body.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	var body io.Reader
	switch {
	case r.raw != nil:
		body = bytes.NewReader(r.raw)
	case r.body != nil:
		doc, err := json.Marshal(r.body)
		if err != nil {
			return nil, err
		}
		body, r.media = bytes.NewReader(doc), "application/json"
	}
	at := c.base + r.path
	if len(r.query) > 0 {
		at += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, at, body)
	if err != nil {
		return nil, err
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	if body != nil {
		req.Header.Set("Content-Type", r.media)
	}
	req.Header.Set("User-Agent", c.cfg.Agent)
	c.logIn(req)
	answer, err := c.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if wrong, ok := errors.AsType[*url.Error](err); ok {
			err = wrong.Err // whose URL is known
		}
		return nil, &UnreachableError{c.where, err}
	}
	if answer.StatusCode/100 != 2 {
		defer answer.Body.Close()
		return nil, c.problem(answer)
	}
	return answer, nil
}

// logIn adds the login to a request. The socket needs none.
func (c *Client) logIn(req *http.Request) {
	switch {
	case c.cfg.Socket != "":
	case c.cfg.Token != "":
		req.Header.Set("Authorization", "Bearer "+c.cfg.Token)
	case c.cfg.User != "":
		req.SetBasicAuth(c.cfg.User, c.cfg.Password)
	}
}

// problem returns the error that an answer is.
func (c *Client) problem(answer *http.Response) error {
	doc, err := io.ReadAll(io.LimitReader(answer.Body, problemMax))
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	p := new(api.Problem)
	if err == nil && kind == "application/problem+json" && json.Unmarshal(doc, p) == nil &&
		p.Detail != "" {
		p.Status = answer.StatusCode
		return p
	}
	// A proxy in front of the daemon, or something else.
	return &UnreachableError{c.where, fmt.Errorf("%w: %s", errStrange,
		strings.TrimSpace(answer.Status))}
}

// call sends a request and reads the answer into a value, which is nil if there is none.
func (c *Client) call(ctx context.Context, r request, into any) error {
	answer, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if into == nil {
		return nil
	}
	body := &bounded{from: answer.Body, left: answerMax}
	if err := json.NewDecoder(body).Decode(into); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if body.err != nil {
			return &UnreachableError{c.where, body.err}
		}
		return &UnreachableError{c.where, errStrange}
	}
	return nil
}

// errLong says that an answer is longer than that of any daemon.
var errLong = errors.New("the answer is too long")

// A bounded is a reader of at most left bytes that keeps its error.
type bounded struct {
	from io.Reader
	left int64
	err  error // besides io.EOF
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		b.err = errLong
		return 0, errLong
	}
	n, err := b.from.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}
