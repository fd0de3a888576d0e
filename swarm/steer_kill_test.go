package swarm_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

const (
	// steeredEnv has the steeredProcess of the process that TestSteeringKilled starts.
	steeredEnv = "SWARM_STEERED"
	// kills is how often that process is killed.
	kills = 5
)

// A steeredProcess is what a process that steers until it is killed has to know.
type steeredProcess struct {
	Seed     uint64
	Torrent  string // file
	Source   string // folder with the content
	Dirs     []string
	StateDir string
	Peer     string
}

// be is the process. It steers until it is killed, and says how many pieces are verified.
func (p steeredProcess) be(t *testing.T) {
	s := p.steering(t)
	s.engine = listen(t, swarm.Config{StateDir: p.StateDir})
	s.torrent.Store(add(t, s.engine, s.spec))
	var wait sync.WaitGroup
	for i := range steerers {
		one := s.with(rand.New(rand.NewPCG(p.Seed, uint64(i)+1)))
		wait.Go(func() {
			for !t.Failed() {
				if err := one.call(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for most := -1; !t.Failed(); <-tick.C {
		if have := s.torrent.Load().State().PiecesHave; have > most {
			most = have
			fmt.Println("have", most)
		}
	}
	wait.Wait()
}

// steering returns the steering of the process, without an engine.
func (p steeredProcess) steering(t *testing.T) *steering {
	t.Helper()
	text, err := os.ReadFile(p.Torrent)
	if err != nil {
		t.Fatal(err)
	}
	torrent, err := metainfo.ParseTorrent(text)
	if err != nil {
		t.Fatal(err)
	}
	return &steering{want: readFiles(t, p.Source, torrent), dirs: p.Dirs,
		seed: netip.MustParseAddrPort(p.Peer), torrent: new(atomic.Pointer[swarm.Torrent]),
		restart: new(sync.Mutex), restarts: new(atomic.Int64),
		spec: swarm.Spec{Torrent: torrent, Dir: p.Dirs[0], Peers: []string{p.Peer}}}
}

// runUntilKilled starts the process, and kills it after some time. It returns how many
// pieces were verified by then.
func (p steeredProcess) runUntilKilled(t *testing.T, after time.Duration) (have int) {
	t.Helper()
	arg, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestSteeringKilled$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), steeredEnv+"="+string(arg))
	var trouble strings.Builder
	cmd.Stderr = &trouble
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
		if !killed {
			t.Errorf("the process ended by itself: %s", &trouble)
		}
	}()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		n, ok := strings.CutPrefix(lines.Text(), "have ")
		if !ok {
			t.Error(lines.Text())
			continue
		}
		if have, err = strconv.Atoi(n); err != nil {
			t.Fatal(err)
		}
		if !killed {
			killed = true
			time.AfterFunc(after, func() { cmd.Process.Kill() })
		}
	}
	return have
}

// A process that is killed in the middle of all calls loses no verified piece, wherever it was
// moving them to, and the next one completes the content.
func TestSteeringKilled(t *testing.T) {
	if arg := os.Getenv(steeredEnv); arg != "" {
		var p steeredProcess
		if err := json.Unmarshal([]byte(arg), &p); err != nil {
			t.Fatal(err)
		}
		p.be(t)
		return
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	s := newSteering(t, seed, int64(seed%2)<<20) // quick, so that it is complete, or slow
	p := steeredProcess{Torrent: filepath.Join(t.TempDir(), "torrent"), Dirs: s.dirs,
		Source: s.source, StateDir: t.TempDir(), Peer: s.seed.String()}
	if err := os.WriteFile(p.Torrent, s.spec.Torrent.Marshal(), 0o600); err != nil {
		t.Fatal(err)
	}
	have := 0
	for range kills { // in all, about a second
		p.Seed = s.rng.Uint64()
		after := time.Duration(s.rng.IntN(400)) * time.Millisecond
		have = max(have, p.runUntilKilled(t, after))
	}
	s.engine = listen(t, swarm.Config{StateDir: p.StateDir})
	alone := s.spec // so that nothing is fetched yet
	alone.Peers = nil
	torrent := add(t, s.engine, alone)
	s.torrent.Store(torrent)
	eventually(t, "the check", func() bool { return torrent.State().Phase > swarm.Checking })
	if got := torrent.State().PiecesHave; got < have {
		t.Errorf("%d pieces are there, %d were verified before a kill", got, have)
	}
	t.Logf("%d of %d pieces were verified before the last kill", have, torrent.State().Pieces)
	s.settle(t)
	s.checkDisk(t)
}
