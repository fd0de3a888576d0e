//go:build linux

package main

import (
	"cmp"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"swarmnode/internal/lightpeer"
	"swarmnode/internal/nodeproc"
	"swarmnode/metainfo"
	"swarmnode/metainfo/bencode"
	"swarmnode/swarm/block"
	"swarmnode/swarm/wire"
)

const (
	// watched is how long a scenario without an end runs.
	watched = 20 * time.Second
	// moveMax bounds the time for which content is moved.
	moveMax = 30 * time.Second
)

var scenarios = []scenario{
	{"10,000 torrents seeded", []string{"384M"}, many(10_000, "")},
	{"10,000 torrents seeded, in a DHT", []string{"384M"}, many(10_000, "none")},
	{"1,000 torrents seeded", []string{"64M"}, many(1_000, "none")},
	{"20,000 torrents seeded", []string{"128M"}, many(20_000, "")},
	{"500 peers download", []string{"64M", "384M"}, crowd(500, false)},
	{"500 peers are downloaded from", []string{"64M", "384M"}, crowd(500, true)},
	{"5,000 connections", []string{"64M", "128M", "384M"}, connections(5_000)},
	{"1 TiB, in pieces of 4 MiB", []string{"64M", "128M"},
		download(shape{pieces: 1 << 18, length: 4 << 20})},
	{"100,000 files", []string{"64M", "128M"}, download(shape{pieces: 1_563, length: 256 << 10,
		files: 100_000})},
	{"pieces of 16 MiB", []string{"64M"}, download(shape{pieces: 128, length: 16 << 20})},
	{"200,000 pieces", []string{"64M"}, download(shape{pieces: 200_000, length: 16 << 10})},
}

// many seeds n torrents; without bootstrap there is no DHT.
func many(torrents int, bootstrap string) func(context.Context, *bench) (result, error) {
	return func(ctx context.Context, b *bench) (r result, err error) {
		args, err := b.files(torrents)
		if err != nil {
			return r, err
		}
		if bootstrap == "" {
			args = append(args, "--no-dht")
		} else {
			args = append(args, "--bootstrap", bootstrap)
		}
		began := time.Now()
		seed, err := b.start("seed", args...)
		if err != nil {
			return r, err
		}
		defer seed.Stop()
		count := 0
		if _, err := seed.WaitFor(ctx, "a look at all torrents", func(e nodeproc.Event) bool {
			if e.Event == "seeding" {
				count++
			}
			return e.Event == "progress"
		}); err != nil {
			return r, explain(err, seed)
		}
		took := time.Since(began)
		before, err := seed.Usage()
		if err != nil {
			return r, explain(err, seed)
		}
		if err := nodeproc.Pause(ctx, watched); err != nil {
			return r, err
		}
		r.used, err = seed.Usage()
		r.what = fmt.Sprintf("%d of them, started after %.1f s, then %.1f %% of a core%s", count,
			took.Seconds(),
			100*(r.used.CPU-before.CPU).Seconds()/watched.Seconds(), warnings(seed))
		return r, explain(err, seed)
	}
}

