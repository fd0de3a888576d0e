//go:build linux

package main_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"swarmnode/internal/nodeproc"
	"swarmnode/internal/realclient"
)

const (
	// pexTimeout bounds TestPEXWithClients. Others exchange peers once a minute or
	// less often.
	pexTimeout = 12 * time.Minute
	// pexContent is so much that the peer in the middle, which gives and takes
	// slowly, cannot be where the last one got it from.
	pexContent = 4 << 20
	// pexPoll is the time between two looks at a client.
	pexPoll = 100 * time.Millisecond
	// nodeKind is the command under test, in the place of a client.
	nodeKind realclient.Kind = "node"
)

// A pexCase says who has which place: the last one knows only the middle one, which knows
// the seed.
type pexCase struct{ last, middle, seed realclient.Kind }

func (c pexCase) String() string { return fmt.Sprintf("%s by %s to %s", c.last, c.middle, c.seed) }

// TestPEXWithClients: a downloader knows only a peer that has little and gives almost
// nothing. By peer exchange (BEP 11) alone, it reaches the seed to which that peer is
// connected. The command is in each of the three places, with other clients in the
// others. Cases with Transmission, or in which another client tells, take up to minutes,
// and run when SWARM_SOAK=1.
func TestPEXWithClients(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts many clients")
	}
	binary, inside := nodeInNamespace(t, realclient.Libtorrent, realclient.Transmission,
		realclient.Aria2)
	if !inside {
		return
	}
	// Addresses that nobody takes for those of a local network: libtorrent has no
	// limits there, and we are freer with those.
	ip(t, "addr", "add", "198.18.0.1/15", "dev", "lo")
	const lt, tr, aria = realclient.Libtorrent, realclient.Transmission, realclient.Aria2
	cases := []pexCase{{nodeKind, nodeKind, nodeKind}, {lt, nodeKind, aria}}
	if os.Getenv("SWARM_SOAK") == "1" {
		cases = append(cases, []pexCase{
			{lt, nodeKind, tr}, {tr, nodeKind, aria}, {aria, nodeKind, lt},
			{nodeKind, lt, tr}, {nodeKind, tr, aria}, {nodeKind, aria, lt},
			{lt, tr, nodeKind}, {tr, aria, nodeKind}, {aria, lt, nodeKind},
		}...)
	}
	ctx, cancel := context.WithTimeout(t.Context(), pexTimeout)
	t.Cleanup(cancel)
	for i, c := range cases {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			exchange(t, ctx, binary, c, byte(i))
		})
	}
}

// pexHost returns an address for a host of a case.
func pexHost(group, number byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, group, number}), 7000)
}

func exchange(t *testing.T, ctx context.Context, binary string, c pexCase, group byte) {
	dir := t.TempDir()
	content := filepath.Join(dir, "content.bin")
	writeContent(t, content, pexContent)
	seed, middle, last := pexHost(group, 1), pexHost(group, 2), pexHost(group, 3)
	s := &pexHosts{t: t, ctx: ctx, binary: binary, content: content}
	gave := s.start(c.seed, seed, netip.AddrPort{}, dir, false)
	// It is connected before the last one comes: aria2 tells of a peer once, in the
	// minute in which it met it.
	s.start(c.middle, middle, seed, t.TempDir(), true).begun()
	out := t.TempDir()
	start := time.Now()
	wait := s.start(c.last, last, middle, out, false)
	wait.complete()
	t.Logf("%v: complete after %.1f s", c, time.Since(start).Seconds())
	sameContent(t, content, filepath.Join(out, "content.bin"))
	gave.gave(pexContent * 3 / 4)
}

// A pexHosted is a running host.
type pexHosted struct {
	begun    func()            // waits until it is connected
	complete func()            // waits until it has all
	gave     func(bytes int64) // waits until it has given so much
}

// pexHosts are the hosts of one case.
type pexHosts struct {
	t       *testing.T
	ctx     context.Context
	binary  string
	content string
}

