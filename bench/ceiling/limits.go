//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"swarmnode/internal/nodeproc"
	"swarmnode/metainfo"
	"swarmnode/swarm/wire"
)

const (
	// drawFor is how long one address asks for answers.
	drawFor = 8 * time.Second
	// drawRead is how long it reads on each connection.
	drawRead = 300 * time.Millisecond
	// strangers is the number of peers that send what the node did not ask for.
	strangers = 40
	upLimit   = 200_000
	downLimit = 500_000
)

func init() {
	scenarios = append(scenarios,
		scenario{"metadata for one address, --up 200k", []string{"384M"}, attacks[0].draw},
		scenario{"hashes for one address, --up 200k", []string{"384M"}, attacks[2].draw},
		scenario{"40 strangers send junk, --down 500k", []string{"384M"}, flooded})
}

// draw connects one address to a seed with an upload limit again and again, asks, and
// reads for a moment. Half way through, another node wants the content.
func (a attack) draw(ctx context.Context, b *bench) (r result, err error) {
	seed, magnet, info, err := b.seedZeros(ctx, a.v2, "--up", strconv.Itoa(upLimit))
	if err != nil {
		return r, err
	}
	defer seed.Stop()
	addr, err := seed.Addr(ctx)
	if err != nil {
		return r, explain(err, seed)
	}
	var leech *nodeproc.Node
	drawn := int64(0)
	began, asked, first := time.Now(), time.Time{}, time.Duration(0)
	for n := 0; time.Since(began) < drawFor || leech == nil; n++ {
		if leech == nil && time.Since(began) > drawFor/2 {
			leech, err = nodeproc.Start(b.node, filepath.Join(b.dir, "other"), "add", "--listen",
				"127.0.0.1:0", "--no-dht",
				"--no-lsd", "--peer", addr.String(), "--dir", filepath.Join(b.dir, "fetched"),
				magnet)
			if err != nil {
				return r, err
			}
			defer leech.Stop()
			asked = time.Now()
		}
		if leech != nil && first == 0 {
			if e, _ := leech.Last("progress"); e.Have > 0 {
				first = time.Since(asked)
			}
		}
		a.id, a.reads = n, true
		conn, err := a.strike(ctx, addr, info, 0)
		if err != nil {
			continue
		}
		conn.SetReadDeadline(time.Now().Add(drawRead))
		got, err := io.Copy(io.Discard, conn)
		drawn += got
		conn.Close()
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
			return r, err
		}
	}
	took := time.Since(began)
	late, cancel := context.WithTimeout(ctx, moveMax)
	defer cancel()
	what := "another node has its first piece after"
	if _, err := leech.WaitFor(late, "a piece", func(e nodeproc.Event) bool {
		return e.Event == "progress" && e.Have > 0
	}); err != nil {
		what = "another node has no piece after"
	}
	if first == 0 {
		first = time.Since(asked)
	}
	r.used, err = seed.Usage()
	r.what = fmt.Sprintf("drew %.1f MB in %.0f s, %.1f times the limit; %s %.1f s",
		float64(drawn)/1e6, took.Seconds(),
		float64(drawn)/took.Seconds()/upLimit, what, first.Seconds())
	return r, explain(err, seed)
}

// seedZeros seeds a file of 64 MiB in pieces of 16 KiB.
func (b *bench) seedZeros(ctx context.Context, v2 bool,
	args ...string) (*nodeproc.Node, string, *metainfo.Info, error) {
	paths, infos, err := attack{v2: true}.torrents(b, 1) // for the content
	if err != nil {
		return nil, "", nil, err
	}
	if !v2 {
		t, err := metainfo.Build(ctx, metainfo.BuildOptions{Path: filepath.Join(b.dir, "content-0"),
			PieceLength: 16 << 10})
		if err != nil {
			return nil, "", nil, err
		}
		if err := os.WriteFile(paths[0], t.Marshal(), 0o600); err != nil {
			return nil, "", nil, err
		}
		infos[0] = t.Info()
	}
	seed, err := b.start("add", append(args, "--seed", "--no-dht", "--dir", b.dir, paths[0])...)
	if err != nil {
		return nil, "", nil, err
	}
	if _, err := seed.WaitEvent(ctx, "complete"); err != nil {
		seed.Stop()
		return nil, "", nil, explain(err, seed)
	}
	return seed, metainfo.NewTorrent(infos[0]).Magnet().String(), infos[0], nil
}

