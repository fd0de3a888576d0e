//go:build linux

package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os/exec"
	"time"

	"swarmnode/swarm"
)

//go:embed player.py
var playerScript string

// patience bounds one run of a player.
func (j *job) patience() time.Duration { return 4*j.seconds + time.Minute }

// after is how long the player plays after the seek.
func (j *job) after() time.Duration { return j.seconds / 2 }

// playLibtorrent plays with libtorrent's deadlines.
func playLibtorrent(ctx context.Context, j job) (m measure, err error) {
	var peers [][]any
	for _, p := range j.peers {
		peers = append(peers, []any{p.Addr().String(), p.Port()})
	}
	arg, err := json.Marshal(map[string]any{
		"torrent": j.file, "dir": j.dir, "ip": j.ip.String(), "port": port, "peers": peers,
		"rate": j.rate, "buffer": buffer.Seconds(), "seconds": j.seconds.Seconds(),
		"seek": seek, "after": j.after().Seconds(), "patience": j.patience().Seconds(),
	})
	if err != nil {
		return m, err
	}
	ctx, cancel := context.WithTimeout(ctx, j.patience()+10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/usr/bin/python3", "-B", "-I", "-c", playerScript, string(arg))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return m, fmt.Errorf("%w\n%s", err, errs.String())
	}
	return m, json.Unmarshal(out.Bytes(), &m)
}

// playNode plays with a Reader.
func playNode(ctx context.Context, j job) (m measure, err error) {
	ctx, cancel := context.WithTimeout(ctx, j.patience())
	defer cancel()
	engine, err := swarm.Listen(swarm.Config{
		Listen: []netip.AddrPort{netip.AddrPortFrom(j.ip, port)}, Client: "bench"})
	if err != nil {
		return m, err
	}
	defer engine.Close()
	spec := swarm.Spec{Torrent: j.torrent, Dir: j.dir}
	for _, p := range j.peers {
		spec.Peers = append(spec.Peers, p.String())
	}
	began := time.Now()
	t, err := engine.Add(spec)
	if err != nil {
		return m, err
	}
	r, err := t.Reader(ctx, 0)
	if err != nil {
		return m, err
	}
	defer r.Close()
	if m.Start, err = j.play(r, began, j.seconds); err != nil {
		return m, err
	}
	began = time.Now()
	if _, err := r.Seek(int64(seek*float64(r.Size())), io.SeekStart); err != nil {
		return m, err
	}
	if m.Seek, err = j.play(r, began, j.after()); err != nil {
		return m, err
	}
	s := t.State()
	m.Down, m.Waste = s.Down, s.Wasted()
	return m, nil
}

// play reads as much as is played in a time, no more than the buffer ahead of what is
// played.
func (j *job) play(r io.Reader, began time.Time, long time.Duration) (p phase, err error) {
	var begin time.Time // when it began to play
	var stalled time.Duration
	buf := make([]byte, 64<<10)
	lasts := func(n int64) time.Duration {
		return time.Duration(float64(n) / float64(j.rate) * float64(time.Second))
	}
	for read := int64(0); lasts(read) < long; {
		n, err := r.Read(buf)
		now := time.Now()
		if n > 0 && read == 0 {
			p.Byte = now.Sub(began).Seconds()
		}
		if !begin.IsZero() {
			if late := now.Sub(begin) - stalled - lasts(read); late > 0 {
				stalled += late
				p.Stalls++
			}
		}
		read += int64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return p, err
		}
		if begin.IsZero() && lasts(read) >= buffer {
			begin = now
			p.Start = now.Sub(began).Seconds()
		}
		if !begin.IsZero() {
			time.Sleep(lasts(read) - buffer - (now.Sub(begin) - stalled))
		}
	}
	p.Stalled = stalled.Seconds()
	return p, nil
}
