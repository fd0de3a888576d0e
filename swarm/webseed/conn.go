package webseed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/block"
	"swarmnode/swarm/guard"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/wire"
)

const (
	// fetchers is how many runs are under way at a time. While one arrives, the requests
	// for the next are on their way, even where that takes longer than the run itself.
	fetchers = 3
	// requestsMax bounds the requests that wait. More are rejected.
	requestsMax = 1024
	// sayMax bounds the messages that wait for the handler. Only a handler that requests
	// without listening gets there.
	sayMax = 8 * requestsMax
)

// errBacklog says that the handler did not listen to the answers to its requests.
var errBacklog = errors.New("answers were not taken")

// A Handler is told what happens, as that of a connection to a peer. Calls come one at a
// time, from goroutines of Run. Each may block, which makes the server wait. Send and
// Close may be called meanwhile.
type Handler interface {
	// OnMessage gives HaveAll or a Bitfield, and Unchoke, once Run has begun; Reject for
	// each request that no block answers; Choke and Unchoke around a pause; and the
	// message of BEP 54, Have or another Bitfield when files become unavailable, or
	// available again. Suggest says that the server can only read on, so that pieces
	// should be requested in order. A HashRequest is answered by HashReject.
	OnMessage(m *wire.Message)
	// OnBlock gives a block; the handler owns buf from then on.
	OnBlock(r block.Ref, buf *block.Buf)
	// OnSent and OnAnswered are never called.
	OnSent(blocks int)
	OnAnswered(answers int)
	// OnClosed is called exactly once, as the last call, with the reason.
	OnClosed(err error)
}

// Config is what a Conn needs to know.
type Config struct {
	Handler Handler
	Pool    *block.Pool   // where blocks go
	Down    *limit.Bucket // limits what is read; may be nil
	Info    *metainfo.Info
	HTTP    *guard.Client
	// URL is the URL of BEP 19: of the file, or of the folder that holds the file or
	// folder with the torrent's name. It is http or https.
	URL string
	// Stranger marks a URL that the user did not write. It may lead into this
	// machine or network only if it has neither query nor password.
	Stranger bool
	// Faults is what an earlier Conn has found out about the files of the server. Nil
	// means nothing.
	Faults *Faults
	// Failed is called when a file could not be fetched, by goroutines of Run. It may be
	// nil.
	Failed func(file int, err error)
	// Changed is called when what Trouble returns has changed. It must not block. May be
	// nil.
	Changed func()
	// Logger takes failures of the server at debug level. Nothing is logged if it is nil.
	Logger *slog.Logger
}

// A Conn is a web seed at work for one torrent. Its methods are safe for
// concurrent use.
type Conn struct {
	cfg    Config
	layout *metainfo.Layout
	files  locator
	read   atomic.Int64 // bytes of content, since New
	times  times

	closing sync.Once
	done    chan struct{} // closed by Close
	reason  error         // set before done is closed

	hear sync.Mutex    // held while the handler is called
	wake chan struct{} // there are requests
	tell chan struct{} // there are messages for the handler

	mu       sync.Mutex
	requests []block.Ref    // that wait, in the order of asking
	say      []wire.Message // for the handler
	faults   *Faults
	pace     pace
	paused   bool      // choking, and without requests
	held     bool      // requests wait for the end of a short pause
	failures int       // of the server in a row, since the last block
	why      error     // the last failure, since the last run that went well
	until    time.Time // the end of the pause, while paused
	absent   int       // files that failed in a row
	inOrder  bool      // the server knows no ranges
	kept     *answer   // of such a server, between two runs
}

// New returns a Conn. The error says what is wrong with the URL. Nothing moves before Run
// is called.
func New(cfg Config) (*Conn, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Faults == nil {
		cfg.Faults = new(Faults)
	}
	files, err := newLocator(cfg.Info, cfg.URL)
	if err != nil {
		return nil, err
	}
	return &Conn{
		cfg: cfg, layout: cfg.Info.Layout(), files: files,
		faults: cfg.Faults, pace: pace{limit: fetchers},
		times: times{answer: answerTimeout, block: blockTimeout, pause: pauseFirst, file: fileLater,
			absent: fileAbsent},
		done: make(chan struct{}), wake: make(chan struct{}, 1), tell: make(chan struct{}, 1),
	}, nil
}

