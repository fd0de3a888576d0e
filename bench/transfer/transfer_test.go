//go:build linux

package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// run moves a file of size bytes between the two sides of the limit, over a
// connection of this process to itself.
func run(t *testing.T, size int64, damage bool) error {
	t.Helper()
	const piece = 64 << 10
	j, err := newJob(t.TempDir(), size, piece)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.Open(filepath.Join(j.dir, contentName))
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	if damage {
		j.Pieces[len(j.Pieces)-1] ^= 1
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	sent := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			err = send(conn, content, piece, pace{})
			conn.Close()
		}
		sent <- err
	}()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), contentName)
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	result := fetch(conn, out, size, j.Pieces, piece)
	conn.Close()
	if err := <-sent; err != nil {
		t.Errorf("sending: %v", err)
	}
	if err := sameFile(filepath.Join(j.dir, contentName), path); err != nil {
		t.Error(err)
	}
	return result
}

func TestLimitMovesTheFile(t *testing.T) {
	for _, size := range []int64{1, blockSize, 64<<10 + 1, 3<<20 + 12345} {
		if err := run(t, size, false); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// The limit does the work of verifying, too.
func TestLimitVerifies(t *testing.T) {
	if err := run(t, 1<<20+1, true); err == nil || !strings.Contains(err.Error(), "piece 16") {
		t.Errorf("got %v, want an error about piece 16", err)
	}
}

func TestSameFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	a := write("a", "abc")
	if err := sameFile(a, write("b", "abc")); err != nil {
		t.Error(err)
	}
	for _, other := range []string{"", "ab", "abd", "abcd"} {
		if err := sameFile(a, write("c", other)); err == nil {
			t.Errorf("%q: got nil, want an error", other)
		}
	}
}

func TestTable(t *testing.T) {
	transfer := func(took, cpu time.Duration) measure {
		return measure{took: took, seed: sample{cpu: cpu, peak: 8 << 20, anon: 1 << 20},
			leech: sample{cpu: cpu, peak: 16 << 20}}
	}
	list := []contender{
		{name: "libtorrent -> libtorrent", job: job{size: 1 << 30},
			measures: []measure{transfer(4*time.Second, 2*time.Second)}},
		{name: "the machine's limit", job: job{size: 1 << 30},
			measures: []measure{transfer(time.Second, time.Second)}},
		{name: "the machine's limit, up 100 MiB/s", job: job{size: 1 << 30},
			measures: []measure{transfer(3*time.Second, time.Second)}},
		{name: "node -> node", job: job{size: 1 << 30}, measures: []measure{
			transfer(2*time.Second, time.Second), transfer(9*time.Second, 9*time.Second),
			transfer(time.Second, time.Second),
		}},
		{name: "nginx -> libtorrent", job: job{size: 1 << 30},
			measures: []measure{transfer(time.Second/2, time.Second)}},
		{name: "nginx -> node", job: job{size: 1 << 30},
			measures: []measure{transfer(time.Second/4, time.Second)}},
		{name: "aria2 -> aria2", failed: 1},
	}
	var b bytes.Buffer
	printTable(&b, list)
	got := b.String()
	for _, want := range []string{
		"node -> node: 0.50 of the limit's MB/s, 1.00 of its CPU seconds",
		"node -> node: 2.00 of the MB/s of libtorrent -> libtorrent",
		"nginx -> node: 2.00 of the MB/s of nginx -> libtorrent",
		"8 (1)",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant it to hold %q", got, want)
		}
	}
	if strings.Contains(got, "aria2") {
		t.Errorf("got\n%s\nwant nothing of what was never measured", got)
	}
}

// A sender with a rate keeps to it, in pauses of a tenth of a second.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pace{rate: 100 << 20}
		began := time.Now()
		for range 10 * 400 {
			p.pay(256 << 10)
		}
		if got := time.Since(began); got < 9800*time.Millisecond || got > 10*time.Second {
			t.Errorf("1,000 MiB at 100 MiB/s take %v", got)
		}
	})
}