// flooded lets a node with a download limit fetch from one seed, first alone and then
// beside strangers that send large messages of an unknown extension.
func flooded(ctx context.Context, b *bench) (r result, err error) {
	seed, _, info, err := b.seedZeros(ctx, false)
	if err != nil {
		return r, err
	}
	defer seed.Stop()
	from, err := seed.Addr(ctx)
	if err != nil {
		return r, explain(err, seed)
	}
	leech, err := nodeproc.Start(b.node, filepath.Join(b.dir, "other"), "add", "--listen",
		"127.0.0.1:0", "--no-dht", "--no-lsd",
		"--memory", b.ceiling, "--down", strconv.Itoa(downLimit), "--peer", from.String(), "--dir",
		filepath.Join(b.dir, "fetched"),
		filepath.Join(b.dir, "0.torrent"))
	if err != nil {
		return r, err
	}
	defer leech.Stop()
	addr, err := leech.Addr(ctx)
	if err != nil {
		return r, explain(err, leech)
	}
	if err := nodeproc.Pause(ctx, watched/4); err != nil {
		return r, err
	}
	alone, err := fetching(ctx, leech, nil)
	if err != nil {
		return r, explain(err, leech)
	}
	junk := wire.Append(nil, &wire.Message{ID: wire.Extended, Ext: 99,
		Payload: bytes.Repeat([]byte{'x'}, 60_000)})
	stranger := attack{write: introduction}
	var conns []net.Conn
	for i := range strangers {
		conn, err := stranger.strike(ctx, addr, info, i)
		if err != nil {
			return r, explain(err, leech)
		}
		defer conn.Close()
		conns = append(conns, conn)
	}
	left, ended := make([][]byte, strangers), 0
	beside, err := fetching(ctx, leech, func() {
		for i, conn := range conns {
			if conn == nil {
				continue
			}
			if len(left[i]) == 0 {
				left[i] = junk
			}
			conn.SetWriteDeadline(time.Now().Add(time.Millisecond))
			n, err := conn.Write(left[i])
			left[i] = left[i][n:]
			if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				conns[i] = nil
				ended++
			}
		}
	})
	if err != nil {
		return r, explain(err, leech)
	}
	r.used, err = leech.Usage()
	r.what = fmt.Sprintf("fetches %.0f kB/s alone and %.0f kB/s beside them; %d of them "+
		"were closed", alone/1e3, beside/1e3, ended)
	return r, explain(err, leech)
}

// fetching returns the rate at which a node fetches content, in bytes per second, over
// some time in which attack is called again and again.
func fetching(ctx context.Context, n *nodeproc.Node, attack func()) (float64, error) {
	next := func() (nodeproc.Event, error) {
		before, _ := n.Last("progress")
		for {
			if attack != nil {
				attack()
			} else if err := nodeproc.Pause(ctx, 10*time.Millisecond); err != nil {
				return before, err
			}
			if e, ok := n.Last("progress"); ok && e.Raw != before.Raw {
				return e, nil
			}
			if ctx.Err() != nil {
				return before, ctx.Err()
			}
		}
	}
	first, err := next()
	if err != nil {
		return 0, err
	}
	began, last := time.Now(), first
	for time.Since(began) < watched {
		if last, err = next(); err != nil {
			return 0, err
		}
	}
	return float64(last.Have-first.Have) / time.Since(began).Seconds(), nil
}
