package storage

import (
	"testing"
	"testing/synctest"
	"time"
)

// Data that comes fast is synced and recorded before the time of a checkpoint,
// and no more often than it has to be.
func TestCheckpointByBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layout, data := makeLayout(t, "x", 32<<10, tfile{"a", 100 * 32 << 10, false})
		d := newMemDisk(1)
		rec := newMemRecord(d)
		r := memRig(t, d, rec, layout, data)
		r.store.cfg.bytesMax = 10 * 32 << 10
		start := time.Now()
		syncs := 0
		d.failIf(func(op, name string) bool {
			if op == "sync" && name == "x.part/a" {
				syncs++
			}
			return false
		})
		for p := range 35 {
			r.piece(p)
			synctest.Wait()
			doc, _, err := rec.read()
			if err != nil {
				t.Fatal(err)
			}
			was, err := ParseResume(doc)
			if err != nil || was.Have.Count() < p-10 {
				t.Fatalf("%d pieces are there and %d recorded, %v", p+1, was.Have.Count(), err)
			}
		}
		if took := time.Since(start); took != 0 || syncs != 3 {
			t.Errorf("it took %v and %d syncs, want no time and 3 syncs", took, syncs)
		}
		r.back()
	})
}
