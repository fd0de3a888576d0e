package swarm_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// spoil overwrites some bytes of a file, and returns a function that takes that back.
func spoil(t *testing.T, path string) (restore func()) {
	t.Helper()
	was, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(b []byte) {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt(b, 1000); err != nil {
			t.Fatal(err)
		}
	}
	write([]byte("not what it was"))
	return func() { write(was[1000:1100]) }
}

// Content that is complete and was damaged or deleted is found to be so, and fetched again.
func TestRecheckSeed(t *testing.T) {
	for name, damage := range map[string]func(path string){
		"damaged": func(path string) { spoil(t, path) },
		"deleted": func(path string) { mustDo(t, os.Remove(path)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir, torrent := makeContent(t, 1<<20)
			seeder, other := newEngine(t), listen(t, swarm.Config{StateDir: t.TempDir()})
			waitDone(t, add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}))
			out := t.TempDir()
			leech := add(t, other, swarm.Spec{Torrent: torrent, Dir: out,
				Peers: []string{seeder.Addr().String()}})
			waitDone(t, leech)
			damage(filepath.Join(out, "content/sub/b"))
			done := leech.Done()
			mustDo(t, leech.Pause(), leech.Recheck(), leech.Recheck())
			await(t, "the damage is found", func() bool {
				s := leech.State()
				return s.Left > 0 && s.Phase == swarm.Paused && s.Checked == s.CheckTotal
			})
			await(t, "Done is another channel", func() bool { return leech.Done() != done })
			mustDo(t, leech.Resume())
			waitDone(t, leech)
			sameContent(t, dir, out)
			if s := leech.State(); s.Phase != swarm.Seeding || s.Left != 0 || s.Down < s.Length {
				t.Errorf("after all: %+v", s)
			}
			mustDo(t, leech.Recheck())
			await(t, "the end of the next check", func() bool {
				s := leech.State()
				return s.Phase == swarm.Seeding && s.CheckTotal > 0 && s.Checked == s.CheckTotal
			})
			if s := leech.State(); s.Left != 0 {
				t.Errorf("the next check finds %d bytes missing", s.Left)
			}
		})
	}
}

// Content that is only served is no longer offered where it is wrong, and offered again once
// it is right. It is not written to.
func TestRecheckComplete(t *testing.T) {
	dir, torrent := makeContent(t, 1<<20)
	seed := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	waitDone(t, seed)
	have := func() int { return seed.State().PiecesHave }
	all := have()
	restore := spoil(t, filepath.Join(dir, "content/a"))
	mustDo(t, seed.Recheck())
	await(t, "the damage is found", func() bool { return have() == all-1 })
	restore()
	await(t, "the end of the check", func() bool { return seed.State().Phase == swarm.Seeding })
	mustDo(t, seed.Recheck())
	await(t, "the repair is found", func() bool { return have() == all })
	if seed.Err() != nil {
		t.Error(seed.Err())
	}
}

// What is put right by others need not be fetched.
func TestRecheckFindsRepairs(t *testing.T) {
	dir, torrent := makeContent(t, 1<<20)
	repair := spoil(t, filepath.Join(dir, "content/a"))
	leech := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: dir})
	await(t, "the first check", func() bool { return leech.State().Phase == swarm.Downloading })
	repair()
	mustDo(t, leech.Recheck())
	waitDone(t, leech)
	if s := leech.State(); s.Down != 0 || s.Left != 0 {
		t.Errorf("repaired by others: %+v", s)
	}
}

// Recheck while the content is added paused, before the metadata is known, and after the end.
func TestRecheckAtOtherTimes(t *testing.T) {
	dir, torrent := makeContent(t, 1<<20)
	paused := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: dir, Paused: true})
	mustDo(t, paused.Recheck())
	waitDone(t, paused)
	if s := paused.State(); !s.Paused {
		t.Errorf("a check ended the pause: %+v", s)
	}
	await(t, "the second check", func() bool { return paused.State().Phase == swarm.Paused })
	link := add(t, newEngine(t), swarm.Spec{Magnet: torrent.Magnet(), Dir: t.TempDir()})
	if err := link.Recheck(); !errors.Is(err, swarm.ErrNoInfo) {
		t.Errorf("without metadata: %v", err)
	}
	file := add(t, newEngine(t), swarm.Spec{Torrent: torrent, MetadataOnly: true})
	mustDo(t, file.Recheck(), link.Close())
	if err := link.Recheck(); !errors.Is(err, swarm.ErrStopped) {
		t.Errorf("after the end: %v", err)
	}
}

