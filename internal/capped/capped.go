//go:build linux

// Package capped runs swarms of the node command and of clients that people already run,
// each with its own upload limit. It is for tests and benchmarks; no product code imports
// it.
//
// It owns the processes of one swarm and a tracker that names all members to
// everyone. It runs in a namespace of realclient, on addresses that count as
// public, and judges nothing.
//
// A Seat describes a member: a program and its limit. A Member is one running program,
// which can be killed and started again. A Result is its outcome.
package capped

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"swarmnode/internal/nodeproc"
	"swarmnode/internal/realclient"
)

// Node is the kind of a seat that runs the node command.
const Node realclient.Kind = "node"

// Port is where every member accepts peers, on an address of its own.
const Port = 6881

// Seat describes a member.
type Seat struct {
	Kind realclient.Kind
	Up   int64    // upload limit in bytes per second; 0: none
	Args []string // more arguments of the node command
}

// Config describes a swarm.
type Config struct {
	Binary string // the node command
	Group  byte   // second byte of the addresses; no two swarms of a namespace share it
	Dir    string // for states and downloads
	Name   string // of the content, a file or a folder
	From   string // folder that holds it
	Piece  int    // piece length in bytes
	Seeds  []Seat
	Leechs []Seat
}

// Member is one program of a swarm. Its methods are for one goroutine at a time.
type Member struct {
	Seat
	Addr netip.AddrPort
	Dir  string // folder with the content

	swarm  *Swarm
	state  string
	seed   bool
	began  time.Time
	client *realclient.Client
	node   *nodeproc.Node
}

// Result is the outcome of a member.
type Result struct {
	*Member
	Took time.Duration // from the moment at which it was given the torrent
	Err  error         // why it is not complete
}

// Swarm is a running swarm.
type Swarm struct {
	Torrent realclient.Torrent
	Seeds   []*Member
	Leechs  []*Member

	cfg     Config
	tracker *realclient.Tracker
}

// Run runs a swarm until every downloader is complete or ctx ends, and returns a Result
// for each of them, in order. By then, everything that was started has ended.
func Run(ctx context.Context, cfg Config) ([]Result, error) {
	s, err := Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Wait(ctx), nil
}

// Start starts a swarm: the seeds first, and everybody else at once when the seeds have
// checked the content. The caller must Close it.
func Start(ctx context.Context, cfg Config) (*Swarm, error) {
	s := &Swarm{cfg: cfg}
	if err := s.start(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Swarm) start(ctx context.Context) error {
	for i, seat := range slices.Concat(s.cfg.Seeds, s.cfg.Leechs) {
		m := &Member{
			Seat: seat, Addr: netip.AddrPortFrom(address(s.cfg.Group, i), Port), swarm: s,
			seed:  i < len(s.cfg.Seeds),
			state: filepath.Join(s.cfg.Dir, fmt.Sprintf("state%d", i)),
			Dir:   filepath.Join(s.cfg.Dir, fmt.Sprintf("out%d", i)),
		}
		if m.seed {
			m.Dir = s.cfg.From
			s.Seeds = append(s.Seeds, m)
		} else {
			s.Leechs = append(s.Leechs, m)
		}
		for _, dir := range []string{m.state, m.Dir} {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
		}
	}
	var all []netip.AddrPort
	for _, m := range s.members() {
		all = append(all, m.Addr)
	}
	var err error
	if s.tracker, err = realclient.NewTracker(address(s.cfg.Group, 200), all...); err != nil {
		return err
	}
	if s.Torrent, err = realclient.MakeTorrent(filepath.Join(s.cfg.From, s.cfg.Name), s.cfg.Piece,
		s.tracker.URL); err != nil {
		return err
	}
	for _, m := range s.members() {
		if err := m.launch(ctx); err != nil {
			return err
		}
	}
	for _, m := range s.Seeds {
		if err := errors.Join(m.begin(ctx), m.Wait(ctx)); err != nil {
			return fmt.Errorf("seeding: %w", err)
		}
	}
	for _, m := range s.Leechs {
		if err := m.begin(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *Swarm) members() []*Member { return slices.Concat(s.Seeds, s.Leechs) }

// Wait waits until every downloader but those left out is complete, or ctx ends.
func (s *Swarm) Wait(ctx context.Context, out ...*Member) []Result {
	var results []Result
	for _, m := range s.Leechs {
		if !slices.Contains(out, m) {
			results = append(results, Result{Member: m})
		}
	}
	var wait sync.WaitGroup
	for i := range results {
		r := &results[i]
		wait.Go(func() {
			r.Err = r.Member.Wait(ctx)
			r.Took = time.Since(r.began)
		})
	}
	wait.Wait()
	return results
}

// Close ends every member and the tracker.
func (s *Swarm) Close() {
	for _, m := range s.members() {
		m.stop()
	}
	if s.tracker != nil {
		s.tracker.Close()
	}
}

func address(group byte, i int) netip.Addr {
	return netip.AddrFrom4([4]byte{11, group, byte(i), 1})
}

// launch starts a client without a torrent. The node command starts later, with its
// torrent.
func (m *Member) launch(ctx context.Context) (err error) {
	if m.Kind == Node {
		return nil
	}
	opts := realclient.Options{IP: m.Addr.Addr(), Port: m.Addr.Port(), Dir: m.state, Up: m.Up}
	switch m.Kind {
	case realclient.Transmission:
		// It tries uTP first, and takes minutes to give that up.
		opts.Settings = map[string]any{"utp-enabled": false, "encryption": 0}
	case realclient.Libtorrent:
		opts.Settings = map[string]any{"enable_outgoing_utp": false, "enable_incoming_utp": false}
	}
	m.client, err = realclient.Launch(ctx, m.Kind, opts)
	return err
}

// begin gives the torrent to the member.
func (m *Member) begin(ctx context.Context) (err error) {
	m.began = time.Now()
	if m.client != nil {
		return m.client.Seed(ctx, m.swarm.Torrent.File, m.Dir)
	}
	args := []string{"add", "--seed", "--dir", m.Dir}
	if m.Up > 0 {
		args = append(args, "--up", strconv.FormatInt(m.Up, 10))
	}
	args = append(args, m.Args...)
	args = append(args, "--listen", m.Addr.String(), "--no-dht", "--no-lsd", m.swarm.Torrent.File)
	m.node, err = nodeproc.Start(m.swarm.cfg.Binary, m.state, args...)
	return err
}

// Wait waits until the member has everything.
func (m *Member) Wait(ctx context.Context) error {
	if m.client != nil {
		return m.client.Wait(ctx)
	}
	if _, err := m.node.WaitEvent(ctx, "complete"); err != nil {
		return fmt.Errorf("%w\n%s", err, m.node.Log())
	}
	return nil
}

// Have returns how many bytes the member has, by its own word.
func (m *Member) Have(ctx context.Context) (int64, error) {
	if m.client != nil {
		p, err := m.client.Progress(ctx)
		return p.Done, err
	}
	e, _ := m.node.Last("progress")
	return e.Have, nil
}

// Kill ends the member by SIGKILL.
func (m *Member) Kill() {
	if m.client != nil {
		m.client.Kill()
	}
	if m.node != nil {
		m.node.Kill()
	}
}

// Restart starts a member that was killed, with the state and the content that it
// left.
func (m *Member) Restart(ctx context.Context) error {
	m.stop()
	if err := m.launch(ctx); err != nil {
		return err
	}
	return m.begin(ctx)
}

func (m *Member) stop() {
	if m.client != nil {
		m.client.Close()
	}
	if m.node != nil {
		m.node.Stop()
	}
	m.client, m.node = nil, nil
}
