//go:build linux

package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"swarmnode/internal/lightpeer"
	"swarmnode/internal/nodeproc"
	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/storage"
)

const (
	// killSize is what is fetched, killRate how fast, in bytes per second: so that
	// there are checkpoints, each five seconds, before it is complete.
	killSize, killRate = 10<<20 + 77, 1_600_000
	killPiece          = 64 << 10
	// killFirst is how long after its first block the first process is killed, and
	// killSoon and killLate how long later ones are at most, on every day and for
	// SWARM_SOAK=1.
	killFirst, killSoon, killLate = 5500 * time.Millisecond, 500 * time.Millisecond, 7 * time.Second
	// killReads is what a process reads beside content before it asks for any.
	killReads = 1 << 20
	// killLanes is how many fetches go on at a time, and killsSoak how often they
	// are killed in all for the latter.
	killLanes, killsSoak = 8, 200
)

// A victim is a fetch whose process is killed and started again.
type victim struct {
	t       *testing.T
	ctx     context.Context
	binary  string
	dir     string // of its own for each fetch
	torrent *metainfo.Torrent
	content []byte

	mu     sync.Mutex
	pid    int           // of the process
	had    *bits.Set     // what was on disk when it started
	again  int           // blocks of that that were asked for
	asked  bool          // it has asked for a block
	read   int64         // bytes that it had read by then
	moving chan struct{} // closed by then
}

// TestKillFetch: "node add" killed at random moments continues at the next start with
// everything that was on disk, without hashing what was recorded, and completes.
func TestKillFetch(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	source := filepath.Join(t.TempDir(), "content.bin")
	writeContent(t, source, killSize)
	content, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	torrent, err := metainfo.Build(ctx, metainfo.BuildOptions{Path: source, PieceLength: killPiece})
	if err != nil {
		t.Fatal(err)
	}
	binary, kills, lanes, most := buildNode(t), 4, 2, killSoon
	if os.Getenv("SWARM_SOAK") != "" {
		kills, lanes, most = killsSoak, killLanes, killLate
	}
	var wait sync.WaitGroup
	for range lanes {
		wait.Go(func() {
			v := &victim{t: t, ctx: ctx, binary: binary, torrent: torrent, content: content}
			v.lane(kills/lanes, most)
		})
	}
	wait.Wait()
}

// lane kills a process n times, each time after most at the latest, and then lets the
// last fetch complete.
func (v *victim) lane(kills int, most time.Duration) {
	v.dir = v.t.TempDir()
	recorded, fetches := 0, 1
	for killed := 0; killed <= kills; {
		after := rand.N(most)
		switch killed {
		case 0:
			after = killFirst // beyond a checkpoint
		case kills:
			after = time.Minute
		}
		complete, kept, err := v.run(after)
		if err != nil {
			v.t.Errorf("after %d kills: %v", killed, err)
			return
		}
		if killed == kills && !complete {
			v.t.Error("the last fetch did not complete")
		}
		recorded = max(recorded, kept)
		if !complete || killed == kills {
			killed++
			continue
		}
		v.dir = v.t.TempDir()
		fetches++
	}
	v.t.Logf("%d kills in %d fetches, at most %d of %d pieces recorded", kills, fetches, recorded,
		v.torrent.Info().Layout().Pieces())
	if recorded == 0 {
		v.t.Error("nothing was ever recorded: the test shows nothing")
	}
}