// Run works until the Conn is closed, the server is given up, or ctx ends. It is called
// once.
func (c *Conn) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { c.Close(context.Cause(ctx)) })
	defer stop()
	var fetching sync.WaitGroup
	c.mu.Lock()
	offer := c.faults.offer(c.layout)
	c.mu.Unlock()
	c.queue(offer, wire.Message{ID: wire.Unchoke})
	for range fetchers {
		fetching.Go(func() { c.fetchAll(ctx) })
	}
	c.talk()
	cancel()
	fetching.Wait()
	if a := c.takeKept(); a != nil {
		a.close()
	}
	c.cfg.Handler.OnClosed(c.reason)
}

// talk gives the handler its messages until the Conn is closed.
func (c *Conn) talk() {
	again := time.NewTimer(0) // files are offered again
	defer again.Stop()
	for {
		select {
		case <-c.tell:
		case <-again.C:
		case <-c.done:
			return
		}
		c.mu.Lock()
		for _, file := range c.faults.due(time.Now()) {
			first, end := c.layout.FilePieces(file)
			c.say = append(c.say, c.faults.change(c.layout, first, end)...)
		}
		if at := c.faults.next(); !at.IsZero() {
			again.Reset(time.Until(at))
		}
		say := c.say
		c.say = nil
		c.mu.Unlock()
		for i := range say {
			c.hear.Lock()
			c.cfg.Handler.OnMessage(&say[i])
			c.hear.Unlock()
		}
	}
}

// queue queues messages for the handler. It does not block, since it is called from where
// the handler's own queue is emptied.
func (c *Conn) queue(messages ...wire.Message) {
	c.mu.Lock()
	c.say = append(c.say, messages...)
	full := len(c.say) > sayMax
	c.mu.Unlock()
	if full {
		c.Close(errBacklog)
	}
	signal(c.tell)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (c *Conn) deliver(r block.Ref, buf *block.Buf) {
	c.read.Add(int64(r.Length))
	c.hear.Lock()
	defer c.hear.Unlock()
	c.cfg.Handler.OnBlock(r, buf)
}

// Send takes a message for a peer, and does not block. Requests and cancels have their
// effect; messages that a seed ignores are ignored. Send reports false if the Conn is
// closed.
func (c *Conn) Send(m wire.Message) bool {
	select {
	case <-c.done:
		return false
	default:
	}
	switch m.ID {
	case wire.Request:
		if !c.request(m.Ref) {
			c.queue(wire.Message{ID: wire.Reject, Ref: m.Ref})
		}
	case wire.Cancel:
		if c.cancel(m.Ref) {
			c.queue(wire.Message{ID: wire.Reject, Ref: m.Ref}) // BEP 6: every request is answered
		}
	case wire.HashRequest:
		c.queue(wire.Message{ID: wire.HashReject, Payload: append([]byte(nil), m.Payload...)})
	}
	return true
}

// request queues a request. It reports false if the request has to be rejected.
func (c *Conn) request(r block.Ref) bool {
	if uint64(r.Piece) >= uint64(c.layout.Pieces()) || r.Length == 0 || r.Length > block.Size ||
		uint64(r.Begin)+uint64(r.Length) > uint64(c.layout.PieceSizePadded(int(r.Piece))) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.paused || len(c.requests) >= requestsMax || c.faults.lacks(c.layout, int(r.Piece)) {
		return false
	}
	c.requests = append(c.requests, r)
	signal(c.wake)
	return true
}

// cancel takes back a waiting request. A request under way is answered by its block.
func (c *Conn) cancel(r block.Ref) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, waiting := range c.requests {
		if waiting == r {
			c.requests = append(c.requests[:i], c.requests[i+1:]...)
			return true
		}
	}
	return false
}

// Close makes Run return. Only the first call has an effect; OnClosed gets its err. Close
// does not wait.
func (c *Conn) Close(err error) {
	c.closing.Do(func() {
		c.reason = err
		close(c.done)
	})
}

// SetPieces does nothing: the number of pieces is known from the start.
func (c *Conn) SetPieces(int) {}

// Trouble returns the last failure of the server or of one of its files, nil if something
// was fetched since, and until when the server is left alone for it, if it is.
func (c *Conn) Trouble() (until time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.paused {
		until = c.until
	}
	return until, c.why
}

// changed calls Config.Changed.
func (c *Conn) changed() {
	if c.cfg.Changed != nil {
		c.cfg.Changed()
	}
}

// Read returns how many bytes of content were received since New.
func (c *Conn) Read() int64 { return c.read.Load() }

// URL returns the URL of the server. It may hold secrets, so it is not for logs.
func (c *Conn) URL() string { return c.cfg.URL }

// String returns the scheme and host of the server. Paths and queries may hold secrets.
func (c *Conn) String() string {
	return fmt.Sprintf("%s://%s", c.files.base.Scheme, c.files.base.Host)
}
