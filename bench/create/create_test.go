//go:build linux

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"swarmnode/metainfo"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == limitChild {
		main()
		return
	}
	os.Exit(m.Run())
}

// All contenders that are installed make torrents of a little content; what they
// make is what was asked for, or there would be no row.
func TestCompare(t *testing.T) {
	node := filepath.Join(t.TempDir(), "node")
	if out, err := exec.Command("go", "build", "-o", node,
		"swarmnode/cmd/node").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	var out bytes.Buffer
	cfg := config{
		node: node, dir: t.TempDir(), size: 3 << 20, files: 210, fileSize: 1000, piece: 64 << 10,
		smallPiece: 32 << 10, runs: 1,
	}
	if err := compare(t.Context(), cfg, &out); err != nil {
		t.Fatal(err)
	}
	list, skipped := contenders(node)
	for _, c := range list {
		if strings.Count(out.String(), "\n"+c.name+" ") != 2 {
			t.Errorf("no two rows of %q:\n%s", c.name, out.String())
		}
	}
	for _, reason := range skipped {
		if !strings.Contains(out.String(), reason) {
			t.Errorf("%q is not told", reason)
		}
	}
	left, err := os.ReadDir(cfg.dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestTable(t *testing.T) {
	one := func(took time.Duration) []measure {
		return []measure{{took: took, cpu: 2 * took, peak: 8 << 20}}
	}
	var out bytes.Buffer
	printTable(&out, []contender{
		{name: "slow, v1", kind: metainfo.V1, measures: one(4 * time.Second)},
		{name: "node, v1", kind: metainfo.V1, measures: append(one(2*time.Second),
			append(one(9*time.Second), one(time.Second)...)...)},
		{name: "the limit, v1", kind: metainfo.V1, limit: true, measures: one(time.Second)},
		{name: "quick, v2", kind: metainfo.V2, measures: one(time.Second)},
		{name: "node, v2", kind: metainfo.V2, measures: one(2 * time.Second)},
		{name: "absent, v1", kind: metainfo.V1, failed: 1},
	}, job{size: 2_000_000})
	for _, want := range []string{
		"node, v1                      2.00         1      0.50      4.00       8.0\n",
		"node, v1: 0.50 of the limit, 2.00 times the rate of slow, v1\n",
		"node, v2: - of the limit, 0.50 times the rate of quick, v2\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got\n%s\nwant it to hold %q", out.String(), want)
		}
	}
	if strings.Contains(out.String(), "absent") {
		t.Error("who made none has a row")
	}
}

func TestLimitRefuses(t *testing.T) {
	if runLimit("v3", "5") == nil || runLimit("v1", "x") == nil {
		t.Error("took what makes no sense")
	}
}
