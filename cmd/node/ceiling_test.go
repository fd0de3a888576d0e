//go:build linux

package main_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"swarmnode/internal/nodeproc"
)

// TestCeiling: of more torrents than fit into --memory, those that fit are seeded, one
// line says how many are seeded, and the process keeps below the ceiling.
func TestCeiling(t *testing.T) {
	t.Parallel()
	const torrents, ceiling = 1_500, 32 << 20
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	dir := t.TempDir()
	args := []string{"seed", "--no-dht", "--no-lsd", "--listen", "127.0.0.1:0", "--memory", "32M"}
	for i := range torrents {
		path := filepath.Join(dir, fmt.Sprintf("file-%04d", i))
		if err := os.WriteFile(path, fmt.Append(nil, "content ", i), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	seed, err := nodeproc.Start(buildNode(t), t.TempDir(), args...)
	if err != nil {
		t.Fatal(err)
	}
	defer seed.Stop()
	offered, warned := 0, 0
	said := ""
	if _, err := seed.WaitFor(ctx, "a look at all", func(e nodeproc.Event) bool {
		switch {
		case e.Event == "seeding":
			offered++
		case e.Event == "warning" && strings.Contains(e.Message, "memory limit of"):
			said = e.Message
			warned++
		}
		return e.Event == "progress"
	}); err != nil {
		t.Fatal(err, seed.Log())
	}
	if offered < 100 || offered == torrents || warned != 1 {
		t.Errorf("%d of %d torrents are offered, with %d warnings", offered, torrents, warned)
	}
	want := fmt.Sprintf("seeding %d of %d torrents", offered, torrents)
	if !strings.Contains(said, want) {
		t.Errorf("the warning is %q, want %q in it", said, want)
	}
	u, err := seed.Usage()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d torrents are seeded with %d KiB at most", offered, u.PeakRSS>>10)
	// The race detector has memory of its own.
	if u.PeakRSS > ceiling && !slices.Contains(buildFlags, "-race") {
		t.Errorf("%d KiB were resident, the ceiling is %d", u.PeakRSS>>10, ceiling>>10)
	}
}
