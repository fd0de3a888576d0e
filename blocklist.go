package swarmnode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"swarmnode/metainfo/weburl"
	"swarmnode/swarm/blocklist"
	"swarmnode/swarm/guard"
)

const (
	// blocklistTimeout bounds the fetching of one list: one of 60 MiB takes as long over a
	// slow line.
	blocklistTimeout = 2 * time.Minute
	// blocklistEvery is the time between two looks at the lists of servers. Most of them
	// change once a day.
	blocklistEvery = 24 * time.Hour
	// blocklistFresh is the age up to which a list is not asked for at the start of a node.
	blocklistFresh = time.Hour
)

// A BlocklistSource says what a file or a server of Config.Blocklists has named.
type BlocklistSource struct {
	Name string // as in Config.Blocklists
	// Blocked counts the entries that block addresses, Allowed those that do not, and Skipped
	// the lines that were not understood, of which FirstSkipped is the first.
	Blocked, Allowed, Skipped, FirstSkipped int
	// Fetched is when the server sent the list. It is zero for a file.
	Fetched time.Time
	// Err is why the server could not be asked for a newer list, nil if it was.
	Err error
}

// Shown returns the name of the list for messages: of a URL, that without a password and
// parameters, which may be secret.
func (s BlocklistSource) Shown() string { return shownList(s.Name) }

// A BlocklistState describes the addresses that are blocked. Nobody may change its list.
type BlocklistState struct {
	Ranges int // of addresses; neighbours count as one
	Bytes  int // of memory
	// Refused counts how often a peer was refused because it is blocked: a connection with it,
	// or the news of it from a source. A DHT node alone has no peers.
	Refused int64
	Sources []BlocklistSource
}

// A BlocklistError says that a list of Config.Blocklists cannot be used.
type BlocklistError struct {
	Source string // as in Config.Blocklists
	// Network says that the server could not be reached, or that the connection was cut.
	// Otherwise the list itself is at fault.
	Network bool
	Err     error
}

func (e *BlocklistError) Error() string {
	return fmt.Sprintf("blocklist %s: %v", shownList(e.Source), e.Err)
}

// Unwrap returns the cause.
func (e *BlocklistError) Unwrap() error { return e.Err }

// blocklists are the lists of a node. It is safe for concurrent use.
type blocklists struct {
	log   *slog.Logger
	cache listCache
	web   *guard.Client

	loading sync.Mutex // held while lists are read
	names   []string
	list    atomic.Pointer[blocklist.List]
	shown   atomic.Pointer[BlocklistState]

	mu      sync.Mutex
	ctx     context.Context // of the looks at servers; nil before follow
	cancel  context.CancelFunc
	changed func() // called after each replacement of the list by such a look
	looking bool
	wait    sync.WaitGroup
}

// loadBlocklists reads the lists. What a server has sent in an earlier run is used without
// asking the server. The error is a *BlocklistError, or that of ctx.
func loadBlocklists(ctx context.Context, cfg *Config, dir folder) (*blocklists, error) {
	b := &blocklists{log: cfg.Logger, cache: listCache{dir},
		web:    guard.New(guard.Config{UserAgent: cfg.Client, Net: cfg.Network.Egress()}),
		cancel: func() {}}
	if len(cfg.Blocklists) == 0 {
		return b, nil
	}
	if err := b.use(ctx, cfg.Blocklists, true); err != nil {
		b.web.Close()
		return nil, err
	}
	return b, nil
}

// has reports whether addr is blocked.
func (b *blocklists) has(addr netip.Addr) bool { return b.list.Load().Contains(addr) }

// state describes the list in force.
func (b *blocklists) state() BlocklistState {
	if s := b.shown.Load(); s != nil {
		return *s
	}
	return BlocklistState{}
}

// load reads every list again, and then replaces the list in force. After an error that stays.
func (b *blocklists) load(ctx context.Context) error {
	b.loading.Lock()
	defer b.loading.Unlock()
	return b.read(ctx, b.names, false)
}

// use reads other lists, and then replaces the list in force. With early, what a server has sent
// before is good enough. After an error everything stays as it was.
func (b *blocklists) use(ctx context.Context, names []string, early bool) error {
	b.loading.Lock()
	defer b.loading.Unlock()
	if err := b.read(ctx, names, early); err != nil {
		return err
	}
	b.names = slices.Clone(names)
	b.look(names)
	return nil
}

// read reads lists, and then replaces the list in force. b.loading is held.
func (b *blocklists) read(ctx context.Context, names []string, early bool) error {
	if len(names) == 0 {
		b.list.Store(nil)
		b.shown.Store(nil)
		return nil
	}
	var build blocklist.Builder
	var state BlocklistState
	for _, name := range names {
		source, err := b.readOne(ctx, &build, name, early)
		if err != nil {
			return endOr(ctx, &BlocklistError{name, isNetwork(err), err})
		}
		state.Sources = append(state.Sources, source)
	}
	list, err := build.List()
	if err != nil {
		return &BlocklistError{Source: strings.Join(names, ", "), Err: err}
	}
	state.Ranges, state.Bytes = list.Len(), list.Bytes()
	b.list.Store(list)
	b.shown.Store(&state)
	return nil
}

// endOr returns the error of ctx if that has ended, and otherwise err.
func endOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// readOne adds one list.
func (b *blocklists) readOne(ctx context.Context, build *blocklist.Builder, name string,
	early bool) (BlocklistSource, error) {
	if !isListURL(name) {
		report, err := readListFile(build, name)
		return sourceOf(name, report), err
	}
	if early {
		if source, err := b.recall(build, name); err == nil {
			return source, nil
		}
	}
	source, err := b.fetch(ctx, build, name, true)
	if err == nil || ctx.Err() != nil {
		return source, err
	}
	// Nothing has changed, or the server is out of reach.
	source, recallErr := b.recall(build, name)
	switch {
	case recallErr == nil && errors.Is(err, errNotModified):
		return source, nil
	case recallErr == nil:
		source.Err = err
		return source, nil
	case errors.Is(err, errNotModified): // the kept list is damaged
		return b.fetch(ctx, build, name, false)
	}
	return BlocklistSource{}, err
}