// run starts the process, gives it content, and kills it some time after its first
// block; it reports whether it was complete before, and how many pieces its start found
// in the record.
func (v *victim) run(after time.Duration) (complete bool, recorded int, err error) {
	layout := v.torrent.Info().Layout()
	name := filepath.Join(v.dir, "content.torrent")
	if err := os.WriteFile(name, v.torrent.Marshal(), 0o600); err != nil {
		return false, 0, err
	}
	kept, err := v.recorded()
	if err != nil {
		return false, 0, err
	}
	v.mu.Lock()
	v.had, v.again, v.asked, v.moving = v.onDisk(), 0, false, make(chan struct{})
	v.mu.Unlock()
	add, err := nodeproc.Start(v.binary, filepath.Join(v.dir, "state"), "add", "--listen",
		"127.0.0.1:0", "--no-dht", "--no-lsd",
		"--down", strconv.Itoa(killRate), "--dir", filepath.Join(v.dir, "down"), name)
	if err != nil {
		return false, 0, err
	}
	defer add.Stop()
	if complete, err = v.feed(add, after); err != nil {
		return false, 0, fmt.Errorf("%w\n%s", err, add.Log())
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	others := layout.Length - int64(kept.Count())*int64(layout.PieceLength)
	if v.asked && v.read > others+killReads {
		return false, 0, fmt.Errorf(
			"%d bytes were read before the first request, and only %d were not recorded", v.read,
			others)
	}
	if v.again > 0 {
		return false, 0, fmt.Errorf("%d blocks of %d pieces on disk were fetched again", v.again,
			v.had.Count())
	}
	if complete {
		got, err := os.ReadFile(filepath.Join(v.dir, "down", "content.bin"))
		if err != nil || !bytes.Equal(got, v.content) {
			return false, 0, fmt.Errorf("what was fetched differs (%w)", err)
		}
	}
	return complete, kept.Count(), nil
}

// feed sends the process what it requests until it is complete or is killed.
func (v *victim) feed(add *nodeproc.Node, after time.Duration) (complete bool, err error) {
	v.mu.Lock()
	v.pid = add.Pid()
	v.mu.Unlock()
	target, err := add.Addr(v.ctx)
	if err != nil {
		return false, err
	}
	info := v.torrent.Info()
	crowd := lightpeer.New(lightpeer.Crowd{Target: target, Layout: info.Layout(), Hash: info.Hash(),
		Data: v.data})
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	seed, err := crowd.Seed(v.ctx, netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	for err != nil { // the torrent is still being read
		select {
		case <-tick.C:
		case <-add.Done():
			return false, fmt.Errorf("it ended: %w", err)
		case <-v.ctx.Done():
			return false, err
		}
		seed, err = crowd.Seed(v.ctx, netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	}
	defer seed.Close()
	select {
	case <-v.moving:
	case <-add.Done():
	case <-v.ctx.Done():
		return false, v.ctx.Err()
	}
	select {
	case <-time.After(after):
	case <-add.Done():
	case <-v.ctx.Done():
		return false, v.ctx.Err()
	}
	add.Kill()
	_, complete = add.Last("complete")
	if !complete && add.ExitCode() >= 0 {
		return false, errors.New("it ended by itself")
	}
	return complete, nil
}

// data returns a block to send, and records that it was requested.
func (v *victim) data(r block.Ref) []byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.asked {
		v.asked = true
		v.read = bytesRead(v.pid)
		close(v.moving)
	}
	if v.had.Has(int(r.Piece)) {
		v.again++
	}
	return v.content[int64(r.Piece)*killPiece+int64(r.Begin):][:r.Length]
}

// bytesRead is how much a process has read, from files and connections; 0 if it is
// gone.
func bytesRead(pid int) (n int64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err == nil {
		fmt.Sscanf(string(text), "rchar: %d", &n)
	}
	return n
}

// recorded returns the pieces of the record that a kill has left.
func (v *victim) recorded() (*bits.Set, error) {
	info := v.torrent.Info()
	// The name ends with what tells folders apart.
	all, err := filepath.Glob(filepath.Join(v.dir, "state", "resume",
		info.Hash().String()+"*"+storage.ResumeSuffix))
	if err != nil || len(all) == 0 {
		return bits.New(info.Layout().Pieces()), err
	}
	doc, err := os.ReadFile(all[0])
	if err != nil {
		return nil, err
	}
	was, err := storage.ParseResume(doc)
	if err != nil {
		return nil, err
	}
	return was.Have, nil
}

// onDisk returns the pieces that are right in the file, whether verified or not.
func (v *victim) onDisk() *bits.Set {
	layout := v.torrent.Info().Layout()
	set := bits.New(layout.Pieces())
	for _, name := range []string{"content.bin", "content.bin.part"} {
		got, err := os.ReadFile(filepath.Join(v.dir, "down", name))
		if err != nil {
			continue
		}
		for i := range layout.Pieces() {
			from := int(layout.PieceOffset(i))
			to := from + layout.PieceSize(i)
			if to <= len(got) && bytes.Equal(got[from:to], v.content[from:to]) {
				set.Add(i)
			}
		}
	}
	return set
}
