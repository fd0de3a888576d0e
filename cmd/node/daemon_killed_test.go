//go:build unix

package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"swarmnode/daemon"
	"swarmnode/daemon/api"
	"swarmnode/daemon/client"
	"swarmnode/metainfo"
)

// cutsMax bounds how often the daemon moves content to and fro until it was killed in the middle
// of a copy.
const cutsMax = 20

// A slowMove is content that daemons copy from disk to disk, each killed on the way.
type slowMove struct {
	state, here, there string
	content            []byte
	daemon             *runningDaemon
	client             *client.Client
}

// start starts a daemon.
func (m *slowMove) start(t *testing.T) {
	t.Helper()
	m.daemon = startDaemonIn(t, m.state)
	var err error
	m.client, err = client.New(client.Config{Socket: m.daemon.start.Socket, Agent: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.client.Close)
}

// await waits until the torrent is as f says.
func (m *slowMove) await(t *testing.T, what string, f func(d *api.Details) bool) api.Details {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(2 * time.Minute); ; <-tick.C {
		d, err := m.client.Torrent(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if f(&d) {
			return d
		}
		if time.Now().After(deadline) {
			t.Fatalf("never: %s: %+v", what, d)
		}
	}
}

// move begins a move, and kills the daemon as soon as the copy has begun. It reports whether the
// daemon was killed before the copy had its name.
func (m *slowMove) move(t *testing.T, to string) (cut bool) {
	t.Helper()
	_, err := m.client.Bulk(t.Context(), api.Bulk{IDs: []daemon.ID{1}, Action: api.ActionMove,
		Dir: to})
	if err != nil {
		t.Fatal(err)
	}
	final := filepath.Join(to, "film")
	for deadline := time.Now().Add(2 * time.Minute); !time.Now().After(deadline); {
		copies, _ := filepath.Glob(filepath.Join(to, "*.copying"))
		for _, name := range copies {
			if info, err := os.Stat(name); err == nil && info.Size() > 0 {
				m.daemon.cmd.Process.Kill()
			}
		}
		if _, err := os.Stat(final); len(copies) > 0 || err == nil {
			m.daemon.cmd.Process.Kill()
			m.daemon.exit(t)
			_, err = os.Stat(final)
			return err != nil
		}
	}
	t.Fatal("nothing is copied: ", m.daemon.err.String())
	return false
}

// check looks at the content after the next start: all of it lies in one of the folders, the
// daemon says which, and nothing is left in the other one. It returns the folder.
func (m *slowMove) check(t *testing.T) string {
	t.Helper()
	d := m.await(t, "it seeds", func(d *api.Details) bool { return d.Torrent.Status == "seeding" })
	dir, other := m.here, m.there
	if d.Torrent.Dir == m.there {
		dir, other = other, dir
	}
	if d.Torrent.Dir != dir || d.Options.Dir != dir || d.Torrent.Error != "" ||
		d.Torrent.Left != 0 {
		t.Errorf("the folder is %s, and for the finished content %s; %d bytes are missing; %q",
			d.Torrent.Dir, d.Options.Dir, d.Torrent.Left, d.Torrent.Error)
	}
	found, err := os.ReadFile(filepath.Join(dir, "film"))
	if err != nil || !bytes.Equal(found, m.content) {
		t.Errorf("the content in %s differs: %v", dir, err)
	}
	if left, err := os.ReadDir(other); err != nil || len(left) > 0 {
		t.Errorf("%v is left in %s: %v", left, other, err)
	}
	return dir
}

// TestDaemonKilledDuringCopy: the process is killed in the middle of a copy from disk to disk. The
// next one has all of the content in the old folder, removes the unfinished copy, and moves the
// content when it is asked to again.
func TestDaemonKilledDuringCopy(t *testing.T) {
	t.Parallel()
	disk, err := os.MkdirTemp("/dev/shm", "swarmnode-test-")
	if err != nil {
		t.Skip("there is no other disk: ", err)
	}
	t.Cleanup(func() { os.RemoveAll(disk) })
	m := &slowMove{here: t.TempDir(), there: disk, content: make([]byte, 32<<20)}
	rand.NewChaCha8([32]byte{1}).Read(m.content)
	path := filepath.Join(m.here, "film")
	if err := os.WriteFile(path, m.content, 0o600); err != nil {
		t.Fatal(err)
	}
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{Path: path,
		PieceLength: 256 << 10, Kind: metainfo.V1})
	if err != nil {
		t.Fatal(err)
	}
	if m.state, err = os.MkdirTemp("", "d"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(m.state) })
	m.start(t)
	_, err = m.client.Add(t.Context(), api.Add{Metainfo: torrent.Marshal(), Dir: m.here})
	if err != nil {
		t.Fatal(err)
	}
	at := m.check(t)
	for cuts := range cutsMax {
		to := m.there
		if at == m.there {
			to = m.here
		}
		cut := m.move(t, to)
		m.start(t)
		if now := m.check(t); cut && now != at {
			t.Errorf("the copy was cut short, and the content is said to lie in %s", now)
		} else {
			at = now
		}
		if t.Failed() {
			t.Fatal(fmt.Sprint("after ", cuts+1, " kills"))
		}
		if cut {
			return
		}
	}
	t.Errorf("in %d moves, no copy was cut short", cutsMax)
}
