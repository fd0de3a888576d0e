//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"swarmnode/internal/proc"
)

// limitSource is the sending process of the machine's limit.
type limitSource struct {
	process *proc.Process
	at      netip.AddrPort
}

func (s limitSource) addr() netip.AddrPort       { return s.at }
func (s limitSource) usage() (proc.Usage, error) { return s.process.Usage() }
func (s limitSource) close()                     { s.process.Stop() }

// limitSeed sends at rate bytes per second at most; 0 means no limit.
func limitSeed(rate int) seeder {
	return func(_ context.Context, j job, _ string) (source, error) { return startLimit(j, rate) }
}

func startLimit(j job, rate int) (source, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	p, err := proc.Start(proc.Config{
		Path: "/proc/self/exe", Args: []string{"limit-send", filepath.Join(j.dir, contentName),
			fmt.Sprint(j.piece), fmt.Sprint(rate)},
		Stdout: w, Stderr: os.Stderr,
	})
	w.Close()
	if err != nil {
		return nil, err
	}
	s := limitSource{process: p}
	line, err := bufio.NewReader(r).ReadString('\n')
	if err == nil {
		s.at, err = netip.ParseAddrPort(strings.TrimSpace(line))
	}
	if err != nil {
		p.Stop()
		return nil, fmt.Errorf("the sender's address: %w", err)
	}
	return s, nil
}

func limitLeech(ctx context.Context, j job, peer netip.AddrPort,
	dir string) (time.Duration, sample, error) {
	start := time.Now()
	p, err := proc.Start(proc.Config{
		Path: "/proc/self/exe", Args: []string{"limit-receive", peer.String(), dir,
			fmt.Sprint(j.size), fmt.Sprint(j.piece)},
		Stdin: bytes.NewReader(j.Pieces), Stderr: os.Stderr,
	})
	if err != nil {
		return 0, sample{}, err
	}
	defer p.Stop()
	watch, err := startSampler(p.Usage, true)
	if err != nil {
		return 0, sample{}, err
	}
	err = waitProcess(ctx, p)
	took := time.Since(start)
	return took, watch.stop(), err
}