// files makes n small files and returns their paths.
func (b *bench) files(count int) (paths []string, err error) {
	random := rand.NewChaCha8([32]byte{1})
	data := make([]byte, 1<<10)
	for i := range count {
		random.Read(data)
		path := filepath.Join(b.dir, fmt.Sprintf("file-%06d", i))
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// A shape describes a torrent. All its pieces have the same content.
type shape struct {
	pieces, length int
	files          int    // 0 for a single one
	name           string // "content" if empty
}

// torrent returns the metadata.
func (s shape) torrent(piece []byte) (*metainfo.Torrent, error) {
	sum := sha1.Sum(piece)
	hashes := make([]byte, 0, s.pieces*sha1.Size)
	for range s.pieces {
		hashes = append(hashes, sum[:]...)
	}
	total := int64(s.pieces) * int64(s.length)
	raw := bencode.AppendDict(nil, func(b []byte) []byte {
		if s.files == 0 {
			b = bencode.AppendInt(bencode.AppendString(b, "length"), total)
		} else {
			b = append(bencode.AppendString(b, "files"), 'l')
			for i := range int64(s.files) {
				from, to := total*i/int64(s.files), total*(i+1)/int64(s.files)
				b = bencode.AppendDict(b, func(b []byte) []byte {
					b = bencode.AppendInt(bencode.AppendString(b, "length"), to-from)
					b = append(bencode.AppendString(b, "path"), 'l')
					b = bencode.AppendString(b, fmt.Sprintf("folder-%03d", i/1000))
					return append(bencode.AppendString(b, fmt.Sprintf("file-%06d", i)), 'e')
				})
			}
			b = append(b, 'e')
		}
		b = bencode.AppendString(bencode.AppendString(b, "name"), cmp.Or(s.name, "content"))
		b = bencode.AppendInt(bencode.AppendString(b, "piece length"), int64(s.length))
		return bencode.AppendString(bencode.AppendString(b, "pieces"), hashes)
	})
	info, err := metainfo.ParseInfo(raw)
	if err != nil {
		return nil, err
	}
	return metainfo.NewTorrent(info), nil
}

// prepare makes a torrent of that shape and a crowd that has it. The caller sets the node
// to connect to. The .torrent file is at path.
func (b *bench) prepare(s shape) (c lightpeer.Crowd, path string, err error) {
	piece := make([]byte, s.length)
	rand.NewChaCha8([32]byte{2}).Read(piece)
	t, err := s.torrent(piece)
	if err != nil {
		return c, "", err
	}
	path = filepath.Join(b.dir, "content.torrent")
	return lightpeer.Crowd{
		Layout: t.Info().Layout(), Hash: t.Info().Hash(),
		Data: func(r block.Ref) []byte { return piece[r.Begin:][:r.Length] },
	}, path, os.WriteFile(path, t.Marshal(), 0o600)
}

// download fetches a torrent from a few peers, for moveMax at most.
func download(s shape) func(context.Context, *bench) (result, error) {
	return func(ctx context.Context, b *bench) (result, error) { return b.fetch(ctx, s, 4) }
}

func (b *bench) fetch(ctx context.Context, s shape, seeds int) (r result, err error) {
	c, path, err := b.prepare(s)
	if err != nil {
		return r, err
	}
	add, err := b.start("add", "--dir", filepath.Join(b.dir, "down"), "--no-dht", "--seed",
		"--max-peers", strconv.Itoa(seeds+20), "--torrent-peers", strconv.Itoa(seeds+20), path)
	if err != nil {
		return r, err
	}
	defer add.Stop()
	if c.Target, err = add.Addr(ctx); err != nil {
		return r, explain(err, add)
	}
	shared := lightpeer.New(c)
	began := time.Now()
	for i := range seeds {
		p, err := shared.Seed(ctx, own(i))
		for i == 0 && err != nil && ctx.Err() == nil { // the torrent is still being read
			time.Sleep(10 * time.Millisecond)
			p, err = shared.Seed(ctx, own(i))
		}
		if err != nil {
			return r, explain(fmt.Errorf("peer %d: %w", i, err), add)
		}
		defer p.Close()
	}
	moving, cancel := context.WithTimeout(ctx, moveMax)
	defer cancel()
	what := "complete"
	if _, err := add.WaitEvent(moving, "complete"); moving.Err() != nil {
		what = "going on"
	} else if err != nil {
		return r, explain(err, add)
	}
	took := time.Since(began)
	e, _ := add.Last("progress")
	if what == "complete" {
		e.Have = c.Layout.Size()
	}
	r.used, err = add.Usage()
	r.what = fmt.Sprintf("%s after %.1f s, %.0f MB/s, %.1f CPU s%s", what, took.Seconds(),
		float64(e.Have)/1e6/took.Seconds(),
		r.used.CPU.Seconds(), warnings(add))
	return r, explain(err, add)
}

// own returns the address from which a peer connects.
func own(i int) netip.Addr { return netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)}) }

// crowdShape is the torrent that a crowd moves.
var crowdShape = shape{pieces: 512, length: 1 << 20}

// crowd connects many peers to one torrent, which give or take.
func crowd(peers int, give bool) func(context.Context, *bench) (result, error) {
	return func(ctx context.Context, b *bench) (r result, err error) {
		if give {
			return b.fetch(ctx, crowdShape, peers)
		}
		path := filepath.Join(b.dir, "content")
		c, _, err := b.prepare(crowdShape)
		if err != nil {
			return r, err
		}
		if err := writeContent(path, &c); err != nil {
			return r, err
		}
		seed, err := b.start("seed", "--no-dht", "--piece-length", strconv.Itoa(crowdShape.length),
			"--max-peers", strconv.Itoa(peers+20), "--torrent-peers", strconv.Itoa(peers+20), path)
		if err != nil {
			return r, err
		}
		defer seed.Stop()
		e, err := seed.WaitEvent(ctx, "seeding")
		if err != nil {
			return r, explain(err, seed)
		}
		if c.Hash, err = metainfo.ParseHash(e.Torrent); err != nil {
			return r, err
		}
		if c.Target, err = seed.Addr(ctx); err != nil {
			return r, err
		}
		return serve(ctx, seed, lightpeer.New(c), peers)
	}
}

