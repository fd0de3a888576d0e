//go:build linux

package main_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"swarmnode/internal/proc"
)

// TestTrackerCeiling: more peers than fit into --memory, each alone in its network and
// its torrent, together with silent connections, do not lift the process above the
// ceiling. It still answers, and keeps as many peers as it may.
func TestTrackerCeiling(t *testing.T) {
	t.Parallel()
	const announces, ceiling, atLeast = 45_000, 32 << 20, 20_000
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	tr := startTracker(ctx, t, "--memory", "32M")
	for i := range 300 {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 250, byte(i), 1)}}
		c, err := d.DialContext(ctx, "tcp4", tr.at.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "GET /announce HTTP/1.1\r\nX-Slow: ")
	}
	const workers = 8
	var wait sync.WaitGroup
	var mu sync.Mutex
	answered := 0
	for w := range workers {
		wait.Go(func() {
			for i := w; i < announces && ctx.Err() == nil; i += workers {
				if announcePacket(tr.at, i) {
					mu.Lock()
					answered++
					mu.Unlock()
				}
			}
		})
	}
	wait.Wait()
	if err := tr.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	last := tr.await(t, func(e trackerLine) bool {
		return e.Event == "tracker" && len(e.Announce) == 0
	})
	u, err := tr.Usage()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d announces answered, %d peers, %d had to go, %d KiB at most",
		answered, announces, last.Peers, last.Evicted, u.PeakRSS>>10)
	if answered < announces*9/10 || last.Peers < atLeast || last.Evicted == 0 {
		t.Errorf("%d of %d announces answered, %d peers, %d had to go", answered, announces,
			last.Peers, last.Evicted)
	}
	// The race detector has memory of its own.
	if u.PeakRSS > ceiling/10*11 && !slices.Contains(buildFlags, "-race") {
		t.Errorf("%d KiB were resident, the ceiling is %d", u.PeakRSS>>10, ceiling>>10)
	}
}

// announcePacket announces peer i over UDP, from an address of its own (BEP 15),
// and reports whether there was an answer.
func announcePacket(to netip.AddrPort, i int) bool {
	from := &net.UDPAddr{IP: net.IPv4(127, byte(i>>8), byte(i), 1)}
	c, err := net.DialUDP("udp4", from, net.UDPAddrFromAddrPort(to))
	if err != nil {
		return false
	}
	defer c.Close()
	ask := func(b []byte) []byte {
		for range 3 { // datagrams get lost
			c.SetDeadline(time.Now().Add(5 * time.Second))
			c.Write(b)
			answer := make([]byte, 2048)
			if n, err := c.Read(answer); err == nil {
				return answer[:n]
			}
		}
		return nil
	}
	be := binary.BigEndian
	connect := be.AppendUint64(nil, 0x41727101980)
	connect = append(connect, 0, 0, 0, 0, 'c', 'o', 'n', 'n')
	answer := ask(connect)
	if len(answer) != 16 {
		return false
	}
	b := append(slices.Clone(answer[8:]), 0, 0, 0, 1, 'a', 'n', 'n', 'o') // connection id, announce
	b = append(b, fmt.Sprintf("%020d", i)...)                             // info-hash
	// peer id, counts, event, ip, key
	b = append(b, make([]byte, 20+3*8+4+4+4)...)
	b = be.AppendUint32(b, 50) // wanted
	b = be.AppendUint16(b, 6881)
	answer = ask(b)
	return len(answer) >= 20 && be.Uint32(answer) == 1
}

// A runningTracker is the command at work.
type runningTracker struct {
	*proc.Process
	at    netip.AddrPort
	lines chan trackerLine
}

// trackerLine is one line of its --json.
type trackerLine struct {
	Event          string
	Listen         []string
	Announce       []string
	Peers, Evicted int
}

// startTracker runs a tracker on loopback until the test ends.
func startTracker(ctx context.Context, t *testing.T, flags ...string) *runningTracker {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	tr := &runningTracker{lines: make(chan trackerLine, 100)}
	args := append([]string{"tracker", "--listen", "127.0.0.1:0", "--json"}, flags...)
	tr.Process, err = proc.Start(proc.Config{
		Path: buildNode(t), Args: args, Stdout: w, Stderr: os.Stderr, Hide: "SWARM_",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Stop)
	go func() {
		defer close(tr.lines)
		defer r.Close()
		for lines := bufio.NewScanner(r); lines.Scan(); {
			var e trackerLine
			if json.Unmarshal(lines.Bytes(), &e) == nil {
				select {
				case tr.lines <- e:
				case <-ctx.Done():
				}
			}
		}
	}()
	start := tr.await(t, func(e trackerLine) bool {
		return e.Event == "start" && len(e.Listen) > 0
	})
	if tr.at, err = netip.ParseAddrPort(start.Listen[0]); err != nil {
		t.Fatal(err)
	}
	tr.await(t, func(e trackerLine) bool { return len(e.Announce) > 0 })
	return tr
}

// await returns the first further line that match accepts.
func (tr *runningTracker) await(t *testing.T, match func(trackerLine) bool) trackerLine {
	t.Helper()
	for e := range tr.lines {
		if match(e) {
			return e
		}
	}
	t.Fatal("the tracker has ended")
	return trackerLine{}
}
