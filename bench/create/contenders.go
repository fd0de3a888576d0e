//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"math/bits"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"swarmnode/internal/proc"
	"swarmnode/internal/realclient"
	"swarmnode/metainfo"
)

// sampleInterval is the time between two samples of a process's memory.
const sampleInterval = 3 * time.Millisecond

// A contender makes torrents of one kind, or measures the limit for that kind.
type contender struct {
	name    string
	kind    metainfo.Kind
	limit   bool
	command func(j job, out string) []string

	measures []measure
	failed   int
}

// A measure records the making of one torrent.
type measure struct {
	took time.Duration
	cpu  time.Duration
	peak int64 // bytes resident at most
}

// contenders returns all contenders whose programs are installed, and why the others are
// left out.
func contenders(node string) (list []contender, skipped []string) {
	kinds := []metainfo.Kind{metainfo.V1, metainfo.V2, metainfo.Hybrid}
	for _, kind := range kinds {
		list = append(list, contender{
			name: "the limit, " + kind.String(), kind: kind, limit: true,
			command: func(j job, _ string) []string {
				return []string{"/proc/self/exe", limitChild, kind.String(),
					strconv.FormatInt(j.size, 10)}
			},
		})
	}
	for _, kind := range kinds {
		list = append(list, contender{name: "node, " + kind.String(), kind: kind,
			command: func(j job, out string) []string {
				return []string{node, "create", "--quiet", "--no-date", "--" + kind.String(),
					"--piece-length", fmt.Sprint(j.piece), "-o", out, j.path}
			}})
	}
	tool := func(name string, command func(j job, out string) []string) {
		if _, err := exec.LookPath(name); err != nil {
			skipped = append(skipped, fmt.Sprintf("%s is not installed: %v", name, err))
			return
		}
		list = append(list, contender{name: name + ", v1", kind: metainfo.V1, command: command})
	}
	tool("mktorrent", func(j job, out string) []string {
		return []string{"mktorrent", "-l", fmt.Sprint(bits.Len(uint(j.piece)) - 1), "-o",
			out, j.path}
	})
	tool("transmission-create", func(j job, out string) []string {
		return []string{"transmission-create", "-s", fmt.Sprint(j.piece >> 10), "-o", out, j.path}
	})
	if err := realclient.Installed(realclient.Libtorrent); err != nil {
		return list, append(skipped, err.Error())
	}
	for _, kind := range kinds {
		list = append(list, contender{name: "libtorrent, " + kind.String(), kind: kind,
			command: func(j job, out string) []string {
				return []string{"/usr/bin/python3", "-c", libtorrentScript, j.path,
					out, fmt.Sprint(j.piece), kind.String()}
			}})
	}
	return list, skipped
}

// libtorrentScript makes a torrent as the examples of libtorrent do. It hashes
// with as many threads as there are cores.
const libtorrentScript = `
import libtorrent as lt, os, sys
path, out, piece, kind = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
flags = {"v1": 64, "v2": 32, "hybrid": 0}[kind]
fs = lt.file_storage()
lt.add_files(fs, path)
ct = lt.create_torrent(fs, piece, flags=flags)
lt.set_piece_hashes(ct, os.path.dirname(path))
with open(out, "wb") as f:
    f.write(lt.bencode(ct.generate()))
`

// measure makes one torrent and checks the result.
func (c *contender) measure(ctx context.Context, j job, work string) (measure, error) {
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	out := filepath.Join(work, "out.torrent")
	_ = os.Remove(out) // there is none at first
	args := c.command(j, out)
	var said bytes.Buffer
	start := time.Now()
	p, err := proc.Start(proc.Config{Path: args[0], Args: args[1:], Stdout: &said, Stderr: &said,
		Env: []string{"XDG_STATE_HOME=" + work, "SWARM_CONFIG=none"}})
	if err != nil {
		return measure{}, err
	}
	defer p.Stop()
	var m measure
	tick := time.NewTicker(sampleInterval)
	defer tick.Stop()
	for running := true; running; {
		if u, err := p.Usage(); err == nil { // it may end just now
			m.peak = max(m.peak, u.PeakRSS)
		}
		select {
		case <-p.Done():
			running = false
		case <-ctx.Done():
			return measure{}, ctx.Err()
		case <-tick.C:
		}
	}
	m.took = time.Since(start)
	if err := p.Wait(); err != nil {
		return measure{}, fmt.Errorf("%w: %s", err, strings.TrimSpace(said.String()))
	}
	u, err := p.Usage()
	if err != nil {
		return measure{}, err
	}
	m.cpu = u.CPU
	if c.limit {
		return m, nil
	}
	return m, checkTorrent(out, c.kind, j)
}

// checkTorrent checks that the torrent has the kind, content and piece length that were
// asked for.
func checkTorrent(path string, kind metainfo.Kind, j job) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	t, err := metainfo.ParseTorrent(raw)
	if err != nil {
		return err
	}
	l := t.Info().Layout()
	if l.Kind() != kind || l.Size() != j.size || l.PieceLength != j.piece {
		return fmt.Errorf("made %v of %d bytes in pieces of %d, want %v of %d in pieces of %d",
			l.Kind(), l.Size(), l.PieceLength, kind, j.size, j.piece)
	}
	return nil
}
