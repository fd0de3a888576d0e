package daemon

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"

	"swarmnode/metainfo"
)

// linkOf returns the magnet link of an info-hash whose bytes are alike.
func linkOf(b byte) metainfo.Magnet { return metainfo.Magnet{V1: hashOf(b), HasV1: true} }

// Whoever waits to add a torrent goes on once nobody holds its info-hash any more, in whatever
// order those end who do: one who adds it, and one who removes a hybrid that turned out to have
// it.
func TestAddWaitsForAllWhoHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &Daemon{torrents: make(map[metainfo.Hash]*Torrent),
			held: make(map[metainfo.Hash]*holding)}
		locked := func(do func([]metainfo.Hash), hashes ...metainfo.Hash) {
			d.mu.Lock()
			defer d.mu.Unlock()
			do(hashes)
		}
		one, other := hashOf(1), hashOf(2)
		locked(d.hold, one)
		done := make(chan error, 1)
		go func() {
			rec := new(record)
			link := linkOf(1)
			rec.describeLink(&link)
			_, err := d.reserve(t.Context(), rec)
			done <- err
		}()
		synctest.Wait()
		locked(d.hold, other, one)
		locked(d.release, one)
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("went on while the other one holds the info-hash: %v", err)
		default:
		}
		locked(d.release, other, one)
		if err := <-done; err != nil {
			t.Error(err)
		}
		locked(d.release, one)
		if len(d.held) != 0 {
			t.Errorf("still held: %v", d.held)
		}
	})
}

// An ID is never used again, even after the removal of the newest torrent and an Add that
// failed behind it.
func TestIDsAfterAFailure(t *testing.T) {
	state, log := t.TempDir(), new(logbook)
	cfg := testConfig(state, t.TempDir(), log)
	d := startDaemon(t, cfg)
	first := add(t, d, AddSpec{Magnet: linkOf(1), Options: Options{Stopped: true}})
	inTheWay := d.records.path(hashOf(2), recordSuffix)
	if err := os.Mkdir(inTheWay, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := d.Add(t.Context(), AddSpec{Magnet: linkOf(2), Options: Options{Stopped: true}})
	if _, ok := errors.AsType[*KeepError](err); !ok {
		t.Fatalf("an Add that cannot be kept: %v", err)
	}
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	if err := first.Remove(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	closeDaemon(t, d)
	d = startDaemon(t, cfg)
	if next := add(t, d, AddSpec{Magnet: linkOf(3)}); next.ID() <= first.ID() {
		t.Errorf("id %d again, after %d", next.ID(), first.ID())
	}
}
