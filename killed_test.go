package swarmnode

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// A killedNode is what a process that will be killed needs to know.
type killedNode struct {
	Peer    string   // HOST:PORT of a seed
	Dirs    []string // folders that the content may lie in, at first in the first
	State   string   // folder of what is remembered
	Torrent string   // path of the .torrent file
	Content string   // path of the right content
	Seed    uint64
}

// killedEnv holds the killedNode of the process that TestKilledInTheMiddleOfCalls starts.
const killedEnv = "SWARMNODE_TEST_KILLED"

// be is the process: it calls methods in a random order until it is killed.
func (k killedNode) be(t *testing.T) {
	doc, err := os.ReadFile(k.Torrent)
	if err != nil {
		t.Fatal(err)
	}
	torrent, err := metainfo.ParseTorrent(doc)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(k.Content)
	if err != nil {
		t.Fatal(err)
	}
	node := startNode(t, Config{StateDir: k.State}, k.Peer)
	leech, err := node.Add(swarm.Spec{Torrent: torrent, Dir: k.Dirs[0], Peers: []string{k.Peer}})
	if err != nil {
		t.Fatal(err)
	}
	os.Stdout.WriteString("running\n")
	var wait sync.WaitGroup
	for i := range 4 {
		d := &driver{t: t, ctx: t.Context(), rng: rand.New(rand.NewPCG(k.Seed, uint64(i))),
			node: node, torrent: leech, want: want, dirs: k.Dirs, closing: new(atomic.Bool)}
		wait.Go(func() { d.run(1 << 20) })
	}
	wait.Wait()
}

// start starts the process, and returns once it runs.
func (k killedNode) start(t *testing.T) *exec.Cmd {
	t.Helper()
	arg, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledInTheMiddleOfCalls$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), killedEnv+"="+string(arg))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "running" {
		cmd.Process.Kill()
		cmd.Wait()
		t.Fatalf("the process says %q", lines.Text())
	}
	return cmd
}

// rightPieces returns how many pieces on disk are right, whole content or not.
func (k killedNode) rightPieces(t *testing.T, length int) (most int) {
	t.Helper()
	want, err := os.ReadFile(k.Content)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range k.Dirs {
		for _, name := range names {
			for _, suffix := range []string{"", ".part"} {
				found, _ := os.ReadFile(filepath.Join(dir, name+suffix))
				right := 0
				for at := 0; at+length <= len(found); at += length {
					if bytes.Equal(found[at:at+length], want[at:at+length]) {
						right++
					}
				}
				most = max(most, right)
			}
		}
	}
	return most
}

// A process that is killed in the middle of calls leaves nothing that the next one stumbles
// over, and every right piece that is on disk counts.
func TestKilledInTheMiddleOfCalls(t *testing.T) {
	if arg := os.Getenv(killedEnv); arg != "" {
		var k killedNode
		if err := json.Unmarshal([]byte(arg), &k); err != nil {
			t.Fatal(err)
		}
		k.be(t)
		return
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	dir, torrent := makeTorrent(t, 8<<20)
	seeder := startNode(t, Config{Up: 4 << 20})
	if _, err := seeder.Add(swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}); err != nil {
		t.Fatal(err)
	}
	k := killedNode{Peer: hostOf(seeder), Dirs: twoDevices(t), State: t.TempDir(),
		Torrent: filepath.Join(t.TempDir(), "torrent"), Content: filepath.Join(dir, "content")}
	if err := os.WriteFile(k.Torrent, torrent.Marshal(), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		k.Seed = rng.Uint64()
		process := k.start(t)
		after := time.NewTimer(time.Duration(rng.IntN(500)) * time.Millisecond)
		<-after.C
		if err := process.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		process.Wait()
	}
	length := torrent.Info().Layout().PieceLength
	right := k.rightPieces(t, length)
	node := startNode(t, Config{StateDir: k.State}, k.Peer)
	leech, err := node.Add(swarm.Spec{Torrent: torrent, Dir: k.Dirs[0], Peers: []string{k.Peer}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the check", func() bool { return leech.State().Phase > swarm.Checking })
	if got := int(leech.State().Have) / length; got < right {
		t.Errorf("%d pieces are had, and %d on disk were right", got, right)
	}
	waitDone(t, leech)
	if got := k.rightPieces(t, length); got != torrent.Info().Layout().Pieces() {
		t.Errorf("%d pieces are right in the end", got)
	}
	t.Logf("%d of %d pieces were right after the last kill", right,
		torrent.Info().Layout().Pieces())
}