// addWhole adds a list to build, or nothing of it if it cannot be read to its end.
func addWhole(build *blocklist.Builder, from io.Reader) (blocklist.Report, error) {
	var trial blocklist.Builder
	report, err := trial.Read(from)
	if err != nil {
		return report, err
	}
	list, err := trial.List()
	if err != nil {
		return report, err
	}
	for first, last := range list.Ranges() {
		build.Add(first, last)
	}
	return report, nil
}

// sourceOf returns what is known of a list after it was read.
func sourceOf(name string, r blocklist.Report) BlocklistSource {
	return BlocklistSource{Name: name, Blocked: r.Blocked, Allowed: r.Allowed, Skipped: r.Skipped,
		FirstSkipped: r.FirstSkipped}
}

// shownList returns how a list is called in messages: a URL without what may be secret.
func shownList(name string) string {
	if u, err := weburl.Parse(name); err == nil && isListURL(name) {
		return u.Scheme + "://" + u.Host + u.EscapedPath()
	}
	return name
}

// isListURL reports whether a list is that of a server.
func isListURL(name string) bool {
	scheme := weburl.Scheme(name)
	return scheme == "http" || scheme == "https"
}

// readListFile adds the list in a file.
func readListFile(build *blocklist.Builder, path string) (blocklist.Report, error) {
	info, err := os.Stat(path) // opening something else may wait for ever
	if err != nil {
		return blocklist.Report{}, withoutPath(err)
	}
	if !info.Mode().IsRegular() {
		return blocklist.Report{}, errors.New("is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return blocklist.Report{}, withoutPath(err)
	}
	defer f.Close()
	report, err := build.Read(f)
	return report, withoutPath(err)
}

// follow looks at the servers from time to time, and calls changed after each replacement of
// the list, until stop. It looks at once, since the list of an earlier run may be in force.
func (b *blocklists) follow(changed func()) {
	b.loading.Lock()
	defer b.loading.Unlock()
	b.mu.Lock()
	b.ctx, b.cancel = context.WithCancel(context.Background())
	b.changed = changed
	b.mu.Unlock()
	b.look(b.names)
}

// look begins the looks, if one of the lists is that of a server, follow was called and stop was
// not.
func (b *blocklists) look(names []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.looking || b.ctx == nil || b.ctx.Err() != nil || !slices.ContainsFunc(names, isListURL) {
		return
	}
	b.looking = true
	ctx := b.ctx
	b.wait.Go(func() {
		every := time.NewTicker(blocklistEvery)
		defer every.Stop()
		for {
			if b.stale() {
				b.refresh(ctx)
			}
			select {
			case <-every.C:
			case <-ctx.Done():
				return
			}
		}
	})
}

// stale reports whether some list was not just sent by its server.
func (b *blocklists) stale() bool {
	for _, s := range b.state().Sources {
		if !s.Fetched.IsZero() && time.Since(s.Fetched) > blocklistFresh {
			return true
		}
	}
	return false
}

// refresh reads all lists again, and warns of what went wrong.
func (b *blocklists) refresh(ctx context.Context) {
	err := b.load(ctx)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		b.log.Warn("the blocklist stays as it was", "err", err)
		return
	}
	state := b.state()
	for _, s := range state.Sources {
		if s.Err != nil {
			b.log.Warn("an older blocklist is used, the server does not send it",
				"from", shownList(s.Name), "err", s.Err)
		}
	}
	b.log.Info("blocklist", "ranges", state.Ranges, "bytes", state.Bytes)
	b.changed()
}

// stop ends the looks at servers, and waits for that.
func (b *blocklists) stop() {
	b.mu.Lock()
	b.cancel()
	b.mu.Unlock()
	b.wait.Wait()
	b.web.Close()
}

// Blocklist describes the addresses that are blocked (see Config.Blocklists).
func (n *Node) Blocklist() BlocklistState {
	s := n.blocked.state()
	s.Refused = n.engine.Blocked()
	return s
}

// ReloadBlocklist reads the files and asks the servers of Config.Blocklists again. Connections
// with addresses that are blocked now end. If a server does not answer, the list that it sent
// last is used, and the state says why; without that, or if a file cannot be used, the list in
// force stays. The error is a *BlocklistError, ErrClosed, or that of ctx.
func (n *Node) ReloadBlocklist(ctx context.Context) error {
	select {
	case <-n.done:
		return ErrClosed
	default:
	}
	if err := n.blocked.load(ctx); err != nil {
		return err
	}
	n.enforceBlocklist()
	return nil
}

// SetBlocklists puts other lists in the place of Config.Blocklists, as Start reads them. If one
// of them cannot be used, those in force stay. The errors are those of ReloadBlocklist.
func (n *Node) SetBlocklists(ctx context.Context, lists []string) error {
	select {
	case <-n.done:
		return ErrClosed
	default:
	}
	if err := n.blocked.use(ctx, lists, true); err != nil {
		return err
	}
	n.enforceBlocklist()
	return nil
}

// enforceBlocklist tells the parts of the node which addresses are blocked now.
func (n *Node) enforceBlocklist() {
	n.engine.SetBlocklist(n.blocked.list.Load())
	n.dht.blockedChanged()
}

// isNetwork reports whether a server could not be reached, or its answer broke off.
func isNetwork(err error) bool {
	_, network := errors.AsType[*fetchError](err)
	return network
}
