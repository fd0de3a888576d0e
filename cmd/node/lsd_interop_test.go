//go:build linux

package main_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"swarmnode/internal/nodeproc"
	"swarmnode/internal/realclient"
)

// lanTimeout bounds each meeting on the local network. It takes some ten milliseconds, or
// ten seconds if the first packets are lost.
const lanTimeout = 3 * time.Minute

// TestLAN: two hosts on one cable, without a DHT, a tracker or any route, meet by local
// search (BEP 14), whichever comes first, and even if the cable is plugged in last. The
// test logs how long it took.
func TestLAN(t *testing.T) {
	t.Parallel()
	binary, inside := nodeInNamespace(t)
	if !inside {
		return
	}
	command, err := exec.LookPath("ip")
	if err != nil {
		t.Fatal(err)
	}
	// What the hosts are called by is to vanish with this namespace, too.
	if err := os.MkdirAll("/run/netns", 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "tmpfs",
		"/run/netns").CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	for i, c := range []struct {
		name                 string
		seedFirst, unplugged bool
		family               string
	}{
		{"the seed first", true, false, "0.0.0.0"},
		{"the seed last", false, false, "0.0.0.0"},
		{"the seed first, IPv6 alone", true, false, "::"},
		{"the cable last", true, true, "0.0.0.0"},
		{"the cable last, IPv6 alone", true, true, "::"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			seedHost, addHost := fmt.Sprintf("seed%d", i), fmt.Sprintf("add%d", i)
			ip(t, "netns", "add", seedHost)
			ip(t, "netns", "add", addHost)
			ip(t, "link", "add", "lan0", "netns", seedHost, "type", "veth", "peer", "name", "lan0",
				"netns", addHost)
			plug := func() {
				for j, host := range []string{seedHost, addHost} {
					ip(t, "-n", host, "link", "set", "lan0", "up")
					if c.family != "::" {
						ip(t, "-n", host, "addr", "add", fmt.Sprintf("192.168.7.%d/24", j+1), "dev",
							"lan0")
					} else {
						address := []string{"-n", host, "addr", "add",
							fmt.Sprintf("fd00:7::%d/64", j+1), "dev", "lan0"}
						if !c.unplugged { // else the system first asks whether it is taken
							address = append(address, "nodad")
						}
						ip(t, address...)
					}
				}
			}
			if !c.unplugged {
				plug()
			}
			content := filepath.Join(t.TempDir(), "content.bin")
			writeContent(t, content, 1<<20)
			torrent, err := realclient.MakeTorrent(content, 64<<10, "")
			if err != nil {
				t.Fatal(err)
			}
			start := func(host string, args ...string) *nodeproc.Node {
				all := append([]string{"netns", "exec", host, binary}, args...)
				n, err := nodeproc.Start(command, t.TempDir(),
					append(all, "--no-dht", "--verbose", "--listen",
						net.JoinHostPort(c.family, "0"))...)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					n.Stop()
					if t.Failed() {
						t.Logf("on %s:\n%s", host, n.Log())
					}
				})
				return n
			}
			ctx, cancel := context.WithTimeout(t.Context(), lanTimeout)
			defer cancel()
			seed := func() {
				n := start(seedHost, "seed", "--piece-length", "64K", content)
				if _, err := n.WaitEvent(ctx, "seeding"); err != nil {
					t.Fatal(err)
				}
			}
			if c.seedFirst {
				seed()
			}
			began := time.Now()
			add := start(addHost, "add", "--dir", t.TempDir(), torrent.Magnet)
			if !c.seedFirst {
				if _, err := add.WaitEvent(ctx, "start"); err != nil {
					t.Fatal(err)
				}
				began = time.Now()
				seed()
			}
			if c.unplugged {
				if _, err := add.WaitEvent(ctx, "start"); err != nil {
					t.Fatal(err)
				}
				began = time.Now()
				plug()
			}
			waitNode(t, ctx, add)
			t.Logf("complete %v after both were there", time.Since(began).Round(time.Millisecond))
		})
	}
}
