package daemon

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What earlier runs have done is added to what this one does, and survives.
func TestTally(t *testing.T) {
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	at := time.Unix(1_000_000, 0)
	for run := int64(1); run <= 3; run++ {
		c := newLedger(log, &records{state: dir}, at)
		c.add()
		c.add()
		later := at.Add(90 * time.Second)
		now, all := c.get(later, 10, 3)
		if want := (Stats{10, 3, 2, 90 * time.Second, 1}); now != want {
			t.Errorf("run %d: %+v, want %+v", run, now, want)
		}
		want := Stats{10 * run, 3 * run, 2 * run, time.Duration(run) * 90 * time.Second, run}
		if all != want {
			t.Errorf("run %d: all %+v, want %+v", run, all, want)
		}
		for range 2 {
			if err := c.save(later, 10, 3); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A damaged file, or one with nonsense, counts as none and is replaced.
func TestTallyDamaged(t *testing.T) {
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	path := filepath.Join(dir, statsFile)
	at := time.Unix(1_000_000, 0)
	if err := newLedger(log, &records{state: dir}, at).save(at, 5, 5); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		bad := append([]byte{}, whole...)
		bad[i] ^= 1
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		c := newLedger(log, &records{state: dir}, at)
		if _, all := c.get(at, 0, 0); all != (Stats{Sessions: 1}) {
			t.Fatalf("byte %d is wrong: %+v", i, all)
		}
	}
	doc := seal([]byte(`{"version":1,"down":-5,"seconds":-1}`))
	if err := os.WriteFile(path, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	c := newLedger(log, &records{state: dir}, at)
	if _, all := c.get(at, 0, 0); all != (Stats{Sessions: 1}) {
		t.Errorf("negative numbers: %+v", all)
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o700)
	if os.Geteuid() != 0 {
		if c.save(at, 1, 1) == nil {
			t.Error("saved into a folder that is read-only")
		}
	}
}
