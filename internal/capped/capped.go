//go:build linux

// Package capped runs a swarm of the node command and of clients that people
// already run, each with its own limit of what it sends, and tells when each was
// complete. It is for tests and benchmarks; no product code imports it.
//
// It owns the processes of one swarm and a tracker that names all members to
// everyone. It runs in a namespace of realclient, on addresses that count as
// public, and judges nothing.
//
// A Seat is one member: a program and its limit. A Result is what came of it.
package capped

import (
	"context"
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

// Node is the kind of a seat that has the node command.
const Node realclient.Kind = "node"

// port is where everybody accepts peers, on an address of its own.
const port = 6881

// Seat is one member of a swarm.
type Seat struct {
	Kind realclient.Kind
	Up   int64    // its own limit of what it sends, in bytes per second
	Args []string // more arguments of the node command
}

// Result is what came of a seat.
type Result struct {
	Seat
	Dir  string        // where it has the content
	Took time.Duration // from the moment at which it was given the torrent
	Err  error         // why it is not complete
}

// Config describes a swarm.
type Config struct {
	Binary string // the node command
	Group  byte   // second byte of the addresses; no two swarms of a namespace share it
	Dir    string // for states and downloads
	Name   string // of the content, a file
	From   string // folder that holds it
	Piece  int    // piece length in bytes
	Seed   Seat
	Leechs []Seat
}

// A member is a running client, or the command.
type member struct {
	seat   Seat
	addr   netip.Addr
	state  string
	out    string // folder with the content
	client *realclient.Client
	node   *nodeproc.Node
}

// Run runs a swarm until every downloader is complete or ctx ends, and returns
// a Result for each of them, in order. Everything that was started has ended by
// then.
func Run(ctx context.Context, cfg Config) ([]Result, error) {
	tracker, torrent, err := prepare(cfg)
	if err != nil {
		return nil, err
	}
	defer tracker.Close()
	var members []*member
	defer func() {
		for _, m := range members {
			m.stop()
		}
	}()
	for i, seat := range slices.Concat([]Seat{cfg.Seed}, cfg.Leechs) {
		m := &member{
			seat: seat, addr: address(cfg.Group, i),
			state: filepath.Join(cfg.Dir, fmt.Sprintf("state%d", i)), out: filepath.Join(cfg.Dir, fmt.Sprintf("out%d", i)),
		}
		if i == 0 {
			m.out = cfg.From
		}
		for _, dir := range []string{m.state, m.out} {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return nil, err
			}
		}
		members = append(members, m)
		if err := m.launch(ctx); err != nil {
			return nil, err
		}
	}
	seed := members[0]
	if err := seed.begin(ctx, cfg, torrent, true); err != nil {
		return nil, err
	}
	if err := seed.complete(ctx); err != nil {
		return nil, fmt.Errorf("seeding: %w", err)
	}
	results := make([]Result, len(cfg.Leechs))
	var wait sync.WaitGroup
	for i, m := range members[1:] {
		r := &results[i]
		*r = Result{Seat: m.seat, Dir: m.out}
		start := time.Now()
		if r.Err = m.begin(ctx, cfg, torrent, false); r.Err != nil {
			continue
		}
		wait.Go(func() {
			r.Err = m.complete(ctx)
			r.Took = time.Since(start)
		})
	}
	wait.Wait()
	return results, nil
}

// prepare starts the tracker and makes the torrent that names it.
func prepare(cfg Config) (*realclient.Tracker, realclient.Torrent, error) {
	all := make([]netip.AddrPort, 1+len(cfg.Leechs))
	for i := range all {
		all[i] = netip.AddrPortFrom(address(cfg.Group, i), port)
	}
	tracker, err := realclient.NewTracker(address(cfg.Group, 200), all...)
	if err != nil {
		return nil, realclient.Torrent{}, err
	}
	torrent, err := realclient.MakeTorrent(filepath.Join(cfg.From, cfg.Name), cfg.Piece, tracker.URL)
	if err != nil {
		tracker.Close()
	}
	return tracker, torrent, err
}

func address(group byte, i int) netip.Addr { return netip.AddrFrom4([4]byte{11, group, byte(i), 1}) }

// launch starts a client without a torrent. The command has none without.
func (m *member) launch(ctx context.Context) (err error) {
	if m.seat.Kind == Node {
		return nil
	}
	opts := realclient.Options{IP: m.addr, Port: port, Dir: m.state, Up: m.seat.Up}
	switch m.seat.Kind {
	case realclient.Transmission:
		// It tries uTP first, and takes minutes to give that up.
		opts.Settings = map[string]any{"utp-enabled": false, "encryption": 0}
	case realclient.Libtorrent:
		opts.Settings = map[string]any{"enable_outgoing_utp": false, "enable_incoming_utp": false}
	}
	m.client, err = realclient.Launch(ctx, m.seat.Kind, opts)
	return err
}

// begin gives the torrent to the member.
func (m *member) begin(ctx context.Context, cfg Config, torrent realclient.Torrent, seed bool) (err error) {
	if m.client != nil {
		return m.client.Seed(ctx, torrent.File, m.out)
	}
	args := []string{"add", "--seed", "--dir", m.out}
	if m.seat.Up > 0 {
		args = append(args, "--up", strconv.FormatInt(m.seat.Up, 10))
	}
	if seed {
		// What is there already is checked, and then seeded.
		args = append(args, "--ephemeral")
	}
	args = append(args, m.seat.Args...)
	args = append(args, "--listen", netip.AddrPortFrom(m.addr, port).String(), "--no-dht", "--no-lsd", torrent.File)
	m.node, err = nodeproc.Start(cfg.Binary, m.state, args...)
	return err
}

// complete waits until the member has everything.
func (m *member) complete(ctx context.Context) error {
	if m.client != nil {
		return m.client.Wait(ctx)
	}
	if _, err := m.node.WaitEvent(ctx, "complete"); err != nil {
		return fmt.Errorf("%w\n%s", err, m.node.Log())
	}
	return nil
}

func (m *member) stop() {
	if m.client != nil {
		m.client.Close()
	}
	if m.node != nil {
		m.node.Stop()
	}
}