// start starts a client at an address. It knows one peer at most, and has limits if it is
// slow.
func (s *pexHosts) start(kind realclient.Kind, at, knows netip.AddrPort, dir string,
	slow bool) pexHosted {
	t := s.t
	t.Helper()
	announce := ""
	if knows.IsValid() && !kind.TakesPeers() {
		tracker, err := realclient.NewTracker(at.Addr(), knows)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(tracker.Close)
		announce = tracker.URL
	}
	torrent, err := realclient.MakeTorrent(s.content, 64<<10, announce)
	if err != nil {
		t.Fatal(err)
	}
	// The next one made of the content would take its place while it is read.
	file := filepath.Join(t.TempDir(), "content.torrent")
	if err := os.Rename(torrent.File, file); err != nil {
		t.Fatal(err)
	}
	if kind == nodeKind {
		args := []string{"--no-dht", "--no-lsd", "--seed", "--dir", dir}
		if knows.IsValid() {
			args = append(args, "--peer", knows.String())
		}
		if slow {
			args = append(args, "--down", "10k", "--up", "1k")
		}
		n := &interop{binary: s.binary}
		p := n.startNode(t, at.Addr(), at.Port(), "add", append(args, file)...)
		h := pexHosted{
			begun: func() {
				_, err := p.WaitFor(s.ctx, "something", func(e nodeproc.Event) bool {
					return e.Event == "progress" && e.Have > 0
				})
				if err != nil {
					t.Fatal(err)
				}
			},
			complete: func() {
				if _, err := p.WaitEvent(s.ctx, "complete"); err != nil {
					t.Fatal(err)
				}
			},
			gave: func(bytes int64) {
				_, err := p.WaitFor(s.ctx, "what was given", func(e nodeproc.Event) bool {
					return e.Uploaded >= bytes
				})
				if err != nil {
					t.Errorf("%v: the content is not from the seed: %v", at, err)
				}
			},
		}
		if !knows.IsValid() {
			h.complete()
		}
		return h
	}
	opts := realclient.Options{IP: at.Addr(), Port: at.Port(), Settings: pexSettings(kind, slow)}
	client := realclient.Start(t, kind, opts)
	if err := client.Seed(s.ctx, file, dir); err != nil {
		t.Fatal(err)
	}
	if knows.IsValid() && kind.TakesPeers() {
		if err := client.Connect(s.ctx, knows); err != nil {
			t.Fatal(err)
		}
	}
	h := pexHosted{
		begun: func() {
			for {
				p, err := client.Progress(s.ctx)
				if err != nil {
					t.Fatal(err)
				}
				if p.Peers > 0 {
					return
				}
				select {
				case <-time.After(pexPoll):
				case <-s.ctx.Done():
				}
			}
		},
		complete: func() {
			if err := client.Wait(s.ctx); err != nil {
				t.Fatal(err)
			}
		},
		gave: func(int64) {}, // it does not tell
	}
	if !knows.IsValid() {
		h.complete()
	}
	return h
}

// pexSettings make a client slow, and keep it to TCP.
func pexSettings(kind realclient.Kind, slow bool) map[string]any {
	s := map[realclient.Kind]map[string]any{
		realclient.Libtorrent:   {"enable_outgoing_utp": false, "enable_incoming_utp": false},
		realclient.Transmission: {"utp-enabled": false},
		realclient.Aria2:        {},
	}[kind]
	if slow {
		for name, value := range map[realclient.Kind]map[string]any{
			realclient.Libtorrent: {"download_rate_limit": 10_000, "upload_rate_limit": 1_000},
			realclient.Transmission: {
				"speed-limit-down-enabled": true, "speed-limit-down": 10,
				"speed-limit-up-enabled": true, "speed-limit-up": 1,
			},
			realclient.Aria2: {"max-overall-download-limit": "10K",
				"max-overall-upload-limit": "1K"},
		}[kind] {
			s[name] = value
		}
	}
	return s
}
