package swarm_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"swarmnode/swarm"
)

// totalsFile returns the path of the record of a torrent in a folder for state.
func totalsFile(dir string, torrent *swarm.Torrent) string {
	return filepath.Join(dir, torrent.Hash().String()+".totals")
}

// What a torrent did in earlier runs counts in later ones, also in one that only reads the
// folder, and a damaged record is replaced.
func TestTotalsOutliveTheEngine(t *testing.T) {
	const size = 1 << 20
	content, torrent := makeContent(t, size)
	seedState, leechState, dir := t.TempDir(), t.TempDir(), t.TempDir()
	var added time.Time
	for run := int64(1); run <= 2; run++ {
		a := listen(t, swarm.Config{StateDir: seedState})
		b := listen(t, swarm.Config{StateDir: leechState})
		seed := add(t, a, swarm.Spec{Torrent: torrent, Dir: content, Complete: true})
		if run == 2 {
			os.RemoveAll(dir) // so that everything is fetched once more
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		leech := add(t, b, swarm.Spec{Torrent: torrent, Dir: dir,
			Peers: []string{a.Addr().String()}})
		waitDone(t, leech)
		// Done comes first, and then the time of it.
		await(t, "the time of completion", func() bool {
			return !leech.State().Totals.Completed.IsZero()
		})
		got := leech.State().Totals
		if run == 1 {
			added = got.Added
		}
		if got.Down != run*size || got.Completed.IsZero() || got.LastActive.IsZero() ||
			!got.Added.Equal(added) || time.Since(got.Added) > time.Minute {
			t.Errorf("run %d: the leech has %+v", run, got)
		}
		if n := leech.State().Down; n != size {
			t.Errorf("run %d: the state of this run counts %d bytes", run, n)
		}
		a.Close()
		b.Close()
		if up := seed.State().Totals; up.Up != run*size || up.Seeding <= 0 ||
			up.Seeding > up.Active {
			t.Errorf("run %d: the seed has %+v", run, up)
		}
		if down, up := b.Traffic(); down != size || up != 0 {
			t.Errorf("run %d: the leech's engine moved %d and %d bytes", run, down, up)
		}
		if down, up := a.Traffic(); down != 0 || up != size {
			t.Errorf("run %d: the seed's engine moved %d and %d bytes", run, down, up)
		}
		if _, err := os.Stat(totalsFile(leechState, leech)); err != nil {
			t.Error(err)
		}
	}
	reader := listen(t, swarm.Config{StateDir: seedState, StateReadOnly: true})
	seed := add(t, reader, swarm.Spec{Torrent: torrent, Dir: content, Complete: true})
	before, err := os.Stat(totalsFile(seedState, seed))
	if err != nil || seed.State().Totals.Up != 2*size {
		t.Errorf("read only: %+v, %v", seed.State().Totals, err)
	}
	reader.Close()
	after, err := os.Stat(totalsFile(seedState, seed))
	if err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("a record was written: %v", err)
	}
	if err := os.WriteFile(totalsFile(seedState, seed), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	e := listen(t, swarm.Config{StateDir: seedState})
	seed = add(t, e, swarm.Spec{Torrent: torrent, Dir: content, Complete: true})
	if got := seed.State().Totals; got.Up != 0 || got.Added.IsZero() {
		t.Errorf("of a damaged record: %+v", got)
	}
	e.Close()
	if info, err := os.Stat(totalsFile(seedState, seed)); err != nil || info.Size() < 100 {
		t.Errorf("a damaged record stays: %v", err)
	}
}