// Everything that steers a torrent, in any order and from many goroutines at once, while it
// downloads: it completes, and nothing is lost.
func TestSteeringStorm(t *testing.T) {
	dir, torrent := makeContent(t, 3<<20)
	seeder := newEngine(t)
	seed := add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true})
	waitDone(t, seed)
	leecher := listen(t, swarm.Config{StateDir: t.TempDir()})
	dirs := []string{t.TempDir(), t.TempDir()}
	leech := add(t, leecher, swarm.Spec{Torrent: torrent, Dir: dirs[0], Down: 3 << 20})
	<-leech.HaveInfo()
	steer := func(rng *rand.Rand) error {
		which := []*swarm.Torrent{leech, leech, seed}[rng.IntN(3)]
		switch rng.IntN(8) {
		case 0:
			return which.Pause()
		case 1, 2:
			return which.Resume()
		case 3:
			return which.Recheck()
		case 4:
			return leecher.Rebind(nil)
		case 5:
			return leech.Move(t.Context(), dirs[rng.IntN(len(dirs))])
		case 6:
			return leech.SetFiles([]swarm.Priority{swarm.Priority(rng.IntN(8)),
				swarm.Priority(rng.IntN(2))})
		}
		return which.SetSequential(rng.IntN(2) == 0)
	}
	var storm sync.WaitGroup
	for i := range 4 {
		storm.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 1))
			for range 60 {
				if err := steer(rng); err != nil {
					t.Error(err)
				}
				leech.AddPeer(seeder.Addr())
				if s := leech.State(); s.Have > s.Length || s.Left < 0 || s.Got > s.Wanted ||
					s.Fault != nil {
					t.Errorf("impossible: %+v", s)
				}
			}
		})
	}
	storm.Wait()
	mustDo(t, leech.Resume(), seed.Resume(),
		leech.SetFiles([]swarm.Priority{swarm.Normal, swarm.Normal}))
	await(t, "the leech completes", func() bool {
		if s := leech.State(); s.PeersConnected+s.PeersDialling == 0 && s.Left > 0 {
			mustDo(t, leech.Pause(), leech.Resume()) // dials at once
			leech.AddPeer(seeder.Addr())
		}
		return leech.State().Phase == swarm.Seeding
	})
	sameContent(t, dir, leech.Dir())
	if s := leech.State(); s.Left != 0 {
		t.Errorf("at the end: %+v", s)
	}
}

// A web seed that had nothing more to give is used again when a piece is missing.
func TestRecheckWakesWebSeeds(t *testing.T) {
	dir, torrent := makeContent(t, 1<<20)
	out := t.TempDir()
	leech := add(t, newEngine(t), swarm.Spec{Torrent: torrent, Dir: out,
		WebSeeds: []string{webServer(t, dir, nil)}})
	waitDone(t, leech)
	done := leech.Done()
	spoil(t, filepath.Join(out, "content/a"))
	mustDo(t, leech.Recheck())
	await(t, "the damage is found", func() bool { return leech.Done() != done })
	waitDone(t, leech)
	sameContent(t, dir, out)
}

// Files that are not wanted are hashed as well, and what is missing of them is not fetched.
func TestRecheckOfSomeFiles(t *testing.T) {
	dir, torrent := makeContent(t, 1<<20)
	seeder, out := newEngine(t), t.TempDir()
	waitDone(t, add(t, seeder, swarm.Spec{Torrent: torrent, Dir: dir, Complete: true}))
	leech := add(t, listen(t, swarm.Config{StateDir: t.TempDir()}), swarm.Spec{Torrent: torrent,
		Dir: out, Peers: []string{seeder.Addr().String()},
		Wanted: func(l *metainfo.Layout) []bool { return []bool{true, false} }})
	waitDone(t, leech)
	for range 2 { // also after it was fetched again
		spoil(t, leech.FilePath(0))
		done := leech.Done()
		mustDo(t, leech.Recheck())
		await(t, "the damage is found", func() bool { return leech.Done() != done })
		waitDone(t, leech)
	}
	want, err := os.ReadFile(filepath.Join(dir, "content/a"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(leech.FilePath(0)); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the wanted file differs: %v", err)
	}
	if _, err := os.Stat(filepath.Join(out, "content/sub/b")); err == nil {
		t.Error("a file was made that is not wanted")
	}
}