// writeContent writes all pieces to a file.
func writeContent(path string, c *lightpeer.Crowd) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for i := range c.Layout.Pieces() {
		if _, err := f.Write(c.Data(block.Ref{Length: uint32(c.Layout.PieceSize(i))})); err != nil {
			return err
		}
	}
	return f.Close()
}

// serve lets n peers download from seed.
func serve(ctx context.Context, seed *nodeproc.Node, c *lightpeer.Crowd,
	peers int) (r result, err error) {
	var all []*lightpeer.Peer
	for i := range peers {
		p, err := c.Leech(ctx, own(i))
		if err != nil {
			return r, explain(fmt.Errorf("peer %d: %w", i, err), seed)
		}
		defer p.Close()
		all = append(all, p)
	}
	before, err := seed.Usage()
	if err != nil {
		return r, explain(err, seed)
	}
	began := time.Now()
	if err := nodeproc.Pause(ctx, moveMax); err != nil {
		return r, err
	}
	served, lost := 0, 0
	var bytes int64
	for _, p := range all {
		if n := p.Blocks(); n > 0 {
			served++
			bytes += n * block.Size
		}
		select {
		case <-p.Ended():
			lost++
		default:
		}
	}
	took := time.Since(began)
	r.used, err = seed.Usage()
	r.what = fmt.Sprintf("%d served, %d lost, %.0f MB/s, %.1f CPU s/GiB%s", served, lost,
		float64(bytes)/1e6/took.Seconds(),
		(r.used.CPU-before.CPU).Seconds()/(float64(bytes)/(1<<30)), warnings(seed))
	return r, explain(err, seed)
}

// connectedTorrents is the number of torrents over which silent connections are spread: a
// single torrent takes 80.
const connectedTorrents = 100

// connections opens many connections to one seeder that stay silent after the handshake,
// and then lets one more peer fetch something.
func connections(count int) func(context.Context, *bench) (result, error) {
	return func(ctx context.Context, b *bench) (r result, err error) {
		args, err := b.files(connectedTorrents)
		if err != nil {
			return r, err
		}
		seed, err := b.start("seed", append(args, "--no-dht", "--max-peers",
			strconv.Itoa(count))...)
		if err != nil {
			return r, err
		}
		defer seed.Stop()
		var hashes []string
		if _, err := seed.WaitFor(ctx, "all torrents", func(e nodeproc.Event) bool {
			if e.Event == "seeding" {
				hashes = append(hashes, e.Torrent)
			}
			return len(hashes) == len(args)
		}); err != nil {
			return r, explain(err, seed)
		}
		addr, err := seed.Addr(ctx)
		if err != nil {
			return r, err
		}
		before, err := seed.Usage()
		if err != nil {
			return r, explain(err, seed)
		}
		held := 0
		for i := range count {
			conn, err := shake(ctx, addr.String(), hashes[i%len(hashes)], i)
			if err != nil {
				continue
			}
			held++
			defer conn.Close()
		}
		if err := nodeproc.Pause(ctx, watched/2); err != nil {
			return r, err
		}
		began := time.Now()
		add, err := nodeproc.Start(b.node, filepath.Join(b.dir, "other"), "add", "--listen",
			"127.0.0.1:0", "--no-dht", "--no-lsd",
			"--peer", addr.String(), "--dir", filepath.Join(b.dir, "fetched"),
			"magnet:?xt=urn:btih:"+hashes[0])
		if err != nil {
			return r, err
		}
		defer add.Stop()
		if _, err := add.WaitEvent(ctx, "complete"); err != nil {
			return r, explain(err, add)
		}
		took := time.Since(began)
		r.used, err = seed.Usage()
		r.what = fmt.Sprintf("%d shook hands, %.1f KiB each; one more is served within %d ms%s",
			held,
			float64(r.used.Anon-before.Anon)/1024/float64(max(held, 1)), took.Milliseconds(),
			warnings(seed))
		return r, explain(err, seed)
	}
}

// shake opens the n-th connection and completes the handshake (BEP 3). Each connection
// comes from an address of its own.
func shake(ctx context.Context, addr, hash string, n int) (net.Conn, error) {
	hello := wire.Hello{Reserved: wire.Reserved{}.With(wire.FeatureFast).With(
		wire.FeatureExtension)}
	if _, err := hex.Decode(hello.InfoHash[:], []byte(hash)); err != nil {
		return nil, err
	}
	copy(hello.PeerID[:], fmt.Sprintf("-XX0000-%d", n))
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(own(n), 0))}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	b := wire.AppendHello(nil, hello)
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err = conn.Write(b); err == nil {
		_, err = io.ReadFull(conn, b)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}
