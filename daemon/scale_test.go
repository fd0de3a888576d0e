package daemon

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/statefile"
)

// writeRecords writes the records of n torrents that rest, as a daemon with as many has them.
func writeRecords(t testing.TB, state string, n int) {
	t.Helper()
	dir := filepath.Join(state, recordsFolder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		var hash metainfo.Hash
		binary.BigEndian.PutUint32(hash[:], uint32(i)*2654435761)
		rec := &record{ID: ID(i + 1), V1: hash.String(), Queue: int64(i),
			Trackers: [][]string{{"https://tracker.example.org/announce"}},
			Options:  Options{Dir: "/srv/content", Stopped: true, Labels: []string{"label"}},
			Shown: shown{Name: fmt.Sprintf("A torrent with a name of usual length, number %d", i),
				HaveInfo: true, Size: 1 << 30, Wanted: 1 << 30, Got: 1 << 30, Have: 1 << 30,
				Files: 3, Entries: 3, Pieces: 1024, PiecesHave: 1024, PieceLength: 1 << 20,
				Added: 1e9}}
		doc, err := rec.marshal()
		if err != nil {
			t.Fatal(err)
		}
		if err := statefile.Create(filepath.Join(dir, hash.String()+recordSuffix), doc,
			false); err != nil {
			t.Fatal(err)
		}
	}
}

// BenchmarkStart is the start of a daemon with 10,000 torrents that rest, until they are listed.
func BenchmarkStart(b *testing.B) {
	state := b.TempDir()
	writeRecords(b, state, 10_000)
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		d, err := Start(b.Context(), testConfig(state, "/srv/content", nil))
		if err != nil {
			b.Fatal(err)
		}
		if n := len(d.Torrents()); n != 10_000 {
			b.Fatalf("%d torrents", n)
		}
		b.StopTimer()
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/10_000, "B/torrent")
		start := time.Now()
		for _, t := range d.Torrents() {
			_ = t.State()
		}
		b.ReportMetric(float64(time.Since(start).Microseconds())/1000, "ms/states")
		start = time.Now()
		if err := d.Close(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(start).Microseconds())/1000, "ms/close")
		b.StartTimer()
	}
}
