//go:build linux

// Package nodeproc runs the node command as a user's program would: as a child
// process with --json, whose events it reads. It is for tests and benchmarks
// that look at the command from outside; no product code imports it.
//
// A Node is one running command. An Event is one line of its standard output.
package nodeproc

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"swarmnode/internal/proc"
)

const (
	eventBytesMax = 1 << 20  // of one line
	eventsMax     = 100_000  // kept for Wait; a progress event comes each second
	logBytesMax   = 64 << 10 // of standard error that Log returns at most
)

// Event is one line of --json; fields that an event does not have are zero.
type Event struct {
	Event    string   // start, dht, metadata, progress, complete, seeding, exit...
	Listen   []string // start: bound addresses
	Nodes    int      // dht: nodes in the routing table
	Torrent  string   // metadata, progress, complete, seeding: info-hash, 40 hex digits
	Magnet   string   // seeding
	Name     string   // metadata, complete, seeding
	Paths    []string // complete: what was fetched
	Bytes    int64    // metadata, complete, seeding
	Have     int64    // progress: verified bytes
	Total    int64    // progress: wanted bytes
	Uploaded int64    // progress, complete: bytes of content sent
	Wasted   int64    // progress, complete: bytes received and discarded
	Seconds  float64  // metadata, complete: since the start
	Code     int      // exit
	Reason   string   // exit
	Message  string   // warning, error
	Raw      string   // the whole line
}

// Node is a running command. Its methods are safe for concurrent use.
type Node struct {
	*proc.Process

	log     tail
	reading chan struct{} // closed when the reading goroutine has ended

	mu     sync.Mutex
	events []Event
	err    error         // why no more events come
	more   chan struct{} // closed and replaced when events or err change
}

// Start runs the command in binary with args and --json. State goes to
// stateDir; no flag is taken from the environment, and nothing from the user's
// home.
func Start(binary, stateDir string, args ...string) (*Node, error) {
	n := &Node{more: make(chan struct{}), reading: make(chan struct{})}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	args = append(args, "--json")
	if !slices.Contains(args, "tracker") { // which has no state
		args = append(args, "--state-dir", stateDir)
	}
	n.Process, err = proc.Start(proc.Config{
		Path: binary, Args: args, Stdout: w,
		Stderr: &n.log,
		Hide:   "SWARM_", // each of them would be a flag
		Env: []string{"HOME=" + stateDir, "XDG_CONFIG_HOME=" + stateDir,
			"XDG_STATE_HOME=" + stateDir, "XDG_CACHE_HOME=" + stateDir, "SWARM_CONFIG=none"},
	})
	w.Close()
	if err != nil {
		r.Close()
		return nil, err
	}
	go n.read(r)
	return n, nil
}

// Stop ends the command as proc.Process.Stop does, and the reader of its events.
func (n *Node) Stop() {
	n.Process.Stop()
	<-n.reading
}

// Kill ends the command as proc.Process.Kill does, and the reader of its events.
func (n *Node) Kill() {
	n.Process.Kill()
	<-n.reading
}

// Last returns the last event of the given name that has come.
func (n *Node) Last(name string) (e Event, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range slices.Backward(n.events) {
		if e.Event == name {
			return e, true
		}
	}
	return Event{}, false
}

// read takes events until the command closes its standard output.
func (n *Node) read(r *os.File) {
	defer close(n.reading)
	defer r.Close()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, eventBytesMax)
	for lines.Scan() {
		e := Event{Raw: lines.Text()}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			n.add(nil, fmt.Errorf("standard output has %q: %w", lines.Text(), err))
			return
		}
		n.add(&e, nil)
	}
	err := lines.Err()
	if err == nil {
		err = errors.New("the command has ended")
	}
	n.add(nil, err)
}

func (n *Node) add(e *Event, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if e != nil && len(n.events) < eventsMax {
		n.events = append(n.events, *e)
	}
	n.err = err
	close(n.more)
	n.more = make(chan struct{})
}

// WaitEvent returns the first event of the given name, whether it has come
// already or is still to come. It fails when ctx or the command ends first.
func (n *Node) WaitEvent(ctx context.Context, name string) (Event, error) {
	return n.WaitFor(ctx, name, func(e Event) bool { return e.Event == name })
}

// WaitFor is WaitEvent for the first event that match accepts; what names it in
// the error.
func (n *Node) WaitFor(ctx context.Context, what string, match func(Event) bool) (Event, error) {
	seen := 0
	for {
		n.mu.Lock()
		events, err, more := n.events, n.err, n.more
		n.mu.Unlock()
		for ; seen < len(events); seen++ {
			if match(events[seen]) {
				return events[seen], nil
			}
		}
		if err != nil {
			return Event{}, fmt.Errorf("waiting for %s: %w", what, err)
		}
		select {
		case <-ctx.Done():
			return Event{}, fmt.Errorf("waiting for %s: %w; last event %s", what, ctx.Err(),
				last(events))
		case <-more:
		}
	}
}

func last(events []Event) string {
	if len(events) == 0 {
		return "none"
	}
	return events[len(events)-1].Raw
}

// Addr waits for the address on which the command accepts peers and datagrams.
func (n *Node) Addr(ctx context.Context) (netip.AddrPort, error) {
	e, err := n.WaitEvent(ctx, "start")
	if err != nil {
		return netip.AddrPort{}, err
	}
	if len(e.Listen) == 0 {
		return netip.AddrPort{}, errors.New("the command listens nowhere")
	}
	return netip.ParseAddrPort(e.Listen[0])
}

// Log returns the end of what the command has written to standard error, and the last
// event.
func (n *Node) Log() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.log.String() + "last event: " + last(n.events) + "\n"
}

// Pause waits for d, or until ctx ends.
func Pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tail is a writer that keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Write(p)
	if excess := t.buf.Len() - logBytesMax; excess > 0 {
		t.buf.Next(excess)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}
